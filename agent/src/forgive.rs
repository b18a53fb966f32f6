//! One failure is forgiven: a killed agent is back within a second and takes over without a bump, so its devices are
//! left as they are. A second failure within a minute is not, nor any failure that nobody answers with a restart.
//!
//! ```text
//!   service ends ─► result "success" ────────────────────────────► drive the safe state
//!               └─► failure ─► mark fresher than a minute? ─ yes ─► drive the safe state
//!                                                          └ no ──► leave a mark, leave the devices
//! ```

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Clock;

/// Failures this close together are a service that does not come back by itself.
const MEMORY: Duration = Duration::from_secs(60);

/// Whether this is the first failure of late. `result` is the service manager's word for how the service ended.
#[must_use]
pub fn is_first_failure(result: &str) -> bool {
    let folder = std::env::var_os("STATE_DIRECTORY")
        .map_or_else(|| PathBuf::from("/var/lib/eisbach-agent"), PathBuf::from);
    result != "success" && first_at(&folder.join("last-failure"), Clock::wall_ms())
}

/// Leaves a mark, and says whether there was none within [`MEMORY`]. What cannot be marked is not forgiven.
fn first_at(mark: &Path, now_ms: u64) -> bool {
    let last = fs::metadata(mark).and_then(|mark| mark.modified()).ok();
    let marked =
        File::create(mark).and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_millis(now_ms)));
    let recent = last.and_then(|last| last.duration_since(UNIX_EPOCH).ok()).is_some_and(|last| {
        // A clock that was set back makes a mark from the future: also recent.
        Duration::from_millis(now_ms).saturating_sub(last) < MEMORY
    });
    marked.is_ok() && !recent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_forgiven_and_a_second_within_a_minute_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("mark");
        assert!(first_at(&mark, 1_000_000));
        assert!(!first_at(&mark, 1_030_000));
        assert!(!first_at(&mark, 1_060_000), "each failure renews the mark");
        assert!(first_at(&mark, 1_200_000));
    }

    #[test]
    fn what_cannot_be_marked_is_not_forgiven() {
        assert!(!first_at(Path::new("/nonexistent/mark"), 1_000_000));
    }
}
