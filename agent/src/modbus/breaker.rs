//! One dead unit must not starve its wire: after some failures it is left alone, and asked again ever more seldom.
//!
//! ```text
//!              3 failures in a row, or more than one in 20
//!   Closed ───────────────────────────────────────────────► Dormant ── 1 s, 2 s, 4 s, 8 s … ──► asked once
//!     ▲                                                        ▲                                  │      │
//!     └──────────────── answers ───────────────────────────────│──────────────────────────────────┘      │
//!                                                              └──────────── does not ───────────────────┘
//! ```
//!
//! Only where another unit of the wire answers meanwhile: if none does, the wire is to blame, and its backoff counts.
//! Pure: time is an argument. One breaker for each unit.

use eisbach_protocol::units::Millis;

use super::backoff::jitter;

/// What a failure costs; each answer pays one back. So a unit is also given up that answers now and then, but fails
/// more than once in so many requests: each failure costs all the others a connection.
const FAILURE: u32 = 20;
/// Three failures in a row.
const LIMIT: u32 = 3 * FAILURE;
/// First time in which a dormant unit is not asked; doubled with each failure.
const FIRST_REST_MS: u64 = 1_000;
/// Doublings to the longest rest of 8 s.
const DOUBLINGS: u32 = 3;

/// What a breaker remembers of its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Breaker {
    debt: u32,
    rests: u32,
    asked_again_at: Option<Millis>,
}

impl Breaker {
    /// When the unit may be asked again, if it is dormant.
    pub(super) const fn dormant_until(&self) -> Option<Millis> {
        self.asked_again_at
    }

    /// Whether it has failed lately.
    pub(super) const fn is_in_debt(&self) -> bool {
        self.debt > 0
    }

    /// The unit answered.
    pub(super) const fn answered(&mut self) {
        self.asked_again_at = None;
        self.debt = self.debt.saturating_sub(1);
        if self.debt == 0 {
            self.rests = 0;
        }
    }

    /// The unit `who` failed, while another unit of the wire answers or none does. Returns whether that makes it
    /// dormant now.
    pub(super) fn failed(&mut self, who: &str, others_answer: bool, now: Millis) -> bool {
        let was_dormant = self.asked_again_at.is_some();
        self.debt = (self.debt + FAILURE).min(LIMIT);
        if !others_answer {
            self.asked_again_at = None;
            return false;
        }
        if self.debt < LIMIT {
            return false;
        }
        let full = FIRST_REST_MS << self.rests.min(DOUBLINGS);
        self.asked_again_at = Some(now + jitter(who, self.rests, full));
        self.rests = self.rests.saturating_add(1);
        !was_dormant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_unit_is_dormant_after_three_failures_in_a_row_and_closed_by_its_answer() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed("a", true, Millis::ZERO));
        assert!(!breaker.failed("a", true, Millis::ZERO));
        assert_eq!(breaker.dormant_until(), None);
        assert!(breaker.failed("a", true, Millis::ZERO));
        assert!(breaker.dormant_until().is_some());
        breaker.answered();
        assert_eq!(breaker.dormant_until(), None);
    }

    #[test]
    fn a_unit_is_never_dormant_while_no_other_answers() {
        let mut breaker = Breaker::default();
        for _ in 0..100 {
            assert!(!breaker.failed("a", false, Millis::ZERO));
            assert_eq!(breaker.dormant_until(), None);
        }
    }

    #[test]
    fn a_dormant_unit_is_asked_ever_more_seldom_and_at_least_every_eight_seconds() {
        let mut breaker = Breaker::default();
        let mut rests = Vec::new();
        for _ in 0..8 {
            breaker.failed("a", true, Millis::ZERO);
            rests.extend(breaker.dormant_until().map(Millis::get));
        }
        for (rest, full) in rests.iter().zip([1_000, 2_000, 4_000, 8_000, 8_000, 8_000]) {
            assert!((full / 2..=full).contains(rest), "{rests:?}");
        }
        assert_eq!(rests.len(), 6);
    }

    proptest! {
        #[test]
        fn failures_of_one_in_a_hundred_never_make_a_unit_dormant(pauses in prop::collection::vec(100..200_u32, 1..50)) {
            let mut breaker = Breaker::default();
            for answers in pauses {
                prop_assert!(!breaker.failed("a", true, Millis::ZERO));
                (0..answers).for_each(|_| breaker.answered());
            }
        }

        #[test]
        fn a_unit_that_fails_every_tenth_time_is_given_up(seed in 0..10_u32) {
            let mut breaker = Breaker::default();
            (0..seed).for_each(|_| breaker.answered());
            let mut gave_up = false;
            for _ in 0..10 {
                gave_up |= breaker.failed("a", true, Millis::ZERO);
                (0..9).for_each(|_| breaker.answered());
            }
            prop_assert!(gave_up);
        }
    }
}
