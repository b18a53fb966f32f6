//! Targets and what was heard, on disk: a restart neither forgets a target nor follows an event twice.
//!
//! ```text
//!   engine ── newest, latest wins ──► keeper task ── write, sync, rename ──► flex.json
//! ```

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::engine::Kept;
use crate::kept_file;

/// Longest record that is read: eight issuers with everything they can have in it, and every breach.
const LONGEST: u64 = 8 * 1024 * 1024;

/// The task that writes.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: PathBuf,
    newest: watch::Receiver<Vec<u8>>,
}

/// What was kept; nothing if it cannot be read.
pub(super) fn load(state: &Path) -> Option<Kept> {
    let file = file(state);
    match read(&file) {
        Ok(kept) => Some(kept),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            warn!(%error, file = %file.display(), "power targets from before the restart cannot be read; begin anew");
            None
        }
    }
}

impl Keeper {
    /// Writes to a folder whatever is sent.
    pub(super) fn new(state: &Path) -> (Self, watch::Sender<Vec<u8>>) {
        let (sender, newest) = watch::channel(Vec::new());
        (Self { file: file(state), newest }, sender)
    }

    /// Runs until nobody can send any more. A disk that hangs holds up nothing but this.
    pub(crate) async fn run(mut self) {
        let mut worked = true;
        while self.newest.changed().await.is_ok() {
            let (file, bytes) = (self.file.clone(), self.newest.borrow_and_update().clone());
            let written = spawn_blocking(move || kept_file::replace(&file, &bytes)).await;
            let problem = match written {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(problem) = problem.as_ref().filter(|_| worked) {
                warn!(file = %self.file.display(), problem, "power targets are not kept over a restart");
            }
            worked = problem.is_none();
        }
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("flex.json")
}

fn read(file: &Path) -> std::io::Result<Kept> {
    let mut text = String::new();
    File::open(file)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}
