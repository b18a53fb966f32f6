//! `eisbach-sim replay`: decides a flight record again.
//!
//! ```text
//!   FILE ─► state ─► controller ◄─ snapshots ◄─ FILE
//!                        │
//!                        ▼
//!                    decisions ── bit for bit the recorded ones? ──► the same · first difference: when, what
//!
//!   --set key=value      the controller gets another number: where would it have decided otherwise?
//! ```
//!
//! Control reads no clock and draws no dice, so the same state and the same snapshots give the same decisions. If they
//! do not, the program that replays is not the one that recorded, or something besides the snapshot has a say in what
//! is decided; both are worth knowing.
//!
//! With another number only the decisions are new. The plant's answer to them is not simulated: what was measured stays
//! what was recorded.

mod account;
mod difference;
mod player;
mod sheet;
#[cfg(test)]
mod tests;
mod what_if;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use eisbach_control::record::RecordError;
use eisbach_control::{Tuning, record::Why};

use self::account::Account;
use self::difference::{Comparison, FirstDifference};
use self::player::{Scene, play};
use self::sheet::Sheet;
use self::what_if::Change;

/// `eisbach-sim replay`.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArguments {
    /// What `eisbach-agent record export` wrote, or one of the recorder's own files.
    file: PathBuf,
    /// Another number for the controller, as in [control] of the configuration: for example `trim_margin=15`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Writes what was known, decided and decided again, a line a step.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Tells every change of who leads pump and valve, too.
    #[arg(long)]
    all: bool,
}

/// Why a record cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is in it cannot be replayed.
    #[error("{}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: RecordError,
    },
    /// There is no step in it.
    #[error("{}: holds no step whose state is known; export more of the record", .0.display())]
    Empty(PathBuf),
    /// A number that is to be changed.
    #[error("--set {given}: {why}")]
    Set {
        /// As given.
        given: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody reads the account.
    #[error("the account cannot be written: {0}")]
    Out(io::Error),
}

/// What a replay found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Steps that were decided again.
    pub steps: u64,
    /// Those that came out otherwise.
    pub different: u64,
    /// Bytes that could not be read.
    pub damaged: u64,
    /// Segments that go on from the one before, with another state than the replay had come to.
    pub states: u64,
}

impl Outcome {
    /// Everything came out as it was recorded.
    #[must_use]
    pub const fn same(&self) -> bool {
        self.steps > 0 && self.different == 0 && self.states == 0
    }
}

/// Replays a file and tells `out` what came of it. Whether that is what was asked for: the same decisions, unless a
/// number was changed.
///
/// # Errors
/// If the file is no record of this version, a number cannot be changed so, or something cannot be read or written.
pub fn run(arguments: &ReplayArguments, out: &mut impl Write) -> Result<bool, ReplayError> {
    let path = &arguments.file;
    let bytes = fs::read(path).map_err(|source| ReplayError::File { path: path.clone(), source })?;
    let changes = arguments.set.iter().map(|given| Change::parse(given)).collect::<Result<Vec<_>, _>>()?;
    let mut sheet = arguments.csv.as_deref().map(Sheet::create).transpose()?;
    let mut account = Account::new(arguments.all);
    let mut comparison = Comparison::default();
    let mut numbers = None;
    let outcome = play(
        &bytes,
        |tuning| what_if::applied(&changes, tuning),
        |scene| {
            match scene {
                Scene::Opened { opening, tuning } => {
                    numbers.get_or_insert(*tuning);
                    account.opened(opening);
                }
                Scene::Step(step) => {
                    // The account is of what is decided now: with other numbers, of what would have been.
                    account.step(step);
                    comparison.step(step);
                    sheet.as_mut().map_or(Ok(()), |sheet| sheet.line(step))?;
                }
                Scene::Damaged { at, length } => account.damaged(at, length),
            }
            Ok(())
        },
    )
    .map_err(|error| error.of(path))?;
    if outcome.steps == 0 {
        return Err(ReplayError::Empty(path.clone()));
    }
    sheet.map_or(Ok(()), Sheet::finish)?;
    write_all(out, path, &account, &comparison, (&outcome, &changes, numbers)).map_err(ReplayError::Out)?;
    Ok(!changes.is_empty() || outcome.same())
}

type Found<'a> = (&'a Outcome, &'a [Change], Option<Tuning>);

fn write_all(
    out: &mut impl Write,
    path: &Path,
    account: &Account,
    comparison: &Comparison,
    (outcome, changes, numbers): Found<'_>,
) -> io::Result<()> {
    writeln!(out, "{}: {} steps", path.display(), outcome.steps)?;
    for change in changes {
        writeln!(out, "{}", change.told(numbers.as_ref()))?;
    }
    account.write(out)?;
    if outcome.damaged > 0 {
        writeln!(out, "{} bytes are damaged and were left out", outcome.damaged)?;
    }
    if !changes.is_empty() {
        return comparison.write(out);
    }
    if let Some(FirstDifference { at, what }) = comparison.first() {
        writeln!(out, "DIFFERENT: first at {at}")?;
        what.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    let (steps, different) = (outcome.steps, outcome.different);
    match (outcome.same(), outcome.states) {
        (true, _) => writeln!(out, "identical: all {steps} decisions are the recorded ones, bit for bit"),
        (false, 0) => writeln!(out, "{different} of {steps} decisions are not the recorded ones"),
        (false, states) => writeln!(
            out,
            "{different} of {steps} decisions are not the recorded ones, and {states} segments begin with another state \
             than the one before them leads to"
        ),
    }
}

/// Why a segment begins, for people.
fn why(why: Why) -> String {
    match why {
        Why::Started => "the controller starts".into(),
        Why::Continued => "the record begins in the middle".into(),
        Why::Retuned => "new numbers from the configuration".into(),
        Why::AfterGap { missing } => format!("{missing} steps are missing before this one"),
    }
}
