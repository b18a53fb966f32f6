//! The reads of one device and when each is due.
//!
//! ```text
//!   gather ─► reads ── due ──► made ──────────► due again one period later (fast: the device's; slow: ten of them)
//!                        │ ─► busy ───────────► after 20 ms, after 80 ms, then as if made
//!                        │ ─► no answer ──────► at once; after the second time 1 s, 2 s, 4 s, 8 s later
//!                        └─► unknown register ► taken apart, see `gather`
//! ```
//!
//! The plan outlives connections: a read that the device never answers stays the rare one over all of them.

mod gather;

use eisbach_protocol::registers::{Point, PollClass, Profile};
use eisbach_protocol::units::Millis;

use self::gather::{Joining, gather, parts};
use super::agenda::{Class, Due};
use super::bus::Span;
use super::check::Refusal;
use super::session::BUSY_PAUSES;

/// Slow points are read so many times less often.
const SLOW: u64 = 10;
/// Slow points are never read more often than this.
const LEAST_SLOW_PERIOD: Millis = Millis::from_secs(1);
/// Pause after the second lost answer of one read in a row; doubled with each further one.
const FIRST_REST_MS: u64 = 1_000;
/// Doublings to the longest pause of 8 s.
const DOUBLINGS: u32 = 3;

/// The reads of one device and when each is due.
#[derive(Debug)]
pub(super) struct Plan {
    polls: Vec<Poll>,
    period: Millis,
}

/// One read and what it is for.
#[derive(Debug)]
pub(super) struct Poll {
    /// What to ask for.
    pub(super) span: Span,
    /// Why the device declined it the last time, if it did.
    pub(super) refusal: Option<Refusal>,
    class: PollClass,
    joining: Joining,
    due: Millis,
    /// Times in a row that the device was busy.
    busy: usize,
    /// Times in a row that no answer came.
    lost: u32,
    /// The points in it, as indices into the profile.
    points: Vec<usize>,
}

/// Time between two reads of a point of `class`, of a device polled every `period`.
pub(super) fn period_of(class: PollClass, period: Millis) -> Millis {
    match class {
        PollClass::Fast => period,
        PollClass::Slow => Millis::new(period.get().saturating_mul(SLOW)).max(LEAST_SLOW_PERIOD),
    }
}

impl Plan {
    /// All reads of `profile`, due at `now` and then every `period`.
    pub(super) fn new(profile: &Profile, period: Millis, now: Millis) -> Self {
        Self { polls: gather(profile, now), period }
    }

    /// The place of the read that goes first, and when: the most urgent that is due, or else the next to be.
    pub(super) fn next(&self, now: Millis) -> Option<(usize, Due)> {
        let due = |poll: &Poll| Due::read(poll.class(), poll.due, period_of(poll.class, self.period), now);
        self.polls.iter().map(due).enumerate().min_by_key(|(_, due)| due.order(now))
    }

    /// The read at `place`.
    pub(super) fn get(&self, place: usize) -> Option<&Poll> {
        self.polls.get(place)
    }

    /// Everything is due at `now`, but for what the device does not answer.
    pub(super) fn restart(&mut self, now: Millis) {
        for poll in self.polls.iter_mut().filter(|poll| poll.lost < 2) {
            poll.due = now;
        }
    }

    /// The read at `place` was made: it is due again one period later, or at once if that has passed.
    pub(super) fn done(&mut self, place: usize, refusal: Option<Refusal>, now: Millis) {
        if let Some(poll) = self.polls.get_mut(place) {
            (poll.refusal, poll.busy, poll.lost) = (refusal, 0, 0);
            poll.due = (poll.due + period_of(poll.class, self.period)).max(now);
        }
    }

    /// The device was busy: it is asked again soon, but not for ever. Returns whether it will be.
    pub(super) fn busy(&mut self, place: usize, now: Millis) -> bool {
        let Some((poll, pause)) =
            self.polls.get_mut(place).and_then(|poll| BUSY_PAUSES.get(poll.busy).map(|pause| (poll, pause)))
        else {
            return false;
        };
        poll.busy += 1;
        poll.due = now + Millis::new(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        true
    }

    /// No answer came. A read that the device passes over in silence costs a connection each time, so it is made
    /// ever more seldom.
    pub(super) fn lost(&mut self, place: usize, now: Millis) {
        if let Some(poll) = self.polls.get_mut(place) {
            let rest = match poll.lost {
                0 => Millis::ZERO,
                again => Millis::new(FIRST_REST_MS << (again - 1).min(DOUBLINGS)),
            };
            poll.due = now + rest;
            poll.lost = poll.lost.saturating_add(1);
        }
    }

    /// The device declined the read at `place` as unknown to it. If it joins several points, a register in a gap or
    /// another point may be to blame: from now on its points are read less joined, beginning at once. Returns
    /// whether that changed anything.
    pub(super) fn narrow(&mut self, place: usize, profile: &Profile, now: Millis) -> bool {
        let Some(narrow) = self.polls.get(place).and_then(|poll| parts(poll, profile, now)) else {
            return false;
        };
        self.polls.splice(place..=place, narrow);
        true
    }
}

impl Poll {
    /// Each point with its own words out of those of the whole span; its index in the profile comes first.
    pub(super) fn values<'a>(
        &'a self,
        profile: &'a Profile,
        words: &'a [u16],
    ) -> impl Iterator<Item = (usize, &'a Point, &'a [u16])> + Clone {
        self.points.iter().filter_map(move |&index| {
            let point = profile.points.get(index)?;
            let start = usize::from(point.address.checked_sub(self.span.first)?);
            let own = words.get(start..start + usize::from(point.encoding.words()))?;
            Some((index, point, own))
        })
    }

    /// The points in it, as indices into the profile.
    pub(super) fn points(&self) -> impl Iterator<Item = usize> {
        self.points.iter().copied()
    }

    const fn class(&self) -> Class {
        match self.class {
            PollClass::Fast => Class::FastPoll,
            PollClass::Slow => Class::SlowPoll,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;
    use eisbach_protocol::registers::Signal;

    const PERIOD: Millis = Millis::new(100);

    fn pump() -> (Profile, Plan) {
        let mut profile = load("grundfos-cim", None).unwrap();
        let chosen = [Signal::PumpRemote, Signal::PumpAlarmCode, Signal::PumpHead, Signal::PumpPower];
        profile.points.retain(|point| chosen.contains(&point.signal));
        for point in &mut profile.points {
            point.poll = PollClass::Fast;
            point.atomic = None;
        }
        let plan = Plan::new(&profile, PERIOD, Millis::ZERO);
        (profile, plan)
    }

    #[test]
    fn the_most_overdue_read_is_next_and_none_starves() {
        let (_, mut plan) = pump();
        let mut made = [0; 2];
        for turn in 1..=10 {
            let (place, _) = plan.next(Millis::new(turn * 250)).unwrap();
            made[place] += 1;
            plan.done(place, None, Millis::new(turn * 250));
        }
        assert_eq!(made, [5, 5]);
    }

    #[test]
    fn an_overdue_slow_read_goes_before_a_fast_one_that_is_not_due_yet() {
        let (_, mut plan) = pump();
        plan.polls[0].class = PollClass::Slow;
        let fast_first = plan.next(Millis::new(10)).unwrap();
        assert_eq!(fast_first.0, 1);
        plan.done(1, None, Millis::new(10));
        assert_eq!(plan.next(Millis::new(20)).unwrap().0, 0);
        plan.done(0, None, Millis::new(20));
        assert_eq!(
            plan.next(Millis::new(30)).unwrap(),
            (1, Due { class: Class::FastPoll, at: Millis::new(100) })
        );
    }

    #[test]
    fn a_busy_device_is_asked_again_a_bounded_number_of_times() {
        let (_, mut plan) = pump();
        assert!(plan.busy(0, Millis::new(1_000)) && plan.busy(0, Millis::new(1_020)));
        assert_eq!(plan.polls[0].due, Millis::new(1_100));
        assert!(!plan.busy(0, Millis::new(1_100)));
        plan.done(0, Some(Refusal::Busy), Millis::new(1_100));
        assert!(plan.busy(0, Millis::new(1_200)), "the next time it is asked as patiently");
    }

    #[test]
    fn a_read_that_is_never_answered_is_made_ever_more_seldom_also_after_a_reconnect() {
        let (_, mut plan) = pump();
        let mut now = Millis::ZERO;
        let mut rests = Vec::new();
        for _ in 0..7 {
            plan.lost(0, now);
            plan.restart(now);
            rests.push(plan.polls[0].due.since(now).get());
            now = plan.polls[0].due;
        }
        assert_eq!(rests, [0, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
        plan.done(0, None, now);
        plan.lost(0, now);
        assert_eq!(plan.polls[0].due, now);
    }

    #[test]
    fn a_slow_point_is_read_ten_times_less_often_and_at_most_once_a_second() {
        assert_eq!(period_of(PollClass::Slow, Millis::new(500)), Millis::new(5_000));
        assert_eq!(period_of(PollClass::Slow, Millis::new(20)), Millis::new(1_000));
        assert_eq!(period_of(PollClass::Slow, Millis::FOREVER), Millis::FOREVER);
        assert_eq!(period_of(PollClass::Fast, Millis::new(20)), Millis::new(20));
    }
}
