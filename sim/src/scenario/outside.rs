//! The world outside the node in a scenario: river, room, heat network.

use eisbach_control::Surroundings;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Millis, Quantity, Watts};
use serde::Deserialize;

use super::course::Course;
use crate::closed_loop::single;
use crate::outside::{DAY_S, Discharge, Permit, RiverState, calendar};
use crate::plant::{Boundary, PlantParams};

/// Age of what the facility tells.
const AGE: Millis = Millis::from_secs(1);
/// Heat that 1 m³/s of river takes for each kelvin, W/K.
const RIVER: f64 = 4.19e6;
/// Warming of the water drawn, K: below what permits usually allow. Estimate.
const INTAKE_RISE: f64 = 7.0;
/// Least intake, m³/s: nothing is divided by nothing.
const LEAST_INTAKE: f64 = 1e-6;
/// A day of April, where the scenario does not tell its own.
const SPRING_DAY: u16 = 105;

/// The world outside. What is not given is as on a spring day, and what needs no value is not told to the controller.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outside {
    /// River temperature, °C.
    pub river: Course,
    /// Discharge of the river, m³/s.
    pub river_flow: Option<Course>,
    /// This node's share of what the site may give to the river, 0 to 1.
    pub river_share: Option<f64>,
    /// What the permit allows.
    pub permit: Permit,
    /// Room temperature, °C.
    pub room: Course,
    /// Relative humidity of the room, 0 to 1.
    pub humidity: Course,
    /// Heat that the network takes, W; 8 kW for a node of eight H200 if not given, and not told to the controller.
    pub heat_demand: Option<Course>,
    /// Supply temperature that the network asks for, °C.
    pub network_supply: Option<Course>,
    /// Day of the year on which the scenario begins, 1 to 366.
    pub day_of_year: Option<u16>,
    /// Hour of the day at which it begins.
    pub hour: f64,
}

impl Default for Outside {
    fn default() -> Self {
        let usual = Boundary::default();
        Self {
            river: Course::Fixed(usual.river_celsius),
            river_flow: None,
            river_share: None,
            permit: Permit::default(),
            room: Course::Fixed(usual.room_celsius),
            humidity: Course::Fixed(usual.room_humidity),
            heat_demand: None,
            network_supply: None,
            day_of_year: None,
            hour: 0.0,
        }
    }
}

impl Outside {
    /// What acts on the plant at a moment. The load is not from here.
    pub(super) fn boundary(&self, now_s: f64, plant: &PlantParams) -> Boundary {
        let usual = Boundary::default();
        let demand = self.heat_demand.as_ref();
        Boundary {
            river_celsius: self.river.at(now_s),
            room_celsius: self.room.at(now_s),
            room_humidity: self.humidity.at(now_s),
            heat_demand_watts: demand
                .map_or_else(|| usual.heat_demand_watts * plant.size(), |course| course.at(now_s)),
            ..usual
        }
    }

    /// What the facility tells of it.
    pub(super) fn told(&self, now_s: f64, demand_watts: f64) -> Surroundings {
        fn reading<Q: Quantity>(value: f64) -> Reading<Q> {
            Reading::measured(Q::from_f32(single(value)), AGE)
        }
        let river = self.river_flow.as_ref();
        Surroundings {
            river: river.map_or_else(Reading::default, |_| reading::<Celsius>(self.river.at(now_s))),
            river_flow: river
                .map_or_else(Reading::default, |flow| reading::<CubicMetersPerSecond>(flow.at(now_s))),
            river_share: self.river_share.map(single),
            heat_demand: self
                .heat_demand
                .as_ref()
                .map_or_else(Reading::default, |_| reading::<Watts>(demand_watts)),
            network_supply: self
                .network_supply
                .as_ref()
                .map_or_else(Reading::default, |course| reading::<Celsius>(course.at(now_s))),
            calendar: self.day_of_year.map(|_| calendar(self.year_s(now_s))),
        }
    }

    /// Whether a node that gives so much heat to the river breaks the permit, if all nodes of the site do as it does.
    pub(super) fn breaks_permit(&self, now_s: f64, river_watts: f64) -> bool {
        let (Some(flow), Some(share)) = (&self.river_flow, self.river_share) else { return false };
        let river = RiverState { celsius: self.river.at(now_s), flow_m3_s: flow.at(now_s), debris: 1.0 };
        let heat_watts = river_watts / share.max(1e-12);
        // Enough water for the usual warming in the exchanger; where there is not so much, all there is.
        let wanted = heat_watts / (RIVER * INTAKE_RISE);
        let discharge = Discharge {
            heat_watts,
            intake_m3_s: wanted.clamp(LEAST_INTAKE, river.flow_m3_s.max(LEAST_INTAKE)),
        };
        self.permit.violation(&river, discharge, self.year_s(now_s)).is_some()
    }

    /// Seconds since the first of January.
    fn year_s(&self, now_s: f64) -> f64 {
        let day = f64::from(self.day_of_year.unwrap_or(SPRING_DAY)) - 1.0;
        day * DAY_S + self.hour * 3600.0 + now_s
    }

    /// What is wrong with it: the key, and why.
    pub(super) fn fault(&self) -> Option<(String, String)> {
        let course = |key: &str, course: &Course, low, high| {
            course.fault(low, high).map(|why| (format!("outside.{key}"), why))
        };
        let maybe = |key: &str, there: &Option<Course>, low, high| {
            there.as_ref().and_then(|there| course(key, there, low, high))
        };
        let share = self.river_share.filter(|share| !(0.0..=1.0).contains(share));
        let day = self.day_of_year.filter(|day| !(1..=366).contains(day));
        course("river", &self.river, 0.0, 40.0)
            .or_else(|| course("room", &self.room, -20.0, 60.0))
            .or_else(|| course("humidity", &self.humidity, 0.0, 1.0))
            .or_else(|| maybe("river-flow", &self.river_flow, 0.0, 1000.0))
            .or_else(|| maybe("heat-demand", &self.heat_demand, 0.0, 1e6))
            .or_else(|| maybe("network-supply", &self.network_supply, 20.0, 130.0))
            .or_else(|| {
                share.map(|share| {
                    ("outside.river-share".to_owned(), format!("{share} is not between 0 and 1"))
                })
            })
            .or_else(|| {
                day.map(|day| ("outside.day-of-year".to_owned(), format!("{day} is not between 1 and 366")))
            })
            .or_else(|| {
                let hour = self.hour;
                (!(0.0..24.0).contains(&hour))
                    .then(|| ("outside.hour".to_owned(), format!("{hour} is not between 0 and 24")))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn river(celsius: f64, flow: f64, share: f64) -> Outside {
        Outside {
            river: Course::Fixed(celsius),
            river_flow: Some(Course::Fixed(flow)),
            river_share: Some(share),
            ..Outside::default()
        }
    }

    #[test]
    fn twelve_megawatts_warm_a_small_river_by_more_than_it_may_be() {
        // 7.6 kW of 12 MW.
        let share = 7600.0 / 12e6;
        assert!(!river(15.0, 5.0, share).breaks_permit(0.0, 7600.0));
        assert!(river(15.0, 1.8, share).breaks_permit(0.0, 7600.0));
        assert!(river(21.3, 5.0, share).breaks_permit(0.0, 7600.0));
        assert!(!river(23.0, 5.0, share).breaks_permit(0.0, 10.0), "what valves leak counts as nothing");
    }

    #[test]
    fn the_calendar_goes_on_past_midnight() {
        let outside = Outside { day_of_year: Some(365), hour: 23.0, ..Outside::default() };
        let calendar = outside.told(7200.0, 0.0).calendar.unwrap();
        assert_eq!((calendar.day_of_year, calendar.second_of_day), (1, 3600));
    }

    #[test]
    fn what_is_not_given_is_not_told() {
        let told = Outside::default().told(0.0, 8000.0);
        assert_eq!(told.river.usable(), None);
        assert_eq!(told.heat_demand.usable(), None);
        assert!(river(15.0, 5.0, 0.1).told(0.0, 0.0).river.usable().is_some());
    }
}
