//! The river: temperature and discharge over the year.
//!
//! ```text
//!   °C   = season + time of day + weather's noise + heat waves and rain
//!   m³/s = usual discharge + slow noise, or what a drought, a flood or the yearly drain leaves of it
//! ```
//!
//! Numbers of the Eisbach at the Tucherpark drop in Munich. Discharge: "25 000 L/s constantly" (Süddeutsche Zeitung, 2
//! July 2019); 20 to 25 m³/s is usual. Monthly temperatures are estimates around the few public points (22.3 °C on 1
//! July 2025, fall by 4 to 5 K in three cool days): no gauge's table was at hand. Replace them where one is.

use serde::{Deserialize, Serialize};

use super::calendar::{DAY_S, hour_of_day, in_year, season};
use super::days::Days;
use super::river_events::{self, RiverEvent};

/// Streams of noise, apart from each other and from those of everything else.
const TEMPERATURE_STREAM: u64 = 0x5249_5645_5254_454D;
const FLOW_STREAM: u64 = 0x5249_5645_5246_4C4F;
/// Noise that weather and river have in common.
pub(super) const COMMON_STREAM: u64 = 0x434F_4D4D_4F4E_0001;
/// Share of the river's variance that the weather explains. Estimate.
const WEATHER_SHARE: f64 = 0.6;
/// Memory of the river's temperature, days. Estimate.
pub(super) const MEMORY_DAYS: f64 = 2.0;
/// Memory of the discharge, days. Estimate.
const FLOW_MEMORY_DAYS: f64 = 10.0;
/// Warmest hour of a day. Estimate: the river lags the sun.
const WARMEST_HOUR: f64 = 16.5;
/// Water does not get colder, °C.
const FREEZING: f64 = 0.1;
/// The intake draws no water from less discharge than this, m³/s. Estimate: the sill of the intake.
const SILL_M3_S: f64 = 0.5;
/// ... and draws all it wants from this on, m³/s. Estimate.
const DEEP_M3_S: f64 = 2.0;

/// What the river is like over the year.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiverParams {
    /// Mean temperature of the year, °C.
    pub mean_celsius: f64,
    /// Half the distance between summer and winter, K.
    pub season_kelvin: f64,
    /// Warmest moment, months after the first of January.
    pub warmest_months: f64,
    /// Half the distance between afternoon and morning in winter, K.
    pub day_winter_kelvin: f64,
    /// ... and in summer, K.
    pub day_summer_kelvin: f64,
    /// Deviation of the noise, K.
    pub noise_kelvin: f64,
    /// Usual discharge, m³/s.
    pub flow_m3_s: f64,
    /// Deviation of the discharge, m³/s.
    pub flow_noise_m3_s: f64,
    /// What happens in the year.
    pub events: Vec<RiverEvent>,
}

impl RiverParams {
    /// A year in which nothing special happens.
    #[must_use]
    pub fn calm() -> Self {
        Self { events: Vec::new(), ..Self::default() }
    }
}

impl Default for RiverParams {
    /// A year with all that the Eisbach is known for.
    fn default() -> Self {
        Self {
            mean_celsius: 9.6,
            season_kelvin: 6.3,
            warmest_months: 6.9,
            day_winter_kelvin: 0.4,
            day_summer_kelvin: 1.5,
            noise_kelvin: 0.8,
            flow_m3_s: 22.5,
            flow_noise_m3_s: 1.2,
            events: river_events::EISBACH.to_vec(),
        }
    }
}

/// The river at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiverState {
    /// Temperature at the intake, °C.
    pub celsius: f64,
    /// Discharge, m³/s.
    pub flow_m3_s: f64,
    /// Resistance of the intake's screen against a clean one, 1 and above: leaves and flood debris.
    pub debris: f64,
}

impl RiverState {
    /// Share of the water wanted that the intake can draw, 0 to 1: the screen throttles it, a drained creek ends it.
    #[must_use]
    pub fn intake_share(&self) -> f64 {
        let depth = ((self.flow_m3_s - SILL_M3_S) / (DEEP_M3_S - SILL_M3_S)).clamp(0.0, 1.0);
        // A screen that takes a tenth of the intake pump's head while clean (estimate), in quadrature.
        let screen = 1.0 / (0.9 + 0.1 * self.debris.max(1.0)).sqrt();
        depth * screen
    }
}

/// A river.
#[derive(Clone, Debug)]
pub struct River {
    params: RiverParams,
    temperature: Days,
    flow: Days,
}

impl River {
    /// The river of this seed's years.
    #[must_use]
    pub fn new(params: RiverParams, seed: u64) -> Self {
        let common = Days::new(seed ^ COMMON_STREAM, MEMORY_DAYS);
        Self {
            params,
            temperature: Days::new(seed ^ TEMPERATURE_STREAM, MEMORY_DAYS).mixed(&common, WEATHER_SHARE),
            flow: Days::new(seed ^ FLOW_STREAM, FLOW_MEMORY_DAYS),
        }
    }

    /// How it is `t_s` seconds after the first of January.
    #[must_use]
    pub fn at(&self, t_s: f64) -> RiverState {
        let params = &self.params;
        let summer = season(t_s, params.warmest_months);
        let by_day = params.day_winter_kelvin
            + (params.day_summer_kelvin - params.day_winter_kelvin) * (1.0 + summer) / 2.0;
        let usual = RiverState {
            celsius: params.mean_celsius
                + params.season_kelvin * summer
                + by_day * hour_of_day(t_s, WARMEST_HOUR)
                + params.noise_kelvin * self.temperature.at(t_s),
            flow_m3_s: params.flow_m3_s + params.flow_noise_m3_s * self.flow.at(t_s),
            debris: 1.0,
        };
        let day = in_year(t_s) / DAY_S;
        let state = params.events.iter().fold(usual, |state, event| event.change(state, day));
        RiverState {
            celsius: state.celsius.max(FREEZING),
            flow_m3_s: state.flow_m3_s.max(0.0),
            debris: state.debris.max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::date;

    fn mean(river: &River, month: u8) -> f64 {
        let first = date(month, 1).unwrap();
        (0..28 * 24).map(|hour| river.at(first + f64::from(hour) * 3600.0).celsius).sum::<f64>()
            / (28.0 * 24.0)
    }

    #[test]
    fn months_are_as_warm_as_estimated() {
        let quiet = RiverParams { noise_kelvin: 0.0, ..RiverParams::calm() };
        let river = River::new(quiet, 1);
        let estimated = [3.5, 3.8, 5.8, 8.5, 11.0, 13.8, 16.0, 16.2, 13.8, 10.8, 7.2, 4.6];
        for (month, expected) in (1..).zip(estimated) {
            let mean = mean(&river, month);
            assert!((mean - expected).abs() < 0.7, "month {month}: {mean}, {expected}");
        }
    }

    #[test]
    fn an_afternoon_in_summer_is_three_kelvin_warmer_than_its_morning_and_in_winter_less_than_one() {
        let river = River::new(RiverParams { noise_kelvin: 0.0, ..RiverParams::calm() }, 1);
        let swing = |month| {
            let noon = |hour: f64| river.at(date(month, 28).unwrap() + hour * 3600.0).celsius;
            noon(16.5) - noon(4.5)
        };
        assert!((swing(7) - 3.0).abs() < 0.2 && (swing(1) - 0.8).abs() < 0.2, "{} {}", swing(7), swing(1));
    }

    #[test]
    fn a_year_of_the_eisbach_reaches_the_heat_of_2025_and_is_drained_in_october() {
        for seed in 0..20 {
            let river = River::new(RiverParams::default(), seed);
            let hours: Vec<RiverState> = (0..8760).map(|hour| river.at(f64::from(hour) * 3600.0)).collect();
            let warmest = hours.iter().map(|state| state.celsius).fold(f64::MIN, f64::max);
            let coldest = hours.iter().map(|state| state.celsius).fold(f64::MAX, f64::min);
            assert!((20.5..25.5).contains(&warmest), "seed {seed}: {warmest}");
            assert!((0.1..3.0).contains(&coldest), "seed {seed}: {coldest}");
            let drained = hours.iter().filter(|state| state.flow_m3_s < 1.0).count();
            assert!((7 * 24..=14 * 24).contains(&drained), "seed {seed}: {drained} hours");
            let usual = hours.iter().filter(|state| (18.0..=27.0).contains(&state.flow_m3_s)).count();
            assert!(usual > 7000, "seed {seed}: {usual} hours");
        }
    }

    #[test]
    fn a_drained_creek_gives_no_water_and_a_full_screen_less() {
        let intake = |flow_m3_s, debris| RiverState { celsius: 10.0, flow_m3_s, debris }.intake_share();
        assert!((intake(22.0, 1.0) - 1.0).abs() < 1e-12);
        assert!(intake(0.3, 1.0).abs() < 1e-12);
        assert!((0.8..0.9).contains(&intake(22.0, 5.0)), "{}", intake(22.0, 5.0));
    }
}
