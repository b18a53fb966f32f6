//! The plant at rest: where all its temperatures end up under a load that stays, by the same equations as its steps.
//!
//! ```text
//!   pump speed ─► flows ─┐
//!   supply °C ──────────┬┴► plates, dies, power ─► return ─► CDU ─► facility hot and cold ─► share of recovery
//!   work ───────────────┘                                                                   that balances it
//! ```
//!
//! Given pump speed and supply temperature everything else follows: heat goes down the chain, and at its end the
//! recovery valve stands where the facility loop gives away what it takes in. Where no position does that, the state
//! says by how much it fails.

use super::coolant::Coolant;
use super::exchanger::{self, Stream};
use super::heat_pump::{HeatPump, Lift};
use super::hydraulics::{Flows, Hydraulics, M3_S_PER_LPM, Thickness};
use super::node_loop::{PROPERTIES_CELSIUS, RATED_CELSIUS};
use super::params::{HeatPumpParams, PlantParams};
use super::pump::Pump;
use super::{Boundary, GPUS, facility};

/// Rounds in which flow, power and return come to rest: each takes a tenth or less of the error of the one before.
const ROUNDS: usize = 6;
/// Halvings of the valve's range: to a millionth.
const HALVINGS: usize = 20;

/// What is given of a state at rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SetPoints {
    /// Pump speed, share of full speed.
    pub pump_speed: f64,
    /// Coolant into the plates, °C.
    pub supply_celsius: f64,
}

/// A state at rest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Steady {
    /// Coolant out of the plates, °C.
    pub return_celsius: f64,
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Hottest core, °C.
    pub hottest_celsius: f64,
    /// Share of the facility's water through recovery.
    pub recovery_share: f64,
    /// Heat that the facility loop takes in and cannot give away, W; negative: it gives away more than it takes in
    /// even with all water through recovery, and supply is cooler than given. Zero in a state that can be.
    pub unbalanced_watts: f64,
    /// GPUs and the rest of the node, W.
    pub it_watts: f64,
    /// Leakage of the GPUs, part of it, W.
    pub leakage_watts: f64,
    /// The pump's electricity, W.
    pub pump_watts: f64,
    /// Heat that the heat pump takes, W.
    pub recovery_watts: f64,
    /// Its electricity, W.
    pub heat_pump_watts: f64,
    /// Heat into the network, W.
    pub network_watts: f64,
    /// Heat into the river, W.
    pub river_watts: f64,
}

/// Finds states at rest of one plant.
#[derive(Clone, Debug)]
pub struct SteadyPlant {
    params: PlantParams,
    hydraulics: Hydraulics,
    /// Mass flow times heat capacity of the facility loop, W/K.
    facility: f64,
}

/// The node loop at rest.
#[derive(Clone, Copy, Debug, Default)]
struct Node {
    flows: Flows,
    return_celsius: f64,
    hottest_celsius: f64,
    gpus: f64,
    leakage: f64,
    /// Mass flow times heat capacity, W/K.
    capacity: f64,
}

impl SteadyPlant {
    /// The plant of these numbers.
    #[must_use]
    pub fn new(params: PlantParams) -> Self {
        let facility = facility::capacity(&params);
        Self { hydraulics: Hydraulics::new(&params), params, facility }
    }

    /// The numbers.
    #[must_use]
    pub const fn params(&self) -> &PlantParams {
        &self.params
    }

    /// Where the plant ends up with these set-points and this boundary.
    pub fn at(&mut self, set: SetPoints, boundary: &Boundary) -> Steady {
        let node = self.node(set, boundary);
        let rest = self.rest(node.gpus);
        let pump = Pump::power_at(&self.params.pump, set.pump_speed, node.flows.total, node.flows.head_pa);
        let pump_heat = self.params.pump.heat_share * pump;
        let to_room = self.params.node_loop.room_loss * (set.supply_celsius - boundary.room_celsius);
        let heat = node.gpus + rest + pump_heat - to_room;

        // The exchanger's heat is in proportion to the difference of temperatures at its inlets.
        let per_kelvin = exchanger::heat(
            &self.params.cdu,
            Stream { capacity: node.capacity, celsius: 1.0 },
            Stream { capacity: self.facility, celsius: 0.0 },
        );
        let cold = node.return_celsius - heat / per_kelvin;
        let hot = cold + heat / self.facility;
        let (share, out) = self.balance(hot, heat, boundary);
        Steady {
            return_celsius: node.return_celsius,
            flow_lpm: node.flows.total / M3_S_PER_LPM,
            hottest_celsius: node.hottest_celsius,
            recovery_share: share,
            unbalanced_watts: heat - out.0.source - out.1,
            it_watts: node.gpus + rest,
            leakage_watts: node.leakage,
            pump_watts: pump,
            recovery_watts: out.0.source,
            heat_pump_watts: out.0.electric,
            network_watts: out.0.delivered,
            river_watts: out.1,
        }
    }

    fn rest(&self, gpus: f64) -> f64 {
        self.params.rest.base_watts + self.params.rest.per_gpu_watt * gpus
    }

    /// Flow, power and temperatures of the node loop.
    fn node(&mut self, set: SetPoints, boundary: &Boundary) -> Node {
        let inlet = set.supply_celsius;
        let mut cores = [inlet + 20.0; GPUS];
        let mut node = Node { return_celsius: inlet + 10.0, ..Node::default() };
        for _ in 0..ROUNDS {
            let celsius = f64::midpoint(inlet, node.return_celsius);
            let density = Coolant::PG25.density(celsius);
            let thickness = Thickness {
                viscosity: Coolant::PG25.viscosity(celsius) / Coolant::PG25.viscosity(RATED_CELSIUS),
                density: density / Coolant::PG25.density(RATED_CELSIUS),
            };
            let curve = Pump::curve(&self.params.pump, set.pump_speed, 1.0);
            let flows = self.hydraulics.solve(curve, thickness, 1.0);
            let heat_capacity = Coolant::PG25.heat_capacity(PROPERTIES_CELSIUS);
            let volumetric = density * heat_capacity;

            node = Node { flows, capacity: flows.total * volumetric, ..Node::default() };
            node.hottest_celsius = f64::MIN;
            let plates = cores.iter_mut().zip(flows.plates).zip(self.params.contact_spread);
            let works = boundary.utilisation.iter().take(self.params.sockets);
            for (((core, flow), contact), work) in plates.zip(works) {
                let gpu = &self.params.gpu;
                let leakage = gpu.leakage_at(*core);
                let power = (gpu.base_watts + leakage + gpu.work_watts * work).min(gpu.tdp_watts);
                let metal = self.params.plate.at_rest(power, inlet, flow, flow * volumetric);
                *core = metal + (1.0 - gpu.memory_share) * power * gpu.die_resistance * contact;
                node.gpus += power;
                node.leakage += leakage;
                node.hottest_celsius = node.hottest_celsius.max(*core);
            }
            node.return_celsius = inlet + (node.gpus + self.rest(node.gpus)) / node.capacity;
        }
        node
    }

    /// The valve's share at which the facility loop gives away `heat` W at `hot` °C, and what it then gives to the heat
    /// pump and to the river, W.
    fn balance(&self, hot: f64, heat: f64, boundary: &Boundary) -> (f64, (Lift, f64)) {
        let leakage = self.params.valve.leakage;
        let (mut low, mut high) = (leakage, 1.0 - leakage);
        for end in [low, high] {
            let out = self.away(end, hot, boundary);
            let too_much = out.0.source + out.1 > heat;
            // All to the river is too little, or all to recovery is too much.
            if too_much == (end > 0.5) {
                return (end, out);
            }
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            let out = self.away(middle, hot, boundary);
            if out.0.source + out.1 > heat { low = middle } else { high = middle }
        }
        let share = f64::midpoint(low, high);
        (share, self.away(share, hot, boundary))
    }

    /// What goes to the heat pump and to the river at a share of recovery.
    fn away(&self, share: f64, hot: f64, boundary: &Boundary) -> (Lift, f64) {
        let to_recovery = share * self.facility;
        let heat_pump = HeatPumpParams {
            network_celsius: boundary.network_celsius.unwrap_or(self.params.heat_pump.network_celsius),
            ..self.params.heat_pump
        };
        let lift = HeatPump::at_rest(&heat_pump, to_recovery, hot, boundary.heat_demand_watts);
        let to_river = Stream { capacity: self.facility - to_recovery, celsius: hot };
        let capacity = self.params.river.cold_design * boundary.river_intake;
        let river = Stream { capacity, celsius: boundary.river_celsius };
        (lift, exchanger::heat(&self.params.river, to_river, river))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::{Actuators, Plant};

    /// The plant after an hour with its pump at `speed` and its valve at `valve`, and the same by the equations.
    fn both(speed: f64, valve: f64, boundary: &Boundary) -> (Plant, Steady) {
        let params = PlantParams::default();
        let actuators = Actuators { pump_speed: speed, valve, ..Actuators::default() };
        let mut plant = Plant::settled(params.clone(), 1, &actuators, boundary);
        for _ in 0..120_000 {
            plant.step(&actuators, boundary);
        }
        let set = SetPoints { pump_speed: speed, supply_celsius: plant.truth().node_loop.supply_celsius };
        let steady = SteadyPlant::new(params).at(set, boundary);
        (plant, steady)
    }

    #[test]
    fn the_equations_end_where_the_steps_end() {
        // Cases that come to rest within minutes: a node whose network takes little of what it offers needs hours.
        for (speed, valve, work, river, demand) in [
            (0.9, 0.8, 1.0, 12.0, 20e3),
            (0.5, 0.7, 0.55, 4.0, 20e3),
            (0.35, 0.3, 0.3, 20.0, 1500.0),
            (0.7, 0.4, 0.8, 15.0, 4000.0),
        ] {
            let boundary = Boundary {
                utilisation: [work; GPUS],
                river_celsius: river,
                heat_demand_watts: demand,
                ..Boundary::default()
            };
            let (plant, steady) = both(speed, valve, &boundary);
            let truth = plant.truth();
            let hottest = truth.gpus.iter().map(|gpu| gpu.core_celsius).fold(f64::MIN, f64::max);
            let pairs = [
                ("return", truth.node_loop.return_celsius, steady.return_celsius, 0.05),
                ("hottest", hottest, steady.hottest_celsius, 0.1),
                ("flow", truth.node_loop.flow_lpm, steady.flow_lpm, 0.01),
                ("pump", truth.power.pump, steady.pump_watts, 0.1),
                ("GPUs and rest", truth.power.it(), steady.it_watts, 2.0),
                ("share", truth.valve.recovery_share, steady.recovery_share, 0.01),
                ("heat pump", truth.power.heat_pump, steady.heat_pump_watts, 10.0),
                ("river", truth.power.river, steady.river_watts, 40.0),
            ];
            for (what, stepped, solved, tolerance) in pairs {
                assert!(
                    (stepped - solved).abs() < tolerance,
                    "{what} at speed {speed}, valve {valve}: {stepped} stepped, {solved} solved of {pairs:?} {:?}",
                    truth.power
                );
            }
            assert!(steady.unbalanced_watts.abs() < 1.0, "{steady:?}");
        }
    }

    #[test]
    fn a_supply_that_cannot_be_says_by_how_much() {
        let busy = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
        let mut plant = SteadyPlant::new(PlantParams::default());
        let cold = plant.at(SetPoints { pump_speed: 0.9, supply_celsius: 14.0 }, &busy);
        assert!(cold.unbalanced_watts > 100.0, "{cold:?}");
        let idle = Boundary { heat_demand_watts: 8000.0, ..Boundary::default() };
        let hot = plant.at(SetPoints { pump_speed: 0.3, supply_celsius: 45.0 }, &idle);
        assert!(hot.unbalanced_watts < -100.0, "{hot:?}");
    }
}
