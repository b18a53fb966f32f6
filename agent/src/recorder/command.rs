//! `eisbach-agent record`: what the recorder has kept, as a list and as one file. Reads only; the agent may run.
//!
//! ```text
//!   0000000041.rec … 0000000101.rec ── the segments that a span of time touches, torn ends cut off ──► FILE
//! ```

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use eisbach_control::record::{self, Found, Opening, Reader, RecordError, Survey, Why};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::config;
use crate::verbs::duration;

use super::store::{Folder, Store as _};

/// A clock that is so far from where it should be was set, ms.
const CLOCK_WAS_SET: u64 = 2000;
/// Of a file that does not begin as a segment does.
const NO_BEGINNING: &str = "no segment begins there; torn by a power cut, or none of the recorder's";

/// What is asked of the record.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists what is recorded.
    Info,
    /// Copies some of it into one file, for `eisbach-sim replay`.
    Export {
        /// The file; it must not exist yet.
        file: PathBuf,
        /// From this moment on, for example 2026-11-28T09:30:00Z.
        #[arg(long, value_parser = parse_moment, conflicts_with = "last")]
        from: Option<u64>,
        /// Up to this moment.
        #[arg(long, value_parser = parse_moment, conflicts_with = "last")]
        to: Option<u64>,
        /// So much of what was recorded, back from its end: 90s, 30m, 2h. Everything without any of these.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        last: Option<Duration>,
    },
}

/// `eisbach-agent record`.
#[derive(Debug, Args)]
pub struct RecordArguments {
    /// Configuration file, for the record's place.
    #[arg(long, default_value = "/etc/eisbach/agent.toml", global = true)]
    config: PathBuf,
    /// The record's folder itself, instead.
    #[arg(long, global = true)]
    directory: Option<PathBuf>,
    #[command(subcommand)]
    what: Verb,
}

/// Does what is asked with the record of the configuration, or with the one in `directory`.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "this command's output is for its caller")]
#[must_use]
pub fn command(arguments: RecordArguments) -> ExitCode {
    let RecordArguments { config, directory, what } = arguments;
    let place = directory
        .map_or_else(|| config::load(&config).map(|config| config.recorder.directory), Ok)
        .map_err(|error| error.to_string());
    let told = place.and_then(|place| match &what {
        Verb::Info => info(&place).map_err(|error| error.to_string()),
        Verb::Export { file, from, to, last } => {
            let span = last.map_or(Span::Between(*from, *to), Span::Last);
            export(&place, span, file).map(|line| line + "\n").map_err(|error| error.to_string())
        }
    });
    match told {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Which part of the record is asked for; ms since 1970 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// So much recorded time, back from its end, whatever the node's clock did meanwhile.
    Last(Duration),
    /// What was recorded then; all of it without ends.
    Between(Option<u64>, Option<u64>),
}

/// Why nothing can be shown or handed out.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueryError {
    /// The folder cannot be read.
    #[error("{}: cannot be read ({source}); run this as root or as the agent's user", path.display())]
    Unreadable {
        /// Folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nothing.
    #[error("{}: nothing is recorded here; see [recorder] in the configuration, and the point Recorder in `eisbach-agent status`", .0.display())]
    Nothing(PathBuf),
    /// There is nothing that this program can read.
    #[error("{}: nothing is recorded here that this version can read; `eisbach-agent record info` says why", .0.display())]
    Unknown(PathBuf),
    /// There is nothing of that time.
    #[error("nothing was recorded in that time; the record goes from {from} to {to}")]
    NotThen {
        /// Its first moment.
        from: String,
        /// Its last.
        to: String,
    },
    /// The file that is asked for cannot be written.
    #[error("{}: cannot be written ({source}); name a file that does not exist yet", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// One segment, looked through.
struct Segment {
    bytes: Vec<u8>,
    torn: usize,
    /// What it amounts to, or why this program cannot tell.
    told: Result<Told, String>,
}

struct Told {
    opening: Opening,
    steps: u64,
    /// Wall time of its last step.
    until: u64,
}

/// Lists what is recorded.
///
/// # Errors
/// If there is nothing, or it cannot be read.
pub(super) fn info(directory: &Path) -> Result<String, QueryError> {
    let segments = read(directory)?;
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _infallible = list(&mut out, directory, &segments);
    Ok(out)
}

/// Copies what is asked for into `file`, which must not exist yet. What was done, in one line.
///
/// # Errors
/// If there is nothing of that time, or a file cannot be read or written.
pub(super) fn export(directory: &Path, span: Span, file: &Path) -> Result<String, QueryError> {
    let mut segments = read(directory)?;
    let (first, last) = ends(&segments).ok_or_else(|| QueryError::Unknown(directory.to_owned()))?;
    // What cannot be read here may be readable elsewhere, but nobody can tell its time.
    let all = segments.len();
    segments.retain(|segment| segment.told.is_ok());
    let unknown = all - segments.len();
    match span {
        Span::Last(time) => keep_last(&mut segments, millis(time)),
        Span::Between(from, to) => {
            let (from, to) = (from.unwrap_or(0), to.unwrap_or(u64::MAX));
            let then = |told: &Told| told.until >= from && told.opening.wall_ms <= to;
            segments.retain(|segment| segment.told.as_ref().is_ok_and(then));
        }
    }
    let Some((first_out, last_out)) = ends(&segments) else {
        return Err(QueryError::NotThen { from: moment(first), to: moment(last) });
    };
    write(&segments, file).map_err(|source| QueryError::Unwritable { path: file.to_owned(), source })?;
    let torn: usize = segments.iter().map(|segment| segment.torn).sum();
    let cut = if torn > 0 { format!("; {torn} bytes of torn steps were left out") } else { String::new() };
    let left = if unknown > 0 {
        format!("; {unknown} segments cannot be read: see `record info`")
    } else {
        String::new()
    };
    Ok(format!(
        "{}: {} steps in {} segments, {} to {}, {}{cut}{left}",
        file.display(),
        segments.iter().map(Segment::steps).sum::<u64>(),
        segments.len(),
        moment(first_out),
        moment(last_out),
        size(&segments),
    ))
}

/// Leaves of the segments the last ones that hold so many ms.
fn keep_last(segments: &mut Vec<Segment>, time: u64) {
    let (mut from, mut held) = (segments.len(), 0_u64);
    while held < time.max(1) && from > 0 {
        from -= 1;
        let told = segments.get(from).and_then(|segment| segment.told.as_ref().ok());
        held = held.saturating_add(told.map_or(0, Told::millis));
    }
    segments.drain(..from);
}

/// Writes a file that must not exist yet: whole, or not at all.
fn write(segments: &[Segment], file: &Path) -> io::Result<()> {
    let mut out = File::create_new(file)?;
    let written =
        segments.iter().try_for_each(|segment| out.write_all(&segment.bytes)).and_then(|()| out.sync_all());
    if written.is_err() {
        // Half a file helps nobody, and would be in the way of the next try. That it cannot be removed is no news.
        let _still_there = fs::remove_file(file);
    }
    written
}

fn read(directory: &Path) -> Result<Vec<Segment>, QueryError> {
    let mut folder = Folder::new(directory.to_owned());
    let unreadable = |source| QueryError::Unreadable { path: directory.to_owned(), source };
    let mut numbers = folder.list().map_err(unreadable)?;
    numbers.sort_unstable();
    let mut segments = Vec::new();
    for number in numbers {
        match folder.read(number) {
            Ok(bytes) => segments.push(Segment::new(bytes)),
            // The ring went on meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(unreadable(error)),
            // One bad spot of the disk does not keep the others back.
            Err(error) => segments.push(Segment::unreadable(&error)),
        }
    }
    if segments.is_empty() { Err(QueryError::Nothing(directory.to_owned())) } else { Ok(segments) }
}

/// First and last moment of what can be read, by the node's clock: one that was set back ends before it began.
fn ends(segments: &[Segment]) -> Option<(u64, u64)> {
    let told = || segments.iter().filter_map(|segment| segment.told.as_ref().ok());
    Some((told().map(|told| told.opening.wall_ms).min()?, told().map(|told| told.until).max()?))
}

impl Told {
    /// How long it lasts.
    const fn millis(&self) -> u64 {
        self.until.saturating_sub(self.opening.wall_ms)
    }

    /// Whether nothing is missing between the two, and the node's clock just went on.
    fn goes_on(&self, until: u64) -> bool {
        self.opening.why == Why::Continued && self.opening.wall_ms.abs_diff(until) <= CLOCK_WAS_SET
    }
}

impl Segment {
    fn unreadable(error: &io::Error) -> Self {
        Self { bytes: Vec::new(), torn: 0, told: Err(format!("the disk says: {error}")) }
    }

    fn new(mut bytes: Vec<u8>) -> Self {
        match Survey::of(&bytes) {
            Ok(survey) => {
                let torn = bytes.len() - survey.whole;
                bytes.truncate(survey.whole);
                let Survey { opening, steps, .. } = survey;
                let told = opening.check().map(|()| {
                    let until =
                        opening.wall_ms.saturating_add(last_step(&bytes).saturating_sub(opening.now.get()));
                    Told { opening, steps, until }
                });
                Self { bytes, torn, told: told.map_err(|error| error.to_string()) }
            }
            Err(RecordError::NotARecord) => Self { bytes, torn: 0, told: Err(NO_BEGINNING.into()) },
            Err(error) => Self { bytes, torn: 0, told: Err(error.to_string()) },
        }
    }

    fn steps(&self) -> u64 {
        self.told.as_ref().map_or(0, |told| told.steps)
    }
}

/// When the last step was, on the controller's clock; zero if there is none.
fn last_step(bytes: &[u8]) -> u64 {
    let Ok(mut reader) = Reader::new(bytes).map(Box::new) else { return 0 };
    let mut last = 0;
    while let Some(found) = reader.next() {
        if let Ok(Found::Step(bytes)) = found {
            last = record::step(bytes).map_or(last, |step| step.now.get());
        }
    }
    last
}

fn list(out: &mut String, directory: &Path, segments: &[Segment]) -> std::fmt::Result {
    let steps: u64 = segments.iter().map(Segment::steps).sum();
    let (minutes, seconds) = (steps / 600, steps % 600 / 10);
    let count = segments.len();
    writeln!(
        out,
        "{}: {steps} steps ({minutes} min {seconds} s) in {count} segments, {}",
        directory.display(),
        size(segments)
    )?;
    let mut told = segments.iter().filter_map(|segment| segment.told.as_ref().ok()).peekable();
    let mut any = false;
    while let Some(first) = told.next() {
        let (mut steps, mut until) = (first.steps, first.until);
        while let Some(next) = told.next_if(|next| next.goes_on(until)) {
            (steps, until) = (steps + next.steps, next.until);
        }
        let (from, to) = (moment(first.opening.wall_ms), moment(until));
        let why = why(&first.opening, std::mem::replace(&mut any, true));
        writeln!(out, "  {from} to {to}  {steps:>6} steps  {why}")?;
    }
    for (error, count) in refusals(segments) {
        writeln!(out, "  {count} segments cannot be read: {error}")?;
    }
    Ok(())
}

/// Each thing that is wrong with segments, and with how many.
fn refusals(segments: &[Segment]) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for error in segments.iter().filter_map(|segment| segment.told.as_ref().err()) {
        match found.iter_mut().find(|(known, _)| known == error) {
            Some((_, count)) => *count += 1,
            None => found.push((error, 1)),
        }
    }
    found
}

fn why(opening: &Opening, follows: bool) -> String {
    match opening.why {
        Why::Started => format!("start of version {}", opening.made_by),
        Why::Continued if follows => "the node's clock was set, or a minute is missing".into(),
        Why::Continued => "goes on from what is no longer kept".into(),
        Why::Retuned => "new numbers".into(),
        Why::AfterGap { missing } => format!("after a gap of {missing} steps"),
    }
}

fn size(segments: &[Segment]) -> String {
    let bytes: usize = segments.iter().map(|segment| segment.bytes.len()).sum();
    if bytes < 1_000_000 {
        format!("{} kB", bytes.div_ceil(1000))
    } else {
        format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A moment in UTC, for people.
fn moment(wall_ms: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(wall_ms) * 1_000_000)
        .ok()
        .and_then(|moment| moment.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{wall_ms} ms"))
}

/// A moment as people write it, in ms since 1970.
///
/// # Errors
/// One line, if it is none.
fn parse_moment(text: &str) -> Result<u64, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_error| format!("\"{text}\" is no moment; for example 2026-11-28T09:30:00Z"))?;
    u64::try_from(moment.unix_timestamp_nanos() / 1_000_000)
        .map_err(|_past| format!("\"{text}\" is before 1970"))
}
