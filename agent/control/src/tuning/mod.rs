//! The numbers of the controller: every limit, gain and time in one place.

mod check;
mod permit;
mod set_points;

use eisbach_protocol::units::{
    Celsius, Kelvin, KiloPascal, LitersPerMinute, Megahertz, Millis, Percent, Watts,
};
use serde::{Deserialize, Serialize};

pub use check::TuningError;
pub use permit::PermitTuning;
pub use set_points::SetPointTuning;

/// The numbers of the controller. The defaults fit a node of eight 700 W GPUs on one loop of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// Supply temperature aimed at. W40-class default, warm enough for a heat pump (estimate).
    pub supply_target: Celsius,
    /// Highest supply temperature that anybody may ask for from afar, or `supply_target` if that is higher. W40-class
    /// (estimate).
    pub supply_target_max: Celsius,
    /// Supply is never aimed below dew point plus this: 2 K that must be there (public commissioning checklists: 2 to 3 K),
    /// and 2 K that the loop may be off (estimate).
    pub dew_point_distance: Kelvin,
    /// Dew point assumed while none is measured: 27 °C at 75 % (estimate).
    pub dew_point_assumed: Celsius,
    /// Temperature rise over the cold plates aimed at (OCP guideline: 1.5 L/min per kW, about 10 K).
    pub loop_rise: Kelvin,
    /// Heat that a flow of 1 L/min carries per kelvin, W: 25 % propylene glycol at 35 °C.
    pub coolant_watts_per_lpm_kelvin: f32,
    /// Heat into the loop per watt of GPU power: processors, memory and switches add to it (estimate).
    pub heat_per_gpu_watt: f32,
    /// Flow at full pump speed, before the agent has learned it (commissioning value).
    pub full_speed_flow: LitersPerMinute,
    /// Head at full pump speed, before the agent has learned it (commissioning value).
    pub full_speed_head: KiloPascal,
    /// Least pump speed: below about a third of design flow plates starve.
    pub pump_min: Percent,
    /// Fastest rise of the pump set-point, % per second.
    pub pump_up_per_s: f32,
    /// Fastest fall of the pump set-point, % per second.
    pub pump_down_per_s: f32,
    /// Time constant with which the sharing of a power budget forgets a load that is gone, s.
    pub load_decay_s: f32,
    /// Time from GPU power to heat in the coolant: copper and liquid of the cold plates, s (estimate).
    pub plate_lag_s: f32,
    /// Margin below which the trim adds flow.
    pub trim_margin: Kelvin,
    /// Trim, % of speed per kelvin.
    pub trim_gain: f32,
    /// Integral time of the trim, s.
    pub trim_integral_s: f32,
    /// Most that the trim may add, %.
    pub trim_max: Percent,
    /// Supply loop at full flow, % of valve per kelvin; less at less flow, as its delay grows.
    pub valve_gain: f32,
    /// Integral time of the supply loop at full flow, s; more at less flow.
    pub valve_integral_s: f32,
    /// Time from the valve to the CDU's outlet: facility pipe and walls, s (estimate).
    pub valve_lag_s: f32,
    /// Pipe from the CDU to the supply's sensor, L (estimate).
    pub supply_liters: f32,
    /// Recovery gets everything above this margin.
    pub recovery_full_margin: Kelvin,
    /// Recovery gets nothing below this margin.
    pub recovery_none_margin: Kelvin,
    /// Below this margin the node is Hot: all cooling, before anything is throttled (estimate).
    pub hot_margin: Kelvin,
    /// Below this margin a GPU's clocks are locked and its low-power profile is on: soft (estimate).
    pub soft_margin: Kelvin,
    /// Clock lock of the soft rung, as a share of the highest clock (estimate).
    pub soft_clock_share: f32,
    /// At this margin and above, for so long, the soft rung is left (estimate).
    pub soft_leave_margin: Kelvin,
    /// See `soft_leave_margin`. Doubled up to three times when leaving was too early (estimate).
    pub soft_leave_for: Millis,
    /// Below this margin a GPU's power is capped (estimate).
    pub cap_margin: Kelvin,
    /// Below this margin, or once the driver slows it down for its heat, a GPU is deep: lowest power and clocks
    /// (estimate).
    pub deep_margin: Kelvin,
    /// At this margin and above comes back what a GPU's own heat took: a cap after `calm_for` (estimate).
    pub release_margin: Kelvin,
    /// ... and the deep rung after this (estimate).
    pub deep_for: Millis,
    /// How fast power comes back that the GPU's own heat took, W per second: 25 to 50 W in 10 s (estimate).
    pub slow_release_watts_per_s: f32,
    /// At this margin and above the node is calm, and what it took by order is given back (estimate).
    pub calm_margin: Kelvin,
    /// How long it must be calm before anything is given back (estimate).
    pub calm_for: Millis,
    /// How fast power comes back that an order or a budget took, W per second and GPU (estimate).
    pub release_watts_per_s: f32,
    /// On loss of flow, at once: this share of the default limit, or the lowest limit if that is higher (estimate).
    pub first_stage_share: f32,
    /// On loss of flow: lowest limit and lowest clocks, if flow is not back after this (estimate).
    pub second_stage_after: Millis,
    /// Rise over the cold plates that GPUs may not heat beyond once the pump gives all it has (estimate).
    pub loop_rise_max: Kelvin,
    /// Draining is asked for when a GPU has been deep for this long (estimate).
    pub drain_after: Millis,
    /// ... or when flow has been lost for this long (estimate).
    pub drain_after_flow_loss: Millis,
    /// ... and no longer once the node has been Running and calm for this long (estimate).
    pub drain_calm_for: Millis,
    /// Below this margin freezing is asked for (estimate).
    pub freeze_margin: Kelvin,
    /// ... and when a GPU has been deep for this long and is no cooler (estimate).
    pub freeze_after: Millis,
    /// ... and no longer once every margin has been above `release_margin` for this long (estimate).
    pub freeze_calm_for: Millis,
    /// A stop is asked for when a GPU has been at slowdown for this long (estimate).
    pub stop_after: Millis,
    /// ... or when no GPU has told its temperature for this long and flow is not proven (estimate).
    pub stop_blind_after: Millis,
    /// How fast a silent GPU counts as heating, K per second: the load step of a cooled cold plate (estimate).
    pub silent_heating_per_s: f32,
    /// How long devices may keep what they do at start before the pump goes to full speed.
    pub boot_hold: Millis,
    /// How old the newest word of pump and meter together may be before the flow counts as lost, unless the GPUs'
    /// temperatures hold; and how long the meter alone may be silent before the node goes to full cooling.
    pub blind_after: Millis,
    /// Power limits assumed for a GPU that has not told its own: lowest and default.
    pub fallback_power: (Watts, Watts),
    /// SM clocks assumed for a GPU that has not told its own: lowest and highest.
    pub fallback_clock: (Megahertz, Megahertz),
    /// How supply temperature and rise are chosen for the heat network.
    pub set_points: SetPointTuning,
    /// What the site may give to the river.
    pub permit: PermitTuning,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            supply_target: Celsius::new(35.0),
            supply_target_max: Celsius::new(40.0),
            dew_point_distance: Kelvin::new(4.0),
            dew_point_assumed: Celsius::new(22.0),
            loop_rise: Kelvin::new(10.0),
            coolant_watts_per_lpm_kelvin: 66.8,
            heat_per_gpu_watt: 1.3,
            full_speed_flow: LitersPerMinute::new(12.5),
            full_speed_head: KiloPascal::new(115.0),
            pump_min: Percent::new(30.0),
            pump_up_per_s: 10.0,
            pump_down_per_s: 5.0,
            load_decay_s: 60.0,
            plate_lag_s: 3.0,
            trim_margin: Kelvin::new(20.0),
            trim_gain: 2.0,
            trim_integral_s: 20.0,
            trim_max: Percent::new(30.0),
            valve_gain: 1.8,
            valve_integral_s: 80.0,
            valve_lag_s: 20.0,
            supply_liters: 2.0,
            recovery_full_margin: Kelvin::new(18.0),
            recovery_none_margin: Kelvin::new(15.0),
            hot_margin: Kelvin::new(16.0),
            soft_margin: Kelvin::new(15.0),
            soft_clock_share: 0.75,
            soft_leave_margin: Kelvin::new(20.0),
            soft_leave_for: Millis::from_secs(60),
            cap_margin: Kelvin::new(10.0),
            deep_margin: Kelvin::new(5.0),
            release_margin: Kelvin::new(15.0),
            deep_for: Millis::from_secs(120),
            slow_release_watts_per_s: 4.0,
            calm_margin: Kelvin::new(19.0),
            calm_for: Millis::from_secs(15),
            release_watts_per_s: 40.0,
            first_stage_share: 0.25,
            second_stage_after: Millis::from_secs(3),
            loop_rise_max: Kelvin::new(25.0),
            drain_after: Millis::from_secs(30),
            drain_after_flow_loss: Millis::from_secs(5),
            drain_calm_for: Millis::from_secs(60),
            freeze_margin: Kelvin::new(2.0),
            freeze_after: Millis::from_secs(10),
            freeze_calm_for: Millis::from_secs(30),
            stop_after: Millis::from_secs(5),
            stop_blind_after: Millis::from_secs(10),
            silent_heating_per_s: 1.0,
            boot_hold: Millis::new(1500),
            blind_after: Millis::new(2500),
            fallback_power: (Watts::new(200.0), Watts::new(700.0)),
            fallback_clock: (Megahertz::new(345.0), Megahertz::new(1980.0)),
            set_points: SetPointTuning::default(),
            permit: PermitTuning::default(),
        }
    }
}

impl Tuning {
    /// Flow that carries `heat` away at the rise aimed at.
    #[must_use]
    pub fn flow_for(&self, heat: Watts) -> LitersPerMinute {
        self.flow_at(heat, self.loop_rise)
    }

    /// Flow that carries `heat` away at this rise.
    pub(crate) fn flow_at(&self, heat: Watts, rise: Kelvin) -> LitersPerMinute {
        LitersPerMinute::new(heat.get() / (self.coolant_watts_per_lpm_kelvin * rise.get().max(1.0)))
    }

    /// GPU power whose heat warms `flow` by no more than the loop may rise.
    pub(crate) fn power_for(&self, flow: LitersPerMinute) -> Watts {
        let heat = flow.get() * self.coolant_watts_per_lpm_kelvin * self.loop_rise_max.get();
        Watts::new(heat / self.heat_per_gpu_watt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_and_a_half_litres_a_minute_carry_a_kilowatt_at_ten_kelvin() {
        let flow = Tuning::default().flow_for(Watts::new(1000.0));
        assert!((flow.get() - 1.5).abs() < 0.01, "{flow}");
    }
}
