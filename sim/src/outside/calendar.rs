//! Dates: a year of 365 days that begins on the first of January.
//!
//! ```text
//!   t_s ─► day 0 to 364, second 0 to 86,399 ─► month 1 to 12, season −1 (winter) to 1 (summer)
//! ```

use core::f64::consts::TAU;

use eisbach_control::Calendar;

/// A day, s.
pub const DAY_S: f64 = 86_400.0;
/// A year, s. There are no leap years.
pub const YEAR_S: f64 = 365.0 * DAY_S;

/// First day of each month, counted from 0.
const MONTHS: [u16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Date and time of day, `t_s` seconds after the first of January.
#[must_use]
pub fn calendar(t_s: f64) -> Calendar {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "held between 0 and a year of seconds"
    )]
    let second = in_year(t_s) as u32;
    let day = second / 86_400;
    Calendar {
        day_of_year: u16::try_from(day.min(364)).unwrap_or_default() + 1,
        second_of_day: second % 86_400,
    }
}

/// Month, 1 to 12.
#[must_use]
pub fn month(t_s: f64) -> u8 {
    let day = calendar(t_s).day_of_year - 1;
    MONTHS.iter().fold(0, |month, first| month + u8::from(*first <= day))
}

/// Seconds from the first of January to 00:00 of a date; `None` if there is no such date.
#[must_use]
pub fn date(month: u8, day: u8) -> Option<f64> {
    let index = usize::from(month.checked_sub(1)?);
    let first = *MONTHS.get(index)?;
    let length = MONTHS.get(index + 1).unwrap_or(&365) - first;
    let within = (1..=length).contains(&u16::from(day));
    within.then(|| (f64::from(first) + f64::from(day) - 1.0) * DAY_S)
}

/// The same moment of the first year, so that every year is the same to the bit.
pub(super) fn in_year(t_s: f64) -> f64 {
    t_s.rem_euclid(YEAR_S)
}

/// Between -1 and 1, with its maximum `peak_months` after the first of January.
pub(super) fn season(t_s: f64, peak_months: f64) -> f64 {
    (TAU * (in_year(t_s) / YEAR_S - peak_months / 12.0)).cos()
}

/// Between -1 and 1, with its maximum at `peak_hour` of each day.
pub(super) fn hour_of_day(t_s: f64, peak_hour: f64) -> f64 {
    (TAU * (in_year(t_s) / DAY_S - peak_hour / 24.0)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_agree() {
        for (month_, day, day_of_year) in [(1, 1, 1), (2, 28, 59), (3, 1, 60), (10, 18, 291), (12, 31, 365)] {
            let t_s = date(month_, day).unwrap();
            assert_eq!(calendar(t_s), Calendar { day_of_year, second_of_day: 0 });
            assert_eq!(month(t_s), month_);
            assert_eq!(month(t_s + DAY_S - 1.0), month_);
        }
    }

    #[test]
    fn there_is_no_thirtieth_of_february() {
        for (month, day) in [(2, 29), (4, 31), (13, 1), (0, 1), (5, 0)] {
            assert_eq!(date(month, day), None, "{month} {day}");
        }
    }

    #[test]
    fn the_second_year_has_the_dates_of_the_first() {
        assert_eq!(calendar(YEAR_S + 90_061.0), Calendar { day_of_year: 2, second_of_day: 3661 });
        assert_eq!(calendar(-1.0), Calendar { day_of_year: 365, second_of_day: 86_399 });
    }
}
