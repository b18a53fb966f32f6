//! The task that keeps the record on the disk: the newest one, at most once a second, and the last one at the end.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::record::{self, Record};

/// From one write to the next: alarms that come and go are no reason to wear out a disk.
const PAUSE: Duration = Duration::from_secs(1);
/// From a write that failed to the next try.
const AGAIN: Duration = Duration::from_secs(10);

/// Keeps `newest` until `token` is cancelled.
pub(super) async fn run(state: PathBuf, mut newest: watch::Receiver<Record>, token: CancellationToken) {
    let mut failed = false;
    loop {
        let changed = tokio::select! {
            () = token.cancelled() => break,
            changed = newest.changed() => changed,
        };
        if changed.is_err() {
            break;
        }
        let kept = keep(&state, &mut newest, failed).await;
        failed = !kept;
        if failed {
            newest.mark_changed();
        }
        tokio::select! {
            () = token.cancelled() => break,
            () = tokio::time::sleep(if failed { AGAIN } else { PAUSE }) => {}
        }
    }
    if newest.has_changed().unwrap_or(true) {
        keep(&state, &mut newest, failed).await;
    }
}

/// Whether it was written; said once until it is again.
async fn keep(state: &std::path::Path, newest: &mut watch::Receiver<Record>, failed: bool) -> bool {
    let (folder, record) = (state.to_owned(), newest.borrow_and_update().clone());
    match tokio::task::spawn_blocking(move || record::write(&folder, &record)).await {
        Ok(Ok(())) => {
            if failed {
                info!("the record of alarms is kept again");
            }
            true
        }
        Ok(Err(error)) if !failed => {
            error!(%error, state = %state.display(), "the record of alarms cannot be written and is tried again; a restart would forget what was acknowledged");
            false
        }
        Ok(Err(_)) | Err(_) => false,
    }
}
