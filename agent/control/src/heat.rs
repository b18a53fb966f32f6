//! Heat on its way through the loop: what the GPUs draw now is in the coolant some seconds later.
//!
//! ```text
//!   GPU power ─► plates (some seconds) ─► heat in the coolant ─► highest of the last seconds ─► flow
//!                                              │
//!                                              └─► follows steps, not swings ─► forward of the valve
//!   flow × rise, while steady ─► heat per watt and heat at rest, learned slowly
//! ```
//!
//! Flow that follows the power itself is early when load comes and late when it goes, and chases every swing of a training
//! job. Copper and coolant of the plates do the smoothing already: flow that follows them keeps the return steady, and
//! costs what the mean of a swing needs and not its peak.

use eisbach_protocol::units::Watts;
use heapless::Deque;
use serde::{Deserialize, Serialize};

use crate::learned::Bounded;
use crate::tuning::Tuning;

/// Seconds for which the highest heat counts: longer than the slowest swing of a training job is low (estimate).
const HELD: usize = 6;
/// Time constant of what the valve's forward follows, s (estimate).
const SLOW_S: f32 = 10.0;
/// Change of that heat which is a step and no swing, as a share.
const STEP: f32 = 0.4;
/// Time constant with which what is no step is taken over, s: a change slower than that is none (estimate).
const DRIFT_S: f32 = 120.0;
/// Lowest and highest heat per watt that may be learned.
const PER_WATT: (f32, f32) = (1.0, 2.5);
/// Highest heat at rest that may be learned, as a share of what all GPUs may draw.
const REST_MAX: f32 = 0.15;
/// Time constant of learning, s.
const LEARN_S: f32 = 90.0;
/// Weight of the heat at rest against that of the GPUs in what is learned.
const REST_WEIGHT: f32 = 0.3;

/// Heat in the loop, from power.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Heat {
    per_watt: Bounded,
    /// Heat of a node at rest, as a share of what all GPUs may draw.
    rest: Bounded,
    /// What all GPUs may draw, W.
    most: f32,
    /// GPU power whose heat is in the coolant, W.
    arrived: Option<f32>,
    /// The same, slower, W.
    slow: f32,
    /// What the forward goes by, W.
    stepped: f32,
    highest: Deque<f32, HELD>,
    since_s: f32,
}

impl Heat {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        Self {
            per_watt: Bounded::new(tuning.heat_per_gpu_watt, PER_WATT.0, PER_WATT.1),
            rest: Bounded::new(0.0, 0.0, REST_MAX),
            most: 0.0,
            arrived: None,
            slow: 0.0,
            stepped: 0.0,
            highest: Deque::new(),
            since_s: 0.0,
        }
    }

    /// Follows the GPUs' power over `dt_s`; `most` is what they may draw.
    pub(crate) fn follow(&mut self, power: Watts, most: Watts, dt_s: f32, tuning: &Tuning) {
        let power = power.get();
        if !power.is_finite() {
            return;
        }
        self.most = most.get();
        let Some(before) = self.arrived else {
            (self.arrived, self.slow, self.stepped) = (Some(power), power, power);
            return;
        };
        let arrived = before + (power - before) * share(dt_s, tuning.plate_lag_s);
        self.arrived = Some(arrived);
        self.slow += (power - self.slow) * share(dt_s, SLOW_S);
        if (self.slow - self.stepped).abs() > STEP * self.stepped {
            self.stepped = self.slow;
        } else {
            self.stepped += (self.slow - self.stepped) * share(dt_s, DRIFT_S);
        }
        self.since_s += dt_s;
        if self.since_s >= 1.0 {
            self.since_s = 0.0;
            if self.highest.is_full() {
                self.highest.pop_front();
            }
            let _room_was_made = self.highest.push_back(arrived);
        }
    }

    /// Heat to carry away: the highest of the last seconds.
    pub(crate) fn to_carry(&self) -> Watts {
        let arrived = self.arrived.unwrap_or_default();
        self.of(self.highest.iter().copied().fold(arrived, f32::max))
    }

    /// Heat with every GPU at its limit.
    pub(crate) fn most(&self) -> Watts {
        self.of(self.most)
    }

    /// Heat in the coolant now.
    pub(crate) fn present(&self) -> Watts {
        self.of(self.arrived.unwrap_or_default())
    }

    /// Heat that follows steps of the load, and not its swings.
    pub(crate) fn stepped(&self) -> Watts {
        self.of(self.stepped)
    }

    /// Heat that this much power of the GPUs brings into the loop.
    pub(crate) fn of(&self, power: f32) -> Watts {
        Watts::new(self.per_watt.value * power + self.rest.value * self.most)
    }

    /// Heat per watt, as learned.
    pub(crate) const fn per_watt(&self) -> Bounded {
        self.per_watt
    }

    /// Learns from steady load: so much power made so much heat in the loop, for `dt_s`.
    pub(crate) fn learn(&mut self, power: Watts, heat: Watts, dt_s: f32) {
        if self.most < 1.0 {
            return;
        }
        let power_share = power.get() / self.most;
        let error = (heat - self.of(power.get())).get() / self.most;
        let norm = power_share * power_share + REST_WEIGHT * REST_WEIGHT;
        let step = error / norm * (dt_s / LEARN_S);
        self.per_watt.nudge(step * power_share);
        self.rest.nudge(step * REST_WEIGHT * REST_WEIGHT);
    }
}

/// Share of the way to a new value that is gone after `dt_s`.
pub(crate) fn share(dt_s: f32, lag_s: f32) -> f32 {
    1.0 - libm::expf(-dt_s / lag_s.max(0.01))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Watts = Watts::new(5600.0);

    fn after(heat: &mut Heat, seconds: usize, power: impl Fn(f32) -> f32) {
        for tenth in 0..seconds * 10 {
            #[expect(clippy::cast_precision_loss, reason = "small")]
            let watts = power(tenth as f32 / 10.0);
            heat.follow(Watts::new(watts), MOST, 0.1, &Tuning::default());
        }
    }

    fn settled(watts: f32) -> Heat {
        let mut heat = Heat::new(&Tuning::default());
        after(&mut heat, 120, |_| watts);
        heat
    }

    #[test]
    fn a_swing_is_carried_by_its_mean_and_a_step_by_its_end() {
        let mut heat = settled(4000.0);
        after(&mut heat, 60, |t| if t.fract() < 0.5 { 5600.0 } else { 2400.0 });
        let swing = heat.to_carry();
        assert!((swing.get() / heat.of(4000.0).get() - 1.0).abs() < 0.06, "{swing}");
        after(&mut heat, 20, |_| 5600.0);
        assert!((heat.to_carry().get() / heat.of(5600.0).get() - 1.0).abs() < 0.02);
    }

    #[test]
    fn heat_that_is_gone_is_held_for_seconds_and_no_longer() {
        let mut heat = settled(5600.0);
        after(&mut heat, 4, |_| 600.0);
        assert!((heat.to_carry().get() / heat.of(5600.0).get() - 1.0).abs() < 0.02);
        after(&mut heat, 16, |_| 600.0);
        assert!(heat.to_carry().get() < 1.5 * heat.of(600.0).get(), "{}", heat.to_carry());
    }

    #[test]
    fn the_valve_is_told_of_steps_and_not_of_swings() {
        let mut heat = settled(4000.0);
        let before = heat.stepped();
        after(&mut heat, 120, |t| if (t / 2.0).fract() < 0.5 { 5000.0 } else { 3000.0 });
        assert!((heat.stepped() - before).get().abs() < 0.001 * before.get(), "{}", heat.stepped());
        after(&mut heat, 60, |_| 600.0);
        assert!(heat.stepped().get() < 0.3 * before.get());
    }

    #[test]
    fn heat_per_watt_and_at_rest_are_learned_from_two_loads() {
        let mut heat = settled(4000.0);
        for round in 0..20_000_u16 {
            let power = if round % 2000 < 1000 { 5600.0 } else { 1100.0_f32 };
            heat.learn(Watts::new(power), Watts::new(400.0 + 1.25 * power), 1.0);
        }
        for power in [1100.0, 3000.0, 5600.0] {
            let (seen, right) = (heat.of(power).get(), 400.0 + 1.25 * power);
            assert!((seen / right - 1.0).abs() < 0.03, "{seen} for {right}");
        }
    }

    #[test]
    fn nonsense_moves_nothing_beyond_the_bounds() {
        let mut heat = settled(4000.0);
        for value in [f32::NAN, f32::INFINITY, -1e9] {
            heat.follow(Watts::new(value), MOST, 0.1, &Tuning::default());
            heat.learn(Watts::new(value), Watts::new(value), 1.0);
            heat.learn(Watts::new(4000.0), Watts::new(value), 1.0);
        }
        assert!((1.0..=2.5).contains(&heat.per_watt().value));
        assert!(heat.to_carry().get().is_finite());
    }
}
