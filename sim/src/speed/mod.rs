//! How fast the world turns: `eisbach-sim bench speed`.
//!
//! ```text
//!   one node, 0.1 s steps ──────┐   with its controller, and the plant alone
//!   a day of 1,250 nodes ───────┼─► table on standard output, and as JSON
//!   10, 100, 1,250, 12,500 ─────┤   cost of a node's step
//!   one thread, two threads ────┘   the same bits?
//! ```
//!
//! Rates are reckoned from processor time, so that a neighbour on the machine does not count; wall-clock time is told
//! beside it. The controller has its turn in every step: at 10 Hz in steps of 0.1 s, at 1 Hz in steps of a second.

mod measure;
mod report;

use std::fs;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use eisbach_nvml_sim::GpuModel;
use thiserror::Error;

use self::measure::Measurer;
pub use self::report::{Bits, Day, Report, Single, Size};
use crate::factory::FactoryError;

/// What `bench speed` is told.
#[derive(Clone, Debug, Args)]
pub struct SpeedArguments {
    /// Writes the numbers to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Threads for the day of the factory.
    #[arg(long, default_value = "2")]
    threads: NonZeroUsize,
    /// Hours of the factory's day; a whole one takes minutes.
    #[arg(long, default_value_t = 24.0, value_parser = hours)]
    hours: f64,
    /// The GPUs.
    #[arg(long, default_value = "h200")]
    model: GpuModel,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Why there are no numbers.
#[derive(Debug, Error)]
pub enum SpeedError {
    /// The factory cannot be built.
    #[error(transparent)]
    Factory(#[from] FactoryError),
    /// They could not be shown.
    #[error("cannot write to standard output: {0}")]
    Output(#[source] io::Error),
    /// They could not be written.
    #[error("cannot write {}: {source}; give another file to --json", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Measures, shows, and writes.
///
/// # Errors
///
/// Tells what could not be built or written.
pub fn run(arguments: &SpeedArguments) -> Result<(), SpeedError> {
    let measurer = Measurer::new(arguments.model, arguments.seed);
    let report = measurer.all(arguments.threads, arguments.hours)?;
    write!(io::stdout(), "{report}").map_err(SpeedError::Output)?;
    if let Some(path) = &arguments.json {
        let file = |source| SpeedError::File { path: path.clone(), source };
        let text = serde_json::to_string_pretty(&report).map_err(|error| file(error.into()))?;
        fs::write(path, text + "\n").map_err(file)?;
    }
    Ok(())
}

fn hours(text: &str) -> Result<f64, String> {
    let told = text.parse::<f64>().ok().filter(|hours| *hours > 0.0 && *hours <= 24.0 * 366.0);
    told.ok_or_else(|| format!("'{text}' is no number of hours; give one above 0, 24 for a day"))
}
