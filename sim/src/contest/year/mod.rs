//! A year of one node, ours against the clairvoyant optimum, hour by hour.
//!
//! ```text
//!   outside (river, permit, weather, heat) ─┬─► factory of one node, our controller, 1 s steps ─► cost of each hour ─┐
//!   work (day, week, noise) ────────────────┤                                                                      ├─► gap
//!                                           └─► best state at rest for the hour's means ────────► cost of each hour ─┘
//! ```
//!
//! The year is cut into quarters that run side by side, each with a day before it in which controller and plant find
//! their way; the same quarters on any number of threads, so the same bits.

mod hour;
mod work;

use serde::Serialize;

use self::hour::{Hour, Quarter};
use super::command::in_parallel;
use super::optimum::Cost;
use crate::factory::FactoryError;
use crate::outside::YEAR_S;

/// Parts that run on their own.
const PARTS: u32 = 4;
/// Hour, s.
pub(super) const HOUR_S: f64 = 3600.0;

/// What a year came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Year {
    /// Hours compared.
    pub hours: u32,
    /// Hours left out: nothing within the limits carries away the heat of all the work, or ours held some of it back.
    pub hours_left_out: u32,
    /// Of them, those with GPUs held back by ours, and how many GPU-hours of work less were done.
    pub hours_throttled: u32,
    /// See `hours_throttled`.
    pub throttled_gpu_hours: f64,
    /// Electricity of the node in the hours compared, kWh.
    pub it_kwh: f64,
    /// Cost of ours in the hours compared, kWh of electricity.
    pub ours: Cost,
    /// Cost of the optimum.
    pub optimum: Cost,
    /// Cost of an optimum that keeps the distance to slowdown which ours keeps.
    pub careful: Cost,
    /// Heat delivered by ours and by the optimum, and wanted, kWh.
    pub delivered_kwh: [f64; 3],
    /// Minutes in which ours broke the permit, all hours counted.
    pub permit_minutes: f64,
    /// Of them, those in hours in which the work asked for could have been cooled within the limits.
    pub permit_minutes_avoidable: f64,
    /// Hottest core in all the year, °C.
    pub peak_celsius: f64,
}

impl Year {
    /// How much more than the optimum ours cost, as a share of the optimum's.
    #[must_use]
    pub fn gap(&self) -> f64 {
        self.ours.total() / self.optimum.total() - 1.0
    }
}

/// Runs `days` of a year, spread over its quarters.
///
/// # Errors
///
/// Numbers of which no factory can be made.
pub(super) fn run(days: f64, seed: u64) -> Result<Year, FactoryError> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held in a year")]
    let hours = (days * 24.0 / f64::from(PARTS)).round().clamp(1.0, 2190.0) as u32;
    let parts: Vec<f64> = (0..PARTS).map(|part| f64::from(part) * YEAR_S / f64::from(PARTS)).collect();
    let quarters = in_parallel(&parts, |from| Quarter::new(*from, hours, seed).map(Quarter::run));
    let mut year = Year::default();
    for quarter in quarters {
        for hour in quarter? {
            year.add(&hour);
        }
    }
    Ok(year)
}

impl Default for Year {
    fn default() -> Self {
        Self {
            hours: 0,
            hours_left_out: 0,
            hours_throttled: 0,
            throttled_gpu_hours: 0.0,
            it_kwh: 0.0,
            ours: Cost::default(),
            optimum: Cost::default(),
            careful: Cost::default(),
            delivered_kwh: [0.0; 3],
            permit_minutes: 0.0,
            permit_minutes_avoidable: 0.0,
            peak_celsius: f64::NEG_INFINITY,
        }
    }
}

impl Year {
    fn add(&mut self, hour: &Hour) {
        self.permit_minutes += hour.permit_minutes;
        self.permit_minutes_avoidable += if hour.possible { hour.permit_minutes } else { 0.0 };
        self.peak_celsius = self.peak_celsius.max(hour.peak_celsius);
        self.throttled_gpu_hours += hour.throttled_gpu_s / HOUR_S;
        let throttled = hour.throttled_gpu_s > hour::HELD_BACK_GPU_S;
        self.hours_throttled += u32::from(throttled);
        if throttled || !hour.possible {
            self.hours_left_out += 1;
            return;
        }
        self.hours += 1;
        self.it_kwh += hour.it_kwh;
        self.ours.add(&hour.ours, 1.0);
        self.optimum.add(&hour.optimum, 1.0);
        self.careful.add(&hour.careful, 1.0);
        for (sum, hour) in self.delivered_kwh.iter_mut().zip(hour.delivered_kwh) {
            *sum += hour;
        }
    }
}

#[cfg(test)]
impl Year {
    /// A cost that is told apart by its size.
    pub(super) const fn example(kwh: f64) -> Cost {
        Cost { pump: kwh, heat_pump: 0.0, leakage: 0.0, undelivered: 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_hours_of_each_quarter_are_the_same_twice_and_cost_no_less_than_the_optimum() {
        let (first, again) = (run(0.2, 1).unwrap(), run(0.2, 1).unwrap());
        assert_eq!(first, again);
        assert!(first.hours > 0, "{first:?}");
        // Half a percent for heat that the loop holds from one hour to the next.
        assert!(first.gap() > -0.005, "{} {first:?}", first.gap());
    }
}
