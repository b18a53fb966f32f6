//! `eisbach-agent probe --gpus`: what real GPUs and their driver say, how fast and how fresh. Reads only.
//!
//! ```text
//!   library ──► symbols ──► one thread a GPU ──► getters · fields · margin · batch · freshness ──► table, or JSON
//!                               └── a call that does not come back is named, and its GPU left behind
//! ```
//!
//! The module makes no call that changes anything: a test reads its source for that. Whether limits may be set is told
//! by the process's capabilities, and not tried.

mod desk;
mod fields;
mod freshness;
mod getters;
mod library;
mod look;
mod raw;
mod report;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use desk::Desk;
use library::{LibraryError, Loaded};
use look::{PATIENCE, Pace};
use report::{GpuFound, Report};

use crate::clock::Clock;

/// How often the desks are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Beyond a GPU's patience: single calls that are slow, but not hung.
const REST: Duration = Duration::from_secs(60);
/// GPUs that are looked at (estimate: more than any node has).
const MOST_GPUS: u32 = 64;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// NVML library; the driver's own by default.
    pub library: Option<PathBuf>,
    /// Times that each call is made.
    pub rounds: u32,
    /// Time to watch values change; they are not watched by default.
    pub watch: Option<Duration>,
    /// As JSON.
    pub json: bool,
}

/// Looks at every GPU and tells what it found. Success if each told temperature and power.
#[expect(clippy::print_stderr, reason = "this command's output is for its caller")]
#[must_use]
pub fn command(options: Options) -> ExitCode {
    let json = options.json;
    let report = match looked_at(options) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("{error}");
            return finished(1, true);
        }
    };
    let text = if json {
        serde_json::to_string_pretty(&report)
            .unwrap_or_else(|error| format!("{{\"error\": {:?}}}", error.to_string()))
    } else {
        table::render(&report)
    };
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush());
    let well = written.is_ok() && !report.gpus.is_empty() && report.gpus.iter().all(|gpu| gpu.answered);
    let left_behind = report.gpus.iter().any(|gpu| !gpu.complete);
    finished(i32::from(!well), left_behind)
}

/// Ends. A thread that hangs in the driver must not keep the process.
fn finished(code: i32, left_behind: bool) -> ExitCode {
    if left_behind {
        raw::leave(code);
    }
    if code == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn looked_at(options: Options) -> Result<Report, LibraryError> {
    let clock = Clock::start();
    let Loaded { nvml, gpus, library } = library::load(options.library, clock)?;
    let pace = Pace { rounds: options.rounds, watch: options.watch };
    let mut desks = Vec::new();
    for index in 0..gpus.min(MOST_GPUS) {
        let desk = Arc::new(Desk::new(index, clock));
        desks.push(Arc::clone(&desk));
        let look = move || look::look(nvml, index, pace, clock, &desk);
        thread::Builder::new().name(format!("gpu{index}")).spawn(look).map_err(LibraryError::NoThread)?;
    }
    let limit = clock.elapsed() + PATIENCE + pace.watch.unwrap_or_default() + REST;
    let gpus = settled(&desks, limit, clock);
    Ok(Report { library, user: library::user(), symbols: library::symbols(nvml), gpus })
}

/// Waits until nothing more is to be expected of any GPU, until `limit` at most.
fn settled(desks: &[Arc<Desk>], limit: Duration, clock: Clock) -> Vec<GpuFound> {
    let mut found: Vec<Option<GpuFound>> = desks.iter().map(|_| None).collect();
    while found.iter().any(Option::is_none) {
        thread::sleep(LOOK);
        let give_up = clock.elapsed() > limit;
        for (slot, desk) in found.iter_mut().zip(desks) {
            if slot.is_none() {
                *slot = desk.settled(give_up);
            }
        }
    }
    found
        .into_iter()
        .flatten()
        .map(|gpu| GpuFound { answered: gpu.answered && gpu.complete, ..gpu })
        .collect()
}
