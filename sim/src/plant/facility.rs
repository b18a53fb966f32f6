//! The facility loop: water that takes the node's heat to the river, or to the heat pump.
//!
//! ```text
//!            ┌──────── pipe 3 L ◄───────┬── river exchanger ◄── 1−y ──┐
//!            ▼                          │                             │
//!    CDU (cold side)                    └── heat pump ◄────────── y ──┤ recovery valve
//!            │                                                        │
//!            └────────► buffer 12 L ──────────────────────────────────┘
//! ```
//!
//! The pump belongs to the building: constant flow while it runs, and its heat is not counted.

use super::coolant::Coolant;
use super::delay::Pipe;
use super::exchanger::{Stream, WalledExchanger};
use super::heat_pump::{HeatPump, Lift};
use super::hydraulics::M3_S_PER_LPM;
use super::params::PlantParams;

/// Temperature at which the water's properties are frozen, °C. Heat capacity moves by 0.1 % between 10 and 50
/// °C.
pub(crate) const PROPERTIES_CELSIUS: f64 = 25.0;

/// The building's pump and its water coast down in this time, s (estimate).
const COAST_S: f64 = 3.0;
/// Less flow than this share of the design is none.
const STILL: f64 = 1e-3;

/// What acts on the facility loop from outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ends {
    /// Share of the water that the recovery valve sends to the heat pump.
    pub(super) recovery_share: f64,
    /// River, °C.
    pub(super) river_celsius: f64,
    /// Water that the river's pump draws, share of its design.
    pub(super) river_intake: f64,
    /// Heat that the network takes, W.
    pub(super) demand: f64,
    /// The building's pump runs.
    pub(super) pump_runs: bool,
}

/// What the facility loop gives in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cooling {
    /// Into the CDU, °C.
    pub(super) supply_celsius: f64,
    /// Into the recovery valve, °C.
    pub(super) hot_celsius: f64,
    /// Out of the heat pump's branch, °C.
    pub(super) recovery_out_celsius: f64,
    /// Through the heat pump, m³/s.
    pub(super) recovery_flow: f64,
    /// The heat pump.
    pub(super) lift: Lift,
    /// Heat into the river, W.
    pub(super) river: f64,
}

/// Mass flow times heat capacity of the loop, W/K.
pub(super) fn capacity(params: &PlantParams) -> f64 {
    let kg_s = params.facility.flow_lpm * M3_S_PER_LPM * Coolant::WATER.density(PROPERTIES_CELSIUS);
    kg_s * Coolant::WATER.heat_capacity(PROPERTIES_CELSIUS)
}

/// Buffer, valve branches, exchangers and pipe.
#[derive(Clone, Debug)]
pub(super) struct Facility {
    river: WalledExchanger,
    river_capacity: f64,
    heat_pump: HeatPump,
    buffer: f64,
    buffer_kg: f64,
    pipe: Pipe,
    /// Design flow, m³/s.
    design_flow: f64,
    density: f64,
    heat_capacity: f64,
    /// Flow that has not coasted away, share of the design.
    coasting: f64,
    /// Flow, share of the design: 1 or what still coasts.
    share: f64,
}

impl Facility {
    pub(super) fn new(params: &PlantParams, celsius: f64, dt: f64) -> Self {
        let density = Coolant::WATER.density(PROPERTIES_CELSIUS);
        Self {
            river: WalledExchanger::new(params.river, dt),
            river_capacity: params.river.cold_design,
            heat_pump: HeatPump::new(params.heat_pump),
            buffer: celsius,
            buffer_kg: params.facility.buffer_litres / 1000.0 * density,
            pipe: Pipe::new(params.facility.pipe_litres / 1000.0 * density, celsius),
            design_flow: params.facility.flow_lpm * M3_S_PER_LPM,
            density,
            heat_capacity: Coolant::WATER.heat_capacity(PROPERTIES_CELSIUS),
            coasting: 1.0,
            share: 1.0,
        }
    }

    /// Lifts heat to this temperature of the network from now on, °C.
    pub(super) fn set_network(&mut self, celsius: f64) {
        self.heat_pump.set_network(celsius);
    }

    /// Fouls the river's exchanger until this share of its conductance is gone.
    pub(super) fn foul(&mut self, loss: f64) {
        self.river.foul(loss);
    }

    /// Flow, m³/s.
    pub(super) fn flow(&self) -> f64 {
        self.design_flow * self.share
    }

    fn kg_s(&self) -> f64 {
        self.flow() * self.density
    }

    /// Mass flow times heat capacity, W/K.
    pub(super) fn capacity(&self) -> f64 {
        self.kg_s() * self.heat_capacity
    }

    /// Cools the water that left the buffer, and brings what leaves the pipe to the CDU.
    pub(super) fn cool(&mut self, ends: &Ends, dt: f64) -> Cooling {
        self.turn(ends.pump_runs, dt);
        let hot = self.buffer;
        let to_recovery = ends.recovery_share * self.capacity();
        let lift = self.heat_pump.step(to_recovery, hot, ends.demand, dt);
        let to_river = Stream { capacity: self.capacity() - to_recovery, celsius: hot };
        let river = Stream { capacity: self.river_capacity * ends.river_intake, celsius: ends.river_celsius };
        let river = self.river.step(to_river, river, dt);

        // Water that stands still is not cooled.
        let cooled = |heat: f64, capacity: f64| if capacity > 0.0 { hot - heat / capacity } else { hot };
        let mixed = cooled(lift.source + river.from_hot, self.capacity());
        Cooling {
            supply_celsius: self.pipe.push(self.kg_s() * dt, mixed),
            hot_celsius: hot,
            recovery_out_celsius: cooled(lift.source, to_recovery),
            recovery_flow: ends.recovery_share * self.flow(),
            lift,
            river: river.to_cold,
        }
    }

    /// The building's pump runs, or coasts to a standstill.
    fn turn(&mut self, runs: bool, dt: f64) {
        self.coasting = if runs { 1.0 } else { self.coasting * (-dt / COAST_S).exp() };
        self.share = if self.coasting < STILL { 0.0 } else { self.coasting };
    }

    /// Takes `heat` W from the CDU into the water that entered it at `supply` °C.
    pub(super) fn take(&mut self, heat: f64, supply: f64, dt: f64) {
        let carried = self.capacity() * (supply - self.buffer);
        self.buffer += (carried + heat) * dt / (self.buffer_kg * self.heat_capacity);
    }

    pub(super) fn cop(&self) -> f64 {
        self.heat_pump.cop()
    }

    /// Heat in water and exchanger above 0 °C, J.
    pub(super) fn stored(&self) -> f64 {
        self.heat_capacity * (self.buffer_kg * self.buffer + self.pipe.kg_kelvin()) + self.river.stored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::exchanger;

    /// Water out minus river at full flow, K.
    fn approach(params: &PlantParams, hot: f64, river: f64) -> f64 {
        let stream = |capacity, celsius| Stream { capacity, celsius };
        let to_river = stream(params.river.hot_design, hot);
        let heat = exchanger::heat(&params.river, to_river, stream(params.river.cold_design, river));
        hot - heat / to_river.capacity - river
    }

    fn settled(share: f64, demand: f64, heat: f64) -> Cooling {
        let dt = 0.01;
        let mut facility = Facility::new(&PlantParams::default(), 30.0, dt);
        let mut cooling = Cooling::default();
        for _ in 0..120_000 {
            let ends = Ends {
                recovery_share: share,
                river_celsius: 12.0,
                river_intake: 1.0,
                demand,
                pump_runs: true,
            };
            cooling = facility.cool(&ends, dt);
            facility.take(heat, cooling.supply_celsius, dt);
        }
        cooling
    }

    #[test]
    fn the_river_exchanger_has_an_approach_of_three_kelvin_at_design() {
        let approach = approach(&PlantParams::ideal(), 24.1, 12.0);
        assert!((approach - 3.0).abs() < 0.5, "{approach}");
    }

    #[test]
    fn all_heat_ends_in_river_or_heat_pump() {
        for share in [1e-4, 0.5, 0.9] {
            let cooling = settled(share, 8000.0, 7600.0);
            assert!((cooling.river + cooling.lift.source - 7600.0).abs() < 10.0, "{cooling:?}");
        }
    }

    #[test]
    fn recovery_warms_the_supply() {
        let supplies: Vec<f64> =
            [1e-4, 0.8, 0.9, 0.95].map(|y| settled(y, 8000.0, 7600.0).supply_celsius).into();
        assert!(supplies.is_sorted_by(|low, high| low < high), "{supplies:?}");
    }
}
