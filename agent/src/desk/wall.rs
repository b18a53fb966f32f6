//! Whether this node's idea of the time of day can be trusted to judge an expiry.
//!
//! ```text
//!   wall − monotonic  steady ─► sure      leapt by more than 2 s ─► unsure for a minute
//! ```
//!
//! A clock that is wrong and steady is found by the envelopes themselves: they come expired, or from the future.

use eisbach_protocol::units::Millis;

/// A step larger than this is no correction of a running clock.
const LEAP_MS: u64 = 2_000;
/// How long a clock that has leapt is not believed: the longest life of an envelope.
const UNSURE_FOR: Millis = Millis::from_secs(60);

/// The time of day against the time that only runs forward.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WallClock {
    last: Option<(Millis, u64)>,
    leapt: Option<Millis>,
}

impl WallClock {
    /// Looks at both clocks; whether the time of day can be trusted.
    pub(super) fn look(&mut self, now: Millis, wall_ms: u64) -> bool {
        if let Some((then, wall_then)) = self.last {
            let expected = wall_then.saturating_add(now.since(then).get());
            if wall_ms.abs_diff(expected) > LEAP_MS {
                self.leapt = Some(now);
            }
        }
        self.last = Some((now, wall_ms));
        wall_ms > 0 && self.leapt.is_none_or(|leapt| now.since(leapt) >= UNSURE_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_leaps_is_not_believed_for_a_minute() {
        let mut clock = WallClock::default();
        assert!(clock.look(Millis::from_secs(1), 1_000_000));
        assert!(clock.look(Millis::from_secs(2), 1_001_500), "half a second is a correction");
        assert!(!clock.look(Millis::from_secs(3), 900_000), "back");
        assert!(!clock.look(Millis::from_secs(62), 959_000));
        assert!(clock.look(Millis::from_secs(63), 960_000));
        assert!(!clock.look(Millis::from_secs(64), 9_960_000), "forward");
        assert!(!WallClock::default().look(Millis::ZERO, 0), "before 1970 is no time");
    }
}
