//! From the time of day to the calendar of a site.

use eisbach_control::Calendar;
use time::{OffsetDateTime, UtcOffset};

/// A clock before this, 1 January 2024, has not been set.
const SET_SINCE_MS: u64 = 1_704_067_200_000;

/// The moment in local standard time, so many minutes east of UTC; none while the node's clock has not been set.
pub(crate) fn at(wall_ms: u64, standard_time_minutes: i16) -> Option<Calendar> {
    if wall_ms < SET_SINCE_MS {
        return None;
    }
    let seconds = i64::try_from(wall_ms / 1000).ok()?;
    let offset = UtcOffset::from_whole_seconds(i32::from(standard_time_minutes) * 60).ok()?;
    let local = OffsetDateTime::from_unix_timestamp(seconds).ok()?.to_offset(offset);
    let (hour, minute, second) = local.to_hms();
    let second_of_day = u32::from(hour) * 3600 + u32::from(minute) * 60 + u32::from(second);
    Some(Calendar { day_of_year: local.ordinal(), second_of_day })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_the_sites_midnight() {
        // 30 June 2026, 23:00:00 UTC.
        let wall_ms = 1_782_860_400_000;
        assert_eq!(at(wall_ms, 60), Some(Calendar { day_of_year: 182, second_of_day: 0 }));
        assert_eq!(at(wall_ms, 0), Some(Calendar { day_of_year: 181, second_of_day: 23 * 3600 }));
    }

    #[test]
    fn a_clock_that_was_never_set_tells_no_date() {
        assert_eq!(at(0, 60), None);
    }
}
