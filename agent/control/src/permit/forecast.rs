//! How warm the river will be in a while: as much warmer than now as it was at this time yesterday.
//!
//! ```text
//!   24 slots, one an hour, each the mean of its last hour:   ▁▁▁▂▃▄▅▆▇▇▆▅▄▃▂▂▁▁
//!                                                       now ──┘  └── in a while
//! ```

use eisbach_protocol::units::{Celsius, Kelvin, Millis};
use serde::{Deserialize, Serialize};

use crate::surroundings::Calendar;

const HOURS: usize = 24;
const HOUR_S: f32 = 3600.0;
const DAY_S: u32 = 86_400;
/// An hour of which fewer seconds were seen tells nothing.
const LEAST_SEEN_S: f32 = 600.0;

/// The river's last day.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Forecast {
    slots: [Option<f32>; HOURS],
    /// The hour that is being seen: its number, kelvin-seconds, seconds.
    hour: Option<(usize, f32, f32)>,
}

impl Forecast {
    /// Sees the river for a while.
    pub(super) fn see(&mut self, river: Celsius, calendar: Calendar, dt_s: f32) {
        let hour = hour_of(calendar.second_of_day);
        let (before, sum, seen) = self.hour.unwrap_or((hour, 0.0, 0.0));
        if before != hour {
            if let Some(slot) = self.slots.get_mut(before).filter(|_| seen >= LEAST_SEEN_S) {
                *slot = Some(sum / seen);
            }
            self.hour = Some((hour, river.get() * dt_s, dt_s));
        } else {
            self.hour = Some((hour, sum + river.get() * dt_s, seen + dt_s));
        }
    }

    /// How much warmer it will be, as far as yesterday tells.
    pub(super) fn warmer(&self, calendar: Calendar, ahead: Millis) -> Option<Kelvin> {
        let now = self.at(calendar.second_of_day)?;
        let seconds = u32::try_from(ahead.get() / 1000).unwrap_or(DAY_S);
        let then = self.at(calendar.second_of_day.saturating_add(seconds) % DAY_S)?;
        Some(Kelvin::new(then - now))
    }

    /// Seconds that are left of the day, those not counted in which the river will be warmer than that.
    pub(super) fn open_seconds(&self, calendar: Calendar, river: Celsius, warmest: Celsius) -> f32 {
        let left = DAY_S.saturating_sub(calendar.second_of_day);
        let hours = (0..u32::try_from(HOURS).unwrap_or(0)).map(|hour| hour * 3600);
        let open = hours.filter(|ahead| *ahead < left).map(|ahead| {
            let warmer = self.warmer(calendar, Millis::from_secs(ahead.into())).unwrap_or(Kelvin::ZERO);
            let seconds = exact(left - ahead).min(HOUR_S);
            if river + warmer < warmest { seconds } else { 0.0 }
        });
        open.sum()
    }

    /// Yesterday's river at this second of the day: between the middles of its hours.
    fn at(&self, second: u32) -> Option<f32> {
        let place = exact(second % DAY_S) / HOUR_S - 0.5;
        let first = libm::floorf(place);
        let share = place - first;
        let slot = |hour: f32| {
            let hour = if hour < 0.0 { 23.0 } else { hour };
            let at = (0..HOURS).find(|at| exact_hour(*at) >= hour)?;
            self.slots.get(at).copied().flatten()
        };
        let next = if first >= 23.0 { 0.0 } else { first + 1.0 };
        Some(slot(first)? * (1.0 - share) + slot(next)? * share)
    }
}

fn hour_of(second: u32) -> usize {
    usize::try_from(second % DAY_S / 3600).unwrap_or(0)
}

/// Small whole numbers are exact.
#[expect(clippy::cast_precision_loss, reason = "below 2^24")]
const fn exact(number: u32) -> f32 {
    number as f32
}

#[expect(clippy::cast_precision_loss, reason = "at most 24")]
const fn exact_hour(hour: usize) -> f32 {
    hour as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second_of_day: u32) -> Calendar {
        Calendar { day_of_year: 190, second_of_day }
    }

    /// A day whose river is warmest at four in the afternoon.
    fn river(second: u32) -> Celsius {
        let hour = exact(second) / 3600.0;
        Celsius::new(20.0 + 1.5 * libm::cosf((hour - 16.0) / 24.0 * core::f32::consts::TAU))
    }

    fn seen() -> Forecast {
        let mut forecast = Forecast::default();
        for second in (0..DAY_S).chain(0..60).step_by(10) {
            forecast.see(river(second), at(second), 10.0);
        }
        forecast
    }

    #[test]
    fn nothing_is_foretold_of_hours_that_were_never_seen() {
        assert_eq!(Forecast::default().warmer(at(0), Millis::from_secs(900)), None);
    }

    #[test]
    fn the_morning_grows_warmer_and_the_evening_cooler_as_yesterday() {
        let forecast = seen();
        for second in [0, 3 * 3600, 9 * 3600 + 100, 15 * 3600, 20 * 3600, 86_000] {
            let hour = Millis::from_secs(3600);
            let told = forecast.warmer(at(second), hour).unwrap().get();
            let real = (river((second + 3600) % DAY_S) - river(second)).get();
            assert!((told - real).abs() < 0.06, "{second}: {told} {real}");
        }
    }

    #[test]
    fn closed_hours_are_left_out_of_what_is_left_of_the_day() {
        let forecast = seen();
        let noon = 12 * 3600;
        let all = forecast.open_seconds(at(noon), river(noon), Celsius::new(30.0));
        let some = forecast.open_seconds(at(noon), river(noon), Celsius::new(21.0));
        assert!((all - 43_200.0).abs() < 1.0, "{all}");
        // Above 21 °C from about one to seven.
        assert!(
            (6.0 * 3600.0..8.0 * 3600.0).contains(&(all - some + 0.0))
                || (all - some - 21_600.0).abs() < 3600.0,
            "{some}"
        );
    }
}
