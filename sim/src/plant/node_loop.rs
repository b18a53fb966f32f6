//! The node loop: coolant from the CDU through supply pipe, plates and return pipe, and back.
//!
//! ```text
//!  CDU (mixed 0.8 L) ──► supply pipe ──► 8 plates + rest ──► mixed ──► return pipe ──► CDU
//!   │ wall ▲ pump heat                                                                  │
//!   ▼                                                                                   ▼
//!  facility                                                                            room
//! ```
//!
//! A step has two halves: [`NodeLoop::circulate`] moves the coolant, [`NodeLoop::exchange`] moves the heat.

use super::GPUS;
use super::cold_plate::ColdPlate;
use super::coolant::Coolant;
use super::delay::Pipe;
use super::exchanger::{Stream, WalledExchanger};
use super::hydraulics::{Flows, Hydraulics, Thickness};
use super::params::PlantParams;
use super::pump::PumpCurve;

/// Temperature at which mass and heat capacity of the coolant are frozen, °C, so that heat is conserved
/// exactly. Heat capacity moves by 0.6 % between 30 and 50 °C.
pub(crate) const PROPERTIES_CELSIUS: f64 = 40.0;
/// Temperature for which resistances are given, °C.
pub(crate) const RATED_CELSIUS: f64 = 35.0;

/// Coolant that moves in one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Carried {
    pub(super) flows: Flows,
    /// Into the plates, °C.
    pub(super) supply_celsius: f64,
    kg_s: f64,
    /// Heat capacity of a volume, J/(m³ K).
    volumetric: f64,
}

/// Heat that enters the loop, W.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct HeatIn {
    pub(super) plates: [f64; GPUS],
    pub(super) rest: f64,
    pub(super) pump: f64,
}

/// Heat that leaves the loop, W.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct HeatOut {
    pub(super) to_facility: f64,
    pub(super) to_room: f64,
}

/// Pipes, plates and the CDU's hot side.
#[derive(Clone, Debug)]
pub(super) struct NodeLoop {
    hydraulics: Hydraulics,
    plates: [ColdPlate; GPUS],
    rest: ColdPlate,
    supply: Pipe,
    return_: Pipe,
    /// Out of the plates, mixed; stays what it was while nothing flows.
    return_celsius: f64,
    cdu: WalledExchanger,
    cdu_celsius: f64,
    cdu_kg: f64,
    heat_capacity: f64,
    room_loss: f64,
}

impl NodeLoop {
    pub(super) fn new(params: &PlantParams, celsius: f64, dt: f64) -> Self {
        let kg = |litres: f64| litres / 1000.0 * Coolant::PG25.density(PROPERTIES_CELSIUS);
        Self {
            hydraulics: Hydraulics::new(params),
            plates: std::array::from_fn(|_| ColdPlate::new(params.plate, celsius)),
            rest: ColdPlate::new(params.rest.plate, celsius),
            supply: Pipe::new(kg(params.node_loop.supply_litres), celsius),
            return_: Pipe::new(kg(params.node_loop.return_litres), celsius),
            return_celsius: celsius,
            cdu: WalledExchanger::new(params.cdu, dt),
            cdu_celsius: celsius,
            cdu_kg: kg(params.node_loop.cdu_litres),
            heat_capacity: Coolant::PG25.heat_capacity(PROPERTIES_CELSIUS),
            room_loss: params.node_loop.room_loss,
        }
    }

    /// Moves coolant for `dt`, as the pump's curve and the strainer allow.
    pub(super) fn circulate(&mut self, pump: PumpCurve, clogging: f64, dt: f64) -> Carried {
        let celsius = self.mean_celsius();
        let density = Coolant::PG25.density(celsius);
        let thickness = Thickness {
            viscosity: Coolant::PG25.viscosity(celsius) / Coolant::PG25.viscosity(RATED_CELSIUS),
            density: density / Coolant::PG25.density(RATED_CELSIUS),
        };
        let flows = self.hydraulics.solve(pump, thickness, clogging);
        let kg_s = flows.total * density;
        Carried {
            flows,
            supply_celsius: self.supply.push(kg_s * dt, self.cdu_celsius),
            kg_s,
            volumetric: density * self.heat_capacity,
        }
    }

    /// Moves heat for `dt`: into the coolant that `circulate` has moved, and out of it into the facility's
    /// stream.
    pub(super) fn exchange(
        &mut self,
        carried: &Carried,
        heat: &HeatIn,
        facility: Stream,
        room_celsius: f64,
        dt: f64,
    ) -> HeatOut {
        self.return_celsius = self.mixed_return(&carried.flows);
        let inlet = carried.supply_celsius;
        let branches = self.plates.iter_mut().zip(heat.plates).zip(carried.flows.plates);
        for ((plate, heat), flow) in branches {
            plate.step(heat, inlet, flow, flow * carried.volumetric, dt);
        }
        let rest_flow = carried.flows.rest;
        self.rest.step(heat.rest, inlet, rest_flow, rest_flow * carried.volumetric, dt);

        let capacity = carried.kg_s * self.heat_capacity;
        let hot = Stream { capacity, celsius: self.return_.push(carried.kg_s * dt, self.return_celsius) };
        let wall = self.cdu.step(hot, facility, dt);
        let to_room = self.room_loss * (self.cdu_celsius - room_celsius);
        let carried_in = capacity * (hot.celsius - self.cdu_celsius);
        let gain = carried_in + heat.pump - wall.from_hot - to_room;
        self.cdu_celsius += gain * dt / (self.cdu_kg * self.heat_capacity);
        HeatOut { to_facility: wall.to_cold, to_room }
    }

    pub(super) fn plates(&self) -> &[ColdPlate; GPUS] {
        &self.plates
    }

    /// Fouls the CDU's exchanger until this share of its conductance is gone.
    pub(super) fn foul(&mut self, loss: f64) {
        self.cdu.foul(loss);
    }

    /// Out of the plates, mixed, °C.
    pub(super) fn return_celsius(&self) -> f64 {
        self.return_celsius
    }

    /// Between cold and hot side, °C.
    pub(super) fn mean_celsius(&self) -> f64 {
        (self.cdu_celsius + self.return_celsius) / 2.0
    }

    /// Heat in metal and coolant above 0 °C, J.
    pub(super) fn stored(&self) -> f64 {
        let plates: f64 = self.plates.iter().map(ColdPlate::stored).sum();
        let pipes = self.supply.kg_kelvin() + self.return_.kg_kelvin() + self.cdu_kg * self.cdu_celsius;
        plates + self.rest.stored() + self.heat_capacity * pipes + self.cdu.stored()
    }

    fn mixed_return(&self, flows: &Flows) -> f64 {
        if flows.total <= 0.0 {
            return self.return_celsius;
        }
        let gpus: f64 = self.plates.iter().zip(flows.plates).map(|(plate, flow)| plate.outlet() * flow).sum();
        (gpus + self.rest.outlet() * flows.rest) / flows.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::pump::Pump;

    const DT: f64 = 0.01;

    /// A loop that carries 7.6 kW, against a facility at 31 °C.
    fn settled(impeller: f64) -> (NodeLoop, Carried, HeatOut) {
        let params = PlantParams::ideal();
        let mut node_loop = NodeLoop::new(&params, 35.0, DT);
        let heat = HeatIn { plates: [700.0; GPUS], rest: 2000.0, pump: 0.0 };
        let facility = Stream { capacity: 832.0, celsius: 31.0 };
        let curve = Pump::curve(&params.pump, impeller, 1.0);
        let mut step = || {
            let carried = node_loop.circulate(curve, 1.0, DT);
            let out = node_loop.exchange(&carried, &heat, facility, 24.0, DT);
            (carried, out)
        };
        for _ in 0..60_000 {
            step();
        }
        let (carried, out) = step();
        (node_loop, carried, out)
    }

    #[test]
    fn design_flow_returns_ten_kelvin_warmer() {
        let (node_loop, carried, _) = settled(0.93);
        let rise = node_loop.return_celsius() - carried.supply_celsius;
        assert!((rise - 10.0).abs() < 0.4, "{rise}");
    }

    #[test]
    fn all_heat_leaves_to_facility_and_room() {
        let (_, _, out) = settled(0.93);
        assert!((out.to_facility + out.to_room - 7600.0).abs() < 0.1, "{out:?}");
    }

    #[test]
    fn plates_keep_their_heat_while_nothing_flows() {
        let (mut node_loop, ..) = settled(0.93);
        let before = node_loop.stored();
        let heat = HeatIn { plates: [700.0; GPUS], rest: 2000.0, pump: 0.0 };
        let still = PumpCurve { shutoff_pa: 0.0, fall: 1.0 };
        let carried = node_loop.circulate(still, 1.0, DT);
        let facility = Stream { capacity: 832.0, celsius: 31.0 };
        let out = node_loop.exchange(&carried, &heat, facility, 24.0, DT);
        let kept = (7600.0 - out.to_facility - out.to_room) * DT;
        assert!((node_loop.stored() - before - kept).abs() < 1e-6);
        assert!(carried.flows.total.abs() < 1e-12);
    }
}
