//! What `eisbach-agent profile …` does: checks a file, lists the profiles there are, shows one of them.
//!
//! ```text
//!   check FILE ──► one line
//!   list ────────► shipped, and those of the directory: which one is in force, how well its lines are known
//!   show NAME ───► a sheet: what is read and written, with the manual's numbers, grades and sources
//! ```
//!
//! Everything is written to a given place; an error is one line for the caller to print.

mod list;
mod sheet;
mod table;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use eisbach_protocol::registers::{Grade, Profile, Watchdog};
use serde::Serialize;
use thiserror::Error;

use crate::modbus::profile::{self, ProfileError};

/// Why a command about profiles failed.
#[derive(Debug, Error)]
pub enum ProfilesError {
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The directory cannot be listed.
    #[error("profiles {}: cannot be listed: {source}; name a directory that may be read", .directory.display())]
    Directory {
        /// That directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody reads the output.
    #[error("cannot write the output: {0}")]
    Output(#[from] io::Error),
    /// A value has no form in JSON.
    #[error("cannot write the profile as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Checks the profile in `file` and says so in one line.
///
/// # Errors
/// If it is none, with file, key, value and mend; or if nothing can be written.
pub fn check(file: &Path, out: &mut impl Write) -> Result<(), ProfilesError> {
    let profile = profile::load_file(file)?;
    let (points, commands) = (profile.points.len(), profile.commands.len());
    let inferred = Grades::of(&profile).d;
    let verdict = match inferred {
        0 => String::new(),
        1 => "; 1 line of grade D: check it on the device".to_owned(),
        _ => format!("; {inferred} lines of grade D: check them on the device"),
    };
    writeln!(
        out,
        "{}: good; {}, {points} points, {commands} commands{verdict}",
        file.display(),
        profile.device
    )?;
    Ok(())
}

/// Lists the shipped profiles and those in `directory`, as a table or as JSON.
///
/// # Errors
/// If the directory cannot be listed, or nothing can be written. A broken profile is a line of the list.
pub fn list(directory: Option<&Path>, json: bool, out: &mut impl Write) -> Result<(), ProfilesError> {
    let entries = list::entries(directory)?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&entries)?)?;
    } else {
        list::write(&entries, out)?;
    }
    Ok(())
}

/// Shows the profile `name`, from `directory` if it lies there, as a sheet or as JSON.
///
/// # Errors
/// If there is no such profile, it is broken, or nothing can be written.
pub fn show(
    name: &str,
    directory: Option<&Path>,
    json: bool,
    out: &mut impl Write,
) -> Result<(), ProfilesError> {
    let profile = profile::load(name, directory)?;
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&profile)?)?;
    } else {
        sheet::write(&profile, out)?;
    }
    Ok(())
}

/// How many lines of a profile are of each grade.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Grades {
    a: usize,
    b: usize,
    c: usize,
    d: usize,
}

impl Grades {
    fn of(profile: &Profile) -> Self {
        let watchdog = profile.watchdog.as_ref().map(|watchdog| match watchdog {
            Watchdog::None { grade, .. }
            | Watchdog::LocalMode { grade, .. }
            | Watchdog::Timer { grade, .. }
            | Watchdog::Heartbeat { grade, .. } => *grade,
        });
        let points = profile.points.iter().map(|point| point.grade);
        let commands = profile.commands.iter().map(|command| command.grade);
        let presets = profile.presets.iter().map(|preset| preset.grade);
        let mut grades = Self::default();
        for grade in points.chain(commands).chain(presets).chain(watchdog) {
            *match grade {
                Grade::A => &mut grades.a,
                Grade::B => &mut grades.b,
                Grade::C => &mut grades.c,
                Grade::D => &mut grades.d,
            } += 1;
        }
        grades
    }
}

/// The word for a value as a profile writes it.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => "?".to_owned(),
    }
}

/// What the device does when nobody commands it, as a profile calls it.
const fn watchdog_kind(watchdog: Option<&Watchdog>) -> &'static str {
    match watchdog {
        None => "-",
        Some(Watchdog::None { .. }) => "none",
        Some(Watchdog::LocalMode { .. }) => "local_mode",
        Some(Watchdog::Timer { .. }) => "timer",
        Some(Watchdog::Heartbeat { .. }) => "heartbeat",
    }
}

#[cfg(test)]
mod tests;
