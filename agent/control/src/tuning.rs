//! The numbers of the controller: every limit, gain and time in one place.

use eisbach_protocol::units::{
    Celsius, Kelvin, KiloPascal, LitersPerMinute, Megahertz, Millis, Percent, Watts,
};
use serde::{Deserialize, Serialize};

/// The numbers of the controller. The defaults fit a node of eight 700 W GPUs on one loop of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tuning {
    /// Supply temperature aimed at. W40-class default, warm enough for a heat pump (estimate).
    pub supply_target: Celsius,
    /// Supply never goes below dew point plus this (public commissioning checklists: 2 to 3 K).
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
    /// Time constant with which feed-forward forgets a load that is gone, s.
    pub load_decay_s: f32,
    /// Margin below which the trim adds flow.
    pub trim_margin: Kelvin,
    /// Trim, % of speed per kelvin.
    pub trim_gain: f32,
    /// Integral time of the trim, s.
    pub trim_integral_s: f32,
    /// Most that the trim may add, %.
    pub trim_max: Percent,
    /// Supply loop, % of valve per kelvin.
    pub valve_gain: f32,
    /// Integral time of the supply loop, s.
    pub valve_integral_s: f32,
    /// Recovery gets everything above this margin.
    pub recovery_full_margin: Kelvin,
    /// Recovery gets nothing below this margin.
    pub recovery_none_margin: Kelvin,
    /// Below this margin the node is Hot.
    pub hot_margin: Kelvin,
    /// Below this margin a GPU's clocks are locked.
    pub clock_margin: Kelvin,
    /// Below this margin a GPU's power is capped.
    pub cap_margin: Kelvin,
    /// Below this margin a GPU goes to minimum power.
    pub deep_margin: Kelvin,
    /// Above this margin a GPU is calm, and what was taken is given back.
    pub calm_margin: Kelvin,
    /// How long a GPU must be calm before anything is given back.
    pub calm_for: Millis,
    /// How fast power is given back, W per second and GPU.
    pub release_watts_per_s: f32,
    /// On loss of flow: minimum clocks too, if flow is not back after this.
    pub second_stage_after: Millis,
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
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            supply_target: Celsius::new(35.0),
            dew_point_distance: Kelvin::new(2.0),
            dew_point_assumed: Celsius::new(22.0),
            loop_rise: Kelvin::new(10.0),
            coolant_watts_per_lpm_kelvin: 66.8,
            heat_per_gpu_watt: 1.3,
            full_speed_flow: LitersPerMinute::new(12.5),
            full_speed_head: KiloPascal::new(115.0),
            pump_min: Percent::new(30.0),
            pump_up_per_s: 10.0,
            pump_down_per_s: 2.0,
            load_decay_s: 60.0,
            trim_margin: Kelvin::new(20.0),
            trim_gain: 2.0,
            trim_integral_s: 20.0,
            trim_max: Percent::new(30.0),
            valve_gain: 3.0,
            valve_integral_s: 60.0,
            recovery_full_margin: Kelvin::new(18.0),
            recovery_none_margin: Kelvin::new(12.0),
            hot_margin: Kelvin::new(12.0),
            clock_margin: Kelvin::new(9.0),
            cap_margin: Kelvin::new(6.0),
            deep_margin: Kelvin::new(3.0),
            calm_margin: Kelvin::new(18.0),
            calm_for: Millis::from_secs(15),
            release_watts_per_s: 40.0,
            second_stage_after: Millis::from_secs(3),
            silent_heating_per_s: 1.0,
            boot_hold: Millis::new(1500),
            blind_after: Millis::new(2500),
            fallback_power: (Watts::new(200.0), Watts::new(700.0)),
            fallback_clock: (Megahertz::new(345.0), Megahertz::new(1980.0)),
        }
    }
}

/// A number that cannot be used, with the key that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TuningError {
    /// Key in the configuration.
    pub key: &'static str,
    /// What it must be.
    pub must: &'static str,
}

impl Tuning {
    /// Checks that the numbers fit each other.
    ///
    /// # Errors
    /// Names the first key that does not.
    pub fn check(&self) -> Result<(), TuningError> {
        let within = |key, value: f32, low: f32, high: f32, must| {
            // A NaN is in no range.
            if (low..=high).contains(&value) { Ok(()) } else { Err(TuningError { key, must }) }
        };
        within("supply_target", self.supply_target.get(), 15.0, 50.0, "between 15 and 50 °C")?;
        within("dew_point_distance", self.dew_point_distance.get(), 1.0, 10.0, "between 1 and 10 K")?;
        within("dew_point_assumed", self.dew_point_assumed.get(), 5.0, 30.0, "between 5 and 30 °C")?;
        within("loop_rise", self.loop_rise.get(), 3.0, 25.0, "between 3 and 25 K")?;
        within(
            "coolant_watts_per_lpm_kelvin",
            self.coolant_watts_per_lpm_kelvin,
            50.0,
            75.0,
            "between 50 and 75 W per L/min and K",
        )?;
        within("heat_per_gpu_watt", self.heat_per_gpu_watt, 1.0, 2.5, "between 1 and 2.5")?;
        within("full_speed_flow", self.full_speed_flow.get(), 1.0, 1000.0, "between 1 and 1000 L/min")?;
        within("full_speed_head", self.full_speed_head.get(), 5.0, 1000.0, "between 5 and 1000 kPa")?;
        within("pump_min", self.pump_min.get(), 20.0, 100.0, "between 20 and 100 %")?;
        within("pump_up_per_s", self.pump_up_per_s, 1.0, 100.0, "between 1 and 100 % per second")?;
        within("pump_down_per_s", self.pump_down_per_s, 0.1, 100.0, "between 0.1 and 100 % per second")?;
        within("load_decay_s", self.load_decay_s, 1.0, 600.0, "between 1 and 600 s")?;
        within("trim_gain", self.trim_gain, 0.0, 20.0, "between 0 and 20 % per K")?;
        within("trim_integral_s", self.trim_integral_s, 1.0, 600.0, "between 1 and 600 s")?;
        within("trim_max", self.trim_max.get(), 0.0, 70.0, "between 0 and 70 %")?;
        within("valve_gain", self.valve_gain, 0.0, 50.0, "between 0 and 50 % per K")?;
        within("valve_integral_s", self.valve_integral_s, 1.0, 3600.0, "between 1 and 3600 s")?;
        within("deep_margin", self.deep_margin.get(), 0.0, 20.0, "between 0 and 20 K")?;
        within(
            "cap_margin",
            self.cap_margin.get(),
            self.deep_margin.get() + 1.0,
            30.0,
            "at least 1 K above deep_margin",
        )?;
        within(
            "clock_margin",
            self.clock_margin.get(),
            self.cap_margin.get() + 1.0,
            40.0,
            "at least 1 K above cap_margin",
        )?;
        within(
            "hot_margin",
            self.hot_margin.get(),
            self.clock_margin.get() + 1.0,
            50.0,
            "at least 1 K above clock_margin",
        )?;
        within(
            "calm_margin",
            self.calm_margin.get(),
            self.hot_margin.get() + 3.0,
            60.0,
            "at least 3 K above hot_margin",
        )?;
        within("trim_margin", self.trim_margin.get(), self.hot_margin.get(), 60.0, "at least hot_margin")?;
        within(
            "recovery_none_margin",
            self.recovery_none_margin.get(),
            self.clock_margin.get(),
            60.0,
            "at least clock_margin",
        )?;
        within(
            "recovery_full_margin",
            self.recovery_full_margin.get(),
            self.recovery_none_margin.get() + 1.0,
            70.0,
            "at least 1 K above recovery_none_margin",
        )?;
        within(
            "release_watts_per_s",
            self.release_watts_per_s,
            1.0,
            500.0,
            "between 1 and 500 W per second",
        )?;
        within(
            "silent_heating_per_s",
            self.silent_heating_per_s,
            0.1,
            10.0,
            "between 0.1 and 10 K per second",
        )?;
        within("calm_for", self.calm_for.as_secs_f32(), 2.0, 600.0, "between 2000 and 600000 ms")?;
        within("second_stage_after", self.second_stage_after.as_secs_f32(), 0.0, 10.0, "at most 10000 ms")?;
        within("boot_hold", self.boot_hold.as_secs_f32(), 0.0, 10.0, "at most 10000 ms")?;
        within("blind_after", self.blind_after.as_secs_f32(), 0.5, 60.0, "between 500 and 60000 ms")?;
        within(
            "fallback_power",
            self.fallback_power.0.get(),
            10.0,
            self.fallback_power.1.get(),
            "two powers, the lower one first",
        )?;
        within(
            "fallback_clock",
            self.fallback_clock.0.get(),
            100.0,
            self.fallback_clock.1.get(),
            "two clocks, the lower one first",
        )?;
        Ok(())
    }

    /// Flow that carries `heat` away at the rise aimed at.
    #[must_use]
    pub fn flow_for(&self, heat: Watts) -> LitersPerMinute {
        LitersPerMinute::new(heat.get() / (self.coolant_watts_per_lpm_kelvin * self.loop_rise.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_usable() {
        assert_eq!(Tuning::default().check(), Ok(()));
    }

    #[test]
    fn a_nan_is_refused_by_name() {
        let tuning = Tuning { loop_rise: Kelvin::new(f32::NAN), ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "loop_rise");
    }

    #[test]
    fn rungs_out_of_order_are_refused() {
        let tuning = Tuning { cap_margin: Kelvin::new(2.0), ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "cap_margin");
    }

    #[test]
    fn one_and_a_half_litres_a_minute_carry_a_kilowatt_at_ten_kelvin() {
        let flow = Tuning::default().flow_for(Watts::new(1000.0));
        assert!((flow.get() - 1.5).abs() < 0.01, "{flow}");
    }
}
