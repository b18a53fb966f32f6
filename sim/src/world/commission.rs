//! Before time zero: a node that has been in service for long, with its devices set to match.
//!
//! ```text
//!   plant at rest ──► pump at its local speed, valve where supply is at its target ──► settled ──► time zero
//!                                                                                        └──► twin at design flow
//! ```

use eisbach_nvml_sim::GpuModel;

use super::baseline::Baseline;
use super::seam;
use crate::devices::{DeviceOptions, Orders, PumpSettings};
use crate::plant::{Boundary, DT, FullSpeed, GPUS, Plant, PlantParams};
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
    /// What the GPUs are.
    pub model: GpuModel,
    /// GPUs of the node; where they are fewer than usual, the places of the others are there and idle.
    pub gpus: usize,
}

impl WorldSettings {
    /// A usual node of this model.
    #[must_use]
    pub const fn usual(seed: u64, workload: Workload, model: GpuModel) -> Self {
        Self { seed, workload, model, gpus: model.gpus_per_node() }
    }
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
        let sockets = settings.gpus.max(settings.model.gpus_per_node());
        let params = PlantParams::sized(settings.model, sockets);
        let boundary = Boundary {
            utilisation: [settings.workload.mean(); GPUS],
            heat_demand_watts: Boundary::default().heat_demand_watts * params.size(),
            ..Boundary::default()
        };
        let gpu = params.gpu;
        let pump_speed = PumpSettings::default().local_speed;
        let actuators = |valve| {
            let orders = Orders { pump_run: true, pump_speed, valve_position: valve };
            seam::actuators(&gpu, orders, std::iter::empty())
        };
        let mut plant = Plant::new(params, settings.seed);
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

    /// Flow and head at full speed, as noted at commissioning.
    #[must_use]
    pub fn full_speed(&self) -> FullSpeed {
        self.plant.full_speed()
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
        let node = Commissioned::new(WorldSettings::usual(1, Workload::Training, GpuModel::H200));
        let truth = node.plant.truth();
        assert!((truth.node_loop.supply_celsius - SUPPLY_CELSIUS).abs() < 1.0, "{:?}", truth.node_loop);
        assert!(truth.power.recovery > truth.power.river, "{:?}", truth.power);
        assert!((0.1..0.95).contains(&node.valve), "{}", node.valve);
        assert!(truth.energy.it_kwh.abs() < 1e-9);
    }

    #[test]
    fn a_node_of_larger_gpus_is_commissioned_alike() {
        for model in [GpuModel::B200, GpuModel::Gb200] {
            let node = Commissioned::new(WorldSettings::usual(1, Workload::Training, model));
            let supply = node.plant.truth().node_loop.supply_celsius;
            assert!((supply - SUPPLY_CELSIUS).abs() < 1.0, "{model}: {supply}");
            assert!((0.1..0.95).contains(&node.valve), "{model}: {}", node.valve);
        }
    }

    #[test]
    fn an_idle_node_gets_as_warm_as_it_can() {
        let node = Commissioned::new(WorldSettings::usual(1, Workload::Idle, GpuModel::H200));
        assert!(node.valve > 0.5, "{}", node.valve);
    }
}
