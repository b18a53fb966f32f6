//! The commands `run` and `suite`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::file::{Scenario, ScenarioError};
use super::play::{self, Outcome};
use super::report::{Report, table};

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
    let report = Report::new(&scenario.form.id, outcome.verdicts);
    say(&table(&scenario.form.title, &report));
    Ok(verdict(report.passed))
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

fn write_csv(outcome: &Outcome, file: &Path) -> Result<(), CommandError> {
    let unwritable = |source| CommandError::Unwritable { file: file.to_owned(), source };
    let mut to = BufWriter::new(File::create(file).map_err(unwritable)?);
    outcome.track.write_csv(&mut to).and_then(|()| to.flush()).map_err(unwritable)
}
