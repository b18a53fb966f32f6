//! Before time zero: a node that has been in service for long, with its devices set to match.
//!
//! ```text
//!   plant at rest ──► pump at its local speed, valve where supply is at its target ──► settled ──► time zero
//!                                                                                        └──► twin at design flow
//! ```

use super::baseline::Baseline;
use super::seam;
use crate::devices::{DeviceOptions, Orders, PumpSettings};
use crate::plant::{Boundary, DT, GPUS, Plant, PlantParams};
use crate::workload::Workload;

/// Supply temperature that the node was run at, °C: the default target of the agent.
const SUPPLY_CELSIUS: f64 = 35.0;
/// Correction of the valve, per kelvin and second: an integral slow enough for the buffer of the facility loop.
const CORRECTION: f64 = 0.0004;
/// Time to find the valve's place, s.
const FIND_S: f64 = 1200.0;

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct WorldSettings {
    /// Decides everything that is random.
    pub seed: u64,
    /// What the GPUs are asked to do at first.
    pub workload: Workload,
}

/// A node in service, before anybody watches it.
#[derive(Clone, Debug)]
pub struct Commissioned {
    pub(super) settings: WorldSettings,
    pub(super) plant: Plant,
    pub(super) baseline: Baseline,
    pub(super) boundary: Boundary,
    valve: f64,
}

/// The default that Beckhoff's library for these valves sets.
const VALVE_WATCHDOG_S: u16 = 120;

impl Commissioned {
    /// Lets a node run until it is settled.
    #[must_use]
    pub fn new(settings: WorldSettings) -> Self {
        let boundary = Boundary { utilisation: [settings.workload.mean(); GPUS], ..Boundary::default() };
        let pump_speed = PumpSettings::default().local_speed;
        let actuators = |valve| {
            seam::actuators(Orders { pump_run: true, pump_speed, valve_position: valve }, std::iter::empty())
        };
        let mut plant = Plant::new(PlantParams::default(), settings.seed);
        let (mut valve, mut left) = (0.0_f64, FIND_S);
        while left > 0.0 {
            let missing = SUPPLY_CELSIUS - plant.truth().node_loop.supply_celsius;
            valve = (valve + CORRECTION * missing * DT).clamp(0.0, 1.0);
            plant.step(&actuators(valve), &boundary);
            left -= DT;
        }
        plant.settle(&actuators(valve), &boundary);
        let baseline = Baseline::of(&plant, &boundary, valve);
        Self { settings, plant, baseline, boundary, valve }
    }

    /// How its devices were left.
    #[must_use]
    pub fn devices(&self) -> DeviceOptions {
        DeviceOptions {
            valve_setpoint: self.valve,
            valve_watchdog_s: VALVE_WATCHDOG_S,
            ..DeviceOptions::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_node_is_warm_and_gives_its_heat_away() {
        let node = Commissioned::new(WorldSettings { seed: 1, workload: Workload::Training });
        let truth = node.plant.truth();
        assert!((truth.node_loop.supply_celsius - SUPPLY_CELSIUS).abs() < 1.0, "{:?}", truth.node_loop);
        assert!(truth.power.recovery > truth.power.river, "{:?}", truth.power);
        assert!((0.1..0.95).contains(&node.valve), "{}", node.valve);
        assert!(truth.energy.it_kwh.abs() < 1e-9);
    }

    #[test]
    fn an_idle_node_gets_as_warm_as_it_can() {
        let node = Commissioned::new(WorldSettings { seed: 1, workload: Workload::Idle });
        assert!(node.valve > 0.5, "{}", node.valve);
    }
}
