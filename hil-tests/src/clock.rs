//! The only file of the rig that reads a clock.

use std::time::{Duration, Instant, SystemTime};

/// A deadline that has not passed yet, or has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn has_passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// Time since a moment, for tables of results.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Milliseconds since 1970, UTC.
#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a year before 500 million")
}
