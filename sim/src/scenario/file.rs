//! A scenario's file.
//!
//! ```text
//!   id, title, why, seed, duration, settle
//!   workload or trace     what the GPUs are asked to do
//!   [plant]               GPU model, numbers that differ
//!   [outside]             river, room, heat network, over time
//!   [tuning]              the controller's numbers that differ
//!   [[events]]            what happens when
//!   [[criteria]]          what must hold
//!   without = [ … ]       protections without which it must not hold
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eisbach_control::Tuning;
use eisbach_nvml_sim::GpuModel;
use serde::Deserialize;

use super::criterion::Criterion;
use super::event::Event;
use super::outside::Outside;
use super::plant::PlantChoice;
use super::protection::Protection;
use super::span::Span;
use crate::closed_loop::Node;
use crate::plant::PlantParams;
use crate::workload::{Between, Trace, TraceError, Workload};

/// Longest time that a scenario may take.
const LONGEST: Span = Span::from_secs(40 * 86_400);

/// A scenario, ready to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What its file says.
    pub form: Form,
    /// The GPU model.
    pub model: GpuModel,
    /// The numbers of the plant.
    pub params: PlantParams,
    /// The controller's numbers, commissioned for this plant.
    pub tuning: Tuning,
    /// The load, where it was recorded.
    pub trace: Option<Arc<Trace>>,
}

/// What a scenario's file says.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Short name, for example `s05`.
    pub id: String,
    /// One line.
    pub title: String,
    /// Why it is worth running.
    pub why: String,
    /// Decides everything that is random.
    pub seed: u64,
    /// Plant time that is judged.
    pub duration: Span,
    /// Plant time before that, for the controller to find its place at the load's mean.
    #[serde(default = "ten_minutes")]
    pub settle: Span,
    /// The load, in the words of the demo.
    pub workload: Option<Workload>,
    /// The load, recorded: a CSV file beside this one.
    pub trace: Option<PathBuf>,
    /// The plant.
    #[serde(default)]
    pub plant: PlantChoice,
    /// The world outside.
    #[serde(default)]
    pub outside: Outside,
    /// The controller's numbers. Flow and head at full speed are the plant's.
    #[serde(default)]
    pub tuning: Tuning,
    /// What happens.
    #[serde(default)]
    pub events: Vec<Event>,
    /// What must hold.
    pub criteria: Vec<Criterion>,
    /// Without each of these it must not hold.
    #[serde(default)]
    pub without: Vec<Protection>,
}

const fn ten_minutes() -> Span {
    Span::from_secs(600)
}

/// Why a file is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It cannot be read.
    #[error("cannot read the scenario {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has not the form.
    #[error("{}: {source}", file.display())]
    Form {
        /// Which file.
        file: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// A value does not make sense.
    #[error("{}: {key}: {why}", file.display())]
    Value {
        /// Which file.
        file: PathBuf,
        /// Which key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// Its load cannot be used.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

impl Scenario {
    /// Reads a file, and the load that it names beside it.
    ///
    /// # Errors
    /// If the file cannot be read or is no scenario.
    pub fn read(file: &Path, trace: Option<&Path>) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ScenarioError::Unreadable { file: file.to_owned(), source })?;
        let mut form = form(&text, file)?;
        if trace.is_some() {
            // Given on the command line, it stands in for whatever the file says.
            (form.workload, form.trace) = (None, None);
        }
        let beside =
            form.trace.as_ref().map(|name| file.parent().unwrap_or_else(|| Path::new("")).join(name));
        let recorded = trace.map(Path::to_owned).or(beside);
        let text = recorded.map(|path| {
            let text = std::fs::read_to_string(&path);
            text.map(|text| (text, path.clone()))
                .map_err(|source| TraceError::Unreadable { file: path, source })
        });
        let text = text.transpose()?;
        Self::new(form, text.as_ref().map(|(text, path)| (text.as_str(), path.as_path())), file)
    }

    /// A scenario of this form, without a recorded load.
    pub(super) fn of(form: Form, file: &Path) -> Result<Self, ScenarioError> {
        Self::new(form, None, file)
    }

    /// The same with another node, commissioned with these numbers, and another seed.
    pub(super) fn with_node(&self, params: &PlantParams, tuning: Tuning, seed: u64) -> Self {
        let form = Form { seed, ..self.form.clone() };
        Self { form, params: params.clone(), tuning, ..self.clone() }
    }

    /// What is asked of a GPU while the controller finds its place.
    pub(super) fn first_level(&self) -> f64 {
        match (&self.trace, self.form.workload) {
            (Some(trace), _) => trace.at(0.0).iter().sum::<f64>() / 8.0,
            (None, Some(workload)) => workload.mean(),
            (None, None) => 0.0,
        }
    }

    /// Reads a text that came from `file`, and a load that came with it.
    ///
    /// # Errors
    /// If the text is no scenario.
    pub fn parse(text: &str, trace: Option<(&str, &Path)>, file: &Path) -> Result<Self, ScenarioError> {
        Self::new(form(text, file)?, trace, file)
    }

    fn new(form: Form, trace: Option<(&str, &Path)>, file: &Path) -> Result<Self, ScenarioError> {
        let error = |(key, why): (String, String)| ScenarioError::Value { file: file.to_owned(), key, why };
        let model = form.plant.model().map_err(error)?;
        let params = form.plant.params().map_err(error)?;
        if let Some(fault) = fault(&form, trace.is_some()).or_else(|| form.outside.fault()) {
            return Err(error(fault));
        }
        let hold = |(text, path)| Trace::parse(text, path, Between::Hold, &params.gpu).map(Arc::new);
        let tuning = Node::commissioned(&params, form.tuning);
        Ok(Self { trace: trace.map(hold).transpose()?, form, model, params, tuning })
    }
}

fn form(text: &str, file: &Path) -> Result<Form, ScenarioError> {
    toml::from_str(text)
        .map_err(|source| ScenarioError::Form { file: file.to_owned(), source: Box::new(source) })
}

/// The first thing in it that does not make sense.
fn fault(form: &Form, traced: bool) -> Option<(String, String)> {
    let say = |key: &str, why: &str| Some((key.to_owned(), why.to_owned()));
    if form.id.is_empty()
        || !form.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    {
        return say("id", "use small letters, digits and dashes");
    }
    if form.duration == Span::default() || form.duration > LONGEST || form.settle > LONGEST {
        return say("duration", "give a time above zero, at most forty days");
    }
    match (&form.workload, traced || form.trace.is_some()) {
        (Some(_), true) => return say("trace", "give either a workload or a trace"),
        (None, false) => return say("workload", "give a workload or a trace"),
        _ => {}
    }
    if form.criteria.is_empty() {
        return say("criteria", "a scenario that asks for nothing shows nothing; give at least one");
    }
    if let Err(error) = form.tuning.check() {
        return Some((format!("tuning.{}", error.key), format!("must be {}", error.must)));
    }
    let late = form.events.iter().position(|event| event.at > form.duration);
    if let Some(index) = late {
        return Some((format!("events[{index}].at"), "comes after the end".to_owned()));
    }
    form.criteria.iter().enumerate().find_map(|(index, criterion)| {
        let key = |key: &str| format!("criteria[{index}].{key}");
        let to = criterion.to.unwrap_or(form.duration);
        if to > form.duration || criterion.from >= to {
            Some((key("to"), "must be after `from`, and not after the end".to_owned()))
        } else if !criterion.limit.is_finite() {
            Some((key("limit"), "must be a number".to_owned()))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        id = "small"
        title = "A step"
        why = "To try the form."
        seed = 1
        duration = "10m"
        workload = "step"
        without = ["throttling"]
        [plant]
        gpu = "b200"
        thermal-mass = 0.6
        [plant.times]
        "cdu.fouling" = 2
        [outside]
        river = [["0s", 12], ["5m", 18.5]]
        [tuning]
        supply_target = 32.0
        [[events]]
        at = "1m"
        what = { fault = { kind = "leak", hole_mm = 1.0 } }
        [[events]]
        at = "2m"
        what = { sensor = { of = "gpu-3-temperature", how = { drift-per-minute = 0.5 } } }
        [[events]]
        at = "3m"
        what = "reset"
        [[criteria]]
        kind = "margin"
        limit = 2
        [[criteria]]
        kind = { reaches = "leak" }
        limit = 1.0
        from = "1m"
    "#;

    fn parse(text: &str) -> Result<Scenario, String> {
        Scenario::parse(text, None, Path::new("small.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_scenario_reads_as_it_says() {
        let scenario = parse(SMALL).unwrap();
        assert_eq!(scenario.model, GpuModel::B200);
        assert_eq!(scenario.form.events.len(), 3);
        assert!((scenario.form.outside.river.at(150.0) - 15.25).abs() < 1e-9);
        assert!(scenario.params.plate.metal_capacity < PlantParams::of(GpuModel::B200).plate.metal_capacity);
    }

    #[test]
    fn an_error_names_file_and_key() {
        for (from, to, told) in [
            ("seed = 1", "seed = -1", "small.toml"),
            ("seed = 1", "sead = 1", "sead"),
            ("\"10m\"", "\"10 minutes\"", "10 minutes"),
            ("\"step\"", "\"mining\"", "mining"),
            ("workload = \"step\"", "", "workload: give"),
            ("\"b200\"", "\"b300k\"", "plant.gpu"),
            ("cdu.fouling", "cdu.coral", "cdu.coral"),
            ("18.5", "98.5", "outside.river"),
            ("supply_target = 32.0", "supply_target = 99.0", "tuning.supply_target"),
            ("gpu-3-temperature", "gpu-x", "gpu-x"),
            ("at = \"3m\"", "at = \"30m\"", "events[2].at"),
            ("from = \"1m\"", "from = \"10m\"", "criteria[1].to"),
            ("\"throttling\"", "\"gravity\"", "gravity"),
            ("reaches = \"leak\"", "reaches = \"sleep\"", "uncontrollable"),
        ] {
            assert!(SMALL.contains(from), "{from}");
            let error = parse(&SMALL.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains("small.toml") && error.contains(told), "{told}: {error}");
        }
    }
}
