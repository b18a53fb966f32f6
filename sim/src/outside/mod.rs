//! The world outside the site over the year: river, permit, weather, heat network.
//!
//! ```text
//!                      ┌─► river    °C, m³/s, debris ──► permit: heat allowed, rules broken
//!   time of the year ──┼─► weather  °C, dew point
//!        (seed)        └─► heat     W asked for, network's supply °C  (follows the air)
//! ```
//!
//! Everything is a function of time: the same seed and the same moment give the same answer, in whatever order one
//! asks. Time is in seconds since the first of January, 00:00 local standard time; after 365 days the year comes
//! round again, with the same weather.

mod calendar;
mod days;
mod heat;
mod permit;
mod permit_meter;
mod river;
mod river_events;
mod weather;

use eisbach_control::Calendar;
use serde::{Deserialize, Serialize};

pub use calendar::{DAY_S, YEAR_S, calendar, date, month};
pub use heat::{HeatDemand, HeatDemandParams, HeatState};
pub use permit::{Discharge, FishCommunity, Permit, Rule, SeasonLimits, Violation, mixing_rise};
pub use permit_meter::PermitMeter;
pub use river::{River, RiverParams, RiverState};
pub use river_events::{RiverEvent, RiverHappening};
pub use weather::{Weather, WeatherParams, WeatherState};

/// What the world outside is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutsideParams {
    /// The river.
    pub river: RiverParams,
    /// The weather.
    pub weather: WeatherParams,
    /// The district heating network.
    pub heat: HeatDemandParams,
}

/// River, weather and heat network of one place.
#[derive(Clone, Debug)]
pub struct Outside {
    river: River,
    weather: Weather,
    heat: HeatDemand,
}

/// The world outside at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutsideState {
    /// The river.
    pub river: RiverState,
    /// The weather.
    pub weather: WeatherState,
    /// The district heating network.
    pub heat: HeatState,
    /// Date and time of day.
    pub calendar: Calendar,
}

impl Outside {
    /// The years of this seed.
    #[must_use]
    pub fn new(params: &OutsideParams, seed: u64) -> Self {
        Self {
            river: River::new(params.river.clone(), seed),
            weather: Weather::new(params.weather, seed),
            heat: HeatDemand::new(params.heat),
        }
    }

    /// How it is `t_s` seconds after the first of January.
    #[must_use]
    pub fn at(&self, t_s: f64) -> OutsideState {
        let weather = self.weather.at(t_s);
        OutsideState {
            river: self.river.at(t_s),
            weather,
            heat: self.heat.at(t_s, weather.day_celsius),
            calendar: calendar(t_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_moment_is_the_same_in_whatever_order_one_asks() {
        let first = Outside::new(&OutsideParams::default(), 3);
        let again = Outside::new(&OutsideParams::default(), 3);
        let moments: Vec<f64> = (0..2000).map(|step| f64::from(step) * 17_321.0).collect();
        let forth: Vec<_> = moments.iter().map(|t_s| first.at(*t_s)).collect();
        let back: Vec<_> = moments.iter().rev().map(|t_s| again.at(*t_s)).collect();
        assert!(forth.iter().eq(back.iter().rev()));
    }

    #[test]
    fn another_seed_is_another_year() {
        let at = |seed| Outside::new(&OutsideParams::default(), seed).at(1e7).river.celsius.to_bits();
        assert_ne!(at(1), at(2));
    }

    #[test]
    fn the_year_comes_round_without_a_jump() {
        let outside = Outside::new(&OutsideParams::default(), 5);
        let (last, first) = (outside.at(YEAR_S - 1.0), outside.at(YEAR_S + 1.0));
        assert!((last.river.celsius - first.river.celsius).abs() < 0.01, "{last:?} {first:?}");
        assert!((last.weather.air_celsius - first.weather.air_celsius).abs() < 0.01);
        assert_eq!(outside.at(YEAR_S + 5e6), outside.at(5e6));
    }

    #[test]
    fn a_site_reads_its_world_from_configuration() {
        let text = r#"
            [river]
            flow_m3_s = 20.0
            [[river.events]]
            from_day = 176.0
            days = 10.0
            what = { kind = "heat-wave", kelvin = 5.5 }
            [heat]
            peak_watts = 12e6
        "#;
        let params: OutsideParams = toml::from_str(text).unwrap();
        assert_eq!(params.river.events.len(), 1);
        assert!((params.river.mean_celsius - RiverParams::default().mean_celsius).abs() < 1e-12);
        for typo in ["[river]\nwidth = 3", "[weather]\nsnow = true", &text.replace("days", "dyas")] {
            assert!(toml::from_str::<OutsideParams>(typo).is_err(), "{typo}");
        }
    }
}
