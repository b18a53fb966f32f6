//! Inverse hydraulics: which speed gives this flow, on this loop, with coolant this warm.
//!
//! ```text
//!   pump  H ~ n²           loop  H = squared part · Q² + friction · μ · Q
//!
//!   n² = (1 − b)·q² + b·μ·q          q = flow ÷ flow at full speed, μ = viscosity against 35 °C
//!    │
//!    ├─ speed_for(flow)   feed-forward
//!    └─ flow_at(speed)    what the meter should show; its error teaches full flow (at speed) and b (far below it)
//! ```
//!
//! Against a straight line through the commissioned point this law is right where it matters: a third of full speed gives
//! a quarter of the flow, and less in a cold loop.

use eisbach_protocol::units::{Celsius, LitersPerMinute, Percent};
use serde::{Deserialize, Serialize};

use crate::learned::Bounded;
use crate::tuning::Tuning;

/// Friction's share before it was learned: a third of full speed gives a quarter of its flow (estimate).
const FRICTION: f32 = 0.2;
/// Highest share that may be learned.
const FRICTION_MAX: f32 = 0.6;
/// Lowest and highest flow at full speed that may be learned, against the commissioned one.
const FULL_FLOW: (f32, f32) = (0.3, 1.5);
/// Temperature to which the learned numbers belong.
const RATED: f32 = 35.0;

/// The law of one loop.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct FlowLaw {
    /// L/min at full speed and 35 °C.
    full: Bounded,
    /// Share of friction at full speed.
    friction: Bounded,
    /// Viscosity against that at 35 °C.
    viscosity: f32,
}

impl FlowLaw {
    pub(crate) fn new(tuning: &Tuning) -> Self {
        let nominal = tuning.full_speed_flow.get();
        Self {
            full: Bounded::new(nominal, FULL_FLOW.0 * nominal, FULL_FLOW.1 * nominal),
            friction: Bounded::new(FRICTION, 0.0, FRICTION_MAX),
            viscosity: 1.0,
        }
    }

    /// Flow at full speed and 35 °C, as learned.
    pub(crate) const fn full(&self) -> Bounded {
        self.full
    }

    /// Friction's share, as learned.
    pub(crate) const fn friction(&self) -> Bounded {
        self.friction
    }

    /// Notes how warm the coolant is; unknown, it stays as it was.
    pub(crate) fn warm(&mut self, coolant: Option<Celsius>) {
        if let Some(coolant) = coolant {
            self.viscosity = viscosity(coolant);
        }
    }

    /// Flow at this speed.
    pub(crate) fn flow_at(&self, speed: Percent) -> LitersPerMinute {
        LitersPerMinute::new(self.full.value * self.share_at(speed.get() / 100.0))
    }

    /// Speed for this flow, in percent, beyond full speed if that is what it takes.
    pub(crate) fn speed_for(&self, flow: LitersPerMinute) -> f32 {
        let share = (flow.get() / self.full.value.max(0.01)).max(0.0);
        let friction = self.friction.value;
        let speed = libm::sqrtf(share * ((1.0 - friction) * share + friction * self.viscosity));
        // A straight line where there is no law.
        100.0 * if speed.is_finite() { speed } else { share }
    }

    /// Share of the full flow at this share of full speed: the positive root of the law.
    fn share_at(&self, speed: f32) -> f32 {
        let (squared, linear) = (1.0 - self.friction.value, self.friction.value * self.viscosity);
        let root = libm::sqrtf(linear * linear + 4.0 * squared * speed * speed);
        2.0 * speed * speed / (linear + root).max(1e-6)
    }

    /// Learns from a steady flow: it was `ratio` times what the law says for this speed. `weight` is small.
    pub(crate) fn learn(&mut self, speed: Percent, ratio: f32, weight: f32) {
        let (squared, linear) = (1.0 - self.friction.value, self.friction.value * self.viscosity);
        let share = self.share_at(speed.get() / 100.0);
        // How the logarithm of flow answers to more friction: not at all at full speed, most when slow.
        let slope = (share - self.viscosity) / (2.0 * squared * share + linear).max(1e-3);
        let error = libm::logf(ratio.max(0.01)) * weight / (1.0 + slope * slope);
        self.full.nudge(self.full.value * error);
        self.friction.nudge(error * slope);
    }

    /// Takes for granted that this loop gives `ratio` times the flow.
    pub(crate) fn adopt(&mut self, ratio: f32) {
        self.full.nudge(self.full.value * (ratio - 1.0));
    }
}

/// Viscosity of 25 % propylene glycol against that at 35 °C (fit to `CoolProp` between 10 and 70 °C, 3 %).
fn viscosity(coolant: Celsius) -> f32 {
    let off = coolant.held(Celsius::new(5.0), Celsius::new(75.0)).get() - RATED;
    libm::expf(off * (-0.0276 + 0.000_231 * off))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn law() -> FlowLaw {
        FlowLaw::new(&Tuning::default())
    }

    #[test]
    fn speed_and_flow_are_each_others_inverse() {
        let mut law = law();
        for celsius in [10.0, 35.0, 60.0] {
            law.warm(Some(Celsius::new(celsius)));
            for speed in [10.0, 30.0, 62.0, 100.0_f32] {
                let back = law.speed_for(law.flow_at(Percent::new(speed)));
                assert!((back - speed).abs() < 0.01, "{speed} at {celsius} °C came back as {back}");
            }
        }
    }

    #[test]
    fn a_cold_loop_needs_more_speed_for_the_same_flow() {
        let mut law = law();
        let warm = law.speed_for(LitersPerMinute::new(4.0));
        law.warm(Some(Celsius::new(15.0)));
        assert!(law.speed_for(LitersPerMinute::new(4.0)) > warm + 2.0);
        law.warm(None);
        assert!(law.speed_for(LitersPerMinute::new(4.0)) > warm + 2.0, "unknown stays as it was");
    }

    #[test]
    fn a_loop_with_other_numbers_is_learned_from_what_the_meter_shows() {
        let mut truth = law();
        truth.full.value = 10.0;
        truth.friction.value = 0.4;
        let mut law = law();
        for round in 0..4000_u16 {
            let speed = Percent::new(if round % 400 < 200 { 90.0 } else { 40.0 });
            law.learn(speed, truth.flow_at(speed).get() / law.flow_at(speed).get(), 0.05);
        }
        for speed in [40.0, 60.0, 90.0] {
            let (seen, right) = (law.flow_at(Percent::new(speed)), truth.flow_at(Percent::new(speed)));
            assert!((seen - right).get().abs() < 0.02 * right.get(), "{seen} for {right} at {speed} %");
        }
    }

    #[test]
    fn nonsense_teaches_nothing_beyond_the_bounds() {
        let mut law = law();
        for ratio in [f32::NAN, f32::INFINITY, 0.0, -3.0, 1e30] {
            law.learn(Percent::new(50.0), ratio, 1.0);
            law.adopt(ratio);
            assert!((3.75..=18.75).contains(&law.full.value), "{ratio}: {law:?}");
            assert!((0.0..=0.6).contains(&law.friction.value), "{ratio}: {law:?}");
        }
    }
}
