//! What the numbers of the controller must be, alone and against each other.

use super::Tuning;

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
        within("supply_target", self.supply_target.get(), 15.0, 50.0, "between 15 and 50 °C")?;
        within("supply_target_max", self.supply_target_max.get(), 15.0, 50.0, "between 15 and 50 °C")?;
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
        within("plate_lag_s", self.plate_lag_s, 0.1, 30.0, "between 0.1 and 30 s")?;
        within("trim_gain", self.trim_gain, 0.0, 20.0, "between 0 and 20 % per K")?;
        within("trim_integral_s", self.trim_integral_s, 1.0, 600.0, "between 1 and 600 s")?;
        within("trim_max", self.trim_max.get(), 0.0, 70.0, "between 0 and 70 %")?;
        within("valve_gain", self.valve_gain, 0.0, 50.0, "between 0 and 50 % per K")?;
        within("valve_integral_s", self.valve_integral_s, 1.0, 3600.0, "between 1 and 3600 s")?;
        within("valve_lag_s", self.valve_lag_s, 0.0, 300.0, "between 0 and 300 s")?;
        within("supply_liters", self.supply_liters, 0.0, 1000.0, "between 0 and 1000 L")?;
        within("deep_margin", self.deep_margin.get(), 0.0, 20.0, "between 0 and 20 K")?;
        within(
            "cap_margin",
            self.cap_margin.get(),
            self.deep_margin.get() + 1.0,
            30.0,
            "at least 1 K above deep_margin",
        )?;
        within(
            "soft_margin",
            self.soft_margin.get(),
            self.cap_margin.get() + 1.0,
            40.0,
            "at least 1 K above cap_margin",
        )?;
        within(
            "hot_margin",
            self.hot_margin.get(),
            self.soft_margin.get() + 1.0,
            50.0,
            "at least 1 K above soft_margin",
        )?;
        within(
            "calm_margin",
            self.calm_margin.get(),
            self.hot_margin.get() + 3.0,
            60.0,
            "at least 3 K above hot_margin",
        )?;
        within(
            "soft_leave_margin",
            self.soft_leave_margin.get(),
            self.soft_margin.get() + 3.0,
            60.0,
            "at least 3 K above soft_margin",
        )?;
        within(
            "release_margin",
            self.release_margin.get(),
            self.cap_margin.get() + 3.0,
            60.0,
            "at least 3 K above cap_margin",
        )?;
        within(
            "freeze_margin",
            self.freeze_margin.get(),
            0.0,
            self.deep_margin.get(),
            "at most deep_margin, and not negative",
        )?;
        within("soft_clock_share", self.soft_clock_share, 0.2, 1.0, "between 0.2 and 1")?;
        within("first_stage_share", self.first_stage_share, 0.0, 1.0, "between 0 and 1")?;
        within("loop_rise_max", self.loop_rise_max.get(), self.loop_rise.get(), 50.0, "at least loop_rise")?;
        within("trim_margin", self.trim_margin.get(), self.hot_margin.get(), 60.0, "at least hot_margin")?;
        within(
            "recovery_none_margin",
            self.recovery_none_margin.get(),
            self.soft_margin.get(),
            60.0,
            "at least soft_margin",
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
            "slow_release_watts_per_s",
            self.slow_release_watts_per_s,
            1.0,
            self.release_watts_per_s,
            "between 1 W per second and release_watts_per_s",
        )?;
        within(
            "silent_heating_per_s",
            self.silent_heating_per_s,
            0.1,
            10.0,
            "between 0.1 and 10 K per second",
        )?;
        within("calm_for", self.calm_for.as_secs_f32(), 2.0, 600.0, "between 2000 and 600000 ms")?;
        self.check_waits()?;
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
        self.set_points.check()?;
        self.permit.check()
    }

    /// The waits of the way back and of the calls for help.
    fn check_waits(&self) -> Result<(), TuningError> {
        let waits = [
            ("soft_leave_for", self.soft_leave_for),
            ("deep_for", self.deep_for),
            ("drain_after", self.drain_after),
            ("drain_after_flow_loss", self.drain_after_flow_loss),
            ("drain_calm_for", self.drain_calm_for),
            ("freeze_after", self.freeze_after),
            ("freeze_calm_for", self.freeze_calm_for),
            ("stop_after", self.stop_after),
            ("stop_blind_after", self.stop_blind_after),
        ];
        for (key, wait) in waits {
            within(key, wait.as_secs_f32(), 1.0, 3600.0, "between 1000 and 3600000 ms")?;
        }
        Ok(())
    }
}

pub(super) fn within(
    key: &'static str,
    value: f32,
    low: f32,
    high: f32,
    must: &'static str,
) -> Result<(), TuningError> {
    // A NaN is in no range.
    if (low..=high).contains(&value) { Ok(()) } else { Err(TuningError { key, must }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::PermitTuning;
    use eisbach_protocol::units::{Kelvin, Millis};

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
    fn a_way_back_closer_than_three_kelvin_to_its_way_in_is_refused() {
        let tuning = Tuning { soft_leave_margin: Kelvin::new(16.0), ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "soft_leave_margin");
        let tuning = Tuning { release_margin: Kelvin::new(11.0), ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "release_margin");
    }

    #[test]
    fn a_wait_of_no_time_is_refused() {
        let tuning = Tuning { stop_after: Millis::ZERO, ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "stop_after");
    }

    #[test]
    fn a_summer_that_ends_before_it_begins_is_refused() {
        let permit = PermitTuning { summer_days: (300, 90), ..PermitTuning::default() };
        let tuning = Tuning { permit, ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "permit.summer_days");
    }

    #[test]
    fn rungs_out_of_order_are_refused() {
        let tuning = Tuning { cap_margin: Kelvin::new(2.0), ..Tuning::default() };
        assert_eq!(tuning.check().unwrap_err().key, "cap_margin");
    }
}
