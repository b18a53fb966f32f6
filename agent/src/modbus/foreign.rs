//! Other masters: how often a register was found changed by somebody else, and when the agent gives way.
//!
//! ```text
//!              changed by somebody else            3 times in 10 minutes
//!   Alone ───────────────────────────► written again ───────────────────► Yielded, for 10 minutes from the last time
//!     ▲                                                                      │ only more cooling is written,
//!     └──────────────────────────────────────────────────────────────────────┘ and a leak stop
//! ```
//!
//! Two masters that both insist would move an actuator up and down for ever. Pure: time is an argument.

use eisbach_protocol::units::Millis;

/// Times that a register is simply written again.
const PATIENCE: usize = 3;
/// Within this time.
const WINDOW: Millis = Millis::from_secs(600);
/// How long the agent gives way after the last time.
const YIELD: Millis = Millis::from_secs(600);

/// What is known of other masters at one register.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Foreign {
    /// The last times, newest first.
    times: [Option<Millis>; PATIENCE],
    until: Option<Millis>,
}

impl Foreign {
    /// The register was found changed without a write of our own.
    pub(super) fn event(&mut self, now: Millis) {
        self.times.rotate_right(1);
        if let Some(newest) = self.times.first_mut() {
            *newest = Some(now);
        }
        if self.times.iter().all(|time| time.is_some_and(|time| now.since(time) <= WINDOW)) {
            self.until = Some(now + YIELD);
        }
    }

    /// Whether the agent gives way at `now`.
    pub(super) fn is_yielded_to(&self, now: Millis) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: &[u64]) -> Foreign {
        let mut foreign = Foreign::default();
        seconds.iter().for_each(|&second| foreign.event(Millis::from_secs(second)));
        foreign
    }

    #[test]
    fn i05_the_third_event_in_ten_minutes_makes_the_agent_yield_for_ten() {
        assert!(!after(&[0, 300]).is_yielded_to(Millis::from_secs(300)));
        let foreign = after(&[0, 300, 600]);
        assert!(foreign.is_yielded_to(Millis::from_secs(1_199)));
        assert!(!foreign.is_yielded_to(Millis::from_secs(1_200)));
    }

    #[test]
    fn events_far_apart_are_only_written_over() {
        assert!(!after(&[0, 300, 601, 1_000]).is_yielded_to(Millis::from_secs(1_000)));
    }

    #[test]
    fn i05_a_master_that_goes_on_is_yielded_to_for_as_long() {
        let foreign = after(&[0, 1, 2, 500]);
        assert!(foreign.is_yielded_to(Millis::from_secs(1_099)));
    }
}
