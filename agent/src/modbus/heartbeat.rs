//! The counter that a device's watchdog looks at. Only completed control cycles move it.
//!
//! ```text
//!   every period: echo as last written? ── 3 times no ──► ignored (a frozen device)
//!        │
//!        └─ a cycle was completed since the last count? ── yes ──► count up, write
//!                                                       └─ no ───► nothing: the device shall see it
//! ```
//!
//! Pure: time and the number of the last completed cycle are arguments.

use eisbach_protocol::units::Millis;

/// An echo that does not follow for so many counts means a frozen device; a watchdog waits for as many.
const PATIENCE: u8 = 3;

/// The heartbeat of one device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heart {
    period: Millis,
    echoes: bool,
    count: u16,
    /// The cycle that the last count stands for.
    cycle: u64,
    due: Millis,
    /// The last count was taken, and its echo was not looked at yet.
    unanswered: bool,
    missed: u8,
}

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Look whether the echo is the last count.
    Look,
    /// Write this count.
    Beat(u16),
}

impl Heart {
    /// A heart that beats every `period`, for a device that `echoes` or not.
    pub(super) const fn new(period: Millis, echoes: bool) -> Self {
        Self { period, echoes, count: 0, cycle: 0, due: Millis::ZERO, unanswered: false, missed: 0 }
    }

    /// What to do and when, if `cycle` was the last completed one. Nothing without another one.
    pub(super) fn next(&self, cycle: u64) -> Option<(Millis, Stroke)> {
        if self.echoes && self.unanswered {
            Some((self.due, Stroke::Look))
        } else {
            (cycle > self.cycle).then(|| (self.due, Stroke::Beat(self.count.wrapping_add(1))))
        }
    }

    /// The next count is being written for `cycle`. Whether the device `took` it.
    pub(super) fn beaten(&mut self, cycle: u64, took: bool, now: Millis) {
        self.count = self.count.wrapping_add(1);
        self.cycle = cycle;
        self.due = now + self.period;
        self.unanswered = took;
        if !took {
            self.missed = self.missed.saturating_add(1);
        } else if !self.echoes {
            self.missed = 0;
        }
    }

    /// The echo register holds `found`; nothing if the device declined to say.
    pub(super) fn heard(&mut self, found: Option<u16>) {
        self.unanswered = false;
        self.missed = if found == Some(self.count) { 0 } else { self.missed.saturating_add(1) };
    }

    /// The connection was lost: nobody knows whether the last count arrived.
    pub(super) const fn doubt(&mut self) {
        self.unanswered = false;
    }

    /// Whether the device does not follow.
    pub(super) const fn is_ignored(&self) -> bool {
        self.missed >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PERIOD: Millis = Millis::new(1_000);

    fn at(ms: u64) -> Millis {
        Millis::new(ms)
    }

    #[test]
    fn i07_a_hung_cycle_stops_the_heartbeat_and_a_completed_one_starts_it() {
        let mut heart = Heart::new(PERIOD, false);
        assert_eq!(heart.next(0), None, "no cycle was completed yet");
        assert_eq!(heart.next(1), Some((at(0), Stroke::Beat(1))));
        heart.beaten(1, true, at(0));
        assert_eq!(heart.next(1), None);
        assert_eq!(heart.next(2), Some((PERIOD, Stroke::Beat(2))));
    }

    #[test]
    fn i06_a_frozen_echo_is_told_after_three_counts_and_forgiven_when_it_follows() {
        let mut heart = Heart::new(PERIOD, true);
        for cycle in 1..=3 {
            assert!(!heart.is_ignored());
            heart.beaten(cycle, true, at(cycle * 1_000));
            let (due, stroke) = heart.next(cycle + 1).unwrap();
            assert_eq!((due, stroke), (at(cycle * 1_000 + 1_000), Stroke::Look), "before the next count");
            heart.heard(Some(77));
        }
        assert!(heart.is_ignored());
        heart.beaten(4, true, at(4_000));
        heart.heard(Some(4));
        assert!(!heart.is_ignored());
    }

    #[test]
    fn a_device_that_declines_the_count_ignores_it() {
        let mut heart = Heart::new(PERIOD, false);
        (1..=3).for_each(|cycle| heart.beaten(cycle, false, at(0)));
        assert!(heart.is_ignored());
        heart.beaten(4, true, at(0));
        assert!(!heart.is_ignored());
    }

    proptest! {
        #[test]
        fn i07_there_is_never_a_count_without_a_completed_cycle_nor_sooner_than_a_period(
            steps in prop::collection::vec((0..700_u64, 0..3_u64), 1..300),
        ) {
            let (mut heart, mut now, mut cycle) = (Heart::new(PERIOD, false), 0, 0);
            let mut last: Option<(u64, u64)> = None;
            for (pause, cycles) in steps {
                now += pause;
                cycle += cycles;
                if heart.next(cycle).is_some_and(|(due, _)| due <= at(now)) {
                    if let Some((before, when)) = last {
                        prop_assert!(cycle > before && now - when >= PERIOD.get());
                    }
                    prop_assert!(cycle > 0);
                    heart.beaten(cycle, true, at(now));
                    last = Some((cycle, now));
                }
            }
        }
    }
}
