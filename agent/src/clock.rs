//! The only file of the agent that reads a clock. Everywhere else time is an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eisbach_protocol::units::Millis;
use tokio::time::Instant;

/// Monotonic time since the program started, and wall time for what leaves the node. In a test whose time is paused,
/// it stands still with it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Time since [`start`](Self::start).
    #[must_use]
    pub fn now(&self) -> Millis {
        Millis::new(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// How long `at` is past.
    #[must_use]
    pub fn since(&self, at: Millis) -> Duration {
        Duration::from_millis(self.now().since(at).get())
    }

    /// The same, finer: for what is measured rather than controlled.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The same in microseconds.
    #[must_use]
    pub fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The instant at which this clock shows `at`, for timers.
    #[must_use]
    pub fn instant(&self, at: Millis) -> std::time::Instant {
        self.start.into_std() + Duration::from_millis(at.get())
    }

    /// Milliseconds since 1970 in UTC; zero if the node's clock is before that.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub fn wall_ms() -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
