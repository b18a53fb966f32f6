//! Waiting for conditions, never for time.

use std::fmt::Debug;
use std::time::Duration;

use crate::clock::Deadline;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `look` finds something, and returns it.
///
/// # Panics
/// If it finds nothing within `limit`; the message says what was waited for.
pub fn until_some<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(limit);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!deadline.has_passed(), "not within {limit:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits until what `look` sees satisfies `holds`, and returns it.
///
/// # Panics
/// If it does not within `limit`; the message says what was waited for and what was seen last.
pub fn until<T: Debug>(
    what: &str,
    limit: Duration,
    mut look: impl FnMut() -> T,
    holds: impl Fn(&T) -> bool,
) -> T {
    let deadline = Deadline::after(limit);
    loop {
        let seen = look();
        if holds(&seen) {
            return seen;
        }
        assert!(!deadline.has_passed(), "not within {limit:?}: {what}; last seen: {seen:?}");
        std::thread::sleep(LOOK);
    }
}
