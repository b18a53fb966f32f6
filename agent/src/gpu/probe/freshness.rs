//! How old a value can be: how often it changes while it is looked at twenty times a second.

use std::time::Duration;

use super::desk::Desk;
use super::getters::{ENERGY, GETTERS, TEMPERATURE, TEMPERATURE_V};
use super::look::FIELDS;
use super::raw::Handle;
use super::report::FreshnessFound;
use crate::clock::Clock;

/// From look to look.
const PERIOD: Duration = Duration::from_millis(50);

/// What is watched, in this order.
const WATCHED: [&str; 4] = ["temperature", "power average (185)", "power instant (186)", "energy"];

/// Watches the values for this long.
pub(super) fn watch(gpu: &Handle, time: Duration, clock: Clock, desk: &Desk) -> Vec<FreshnessFound> {
    let mut changes = WATCHED.map(|_| Changes::default());
    let began = clock.elapsed();
    let mut next = began;
    while clock.elapsed().saturating_sub(began) < time {
        let values = [
            number(gpu, desk, TEMPERATURE_V).or_else(|| number(gpu, desk, TEMPERATURE)),
            field(gpu, desk, 185),
            field(gpu, desk, 186),
            number(gpu, desk, ENERGY),
        ];
        let now = clock.elapsed().saturating_sub(began);
        for (seen, value) in changes.iter_mut().zip(values) {
            seen.see(value, now);
        }
        // Absolute deadlines; a late one is not made up for.
        next = (next + PERIOD).max(clock.elapsed());
        std::thread::sleep(next.saturating_sub(clock.elapsed()));
    }
    WATCHED.iter().zip(changes).map(|(what, seen)| seen.found(what)).collect()
}

fn number(gpu: &Handle, desk: &Desk, name: &'static str) -> Option<i64> {
    let getter = GETTERS.iter().find(|getter| getter.name == name)?;
    desk.call(name, || (getter.call)(gpu)).0.ok()?.number()
}

fn field(gpu: &Handle, desk: &Desk, id: u32) -> Option<i64> {
    let (told, _) = desk.call(FIELDS, || gpu.fields(&[(id, 0)]));
    told.ok()?.first()?.value
}

/// The changes of one value.
#[derive(Debug, Default)]
struct Changes {
    samples: u32,
    last: Option<i64>,
    changed_at: Option<Duration>,
    changes: u32,
    /// Whole intervals only: the first change has nothing before it to count from.
    intervals_ms: Vec<u64>,
}

impl Changes {
    fn see(&mut self, value: Option<i64>, now: Duration) {
        let Some(value) = value else { return };
        self.samples = self.samples.saturating_add(1);
        if self.last.replace(value).is_none_or(|last| last == value) {
            return;
        }
        self.changes = self.changes.saturating_add(1);
        if let Some(before) = self.changed_at.replace(now) {
            let interval = now.saturating_sub(before).as_millis();
            self.intervals_ms.push(u64::try_from(interval).unwrap_or(u64::MAX));
        }
    }

    fn found(mut self, what: &'static str) -> FreshnessFound {
        self.intervals_ms.sort_unstable();
        let intervals = &self.intervals_ms;
        FreshnessFound {
            what,
            samples: self.samples,
            changes: self.changes,
            shortest_ms: intervals.first().copied(),
            median_ms: intervals.get(intervals.len() / 2).copied(),
            longest_ms: intervals.last().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_lies_between_two_changes() {
        let mut changes = Changes::default();
        for (ms, value) in
            [(0, Some(5)), (50, Some(5)), (100, Some(6)), (150, None), (200, Some(6)), (250, Some(7))]
        {
            changes.see(value, Duration::from_millis(ms));
        }
        let found = changes.found("power");
        assert_eq!((found.samples, found.changes), (5, 2));
        assert_eq!((found.shortest_ms, found.median_ms, found.longest_ms), (Some(150), Some(150), Some(150)));
    }

    #[test]
    fn a_value_that_stands_still_has_no_interval() {
        let mut changes = Changes::default();
        (0..9).for_each(|look| changes.see(Some(5), look * PERIOD));
        assert_eq!((changes.changes, changes.found("energy").median_ms), (0, None));
    }
}
