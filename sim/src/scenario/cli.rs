//! The commands `run` and `suite`.
//!
//! ```text
//!   run FILE                one scenario                       ─► table, CSV, SVG
//!   suite                   all that are built in              ─► tables, JSON, SVGs
//!   suite --without         the same, bare of each protection  ─► table, JSON
//! ```

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::docs::{Bare, between_marks, results_table, without_table};
use super::file::{Scenario, ScenarioError};
use super::play::{self, Outcome};
use super::plot::plot;
use super::report::{Report, bare_table, table};
use super::suite::{built_in, in_parallel};

/// Runs one scenario's file and judges it.
#[derive(Clone, Debug, Args)]
pub struct RunArguments {
    /// The scenario's file (TOML).
    scenario: PathBuf,
    /// A load in place of the scenario's: CSV of time in seconds and utilisation from 0 to 1.
    #[arg(long, value_name = "CSV")]
    trace: Option<PathBuf>,
    /// Write the course here, a line a second.
    #[arg(long, value_name = "CSV")]
    csv: Option<PathBuf>,
    /// Draw the course here.
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
}

/// Runs every scenario that belongs to the product.
#[derive(Clone, Debug, Args)]
pub struct SuiteArguments {
    /// Only these, for example s05. May be given several times.
    #[arg(long, value_name = "ID")]
    only: Vec<String>,
    /// Run each scenario without what it is about: it must then fail.
    #[arg(long)]
    without: bool,
    /// Write the results here.
    #[arg(long, value_name = "JSON")]
    json: Option<PathBuf>,
    /// Compare the results with those in this file: they must be the same.
    #[arg(long, value_name = "JSON")]
    expect: Option<PathBuf>,
    /// Draw each course here, one file for each scenario.
    #[arg(long, value_name = "FOLDER", conflicts_with = "without")]
    plots: Option<PathBuf>,
    /// Write the results into the table of this document.
    #[arg(long, value_name = "MARKDOWN")]
    docs: Option<PathBuf>,
}

/// Why a command cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The scenario cannot be used.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A result cannot be written.
    #[error("cannot write {}: {source}", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Kept results cannot be used.
    #[error("cannot use {}: {why}", file.display())]
    Unusable {
        /// Which file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// No scenario is called so.
    #[error("no scenario is called \"{id}\"; they are {known}")]
    UnknownScenario {
        /// What was asked for.
        id: String,
        /// What there is.
        known: String,
    },
}

/// Runs a scenario. Fails where a criterion does not hold.
///
/// # Errors
/// If the scenario cannot be used, or results cannot be written.
pub fn run(arguments: &RunArguments) -> Result<ExitCode, CommandError> {
    let scenario = Scenario::read(&arguments.scenario, arguments.trace.as_deref())?;
    let outcome = play::run(&scenario);
    if let Some(file) = &arguments.csv {
        write_csv(&outcome, file)?;
    }
    if let Some(file) = &arguments.plot {
        write(file, &plot(&heading(&scenario), &outcome.track))?;
    }
    let report = Report::new(&scenario.form.id, outcome.verdicts);
    say(&table(&scenario.form.title, &report));
    Ok(verdict(report.passed))
}

/// Runs the scenarios that are built in. Fails where a criterion does not hold, where one holds without its protection,
/// or where results differ from those expected.
///
/// # Errors
/// If results cannot be read or written, or a scenario is asked for that is not there.
pub fn suite(arguments: &SuiteArguments) -> Result<ExitCode, CommandError> {
    let scenarios = chosen(&arguments.only)?;
    if arguments.without { without(&scenarios, arguments) } else { with_all(&scenarios, arguments) }
}

fn with_all(scenarios: &[Scenario], arguments: &SuiteArguments) -> Result<ExitCode, CommandError> {
    let outcomes = in_parallel(scenarios, cost, play::run);
    let mut reports = Vec::new();
    for (scenario, outcome) in scenarios.iter().zip(outcomes) {
        if let Some(folder) = &arguments.plots {
            let file = folder.join(format!("{}.svg", scenario.form.id));
            write(&file, &plot(&heading(scenario), &outcome.track))?;
        }
        let report = Report::new(&scenario.form.id, outcome.verdicts);
        say(&table(&scenario.form.title, &report));
        reports.push(report);
    }
    let passed = reports.iter().filter(|report| report.passed).count();
    say(&format!("{passed} of {} scenarios hold\n", reports.len()));
    let same = keep(&reports, arguments)?;
    if let Some(file) = &arguments.docs {
        into_document(file, "results", &results_table(scenarios, &reports))?;
    }
    Ok(verdict(passed == reports.len() && same))
}

fn without(scenarios: &[Scenario], arguments: &SuiteArguments) -> Result<ExitCode, CommandError> {
    let stripped = in_parallel(scenarios, cost, play::run_without);
    let mut cases = Vec::new();
    for (scenario, stripped) in scenarios.iter().zip(stripped) {
        for case in stripped {
            let (id, without) = (scenario.form.id.clone(), case.protection.to_string());
            cases.push(Bare { id, without, broken: case.broken });
        }
    }
    cases.iter().for_each(|case| say(&bare_table(case)));
    let same = keep(&cases, arguments)?;
    if let Some(file) = &arguments.docs {
        into_document(file, "without", &without_table(&cases))?;
    }
    Ok(verdict(cases.iter().all(|case| !case.broken.is_empty()) && same))
}

fn cost(scenario: &Scenario) -> u64 {
    scenario.form.duration.cycles()
}

fn heading(scenario: &Scenario) -> String {
    format!("{}: {}", scenario.form.id, scenario.form.title)
}

/// The scenarios asked for; all if none is.
fn chosen(only: &[String]) -> Result<Vec<Scenario>, CommandError> {
    let mut scenarios = built_in()?;
    let known = || scenarios.iter().map(|scenario| scenario.form.id.clone()).collect::<Vec<_>>().join(", ");
    if let Some(id) = only.iter().find(|id| scenarios.iter().all(|scenario| scenario.form.id != **id)) {
        return Err(CommandError::UnknownScenario { id: id.clone(), known: known() });
    }
    if !only.is_empty() {
        scenarios.retain(|scenario| only.contains(&scenario.form.id));
    }
    Ok(scenarios)
}

/// Writes results where they are kept, and compares them with those expected.
fn keep<T>(results: &T, arguments: &SuiteArguments) -> Result<bool, CommandError>
where
    T: Serialize + DeserializeOwned + PartialEq,
{
    if let Some(file) = &arguments.json {
        let unusable =
            |error: serde_json::Error| CommandError::Unusable { file: file.clone(), why: error.to_string() };
        let text = serde_json::to_string_pretty(results).map_err(unusable)?;
        write(file, &format!("{text}\n"))?;
    }
    let Some(file) = &arguments.expect else { return Ok(true) };
    let unusable = |why: String| CommandError::Unusable { file: file.clone(), why };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let expected: T = serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))?;
    let same = expected == *results;
    if !same {
        say(&format!(
            "results differ from {}; look at what has changed, then write it with --json\n",
            file.display()
        ));
    }
    Ok(same)
}

fn into_document(file: &Path, name: &str, table: &str) -> Result<(), CommandError> {
    let unusable = |why: String| CommandError::Unusable { file: file.to_owned(), why };
    let document = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    let missing = || unusable(format!("it has no place for the table \"{name}\""));
    write(file, &between_marks(&document, name, table).ok_or_else(missing)?)
}

/// All is well, or not.
pub(super) fn verdict(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says it to whoever reads.
pub(super) fn say(text: &str) {
    // Where nobody reads there is nobody to tell.
    let _unread = io::stdout().write_all(text.as_bytes());
}

/// Writes a text to a file.
pub(super) fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    std::fs::write(file, text).map_err(|source| CommandError::Unwritable { file: file.to_owned(), source })
}

fn write_csv(outcome: &Outcome, file: &Path) -> Result<(), CommandError> {
    let unwritable = |source| CommandError::Unwritable { file: file.to_owned(), source };
    let mut to = BufWriter::new(File::create(file).map_err(unwritable)?);
    outcome.track.write_csv(&mut to).and_then(|()| to.flush()).map_err(unwritable)
}
