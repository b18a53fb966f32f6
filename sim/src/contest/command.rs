//! The command: who fights, on what, and where the results go.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use thiserror::Error;

use super::bout::{Ground, fight};
use super::course::Course;
use super::report;
use super::rival::{FixedFlow, Ours, PiOnHottest, PiOnRise, Rival, Zone};
use super::score::Score;
use super::{page, steady_bout, tune, year};
use crate::plant::GPUS;
use crate::workload::{Load, TraceError};

/// Threads that fight bouts.
const THREADS: usize = 2;

/// `eisbach-sim bench control`.
#[derive(Clone, Debug, clap::Args)]
pub struct ControlArguments {
    /// Writes the scores as JSON to this file: one object per controller and workload.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Hours of plant time per bout.
    #[arg(long, default_value_t = 4.0, value_parser = hours)]
    hours: f64,
    /// Decides everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Heat that the network takes of a node, W.
    #[arg(long, value_name = "WATTS", default_value_t = 8000.0, value_parser = watts)]
    heat_demand: f64,
    /// Also runs a year against the optimum: so many days of it, spread over the seasons; 365 where none are given.
    #[arg(long, value_name = "DAYS", num_args = 0..=1, default_missing_value = "365", value_parser = days)]
    year: Option<f64>,
    /// Searches the rivals' numbers instead of having them fight.
    #[arg(long)]
    tune: bool,
    /// Writes the results as Markdown to this file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "docs/control-results.md")]
    docs: Option<PathBuf>,
}

impl ControlArguments {
    /// The command line that gives the same results.
    fn told(&self) -> String {
        let Self { hours, seed, heat_demand, .. } = self;
        let year = self.year.map_or_else(String::new, |days| format!(" --year {days}"));
        format!(
            "eisbach-sim bench control --hours {hours} --seed {seed} --heat-demand {heat_demand}{year} --docs"
        )
    }
}

/// Why the contest has no results.
#[derive(Debug, Error)]
pub enum ContestError {
    /// A file could not be written.
    #[error("cannot write {path}: {source}; check that its folder exists and may be written to")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody reads the table.
    #[error("cannot print the table: {0}")]
    Print(io::Error),
    /// The year has no factory.
    #[error("cannot run a year: {0}")]
    Year(#[from] crate::factory::FactoryError),
    /// A course has no work.
    #[error("cannot make up a load: {0}")]
    Load(#[from] TraceError),
    /// The scores have no JSON form.
    #[error("cannot write the scores as JSON: {0}")]
    Json(serde_json::Error),
}

fn hours(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if (0.05..=1000.0).contains(&hours) => Ok(hours),
        _ => Err("give hours of plant time, 0.05 to 1000".to_owned()),
    }
}

fn watts(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(watts) if (0.0..=1e6).contains(&watts) => Ok(watts),
        _ => Err("give watts of heat, 0 to 1000000".to_owned()),
    }
}

fn days(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(days) if (0.2..=365.0).contains(&days) => Ok(days),
        _ => Err("give days of the year, 0.2 to 365".to_owned()),
    }
}

/// Who fights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fighter {
    Fixed,
    Rise,
    Hottest,
    Zone,
    Untold,
    Ours,
    Optimum,
}

impl Fighter {
    pub(super) const ALL: [Self; 7] =
        [Self::Fixed, Self::Rise, Self::Hottest, Self::Zone, Self::Untold, Self::Ours, Self::Optimum];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed flow",
            Self::Rise => "PI on ΔT",
            Self::Hottest => "PI on hottest GPU",
            Self::Zone => "zone of PIDs",
            Self::Untold => "ours, told nothing of the network",
            Self::Ours => "ours",
            Self::Optimum => steady_bout::NAME,
        }
    }

    /// Its score on `course`.
    pub(super) fn score(self, course: (Course, &Load), ground: &Ground) -> Score {
        let params = &ground.params;
        let mut rival: Box<dyn Rival> = match self {
            Self::Fixed => Box::new(FixedFlow::new(params)),
            Self::Rise => Box::new(PiOnRise::new(PiOnRise::GAINS)),
            Self::Hottest => Box::new(PiOnHottest::new(PiOnHottest::GAINS, PiOnHottest::TARGET)),
            Self::Zone => Box::new(Zone::new(Zone::TUNING, GPUS)),
            Self::Untold | Self::Ours => Box::new(Ours::new(params)),
            Self::Optimum => return steady_bout::at_rest(course.0, course.1, ground),
        };
        let ground = Ground { told: self == Self::Ours, ..ground.clone() };
        fight(rival.as_mut(), self.name(), course, &ground)
    }
}

/// Every rival on every course, course by course.
///
/// # Errors
///
/// A course whose trace is none.
pub(super) fn contest(ground: &Ground) -> Result<Vec<Score>, TraceError> {
    let mut loads = Vec::new();
    for course in Course::ALL {
        loads.push((course, course.load(ground)?));
    }
    let bouts: Vec<(Course, &Load, Fighter)> = loads
        .iter()
        .flat_map(|(course, load)| Fighter::ALL.map(|fighter| (*course, load, fighter)))
        .collect();
    Ok(in_parallel(&bouts, |&(course, load, fighter)| fighter.score((course, load), ground)))
}

/// `work` on each of `tasks` by [`THREADS`] threads. The results are in the order of the tasks, whoever was faster.
pub(super) fn in_parallel<T: Sync, R: Send>(tasks: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(tasks.len()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((index, task)) = Some(next.fetch_add(1, Ordering::Relaxed))
                    .and_then(|index| Some((index, tasks.get(index)?)))
                {
                    let result = work(task);
                    done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Fights all bouts and tells the results.
///
/// # Errors
///
/// A file that cannot be written.
pub fn run(arguments: &ControlArguments) -> Result<(), ContestError> {
    if arguments.tune {
        return io::stdout().lock().write_all(tune::search()?.as_bytes()).map_err(ContestError::Print);
    }
    let ground =
        Ground { demand: arguments.heat_demand, ..Ground::new(arguments.hours * 3600.0, arguments.seed) };
    let scores = contest(&ground)?;
    let year = arguments.year.map(|days| year::run(days, arguments.seed)).transpose()?;
    let tables = report::tables(&scores) + &year.as_ref().map(report::of_year).unwrap_or_default();
    io::stdout().lock().write_all(tables.as_bytes()).map_err(ContestError::Print)?;
    if let Some(path) = &arguments.json {
        let mut text = serde_json::to_string_pretty(&scores).map_err(ContestError::Json)?;
        text.push('\n');
        write(path, &text)?;
    }
    if let Some(path) = &arguments.docs {
        write(path, &page::document(&scores, year.as_ref(), &arguments.told()))?;
    }
    Ok(())
}

fn write(path: &PathBuf, text: &str) -> Result<(), ContestError> {
    std::fs::write(path, text).map_err(|source| ContestError::File { path: path.clone(), source })
}
