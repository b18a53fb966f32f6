//! What the district heating network wants: heat, and the temperature to deliver it at.
//!
//! ```text
//!   W   = peak · (hot water + heating · (15 °C − day's mean) / (15 °C − coldest)) · time of day
//!   °C  = 60 on mild days, up to 75 on the coldest
//! ```
//!
//! Estimates for a quarter's network at low temperature: flats and offices, 55 to 60 °C plausible, hotter in frost.

use serde::{Deserialize, Serialize};

use super::calendar::hour_of_day;

/// Above this mean of a day nobody heats, °C: the usual limit for buildings of some age.
const HEATING_LIMIT: f64 = 15.0;
/// Morning and evening peak, as a share of the mean, and their hour (the evening's is twelve hours later).
const PEAK_SHARE: f64 = 0.15;
const PEAK_HOUR: f64 = 7.5;

/// What the network is like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeatDemandParams {
    /// Heat on the coldest day, W.
    pub peak_watts: f64,
    /// Share of it that is wanted all year: hot water and losses of the network, 0 to 1.
    pub base_share: f64,
    /// Mean of the coldest day, °C.
    pub coldest_celsius: f64,
    /// Supply temperature on mild days, °C.
    pub supply_mild_celsius: f64,
    /// Supply temperature on the coldest day, °C.
    pub supply_cold_celsius: f64,
}

impl Default for HeatDemandParams {
    /// One node's share: what a node of eight H200 has to give, on a winter's day.
    fn default() -> Self {
        Self {
            peak_watts: 10_000.0,
            base_share: 0.2,
            coldest_celsius: -12.0,
            supply_mild_celsius: 60.0,
            supply_cold_celsius: 75.0,
        }
    }
}

/// What the network wants at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeatState {
    /// Heat that it takes, recovered heat and compressor together, W.
    pub watts: f64,
    /// Supply temperature that it wants, °C.
    pub supply_celsius: f64,
}

/// A district heating network.
#[derive(Clone, Copy, Debug)]
pub struct HeatDemand {
    params: HeatDemandParams,
}

impl HeatDemand {
    /// A network.
    #[must_use]
    pub const fn new(params: HeatDemandParams) -> Self {
        Self { params }
    }

    /// What it wants `t_s` seconds after the first of January, on a day with this mean.
    #[must_use]
    pub fn at(&self, t_s: f64, day_celsius: f64) -> HeatState {
        let params = &self.params;
        let span = HEATING_LIMIT - params.coldest_celsius;
        let cold = ((HEATING_LIMIT - day_celsius) / span).clamp(0.0, 1.0);
        let share = params.base_share + (1.0 - params.base_share) * cold;
        // Two humps a day: twice the frequency of one.
        let by_hour = 1.0 + PEAK_SHARE * hour_of_day(2.0 * t_s, 2.0 * PEAK_HOUR);
        HeatState {
            watts: params.peak_watts * share * by_hour,
            supply_celsius: params.supply_mild_celsius
                + (params.supply_cold_celsius - params.supply_mild_celsius) * cold,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: f64 = 3600.0;

    #[test]
    fn colder_days_want_more_heat_and_hotter_water() {
        let network = HeatDemand::new(HeatDemandParams::default());
        let days = [20.0, 10.0, 0.0, -12.0].map(|celsius| network.at(0.0, celsius));
        assert!(days.is_sorted_by(|mild, cold| mild.watts < cold.watts));
        assert!(days.is_sorted_by(|mild, cold| mild.supply_celsius <= cold.supply_celsius));
        assert!((days[3].supply_celsius - 75.0).abs() < 1e-9);
        assert_eq!(network.at(0.0, -12.0), network.at(0.0, -30.0));
    }

    #[test]
    fn mornings_and_evenings_want_most_and_the_day_keeps_its_mean() {
        let network = HeatDemand::new(HeatDemandParams::default());
        let at = |hour: f64| network.at(hour * HOUR, 0.0).watts;
        assert!(at(7.5) > at(1.5) && at(19.5) > at(13.5) && (at(7.5) - at(19.5)).abs() < 1e-6);
        let mean = (0..240).map(|step| at(f64::from(step) / 10.0)).sum::<f64>() / 240.0;
        let expected = 10_000.0 * (0.2 + 0.8 * 15.0 / 27.0);
        assert!((mean - expected).abs() < 1.0, "{mean}");
    }
}
