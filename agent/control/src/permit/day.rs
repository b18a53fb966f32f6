//! The day's allowance: what was given is counted, and what is left is spread over the hours in which the river is open.

use eisbach_protocol::units::KilowattHours;
use serde::{Deserialize, Serialize};

use crate::surroundings::Calendar;

/// Watt-seconds to kilowatt-hours.
const KWH_PER_WATT_SECOND: f32 = 1.0 / 3.6e6;

/// What was given to the river today.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Day {
    number: Option<u16>,
    given_kwh: f32,
}

impl Day {
    /// Counts a while; what is left of the allowance.
    pub(super) fn count(
        &mut self,
        calendar: Calendar,
        watts: f32,
        dt_s: f32,
        allowance: KilowattHours,
    ) -> KilowattHours {
        if self.number != Some(calendar.day_of_year) {
            *self = Self { number: Some(calendar.day_of_year), given_kwh: 0.0 };
        }
        self.given_kwh += watts * dt_s * KWH_PER_WATT_SECOND;
        KilowattHours::new(allowance.get() - self.given_kwh).larger(KilowattHours::ZERO)
    }
}

/// Heat that uses up what is left in the seconds that are left, W.
pub(super) fn spread(left: KilowattHours, seconds: f32) -> f32 {
    // The last minute of a day decides nothing.
    left.get() / KWH_PER_WATT_SECOND / seconds.max(60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day_of_year: u16) -> Calendar {
        Calendar { day_of_year, second_of_day: 0 }
    }

    #[test]
    fn a_day_counts_what_it_gives_and_midnight_forgets_it() {
        let mut day = Day::default();
        let allowance = KilowattHours::new(100.0);
        for _ in 0..3600 {
            day.count(at(190), 7200.0, 1.0, allowance);
        }
        let left = day.count(at(190), 0.0, 1.0, allowance).get();
        assert!((left - 92.8).abs() < 0.02, "{left}");
        assert_eq!(day.count(at(191), 0.0, 1.0, allowance), allowance);
    }

    #[test]
    fn what_is_left_is_spread_over_what_is_left_of_the_day() {
        assert!((spread(KilowattHours::new(10.0), 36_000.0) - 1000.0).abs() < 0.1);
    }
}
