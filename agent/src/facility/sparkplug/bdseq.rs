//! `bdSeq`: the number that ties a death to its birth. One up at every CONNECT, also over restarts.
//!
//! ```text
//!   reserve() ──► on disk ──► CONNECT (will), NBIRTH ──► spent() ──► reserve() gives the next
//!       ▲                        │
//!       └── same number again ◄──┘ the broker was not even reached
//! ```
//!
//! Hosts remember the number, so a node that starts again at zero can have its new birth cancelled by its old
//! will. Yet a broken disk is no reason to be silent: writing is tried, counted and given up.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::facility::counters::Counters;
use crate::kept_file;

/// A disk that takes longer is treated as broken.
const SAVE_LIMIT: Duration = Duration::from_millis(500);

/// The sequence and the file it is kept in.
#[derive(Debug)]
pub(crate) struct BdSeq {
    path: PathBuf,
    last: Option<u8>,
    reserved: Option<u8>,
    save: Save,
    counters: Arc<Counters>,
}

/// How the last write went.
#[derive(Debug)]
enum Save {
    Worked,
    Failed,
    /// It hangs in the disk; no other is started meanwhile.
    Hangs(JoinHandle<io::Result<()>>),
}

impl BdSeq {
    /// Goes on where `state_dir/bdseq` ends; at zero if there is none or it cannot be read.
    pub(crate) fn load(state_dir: &Path, counters: Arc<Counters>) -> Self {
        let path = state_dir.join("bdseq");
        let last = match read(&path) {
            Ok(number) => Some(number),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                info!(path = %path.display(), "no bdSeq from an earlier run, starting at 0");
                None
            }
            Err(error) => {
                warn!(path = %path.display(), %error, "bdSeq is unreadable, starting at 0");
                None
            }
        };
        Self { path, last, reserved: None, save: Save::Worked, counters }
    }

    /// The number for the next CONNECT, on disk if the disk works.
    pub(crate) async fn reserve(&mut self) -> u8 {
        if let Some(number) = self.reserved {
            return number;
        }
        let number = self.last.map_or(0, |last| last.wrapping_add(1));
        self.reserved = Some(number);
        self.save(number).await;
        number
    }

    /// A CONNECT may have left with the reserved number.
    pub(crate) const fn spent(&mut self) {
        if let Some(number) = self.reserved.take() {
            self.last = Some(number);
        }
    }

    async fn save(&mut self, number: u8) {
        let worked_before = matches!(self.save, Save::Worked);
        let (save, problem) = self.try_save(number).await;
        self.save = save;
        if let Some(problem) = problem {
            self.counters.bd_seq_unsaved.count();
            if worked_before {
                warn!(path = %self.path.display(), problem, "bdSeq is not kept; connecting all the same");
            }
        }
    }

    async fn try_save(&mut self, number: u8) -> (Save, Option<String>) {
        if let Save::Hangs(write) = std::mem::replace(&mut self.save, Save::Failed)
            && !write.is_finished()
        {
            return (Save::Hangs(write), Some("an earlier write still hangs".to_owned()));
        }
        let path = self.path.clone();
        let mut write = spawn_blocking(move || kept_file::replace(&path, format!("{number}\n").as_bytes()));
        match timeout(SAVE_LIMIT, &mut write).await {
            Ok(Ok(Ok(()))) => (Save::Worked, None),
            Ok(Ok(Err(error))) => (Save::Failed, Some(error.to_string())),
            Ok(Err(error)) => (Save::Failed, Some(error.to_string())),
            Err(_) => (Save::Hangs(write), Some("the write hangs".to_owned())),
        }
    }
}

fn read(path: &Path) -> io::Result<u8> {
    let text = std::fs::read_to_string(path)?;
    text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(dir: &Path) -> (BdSeq, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        (BdSeq::load(dir, Arc::clone(&counters)), counters)
    }

    async fn connect(sequence: &mut BdSeq) -> u8 {
        let number = sequence.reserve().await;
        sequence.spent();
        number
    }

    #[tokio::test]
    async fn it_rises_by_one_a_connect_and_goes_on_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sequence, _) = load(dir.path());
        assert_eq!((connect(&mut sequence).await, connect(&mut sequence).await), (0, 1));
        let (mut sequence, _) = load(dir.path());
        assert_eq!(connect(&mut sequence).await, 2);
    }

    #[tokio::test]
    async fn it_wraps_from_255_to_0() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("bdseq"), "254\n").unwrap();
        let (mut sequence, _) = load(dir.path());
        assert_eq!((connect(&mut sequence).await, connect(&mut sequence).await), (255, 0));
    }

    #[tokio::test]
    async fn a_number_is_on_disk_before_it_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sequence, _) = load(dir.path());
        let number = sequence.reserve().await;
        assert_eq!(read(&dir.path().join("bdseq")).unwrap(), number);
    }

    #[tokio::test]
    async fn a_number_that_never_left_is_used_again_without_another_write() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sequence, _) = load(dir.path());
        assert_eq!(sequence.reserve().await, 0);
        std::fs::remove_file(dir.path().join("bdseq")).unwrap();
        assert_eq!(sequence.reserve().await, 0);
        assert!(!dir.path().join("bdseq").exists());
    }

    #[tokio::test]
    async fn an_unreadable_file_means_zero() {
        for text in ["", "300", "x", "\u{0}"] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join("bdseq"), text).unwrap();
            let (mut sequence, _) = load(dir.path());
            assert_eq!(connect(&mut sequence).await, 0);
        }
    }

    #[tokio::test]
    async fn a_broken_disk_is_counted_and_does_not_stop_the_sequence() {
        let dir = tempfile::tempdir().unwrap();
        let (mut sequence, counters) = load(&dir.path().join("missing"));
        assert_eq!((connect(&mut sequence).await, connect(&mut sequence).await), (0, 1));
        assert_eq!(counters.snapshot().bd_seq_unsaved, 2);
    }
}
