//! Forward of the recovery valve: where it goes when the load changes, before the supply tells.
//!
//! ```text
//!   travel ~ log2(heat for the river)          twice the heat, the same travel: an equal-percentage port
//!
//!   settled at one load ─► settled at another ─► travel between them ÷ log2 of the heats ─► learned, within bounds
//! ```
//!
//! Water needs half a minute from valve to supply and the stroke takes a minute: a loop that waits for the supply is late by
//! both. The forward only has to be roughly right; the loop corrects the rest.

use eisbach_protocol::units::{Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::learned::Bounded;

/// Travel for twice the heat before it is learned, %: ln 2 over ln 50, for a port of rangeability 50.
const TRAVEL: f32 = 18.0;
/// Highest that may be learned, %.
const TRAVEL_MAX: f32 = 40.0;
/// Loads must be so many doublings apart to teach.
const APART: f32 = 0.5;
/// An older settled state teaches nothing: river and network have changed since, s.
const FRESH_S: f32 = 3600.0;
/// Weight of one pair of settled states.
const WEIGHT: f32 = 0.3;
/// Less heat than this counts as this, W: a logarithm has no zero.
const LEAST: Watts = Watts::new(100.0);

/// The forward's memory.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Forward {
    travel: Bounded,
    settled: Option<State>,
}

/// A settled state.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct State {
    doublings: f32,
    position: f32,
    age_s: f32,
}

impl Default for Forward {
    fn default() -> Self {
        Self { travel: Bounded::new(TRAVEL, 0.0, TRAVEL_MAX), settled: None }
    }
}

impl Forward {
    /// Position that this heat asks for, against that for 1 W, %: only differences mean anything.
    pub(crate) fn at(&self, heat: Watts) -> f32 {
        -self.travel.value * doublings(heat)
    }

    /// Travel for twice the heat, as learned.
    pub(crate) const fn travel(&self) -> Bounded {
        self.travel
    }

    /// Lets `dt_s` pass.
    pub(crate) fn age(&mut self, dt_s: f32) {
        if let Some(state) = &mut self.settled {
            state.age_s += dt_s;
        }
    }

    /// The loop has settled here, with supply at its set-point. Returns how much the forward has moved at this heat, %, so
    /// that whoever stands on it can step the other way.
    pub(crate) fn learn(&mut self, heat: Watts, position: Percent) -> f32 {
        let now = State { doublings: doublings(heat), position: position.get(), age_s: 0.0 };
        let before = self.at(heat);
        if let Some(last) = self.settled.filter(|last| last.age_s < FRESH_S) {
            let apart = now.doublings - last.doublings;
            if apart.abs() >= APART {
                let seen = (last.position - now.position) / apart;
                self.travel.nudge(WEIGHT * (seen - self.travel.value));
            }
        }
        self.settled = Some(now);
        self.at(heat) - before
    }
}

fn doublings(heat: Watts) -> f32 {
    libm::log2f(heat.larger(LEAST).get())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Watts = Watts::new(1500.0);
    const FULL: Watts = Watts::new(7500.0);

    #[test]
    fn more_heat_closes_recovery_and_less_opens_it_by_as_much() {
        let forward = Forward::default();
        let step = forward.at(FULL) - forward.at(IDLE);
        assert!((step + TRAVEL * libm::log2f(5.0)).abs() < 0.01, "{step}");
        assert!(forward.at(Watts::ZERO).is_finite());
    }

    #[test]
    fn travel_is_learned_from_settled_loads_that_are_apart() {
        let mut forward = Forward::default();
        for _ in 0..20 {
            forward.learn(IDLE, Percent::new(95.0));
            forward.learn(FULL, Percent::new(45.0));
        }
        let step = forward.at(FULL) - forward.at(IDLE);
        assert!((step + 50.0).abs() < 1.5, "{step}");
    }

    #[test]
    fn neighbours_and_old_states_teach_nothing_and_the_wrong_way_ends_at_no_forward() {
        let mut forward = Forward::default();
        forward.learn(FULL, Percent::new(45.0));
        forward.learn(FULL * 0.8, Percent::new(90.0));
        forward.age(2.0 * FRESH_S);
        forward.learn(IDLE, Percent::new(20.0));
        assert!((forward.travel().value - TRAVEL).abs() < 1e-6);
        for _ in 0..50 {
            forward.learn(IDLE, Percent::new(20.0));
            forward.learn(FULL, Percent::new(80.0));
        }
        assert!(forward.travel().is_at_bound() && forward.travel().value < 0.1);
    }

    #[test]
    fn what_was_learned_tells_by_how_much_the_forward_moved() {
        let mut forward = Forward::default();
        forward.learn(IDLE, Percent::new(95.0));
        let before = forward.at(FULL);
        let moved = forward.learn(FULL, Percent::new(30.0));
        assert!((forward.at(FULL) - before - moved).abs() < 1e-4 && moved < -1.0, "{moved}");
    }
}
