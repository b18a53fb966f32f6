//! How a budget moves: down at once or at a rate, up at a rate, and away at the top.
//!
//! ```text
//!   none ── goal ──► from the power drawn, down at the rate ──► goal ── no goal ──► up at the rate ──► none
//!                         at most what must be at once ▲
//! ```

use eisbach_protocol::units::{Millis, Watts};

/// Above what any node's GPUs draw; a budget that has come back to here limits nothing.
pub(super) const TOP: Watts = Watts::new(16_000.0);
/// Longest step: a budget does not jump because nobody looked.
const LONGEST_STEP: Millis = Millis::from_secs(1);

/// A budget on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ramp {
    watts_per_s: f32,
    at: Option<Watts>,
    last: Option<Millis>,
}

impl Ramp {
    /// One that limits nothing.
    pub(super) const fn new(watts_per_s: f32) -> Self {
        Self { watts_per_s, at: None, last: None }
    }

    /// Moves on: towards `goal` at the rate, below `at_once` without delay. `drawn` is the power of now, if it is known.
    pub(super) fn step(
        &mut self,
        goal: Option<Watts>,
        at_once: Option<Watts>,
        drawn: Option<Watts>,
        now: Millis,
    ) -> Option<Watts> {
        let passed = self.last.map_or(Millis::ZERO, |last| now.since(last));
        let passed = if passed > LONGEST_STEP { LONGEST_STEP } else { passed };
        let most = Watts::new(self.watts_per_s * passed.as_secs_f32());
        self.last = Some(now);
        let goal = goal.map(|goal| goal.held(Watts::ZERO, TOP));
        let hard = at_once.map_or(TOP, |hard| hard.held(Watts::ZERO, TOP));
        self.at = match (self.at, goal) {
            // Where the way down begins is not known: there is none.
            (None, Some(goal)) => Some(drawn.map_or(goal, |drawn| drawn.held(goal, TOP))),
            (Some(at), Some(goal)) if at > goal => Some((at - most).larger(goal)),
            (Some(at), goal) => Some((at + most).smaller(goal.unwrap_or(TOP))),
            (None, None) => at_once.map(|_| hard),
        };
        self.at = self.at.map(|at| at.smaller(hard)).filter(|at| *at < TOP);
        self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const W: fn(f32) -> Watts = Watts::new;

    #[test]
    fn it_goes_down_from_what_is_drawn_and_up_again_and_away() {
        let mut ramp = Ramp::new(100.0);
        let goal = Some(W(4000.0));
        let mut now = Millis::ZERO;
        let mut step = |goal| {
            now += Millis::from_secs(1);
            ramp.step(goal, None, Some(W(4250.0)), now)
        };
        assert_eq!(
            [step(goal), step(goal), step(goal), step(goal)].map(|at| at.map(Watts::get)),
            [Some(4250.0), Some(4150.0), Some(4050.0), Some(4000.0)]
        );
        assert_eq!(step(None), Some(W(4100.0)));
        assert_eq!((0..200).filter_map(|_| step(None)).count(), 118, "up to the top, then away");
    }

    #[test]
    fn without_a_known_power_it_is_down_at_once() {
        assert_eq!(Ramp::new(1.0).step(Some(W(4000.0)), None, None, Millis::ZERO), Some(W(4000.0)));
    }

    #[test]
    fn what_must_be_at_once_is() {
        let mut ramp = Ramp::new(100.0);
        assert_eq!(ramp.step(None, Some(W(3000.0)), Some(W(5000.0)), Millis::ZERO), Some(W(3000.0)));
        assert_eq!(ramp.step(None, None, Some(W(3000.0)), Millis::from_secs(9)), Some(W(3100.0)));
    }

    proptest! {
        #[test]
        fn it_never_rises_faster_than_its_rate_and_never_stands_above_what_must_be(
            steps in proptest::collection::vec(
                (proptest::option::of(0.0_f32..20_000.0), proptest::option::of(0.0_f32..20_000.0), 0_u64..3000), 1..40),
        ) {
            let mut ramp = Ramp::new(50.0);
            let (mut now, mut before) = (Millis::ZERO, None::<Watts>);
            for (goal, hard, passed) in steps {
                now += Millis::new(passed);
                let at = ramp.step(goal.map(W), hard.map(W), Some(W(5000.0)), now);
                if let (Some(at), Some(hard)) = (at, hard.filter(|hard| *hard < TOP.get())) {
                    prop_assert!(at.get() <= hard);
                }
                if let Some(before) = before {
                    let most = before.get() + 50.0 * 1.0_f32.min(Millis::new(passed).as_secs_f32()) + 0.01;
                    prop_assert!(at.map_or(most >= TOP.get(), |at| at.get() <= most));
                }
                before = at;
            }
        }
    }
}
