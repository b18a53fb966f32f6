//! What the hooks have in effect, on disk, so that a restart neither repeats a drain nor forgets to end it.
//!
//! ```text
//!   about to run: unsure ──► on disk ──► process ──► in force, or none ──► on disk
//! ```

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::error;

use crate::kept_file;

/// Longest record that is read.
const LONGEST: u64 = 4096;

/// What a hook has brought about, as far as is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effect {
    /// Nothing.
    #[default]
    None,
    /// A process was started and is not known to have done what it should.
    Unsure,
    /// What it should.
    InForce,
}

/// What is in effect. A request to stop is not kept: after a restart it is better made twice than not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) drain: Effect,
    pub(super) freeze: Effect,
}

fn file(state: &Path) -> PathBuf {
    state.join("hooks.json")
}

/// What was in effect when the agent ended; nothing if there is no record.
pub(super) fn load(state: &Path) -> Record {
    match read(state) {
        Ok(record) => Record { freeze: after_restart(record.freeze), ..record },
        Err(error) if error.kind() == ErrorKind::NotFound => Record::default(),
        Err(error) => {
            // To end a drain that was not ours could put work on a node that somebody has taken out.
            error!(%error, file = %file(state).display(), "the record of hooks cannot be read; see whether the node is still drained or its jobs frozen");
            Record::default()
        }
    }
}

/// A reboot ends a freeze, and the agent cannot see whether there was one.
const fn after_restart(freeze: Effect) -> Effect {
    match freeze {
        Effect::None => Effect::None,
        Effect::Unsure | Effect::InForce => Effect::Unsure,
    }
}

fn read(state: &Path) -> std::io::Result<Record> {
    let mut text = String::new();
    File::open(file(state))?.take(LONGEST).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// Keeps the record, on the disk when this returns.
///
/// # Errors
/// If it cannot be written.
pub(super) fn keep(state: &Path, record: Record) -> std::io::Result<()> {
    kept_file::replace(&file(state), &serde_json::to_vec(&record)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_was_kept_is_found_and_a_freeze_is_no_longer_sure() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(load(state.path()), Record::default());
        keep(state.path(), Record { drain: Effect::InForce, freeze: Effect::InForce }).unwrap();
        assert_eq!(load(state.path()), Record { drain: Effect::InForce, freeze: Effect::Unsure });
    }

    #[test]
    fn a_record_that_cannot_be_read_ends_nothing() {
        let state = tempfile::tempdir().unwrap();
        for rubbish in ["", "{\"drain\":7}", "\u{ff}"] {
            fs::write(file(state.path()), rubbish).unwrap();
            assert_eq!(load(state.path()), Record::default(), "{rubbish:?}");
        }
    }
}
