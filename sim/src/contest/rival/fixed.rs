//! Fixed flow: the pump is balanced once, for full load, and never touched again.

use eisbach_control::Snapshot;
use eisbach_protocol::units::Millis;

use super::{Move, Rival, Second, SupplyValve};
use crate::plant::{Plant, PlantParams};

/// Litres a minute per kilowatt of installed heat (OCP guideline).
const LPM_PER_KW: f64 = 1.5;

/// Pump at design flow, valve by the common loop.
#[derive(Clone, Debug)]
pub struct FixedFlow {
    speed: f64,
    valve: SupplyValve,
    second: Second,
    held: f64,
}

impl FixedFlow {
    /// Balanced for this plant: the speed that gives 1.5 L/min per installed kW, by the affinity law from the flow at
    /// full speed.
    #[must_use]
    pub fn new(params: &PlantParams) -> Self {
        Self {
            speed: design_speed(params),
            valve: SupplyValve::default(),
            second: Second::default(),
            held: 0.0,
        }
    }
}

impl FixedFlow {
    /// The same with another valve loop.
    #[must_use]
    pub fn with_valve(self, valve: SupplyValve) -> Self {
        Self { valve, ..self }
    }
}

/// Pump speed of the design flow, %.
fn design_speed(params: &PlantParams) -> f64 {
    let design = LPM_PER_KW * params.installed_watts() / 1000.0;
    let full = Plant::new(params.clone(), 0).full_speed().flow_lpm;
    (100.0 * design / full).clamp(super::PUMP_MIN, 100.0)
}

impl Rival for FixedFlow {
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move {
        if let Some(dt) = self.second.due(now) {
            self.held = self.valve.step(snapshot, dt);
        }
        Move::Set { pump: self.speed, valve: self.held }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_flow_stands_at_one_and_a_half_litres_a_minute_per_kilowatt() {
        let speed = design_speed(&PlantParams::default());
        assert!((85.0..100.0).contains(&speed), "{speed}");
    }
}
