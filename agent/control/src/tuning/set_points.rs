//! The numbers of the set-point layer: prices, its model of pump and heat pump, bounds and pace.

use eisbach_protocol::units::{Celsius, Kelvin};
use serde::{Deserialize, Serialize};

use super::TuningError;
use super::check::within;

/// What the minute's choice of supply and rise is judged by. Nothing of it counts before the facility tells what the
/// heat network wants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SetPointTuning {
    /// The layer may choose; `false` leaves supply and rise as tuned, whatever is told.
    pub enabled: bool,
    /// Lowest supply temperature that it chooses (estimate).
    pub supply_low: Celsius,
    /// It stays this far above the condensation limit: supply undershoots when all load goes at once, with a cold river
    /// and a valve that takes a minute (estimate; simulated: 3.5 K).
    pub dew_reserve: Kelvin,
    /// Least rise over the cold plates that it chooses (estimate).
    pub rise_low: Kelvin,
    /// Highest rise over the cold plates that it chooses (estimate).
    pub rise_high: Kelvin,
    /// Price of electricity, € per kWh (estimate).
    pub electricity_per_kwh: f32,
    /// Worth of heat in the network, € per kWh (estimate).
    pub heat_per_kwh: f32,
    /// Hydraulic power of the pump as a share of its electric one, 0.05 to 1. Small pumps: about 0.35 (estimate).
    pub pump_efficiency: f32,
    /// How much more a GPU draws per kelvin, as a share of its power: a tenth of it leaks at 60 °C and grows by 1.7 %
    /// per kelvin (estimate).
    pub leakage_per_kelvin: f32,
    /// Share of a GPU's rise over the coolant that grows as flow falls (estimate).
    pub film_share: f32,
    /// Rise of the hottest GPU over supply at full power, before the agent has seen it (estimate).
    pub full_power_rise: Kelvin,
    /// Margin kept beyond the one at which the pump's trim begins (estimate).
    pub margin_reserve: Kelvin,
    /// Margin kept besides for a load that comes at once, at a node without load; less at one with load (estimate).
    pub step_reserve: Kelvin,
    /// COP as a share of Carnot's. 0.49 fits published points of 5.5, 4.3 and 3.5 at 60, 70 and 80 °C.
    pub carnot_share: f32,
    /// The condenser is this much warmer than the network (estimate).
    pub condenser_above_network: Kelvin,
    /// Heat that the exchanger between node loop and facility water moves per kelvin, W/K: 0.23 per watt of full heat
    /// (sizing of a data sheet's CDU).
    pub exchanger_watts_per_kelvin: f32,
    /// Heat that the facility's water for this node carries per kelvin, W/K (estimate).
    pub facility_watts_per_kelvin: f32,
    /// Heat that the heat pump takes from this node per kelvin between that water and evaporation, W/K (estimate).
    pub evaporator_watts_per_kelvin: f32,
    /// It never evaporates colder than this (estimate).
    pub evaporation_min: Celsius,
    /// Fastest move of the supply target, K per minute (estimate).
    pub supply_per_minute: f32,
    /// Fastest move of the rise aimed at, K per minute (estimate).
    pub rise_per_minute: f32,
    /// A better choice must save this much electricity, or what is worth as much, W (estimate).
    pub worth_watts: f32,
}

impl Default for SetPointTuning {
    fn default() -> Self {
        Self {
            enabled: true,
            supply_low: Celsius::new(22.0),
            dew_reserve: Kelvin::new(5.0),
            rise_low: Kelvin::new(6.0),
            rise_high: Kelvin::new(18.0),
            electricity_per_kwh: 0.20,
            heat_per_kwh: 0.10,
            pump_efficiency: 0.35,
            leakage_per_kelvin: 0.0017,
            film_share: 0.4,
            full_power_rise: Kelvin::new(31.0),
            margin_reserve: Kelvin::new(1.0),
            step_reserve: Kelvin::new(3.0),
            carnot_share: 0.49,
            condenser_above_network: Kelvin::new(5.0),
            exchanger_watts_per_kelvin: 1700.0,
            facility_watts_per_kelvin: 800.0,
            evaporator_watts_per_kelvin: 300.0,
            evaporation_min: Celsius::new(20.0),
            supply_per_minute: 0.5,
            rise_per_minute: 1.0,
            worth_watts: 10.0,
        }
    }
}

impl SetPointTuning {
    pub(super) fn check(&self) -> Result<(), TuningError> {
        let numbers = [
            ("set_points.supply_low", self.supply_low.get(), 10.0, 50.0, "between 10 and 50 °C"),
            ("set_points.dew_reserve", self.dew_reserve.get(), 0.0, 10.0, "between 0 and 10 K"),
            ("set_points.rise_low", self.rise_low.get(), 3.0, 25.0, "between 3 and 25 K"),
            (
                "set_points.rise_high",
                self.rise_high.get(),
                self.rise_low.get(),
                25.0,
                "between rise_low and 25 K",
            ),
            ("set_points.electricity_per_kwh", self.electricity_per_kwh, 0.001, 10.0, "between 0.001 and 10"),
            ("set_points.heat_per_kwh", self.heat_per_kwh, 0.0, 10.0, "between 0 and 10"),
            ("set_points.pump_efficiency", self.pump_efficiency, 0.05, 1.0, "between 0.05 and 1"),
            ("set_points.leakage_per_kelvin", self.leakage_per_kelvin, 0.0, 0.02, "between 0 and 0.02"),
            ("set_points.film_share", self.film_share, 0.0, 1.0, "between 0 and 1"),
            ("set_points.full_power_rise", self.full_power_rise.get(), 5.0, 60.0, "between 5 and 60 K"),
            ("set_points.margin_reserve", self.margin_reserve.get(), 0.0, 20.0, "between 0 and 20 K"),
            ("set_points.step_reserve", self.step_reserve.get(), 0.0, 20.0, "between 0 and 20 K"),
            ("set_points.carnot_share", self.carnot_share, 0.1, 0.9, "between 0.1 and 0.9"),
            (
                "set_points.condenser_above_network",
                self.condenser_above_network.get(),
                0.0,
                20.0,
                "between 0 and 20 K",
            ),
            (
                "set_points.exchanger_watts_per_kelvin",
                self.exchanger_watts_per_kelvin,
                1.0,
                1e6,
                "between 1 and 1000000 W/K",
            ),
            (
                "set_points.facility_watts_per_kelvin",
                self.facility_watts_per_kelvin,
                1.0,
                1e6,
                "between 1 and 1000000 W/K",
            ),
            (
                "set_points.evaporator_watts_per_kelvin",
                self.evaporator_watts_per_kelvin,
                1.0,
                1e6,
                "between 1 and 1000000 W/K",
            ),
            ("set_points.evaporation_min", self.evaporation_min.get(), -20.0, 50.0, "between -20 and 50 °C"),
            ("set_points.supply_per_minute", self.supply_per_minute, 0.01, 10.0, "between 0.01 and 10 K"),
            ("set_points.rise_per_minute", self.rise_per_minute, 0.01, 10.0, "between 0.01 and 10 K"),
            ("set_points.worth_watts", self.worth_watts, 0.0, 1000.0, "between 0 and 1000 W"),
        ];
        numbers.into_iter().try_for_each(|(key, value, low, high, must)| within(key, value, low, high, must))
    }
}
