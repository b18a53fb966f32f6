//! How much time has passed, whatever is done to the wall clock.
//!
//! ```text
//!   this process   ├── monotonic clock ──┤ written ┊ restart ┊ first step
//!   over a restart                       ├──── wall clock ───┤ none if that went back
//! ```
//!
//! NTP steps a wall clock, and an old battery sets it back for years: what is in force must not end because of that.

use eisbach_protocol::units::Millis;
use serde::{Deserialize, Serialize};

/// A clock that only counts what passes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lapse {
    /// The wall clock when it was asked last.
    wall_ms: u64,
    /// The monotonic clock then; none since a restart.
    #[serde(skip)]
    last: Option<Millis>,
}

impl Lapse {
    /// What has passed since it was asked last.
    pub(super) const fn passed(&mut self, (now, wall_ms): (Millis, u64)) -> Millis {
        let passed = match self.last {
            Some(last) => now.since(last),
            None => Millis::new(wall_ms.saturating_sub(self.wall_ms)),
        };
        (self.wall_ms, self.last) = (wall_ms, Some(now));
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restarted(lapse: Lapse) -> Lapse {
        serde_json::from_value(serde_json::to_value(lapse).unwrap()).unwrap()
    }

    #[test]
    fn steps_of_the_wall_clock_are_no_time() {
        let mut lapse = Lapse::default();
        lapse.passed((Millis::new(100), 50_000));
        assert_eq!(lapse.passed((Millis::new(300), 0)), Millis::new(200));
        assert_eq!(lapse.passed((Millis::new(400), 90_000)), Millis::new(100));
    }

    #[test]
    fn over_a_restart_the_wall_clock_counts_unless_it_went_back() {
        let mut lapse = Lapse::default();
        lapse.passed((Millis::new(9_000), 50_000));
        assert_eq!(restarted(lapse).passed((Millis::new(5), 60_000)), Millis::new(10_000));
        assert_eq!(restarted(lapse).passed((Millis::new(5), 40_000)), Millis::ZERO);
    }
}
