//! The same world with a pump that always gives design flow: what the agent's pump energy is held against.
//!
//! It has the same seed, the same workload, the same river and the same valve, and nobody throttles it. It does not
//! share the faults of pump, loop and GPUs: a plant that stands still would make a poor standard.

use crate::plant::{Actuators, Boundary, DT, Fault, FaultKind, Plant};

/// Design flow for each kW of installed heat, L/min (OCP guideline for liquid-cooled racks).
const LPM_PER_KW: f64 = 1.5;
/// Share of the missing flow by which the speed is corrected each second.
const CORRECTION_PER_S: f64 = 0.5;
/// Time in which a new baseline finds its speed, s.
const FIND_S: f64 = 30.0;

/// The twin with a fixed flow.
#[derive(Clone, Debug)]
pub struct Baseline {
    plant: Plant,
    design_lpm: f64,
    speed: f64,
    before_kwh: f64,
}

impl Baseline {
    /// A twin of `plant`, brought to design flow.
    #[must_use]
    pub fn of(plant: &Plant, boundary: &Boundary, valve: f64) -> Self {
        let params = plant.params();
        let installed_kw = params.installed_watts() / 1000.0;
        let speed = Actuators::default().pump_speed;
        let design_lpm = LPM_PER_KW * installed_kw;
        let mut twin = Self { plant: plant.clone(), design_lpm, speed, before_kwh: 0.0 };
        let mut left = FIND_S;
        while left > 0.0 {
            twin.step(boundary, valve);
            left -= DT;
        }
        twin.before_kwh = twin.plant.truth().energy.pump_kwh;
        twin
    }

    /// One step beside the real one.
    pub fn step(&mut self, boundary: &Boundary, valve: f64) {
        let flow = self.plant.truth().node_loop.flow_lpm;
        let missing = (self.design_lpm - flow) / self.design_lpm;
        self.speed = (self.speed + CORRECTION_PER_S * DT * missing).clamp(0.3, 1.0);
        let own = Actuators::of(&self.plant.params().gpu);
        let actuators = Actuators { pump_speed: self.speed, valve, ..own };
        self.plant.step(&actuators, boundary);
    }

    /// The surroundings change for both.
    pub fn inject(&mut self, fault: Fault) {
        self.plant.inject(fault);
    }

    /// And change back.
    pub fn clear(&mut self, kind: FaultKind) {
        self.plant.clear(kind);
    }

    /// Energy of its pump so far, kWh.
    #[must_use]
    pub fn pump_kwh(&self) -> f64 {
        self.plant.truth().energy.pump_kwh - self.before_kwh
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::{GPUS, PlantParams};

    #[test]
    fn it_finds_design_flow_and_counts_from_there() {
        let boundary = Boundary { utilisation: [0.7; GPUS], ..Boundary::default() };
        let plant = Plant::new(PlantParams::default(), 1);
        let mut baseline = Baseline::of(&plant, &boundary, 0.3);
        assert!(baseline.pump_kwh().abs() < 1e-12);
        for _ in 0..1000 {
            baseline.step(&boundary, 0.3);
        }
        let flow = baseline.plant.truth().node_loop.flow_lpm;
        assert!((flow - baseline.design_lpm).abs() < 0.1, "{flow} L/min");
        assert!((11.0..12.0).contains(&baseline.design_lpm), "{}", baseline.design_lpm);
        assert!(baseline.pump_kwh() > 0.0);
    }
}
