//! What a choice costs: the layer's own small model of pump, GPUs and heat pump.
//!
//! ```text
//!   rise ─► flow ─► pump power ~ flow³
//!     │       └───► GPUs over coolant: film grows as flow falls ─► leakage, margins
//!     └─► return ─► heat pump: evaporation, COP, heat it can take
//! ```
//!
//! Everything in watts of electricity: heat counts by its price against electricity's. Its numbers are estimates; what
//! the node does about them (margins, powers, flows) is measured, so that the model need only say what a change does.

use eisbach_protocol::units::Celsius;
use serde::{Deserialize, Serialize};

use super::facility::water_over_supply;
use crate::tuning::SetPointTuning;

/// Supply and rise, °C and K.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Choice {
    pub(super) supply: f32,
    pub(super) rise: f32,
}

/// What the heat network wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wants {
    /// W.
    pub(super) heat: f32,
    /// Its supply temperature, °C.
    pub(super) network: f32,
}

impl Wants {
    /// Nothing.
    pub(super) const NOTHING: Self = Self { heat: 0.0, network: 60.0 };
}

/// A kelvin beyond a limit costs as much as this, W: more than anything that could be saved.
const BEYOND: f32 = 2000.0;
/// Warmer supply for recovery, and more rise, are worth this where they make no other difference, W per kelvin.
const WARM: f32 = 0.01;
/// Film resistance grows as flow falls, to this power (turbulent plates; estimate).
const FILM_EXPONENT: f32 = 0.4;
/// COP beyond these is no heat pump.
const COP: (f32, f32) = (1.5, 8.0);
const KELVIN_AT_0_CELSIUS: f32 = 273.15;

/// The node as it is, and everything that a choice is judged by. W, K, °C, L/min.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Model {
    /// Heat of the node, mean, and at full power.
    pub(super) heat: (f32, f32),
    /// Power of its GPUs, mean.
    pub(super) gpu_power: f32,
    /// Heat that a flow of 1 L/min carries per kelvin.
    pub(super) watts_per_lpm_kelvin: f32,
    /// Flow asked for, over the flow that the mean heat alone would need: loads swing.
    pub(super) peak: f32,
    /// Least and full flow.
    pub(super) flow: (f32, f32),
    /// Electric power of the pump at full flow.
    pub(super) pump_full: f32,
    /// Temperature at which the hottest GPU has no margin.
    pub(super) zero_margin: f32,
    /// The hottest GPU over the mean coolant, and the flow at which it was so.
    pub(super) over_coolant: (f32, f32),
    /// The same at full power and the flow that belongs to it at the tuned rise.
    pub(super) full_over_coolant: (f32, f32),
    /// Margin wanted now, and at full power.
    pub(super) margin: (f32, f32),
    pub(super) wants: Wants,
    /// Prices and the numbers of heat pump, exchanger and plates.
    pub(super) set: SetPointTuning,
}

/// What follows from a rise alone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) rise: f32,
    pump: f32,
    /// Hot facility water over supply.
    water_over: f32,
    /// Hottest GPU over supply, now and at full power.
    over: (f32, f32),
}

/// What the heat pump does: electricity that it draws and heat that it delivers, W, and how much colder than asked for
/// it makes the loop, K.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Lift {
    electric: f32,
    delivered: f32,
    colder: f32,
}

impl Model {
    /// Heat of the node, W.
    pub(super) const fn heat(&self) -> f32 {
        self.heat.0
    }

    /// What a choice costs, W of electricity.
    pub(super) fn cost(&self, choice: Choice) -> f32 {
        self.cost_at(choice.supply, &self.column(choice.rise))
    }

    /// Warmest supply that keeps the margins at this rise.
    pub(super) fn warmest(&self, rise: f32) -> Celsius {
        let over = self.column(rise).over;
        let now = self.zero_margin - self.margin.0 - over.0;
        let full = self.zero_margin - self.margin.1 - over.1;
        Celsius::new(now.min(full))
    }

    /// What follows from a rise.
    pub(super) fn column(&self, rise: f32) -> Column {
        let flow = self.flow_for(self.heat.0 * self.peak, rise);
        let full_flow = self.flow_for(self.heat.1, rise);
        let share = flow / self.flow.1;
        let return_over = self.rise_at(self.heat.0, flow);
        let now = self.over(self.over_coolant, flow) + 0.5 * return_over;
        let full = self.over(self.full_over_coolant, full_flow) + 0.5 * self.rise_at(self.heat.1, full_flow);
        let water_over = water_over_supply(self.heat.0, flow * self.watts_per_lpm_kelvin, &self.set);
        Column { rise, pump: self.pump_full * share * share * share, water_over, over: (now, full) }
    }

    /// What a supply temperature costs at a rise, W of electricity.
    pub(super) fn cost_at(&self, supply: f32, column: &Column) -> f32 {
        let beyond = |margin: f32, over: f32| (margin - (self.zero_margin - supply - over)).max(0.0);
        let short = beyond(self.margin.0, column.over.0) + beyond(self.margin.1, column.over.1);
        let lift = self.heat_pump(supply + column.water_over);
        let leakage = self.gpu_power * self.set.leakage_per_kelvin * (supply - lift.colder + column.over.0);
        let worth = lift.delivered * self.set.heat_per_kwh / self.set.electricity_per_kwh;
        // Where it makes no difference, recovery had better have the valve to itself, and the pump not be at its end.
        let warm = WARM * (column.rise + if lift.delivered > 0.0 { supply } else { 0.0 });
        column.pump + leakage + lift.electric - worth - warm + short * BEYOND
    }

    fn flow_for(&self, heat: f32, rise: f32) -> f32 {
        (heat / (self.watts_per_lpm_kelvin * rise)).max(self.flow.0).min(self.flow.1)
    }

    fn rise_at(&self, heat: f32, flow: f32) -> f32 {
        heat / (self.watts_per_lpm_kelvin * flow)
    }

    /// GPU over coolant at another flow than the one at which it was seen.
    fn over(&self, (seen, at): (f32, f32), flow: f32) -> f32 {
        seen * (1.0 + self.set.film_share * (libm::powf(at / flow, FILM_EXPONENT) - 1.0))
    }

    /// What the heat pump does on water this warm.
    fn heat_pump(&self, water: f32) -> Lift {
        if self.wants.heat <= 0.0 {
            return Lift::default();
        }
        let evaporator = self.set.evaporator_watts_per_kelvin;
        let coldest = self.set.evaporation_min.get();
        let most = (evaporator * (water - coldest)).max(0.0).min(self.heat.0);
        // The COP sets how much heat is wanted, and that sets the COP: once around is close enough.
        let guess = (self.wants.heat * 0.75).min(most);
        let wanted = self.wants.heat * (1.0 - 1.0 / self.cop(water - guess / evaporator));
        let source = wanted.min(most);
        // One that takes all there is cools the loop until it takes no more than all.
        let takes_all = wanted >= self.heat.0 && most >= self.heat.0;
        let colder = if takes_all { (water - coldest - source / evaporator).max(0.0) } else { 0.0 };
        let cop = self.cop(water - colder - source / evaporator);
        let electric = source / (cop - 1.0);
        Lift { electric, delivered: source + electric, colder }
    }

    fn cop(&self, evaporation: f32) -> f32 {
        let condenser = self.wants.network + self.set.condenser_above_network.get();
        // A source as warm as the condenser needs no lift: the bound below has it.
        let lift = (condenser - evaporation).max(1.0);
        (self.set.carnot_share * (condenser + KELVIN_AT_0_CELSIUS) / lift).max(COP.0).min(COP.1)
    }
}
