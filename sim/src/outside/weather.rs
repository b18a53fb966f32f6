//! Air temperature and dew point over the year.
//!
//! ```text
//!   air = season + time of day + noise (most of it the river's too)
//!   dew point = the day's mean air − a spread of 2 to 8 K, never above the air
//! ```
//!
//! Estimates around the climate of Munich: about 0 °C in January, 19 °C in July, 30 °C and more on hot afternoons, dew
//! points up to 17 °C.

use serde::{Deserialize, Serialize};

use super::calendar::{hour_of_day, season};
use super::days::Days;
use super::river::{COMMON_STREAM, MEMORY_DAYS};

const AIR_STREAM: u64 = 0x4149_5254_454D_5001;
const MOISTURE_STREAM: u64 = 0x4D4F_4953_5455_5201;
/// Share of the air's variance that the river feels too. Estimate.
const COMMON_SHARE: f64 = 0.8;
/// Warmest moment of the year, months after the first of January.
const WARMEST_MONTHS: f64 = 6.6;
/// Warmest hour of a day.
const WARMEST_HOUR: f64 = 15.0;
/// Dew point below the day's mean, K: mean and deviation.
const SPREAD_KELVIN: f64 = 5.0;
const SPREAD_NOISE_KELVIN: f64 = 2.0;
/// A ventilated room's dew point is held between these by its air handling, °C. Estimate.
const ROOM_DEW_POINT: core::ops::RangeInclusive<f64> = 2.0..=17.0;

/// What the weather is like over the year.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeatherParams {
    /// Mean of the year, °C.
    pub mean_celsius: f64,
    /// Half the distance between summer and winter, K.
    pub season_kelvin: f64,
    /// Half the distance between afternoon and night in winter, K.
    pub day_winter_kelvin: f64,
    /// ... and in summer, K.
    pub day_summer_kelvin: f64,
    /// Deviation of a day's mean, K.
    pub noise_kelvin: f64,
}

impl Default for WeatherParams {
    fn default() -> Self {
        Self {
            mean_celsius: 9.7,
            season_kelvin: 9.5,
            day_winter_kelvin: 2.5,
            day_summer_kelvin: 5.5,
            noise_kelvin: 3.5,
        }
    }
}

/// The weather at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeatherState {
    /// Air, °C.
    pub air_celsius: f64,
    /// Mean of the day, °C: what heating follows.
    pub day_celsius: f64,
    /// Dew point, °C.
    pub dew_point_celsius: f64,
}

impl WeatherState {
    /// Dew point in a room that is ventilated with this air, °C.
    #[must_use]
    pub fn room_dew_point(&self) -> f64 {
        self.dew_point_celsius.clamp(*ROOM_DEW_POINT.start(), *ROOM_DEW_POINT.end())
    }
}

/// The weather of a place.
#[derive(Clone, Debug)]
pub struct Weather {
    params: WeatherParams,
    air: Days,
    moisture: Days,
}

impl Weather {
    /// The weather of this seed's years. The river of the same seed feels it.
    #[must_use]
    pub fn new(params: WeatherParams, seed: u64) -> Self {
        let common = Days::new(seed ^ COMMON_STREAM, MEMORY_DAYS);
        Self {
            params,
            air: Days::new(seed ^ AIR_STREAM, MEMORY_DAYS).mixed(&common, COMMON_SHARE),
            moisture: Days::new(seed ^ MOISTURE_STREAM, MEMORY_DAYS),
        }
    }

    /// How it is `t_s` seconds after the first of January.
    #[must_use]
    pub fn at(&self, t_s: f64) -> WeatherState {
        let params = &self.params;
        let summer = season(t_s, WARMEST_MONTHS);
        let by_day = params.day_winter_kelvin
            + (params.day_summer_kelvin - params.day_winter_kelvin) * (1.0 + summer) / 2.0;
        let day_celsius =
            params.mean_celsius + params.season_kelvin * summer + params.noise_kelvin * self.air.at(t_s);
        let air_celsius = day_celsius + by_day * hour_of_day(t_s, WARMEST_HOUR);
        let spread = SPREAD_KELVIN + SPREAD_NOISE_KELVIN * self.moisture.at(t_s);
        WeatherState {
            air_celsius,
            day_celsius,
            dew_point_celsius: (day_celsius - spread.max(0.0)).min(air_celsius),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_frost_and_heat_and_air_above_its_dew_point() {
        for seed in 0..10 {
            let weather = Weather::new(WeatherParams::default(), seed);
            let hours: Vec<WeatherState> =
                (0..8760).map(|hour| weather.at(f64::from(hour) * 3600.0)).collect();
            let warmest = hours.iter().map(|state| state.air_celsius).fold(f64::MIN, f64::max);
            let coldest = hours.iter().map(|state| state.air_celsius).fold(f64::MAX, f64::min);
            assert!((28.0..40.0).contains(&warmest), "seed {seed}: {warmest}");
            assert!((-20.0..-3.0).contains(&coldest), "seed {seed}: {coldest}");
            assert!(hours.iter().all(|state| state.dew_point_celsius <= state.air_celsius));
            assert!(hours.iter().all(|state| ROOM_DEW_POINT.contains(&state.room_dew_point())));
        }
    }

    #[test]
    fn warm_weeks_warm_the_river_too() {
        use crate::outside::{River, RiverParams};
        let flat_air = WeatherParams { season_kelvin: 0.0, ..WeatherParams::default() };
        let flat_river = RiverParams { season_kelvin: 0.0, ..RiverParams::calm() };
        let (weather, river) = (Weather::new(flat_air, 4), River::new(flat_river, 4));
        let pairs = (0..365).map(|day| {
            let noon = (f64::from(day) + 0.5) * 86_400.0;
            (weather.at(noon).day_celsius - 9.7, river.at(noon).celsius - 9.6)
        });
        let (mut both, mut air, mut water) = (0.0, 0.0, 0.0);
        for (a, w) in pairs {
            both += a * w;
            air += a * a;
            water += w * w;
        }
        let correlation = both / (air * water).sqrt();
        assert!(correlation > 0.4, "{correlation}");
    }
}
