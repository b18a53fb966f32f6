//! The leak latch: a file that says "there was water and nobody has confirmed that it is mended".
//!
//! ```text
//!   Leak ──► file made ──► survives kill, crash and reboot ──► `eisbach-agent reset` removes it ──► reset
//! ```
//!
//! Without it a restart would forget the leak, and the safe state of a stopped service (full flow) would pump
//! water onto the floor. The cycle sees only two cells; a task of its own touches the disk.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

/// How often the file is looked for.
const LOOK: Duration = Duration::from_secs(1);

/// Where the latch lies.
fn file(state: &Path) -> PathBuf {
    state.join("leak.latched")
}

/// Whether a leak is latched.
///
/// # Errors
/// If that cannot be seen, for instance by another user than the agent's.
pub fn is_latched(state: &Path) -> io::Result<bool> {
    file(state).try_exists()
}

/// Confirms that the leak is mended. Whether there was one.
///
/// # Errors
/// If the file is there and cannot be removed.
pub fn reset(state: &Path) -> io::Result<bool> {
    match fs::remove_file(file(state)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Latches a leak, on the disk when this returns.
///
/// # Errors
/// If the file cannot be written.
pub fn set(state: &Path) -> io::Result<()> {
    File::create(file(state))?.sync_all()?;
    File::open(state)?.sync_all()
}

/// The cycle's side of the latch.
#[derive(Debug)]
pub struct Latch {
    wanted: watch::Sender<bool>,
    present: watch::Receiver<bool>,
    was_present: bool,
    confirmed: Arc<Notify>,
}

impl Latch {
    /// Starts the task that owns the file.
    pub fn start(tasks: &mut JoinSet<()>, state: PathBuf, token: CancellationToken) -> Self {
        let present = is_latched(&state).unwrap_or_else(|error| {
            error!(%error, state = %state.display(), "whether a leak is latched cannot be seen; taken for none");
            false
        });
        let (wanted, want) = watch::channel(present);
        let (found, finding) = watch::channel(present);
        let confirmed = Arc::new(Notify::new());
        tasks.spawn(keep(state, want, found, Arc::clone(&confirmed), token));
        Self { wanted, present: finding, was_present: present, confirmed }
    }

    /// Whether the file was there at start.
    #[must_use]
    pub fn found_at_start(&self) -> bool {
        self.was_present
    }

    /// Whether somebody has removed the file since the last call: the confirmation that the leak is mended.
    pub fn was_reset(&mut self) -> bool {
        let present = *self.present.borrow_and_update();
        let removed = self.was_present && !present;
        self.was_present = present;
        removed
    }

    /// Lets the task remove the file, as `eisbach-agent reset` does. Never waits.
    pub fn ask_reset(&self) {
        self.confirmed.notify_one();
    }

    /// Tells the task whether the node is in Leak.
    pub fn tell(&self, leaking: bool) {
        self.wanted.send_if_modified(|wanted| std::mem::replace(wanted, leaking) != leaking);
    }
}

/// Writes the file while it is wanted and not there, however often that takes. A file that somebody removes while
/// it is still wet is reported once, and written again.
async fn keep(
    state: PathBuf,
    mut want: watch::Receiver<bool>,
    found: watch::Sender<bool>,
    confirmed: Arc<Notify>,
    token: CancellationToken,
) {
    let mut failed = false;
    loop {
        let changed = tokio::select! {
            () = token.cancelled() => return,
            changed = want.changed() => changed,
            () = confirmed.notified() => {
                confirm(&state).await;
                Ok(())
            }
            () = tokio::time::sleep(LOOK) => Ok(()),
        };
        if changed.is_err() {
            return;
        }
        let wanted = *want.borrow_and_update();
        let present = is_latched(&state).unwrap_or(wanted);
        let removed = *found.borrow() && !present;
        if wanted && !present && !removed {
            let folder = state.clone();
            let written = tokio::task::spawn_blocking(move || set(&folder)).await;
            if !matches!(written, Ok(Ok(()))) && !failed {
                error!(state = %state.display(), "the leak latch cannot be written and is tried again; a crash would forget the leak");
                failed = true;
            }
        }
        found.send_replace(is_latched(&state).unwrap_or(wanted));
    }
}

async fn confirm(state: &Path) {
    let folder = state.to_owned();
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || reset(&folder)).await {
        error!(%error, state = %state.display(), "the leak latch cannot be removed; run `eisbach-agent reset` as the agent's user");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until(mut condition: impl FnMut() -> bool) {
        for _ in 0..500 {
            if condition() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("condition not met in time");
    }

    #[tokio::test]
    async fn i02_a_leak_survives_a_restart_and_ends_by_reset_alone() {
        let state = tempfile::tempdir().unwrap();
        let mut tasks = JoinSet::new();
        let token = CancellationToken::new();
        let latch = Latch::start(&mut tasks, state.path().to_owned(), token.clone());
        assert!(!latch.found_at_start());
        latch.tell(true);
        until(|| is_latched(state.path()).unwrap()).await;
        token.cancel();
        while tasks.join_next().await.is_some() {}

        let mut latch = Latch::start(&mut tasks, state.path().to_owned(), CancellationToken::new());
        assert!(latch.found_at_start() && !latch.was_reset());
        assert!(reset(state.path()).unwrap());
        until(|| latch.was_reset()).await;
        assert!(!latch.was_reset(), "a reset counts once");
    }

    #[tokio::test]
    async fn i02_a_reset_while_it_is_still_wet_does_not_lose_the_latch() {
        let state = tempfile::tempdir().unwrap();
        let mut tasks = JoinSet::new();
        let mut latch = Latch::start(&mut tasks, state.path().to_owned(), CancellationToken::new());
        latch.tell(true);
        until(|| is_latched(state.path()).unwrap() && !latch.was_reset() && latch.was_present).await;
        assert!(reset(state.path()).unwrap());
        until(|| latch.was_reset()).await;
        until(|| is_latched(state.path()).unwrap()).await;
    }

    #[tokio::test]
    async fn i02_a_reset_that_the_agent_is_asked_for_counts_like_one_by_hand() {
        let state = tempfile::tempdir().unwrap();
        set(state.path()).unwrap();
        let mut tasks = JoinSet::new();
        let mut latch = Latch::start(&mut tasks, state.path().to_owned(), CancellationToken::new());
        latch.ask_reset();
        until(|| latch.was_reset()).await;
        assert!(!is_latched(state.path()).unwrap());
    }

    #[test]
    fn a_latch_that_cannot_be_seen_is_no_clear_answer() {
        assert!(is_latched(Path::new("/dev/null/state")).is_err());
    }
}
