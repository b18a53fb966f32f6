//! What must be remembered so that no command works twice: ids for a while, counters for ever.
//!
//! ```text
//!   counter of a command ──► higher than the issuer's last? ──► on disk ──► only then it counts
//!   file missing     counters begin at nothing
//!   file unreadable  nothing that needs a right is obeyed until somebody removes it
//! ```
//!
//! The file also says whether somebody works on the node, so that a restart does not hand it back to the remote side.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::error;

use crate::kept_file;
use crate::report::events::Short;

/// Ids that are remembered: more than fit into the longest life of an envelope at ten a second.
const IDS: usize = 1024;
/// Longest file that is read.
const LONGEST: u64 = 64 * 1024;
/// More issuers than a configuration can name.
const ISSUERS: usize = 64;

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Somebody works on the node.
    pub(super) local: bool,
    /// The last counter of every issuer.
    counters: BTreeMap<String, u64>,
}

/// The memory of the desk.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    page: Page,
    unreadable: bool,
    /// The highest counter that each issuer with a key has shown, also where none was needed.
    seen: BTreeMap<String, u64>,
    /// What has been taken up, of every known issuer by itself: no flood of others makes it forgotten.
    ids: BTreeMap<String, VecDeque<Short>>,
}

impl Ledger {
    /// As the last run left it.
    pub(super) fn load(state: &Path) -> Self {
        let path = file(state);
        match read(&path) {
            Ok(page) => Self { page, ..Self::default() },
            Err(error) if error.kind() == ErrorKind::NotFound => Self::default(),
            Err(error) => {
                error!(path = %path.display(), %error, "the counters of commands cannot be read; what needs a right is refused until the file is removed and the agent started again");
                // Somebody may be at work, and nobody can tell.
                Self { page: Page { local: true, ..Page::default() }, unreadable: true, ..Self::default() }
            }
        }
    }

    /// Nothing can be said about counters.
    pub(super) const fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// Somebody works on the node.
    pub(super) const fn is_local(&self) -> bool {
        self.page.local
    }

    pub(super) const fn set_local(&mut self, local: bool) {
        self.page.local = local;
    }

    /// A command of this id has been taken up; of a known issuer, or of any that is none.
    pub(super) fn knows(&self, known: Option<&str>, id: &Short) -> bool {
        self.ids.get(known.unwrap_or_default()).is_some_and(|ids| ids.contains(id))
    }

    /// Remembers an id, and forgets the oldest.
    pub(super) fn note(&mut self, known: Option<&str>, id: Short) {
        let ids = self.ids.entry(known.unwrap_or_default().to_owned()).or_default();
        if ids.len() >= IDS {
            ids.pop_front();
        }
        ids.push_back(id);
    }

    /// Whether a counter is higher than the issuer's last.
    pub(super) fn is_newer(&self, issuer: &Short, counter: u64) -> bool {
        let newer = |of: &BTreeMap<String, u64>| of.get(issuer.as_str()).is_none_or(|last| counter > *last);
        newer(&self.page.counters) && newer(&self.seen)
    }

    /// Remembers a counter for as long as the agent runs. Only of issuers that have signed it.
    pub(super) fn saw(&mut self, issuer: &Short, counter: u64) {
        let last = self.seen.entry(issuer.as_str().to_owned()).or_default();
        *last = counter.max(*last);
    }

    /// Spends a counter; whatever becomes of the command, it never counts again.
    pub(super) fn spend(&mut self, issuer: &Short, counter: u64) {
        let last = self.page.counters.entry(issuer.as_str().to_owned()).or_default();
        *last = counter.max(*last);
    }

    /// What belongs on the disk; nothing while the file there is somebody's to look at.
    pub(super) fn page(&self) -> Option<Page> {
        (!self.unreadable).then(|| self.page.clone())
    }
}

/// Where the page lies.
pub(super) fn file(state: &Path) -> PathBuf {
    state.join("commands.json")
}

fn read(path: &Path) -> io::Result<Page> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    let page: Page = serde_json::from_str(&text)?;
    if page.counters.len() > ISSUERS {
        return Err(io::Error::new(ErrorKind::InvalidData, "more issuers than can be"));
    }
    Ok(page)
}

/// Keeps a page, on the disk when this returns.
///
/// # Errors
/// If it cannot be written.
pub(super) fn keep(state: &Path, page: &Page) -> io::Result<()> {
    kept_file::replace(&file(state), &serde_json::to_vec(page)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn counters_and_the_switch_survive_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::load(state.path());
        ledger.spend(&"scada".into(), 41);
        ledger.set_local(true);
        keep(state.path(), &ledger.page().unwrap()).unwrap();
        let ledger = Ledger::load(state.path());
        assert!(ledger.is_local());
        assert!(!ledger.is_newer(&"scada".into(), 41) && ledger.is_newer(&"scada".into(), 42));
        assert!(ledger.is_newer(&"other".into(), 0));
    }

    #[test]
    fn i04_a_file_that_cannot_be_read_is_no_leave_to_replay_and_is_left_to_people() {
        let state = tempfile::tempdir().unwrap();
        for rubbish in ["", "{", "{\"local\":false}", "{\"local\":false,\"counters\":{\"a\":-1}}", "\u{0}"] {
            fs::write(file(state.path()), rubbish).unwrap();
            let ledger = Ledger::load(state.path());
            assert!(ledger.is_unreadable() && ledger.is_local() && ledger.page().is_none(), "{rubbish:?}");
        }
    }

    #[test]
    fn ids_are_remembered_and_their_number_is_bounded() {
        let mut ledger = Ledger::default();
        for id in 0..2000 {
            ledger.note(None, Short::new(&id.to_string()));
        }
        let knows = |id: &str| ledger.knows(None, &id.into());
        assert!(knows("1999") && knows("976") && !knows("975"));
    }

    #[test]
    fn i05_strangers_make_no_id_of_a_known_issuer_forgotten_and_take_none() {
        let mut ledger = Ledger::default();
        ledger.note(Some("scada"), "mine".into());
        for id in 0..2000 {
            ledger.note(None, Short::new(&id.to_string()));
        }
        assert!(ledger.knows(Some("scada"), &"mine".into()));
        assert!(!ledger.knows(Some("scada"), &"1999".into()));
    }
}
