//! The only file of the simulator that reads a clock. Everywhere else time is an argument.
//!
//! ```text
//!   real time ──► Pace: how many steps are due? ──► plant time
//!                  │ a little late: catch up
//!                  └ very late (descheduled): the plant's clock slips, and says so
//! ```

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Length of one plant step.
pub const STEP: Duration = Duration::from_millis(10);
/// Most steps made up for at once. Beyond, the plant's clock slips: an agent that was starved of processor time
/// together with the plant must not find that a second of physics has passed in a millisecond.
const MOST_AT_ONCE: u32 = 5;

/// Monotonic time since the program started.
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
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Processor time that this process has used so far, all its threads together; zero where the system does not tell.
#[must_use]
pub fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Keeps plant time beside real time, one [`STEP`] after the other.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    next: Duration,
    slipped: Duration,
}

impl Pace {
    /// The first step is due at `now`.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Self { next: now, slipped: Duration::ZERO }
    }

    /// How many steps are due at `now`, a few at most.
    pub fn due(&mut self, now: Duration) -> u32 {
        let mut steps = 0;
        while self.next <= now && steps < MOST_AT_ONCE {
            self.next += STEP;
            steps += 1;
        }
        if self.next <= now {
            self.slipped += now - self.next;
            self.next = now;
        }
        steps
    }

    /// When the next step is due.
    #[must_use]
    pub const fn next(&self) -> Duration {
        self.next
    }

    /// How far plant time has fallen behind real time for good.
    #[must_use]
    pub const fn slipped(&self) -> Duration {
        self.slipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn on_time_it_is_one_step_each_ten_milliseconds() {
        let mut pace = Pace::new(ms(0));
        let steps: u32 = (0..100).map(|at| pace.due(ms(at))).sum();
        assert_eq!((steps, pace.slipped()), (10, Duration::ZERO));
        assert_eq!(pace.next(), ms(100));
    }

    #[test]
    fn a_short_delay_is_made_up_for() {
        let mut pace = Pace::new(ms(0));
        assert_eq!(pace.due(ms(0)), 1);
        assert_eq!(pace.due(ms(42)), 4);
        assert_eq!(pace.slipped(), Duration::ZERO);
    }

    #[test]
    fn a_long_delay_slips_the_plants_clock_instead_of_racing_it() {
        let mut pace = Pace::new(ms(0));
        assert_eq!(pace.due(ms(0)), 1);
        assert_eq!(pace.due(ms(2000)), MOST_AT_ONCE);
        assert_eq!(pace.slipped(), ms(2000 - 60));
        assert_eq!(pace.due(ms(2001)), 1, "and then it goes on as usual");
        assert_eq!(pace.due(ms(2002)), 0);
    }
}
