//! What to read at once: a profile's points, gathered into as few reads as the device allows.
//!
//! ```text
//!   points   ▪▪ ▪   ▪▪            ▪▪        registers
//!   spans    └──────┘             └┘        gap ≤ 16: one read; more: another
//! ```
//!
//! A value never spans two reads, and the values of one read were taken together. The most overdue span is next,
//! so none starves when the device is slower than the period.

use eisbach_protocol::registers::{Point, Profile, Table};
use eisbach_protocol::units::Millis;

use super::bus::Span;
use super::check::Refusal;

/// Registers read in vain between two values before a second request is cheaper. A request costs a device
/// milliseconds, a register on the wire microseconds; estimate.
const MAX_GAP: u16 = 16;

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
    /// When.
    pub(super) due: Millis,
    /// Why the device declined it the last time, if it did.
    pub(super) refusal: Option<Refusal>,
    /// The points in it, as indices into the profile.
    points: Vec<usize>,
}

impl Plan {
    /// All reads of `profile`, due at `now` and then every `period`.
    pub(super) fn new(profile: &Profile, period: Millis, now: Millis) -> Self {
        let all = (0..profile.points.len()).collect();
        Self { polls: gather(profile, all, MAX_GAP, now), period }
    }

    /// The read that is due first, with its place in the plan.
    pub(super) fn next(&self) -> Option<(usize, &Poll)> {
        self.polls.iter().enumerate().min_by_key(|(_, poll)| poll.due)
    }

    /// The read at `place`.
    pub(super) fn get(&self, place: usize) -> Option<&Poll> {
        self.polls.get(place)
    }

    /// The read at `place` was made: it is due again one period later, or at once if that has passed.
    pub(super) fn done(&mut self, place: usize, refusal: Option<Refusal>, now: Millis) {
        if let Some(poll) = self.polls.get_mut(place) {
            poll.refusal = refusal;
            poll.due = (poll.due + self.period).max(now);
        }
    }

    /// The device declined the read at `place` as unknown to it. If it bridges gaps, a register in a gap may be
    /// to blame: from now on its points are read without bridging, beginning at once. Returns whether that changed
    /// anything.
    pub(super) fn narrow(&mut self, place: usize, profile: &Profile, now: Millis) -> bool {
        let Some(poll) = self.polls.get(place) else {
            return false;
        };
        let narrow = gather(profile, poll.points.clone(), 0, now);
        if narrow.len() < 2 {
            return false;
        }
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
    ) -> impl Iterator<Item = (usize, &'a Point, &'a [u16])> {
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
}

fn gather(profile: &Profile, mut indices: Vec<usize>, max_gap: u16, due: Millis) -> Vec<Poll> {
    let place = |index: &usize| profile.points.get(*index).map(|point| (rank(point.table), point.address));
    indices.sort_by_key(place);
    let mut polls: Vec<Poll> = Vec::new();
    for index in indices {
        let Some(point) = profile.points.get(index) else {
            continue;
        };
        match polls
            .last_mut()
            .and_then(|poll| Some((extended(poll.span, point, max_gap, profile.max_words)?, poll)))
        {
            Some((span, poll)) => {
                poll.span = span;
                poll.points.push(index);
            }
            None => {
                let span = Span { table: point.table, first: point.address, count: point.encoding.words() };
                polls.push(Poll { span, due, refusal: None, points: vec![index] });
            }
        }
    }
    polls
}

/// `span` with `point`, which lies at or after its start, if they may be read together.
fn extended(span: Span, point: &Point, max_gap: u16, max_words: u16) -> Option<Span> {
    let offset = point.address.checked_sub(span.first)?;
    let count = span.count.max(offset.checked_add(point.encoding.words())?);
    let together =
        span.table == point.table && offset.saturating_sub(span.count) <= max_gap && count <= max_words;
    together.then_some(Span { count, ..span })
}

const fn rank(table: Table) -> u8 {
    match table {
        Table::Holding => 0,
        Table::Input => 1,
        Table::Discrete => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;
    use eisbach_protocol::registers::{Encoding, Grade, Signal, WordOrder};
    use proptest::prelude::*;

    fn point(table: Table, address: u16, encoding: Encoding) -> Point {
        Point {
            signal: Signal::Flow,
            table,
            address,
            encoding,
            word_order: WordOrder::HighFirst,
            scale: 1.0,
            offset: 0.0,
            invalid: heapless::Vec::new(),
            low: 0.0,
            high: 65_535.0,
            grade: Grade::A,
        }
    }

    fn spans(plan: &Plan) -> Vec<(u16, u16)> {
        plan.polls.iter().map(|poll| (poll.span.first, poll.span.count)).collect()
    }

    #[test]
    fn a_pump_is_read_in_two_requests() {
        let plan = Plan::new(&load("grundfos-cim", None).unwrap(), Millis::new(100), Millis::ZERO);
        assert_eq!(spans(&plan), [(200, 5), (300, 15)]);
    }

    #[test]
    fn a_declined_bridge_is_taken_apart_once() {
        let pump = load("grundfos-cim", None).unwrap();
        let mut plan = Plan::new(&pump, Millis::new(100), Millis::ZERO);
        assert!(plan.narrow(1, &pump, Millis::ZERO));
        assert_eq!(spans(&plan), [(200, 5), (300, 1), (302, 2), (311, 2), (314, 1)]);
        assert!(!plan.narrow(1, &pump, Millis::ZERO));
    }

    #[test]
    fn the_most_overdue_read_is_next_and_none_starves() {
        let mut plan = Plan::new(&load("grundfos-cim", None).unwrap(), Millis::new(100), Millis::ZERO);
        let mut made = [0; 2];
        for turn in 1..=10 {
            let (place, _) = plan.next().unwrap();
            made[place] += 1;
            plan.done(place, None, Millis::new(turn * 250));
        }
        assert_eq!(made, [5, 5]);
    }

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let table = prop_oneof![Just(Table::Holding), Just(Table::Input), Just(Table::Discrete)];
        let one = (table, 0..200_u16, any::<bool>()).prop_map(|(table, address, wide)| {
            let encoding = match table {
                Table::Discrete => Encoding::Bit(0),
                Table::Holding | Table::Input if wide => Encoding::U32,
                Table::Holding | Table::Input => Encoding::U16,
            };
            point(table, address, encoding)
        });
        prop::collection::vec(one, 1..32)
    }

    proptest! {
        #[test]
        fn every_value_is_read_whole_in_one_read_and_from_its_own_address(
            points in points(), max_words in 2..40_u16, gap in 0..MAX_GAP,
        ) {
            let mut profile = load("leak-relay", None).unwrap();
            profile.max_words = max_words;
            profile.points = points.iter().cloned().collect();
            let polls = gather(&profile, (0..points.len()).collect(), gap, Millis::ZERO);
            let mut seen = vec![0; points.len()];
            for poll in &polls {
                prop_assert!(poll.span.count <= max_words);
                let words: Vec<u16> = (poll.span.first..poll.span.first + poll.span.count).collect();
                for (index, point, own) in poll.values(&profile, &words) {
                    prop_assert_eq!(point.table, poll.span.table);
                    prop_assert_eq!(own.len(), usize::from(point.encoding.words()));
                    prop_assert_eq!(own[0], point.address);
                    seen[index] += 1;
                }
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
