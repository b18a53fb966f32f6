//! Which profiles there are, and which of two with the same name is in force.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use eisbach_protocol::profiles::SHIPPED;
use eisbach_protocol::registers::Profile;
use serde::Serialize;

use super::{Grades, ProfilesError, table, watchdog_kind};
use crate::modbus::profile;

/// One profile.
#[derive(Debug, Serialize)]
pub(super) struct Entry {
    name: String,
    /// Nothing for a shipped one.
    file: Option<PathBuf>,
    #[serde(flatten)]
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Verdict {
    Good { device: String, points: usize, commands: usize, watchdog: &'static str, grades: Grades },
    Broken { error: String },
}

/// The shipped profiles in their order, those of `directory` in place of their namesakes, then its own.
pub(super) fn entries(directory: Option<&Path>) -> Result<Vec<Entry>, ProfilesError> {
    let mut files = directory.map_or_else(|| Ok(BTreeMap::new()), files)?;
    let mut entries: Vec<Entry> =
        SHIPPED.iter().map(|(name, _)| entry(name, directory, files.remove(*name))).collect();
    entries.extend(files.into_iter().map(|(name, file)| entry(&name, directory, Some(file))));
    Ok(entries)
}

pub(super) fn write(entries: &[Entry], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<_> = entries.iter().map(row).collect();
    table::write(["profile", "device", "points", "commands", "watchdog", "A/B/C/D", "from"], &rows, out)?;
    for entry in entries {
        if let Verdict::Broken { error } = &entry.verdict {
            writeln!(out, "{error}")?;
        }
    }
    Ok(())
}

fn files(directory: &Path) -> Result<BTreeMap<String, PathBuf>, ProfilesError> {
    let wrong = |source| ProfilesError::Directory { directory: directory.to_owned(), source };
    let mut files = BTreeMap::new();
    for found in fs::read_dir(directory).map_err(wrong)? {
        let file = found.map_err(wrong)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, file);
        }
    }
    Ok(files)
}

fn entry(name: &str, directory: Option<&Path>, file: Option<PathBuf>) -> Entry {
    let verdict = match profile::load(name, directory) {
        Ok(profile) => good(&profile),
        Err(error) => Verdict::Broken { error: error.to_string() },
    };
    Entry { name: name.to_owned(), file, verdict }
}

fn good(profile: &Profile) -> Verdict {
    Verdict::Good {
        device: profile.device.as_str().to_owned(),
        points: profile.points.len(),
        commands: profile.commands.len(),
        watchdog: watchdog_kind(profile.watchdog.as_ref()),
        grades: Grades::of(profile),
    }
}

fn row(entry: &Entry) -> [String; 7] {
    let from = entry.file.as_ref().map_or_else(|| "shipped".to_owned(), |file| file.display().to_string());
    match &entry.verdict {
        Verdict::Good { device, points, commands, watchdog, grades } => [
            entry.name.clone(),
            device.clone(),
            points.to_string(),
            commands.to_string(),
            (*watchdog).to_owned(),
            format!("{}/{}/{}/{}", grades.a, grades.b, grades.c, grades.d),
            from,
        ],
        Verdict::Broken { .. } => {
            let [points, commands, watchdog, grades] = [(); 4].map(|()| "-".to_owned());
            [entry.name.clone(), "BROKEN, see below".to_owned(), points, commands, watchdog, grades, from]
        }
    }
}
