//! What goes over the wire next: the most urgent wish that is due, and among equals the one that is due longest.
//!
//! ```text
//!   Safe ─► Control ─► Heartbeat ─► FastPoll ─► SlowPoll
//!                          ▲            ▲           │
//!                          └────────────┴── reads that wait for 3, then 6 of their periods
//! ```
//!
//! There is no queue that could fill up: every command, read-back, heartbeat and read has one place of its own and
//! says by itself when it is due. Writes go before everything else, but not for ever: after a device's worth of
//! them something else that is due has one turn, so that nothing is controlled without being measured.

use eisbach_protocol::registers::MAX_COMMANDS;
use eisbach_protocol::units::Millis;

/// Every command of one device with its read-back goes through at a stretch; then something else has one turn.
const WRITES_IN_A_ROW: usize = 2 * MAX_COMMANDS;
/// A read that waits for so many of its periods goes up one class.
const PATIENCE: u64 = 3;

/// How urgent, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A write towards more cooling, or one that stops a leak.
    Safe,
    /// Any other write, and the look at a device before it may be written to.
    Control,
    /// The count that a device's watchdog waits for.
    Heartbeat,
    /// Values that control acts on.
    FastPoll,
    /// Values that people look at.
    SlowPoll,
}

/// A wish for the wire. Orders as it is served: by class, then by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// How urgent it is.
    pub(super) class: Class,
    /// Not before this time.
    pub(super) at: Millis,
}

impl Due {
    /// A read that repeats every `period`: the longer it waits, the more urgent it is, but never as a write.
    pub(super) fn read(class: Class, at: Millis, period: Millis, now: Millis) -> Self {
        let lifts = now.since(at).get() / period.get().max(1).saturating_mul(PATIENCE);
        let class = match (class, lifts) {
            (Class::SlowPoll, 1) => Class::FastPoll,
            (Class::SlowPoll, 2..) | (Class::FastPoll, 1..) => Class::Heartbeat,
            (class, _) => class,
        };
        Self { class, at }
    }

    /// Sorts by who goes first as seen at `now`: what is due by urgency, and before what is not due yet.
    pub(super) fn order(self, now: Millis) -> (Millis, Self) {
        (self.at.max(now), self)
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next<J> {
    /// This.
    Now(J),
    /// Nothing before this time, unless somebody wishes something new.
    Rest(Millis),
}

/// Chooses, and remembers how long it has only chosen writes.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    writes: usize,
}

impl Agenda {
    /// The job to do at `now`.
    pub(super) fn next<J: Copy>(&mut self, jobs: impl Iterator<Item = (J, Due)>, now: Millis) -> Next<J> {
        let (mut write, mut other) = (None, None);
        let mut rest = Millis::FOREVER;
        for (job, due) in jobs {
            let best = match due.class {
                Class::Safe | Class::Control => &mut write,
                Class::Heartbeat | Class::FastPoll | Class::SlowPoll => &mut other,
            };
            if due.at > now {
                rest = rest.min(due.at);
            } else if best.is_none_or(|(_, first)| due < first) {
                *best = Some((job, due));
            }
        }
        match (write, other) {
            (Some((write, _)), None) => Next::Now(write),
            (Some((write, _)), Some(_)) if self.writes < WRITES_IN_A_ROW => {
                self.writes += 1;
                Next::Now(write)
            }
            (_, Some((other, _))) => {
                self.writes = 0;
                Next::Now(other)
            }
            (None, None) => Next::Rest(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Millis = Millis::new(1_000);

    fn due(class: Class, at: u64) -> Due {
        Due { class, at: Millis::new(at) }
    }

    #[test]
    fn the_most_urgent_goes_first_and_then_the_one_that_waits_longest() {
        let jobs = [
            ('a', due(Class::SlowPoll, 0)),
            ('b', due(Class::FastPoll, 10)),
            ('c', due(Class::Heartbeat, 900)),
            ('d', due(Class::Control, 1_000)),
            ('e', due(Class::Control, 999)),
            ('f', due(Class::Safe, 1_001)),
        ];
        let order = |count: usize| Agenda::default().next(jobs[..count].iter().copied(), NOW);
        assert_eq!([1, 2, 3, 4, 5, 6].map(order), ['a', 'b', 'c', 'd', 'e', 'e'].map(Next::Now));
        assert_eq!(Agenda::default().next(jobs[5..].iter().copied(), NOW), Next::Rest(Millis::new(1_001)));
        assert_eq!(
            Agenda::default().next(std::iter::empty::<(char, Due)>(), NOW),
            Next::Rest(Millis::FOREVER)
        );
    }

    #[test]
    fn a_read_that_waits_is_lifted_but_never_to_a_write() {
        let class =
            |class, waited| Due::read(class, Millis::ZERO, Millis::new(100), Millis::new(waited)).class;
        assert_eq!(class(Class::SlowPoll, 299), Class::SlowPoll);
        assert_eq!(class(Class::SlowPoll, 300), Class::FastPoll);
        assert_eq!(class(Class::SlowPoll, 600), Class::Heartbeat);
        assert_eq!(class(Class::FastPoll, 300), Class::Heartbeat);
        assert_eq!(class(Class::FastPoll, u64::MAX), Class::Heartbeat);
        assert_eq!(Due::read(Class::FastPoll, NOW, Millis::FOREVER, Millis::ZERO).class, Class::FastPoll);
    }

    /// A job that comes back `period` after it was due, like every place on the agenda.
    #[derive(Clone, Copy, Debug)]
    struct Job {
        class: Class,
        period: u64,
        at: u64,
        longest_wait: u64,
    }

    fn jobs() -> impl Strategy<Value = Vec<Job>> {
        let class = prop_oneof![
            Just(Class::Safe),
            Just(Class::Control),
            Just(Class::FastPoll),
            Just(Class::SlowPoll)
        ];
        let job = (class, 10..500_u64).prop_map(|(class, period)| {
            let period = if class == Class::SlowPoll { period * 10 } else { period };
            Job { class, period, at: 0, longest_wait: 0 }
        });
        prop::collection::vec(job, 1..24)
    }

    proptest! {
        #[test]
        fn no_read_starves_however_busy_the_wire_is(mut jobs in jobs(), exchange in 1..100_u64) {
            let (mut agenda, mut now) = (Agenda::default(), 0);
            for _ in 0..20_000 {
                let at = Millis::new(now);
                let places = jobs.iter().enumerate().map(|(index, job)| {
                    (index, Due::read(job.class, Millis::new(job.at), Millis::new(job.period), at))
                });
                match agenda.next(places, at) {
                    Next::Rest(until) => now = until.get(),
                    Next::Now(index) => {
                        let job = &mut jobs[index];
                        job.longest_wait = job.longest_wait.max(now - job.at);
                        now += exchange;
                        job.at = (job.at + job.period).max(now);
                    }
                }
            }
            let round = exchange * u64::try_from((1 + WRITES_IN_A_ROW) * (1 + jobs.len())).unwrap();
            for job in jobs.iter().filter(|job| matches!(job.class, Class::FastPoll | Class::SlowPoll)) {
                let waited = job.longest_wait.max(now.saturating_sub(job.at));
                prop_assert!(waited <= 2 * PATIENCE * job.period + 2 * round, "{job:?} waited {waited} ms");
            }
        }

        #[test]
        fn the_agenda_never_rests_while_something_is_due(ats in prop::collection::vec(0..2_000_u64, 0..20)) {
            let jobs = ats.iter().map(|&at| (at, due(Class::FastPoll, at)));
            match Agenda::default().next(jobs, NOW) {
                Next::Now(at) => prop_assert_eq!(Some(&at), ats.iter().min()),
                Next::Rest(until) => prop_assert!(ats.iter().all(|&at| at >= until.get() && at > NOW.get())),
            }
        }
    }
}
