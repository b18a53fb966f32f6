//! What to read at once: a profile's points, gathered into as few reads as the device allows.
//!
//! ```text
//!   points    ▪▪ ▪   ▪▪            ▪▪        registers
//!   Bridged   └──────┘             └┘        gap ≤ 16: one read; more: another
//!   Touching  └┘ ▪   └┘            └┘        no gaps: after a bridged read was declined, and where a device
//!   Single    ▪▪ ▪   ▪▪            ▪▪          fills gaps with zeros; each by itself: after that was declined
//! ```
//!
//! A value never spans two reads, an atomic group neither, and the values of one read were taken together. A slow
//! point that a fast read passes over anyway is read with it.

use eisbach_protocol::registers::{PollClass, Profile, Table};
use eisbach_protocol::units::Millis;

use super::Poll;
use crate::modbus::bus::Span;

/// Registers read in vain between two values before a second request is cheaper. A request costs a device
/// milliseconds, a register on the wire microseconds; estimate.
const MAX_GAP: u16 = 16;

/// How eagerly points are read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// Over gaps.
    Bridged,
    /// Only without a gap.
    Touching,
    /// Each by itself, or with its atomic group.
    Single,
}

/// Points that belong in one read whatever happens.
#[derive(Clone, Debug)]
struct Atom {
    class: PollClass,
    span: Span,
    points: Vec<usize>,
}

/// The reads of `profile`, all due at `due`.
pub(super) fn gather(profile: &Profile, due: Millis) -> Vec<Poll> {
    let joining = if profile.link.zero_fills { Joining::Touching } else { Joining::Bridged };
    let max_words = profile.link.max_words;
    let (fast, slow): (Vec<_>, Vec<_>) =
        atoms(profile, 0..profile.points.len()).into_iter().partition(|atom| atom.class == PollClass::Fast);
    let mut polls = join(fast, joining, max_words, due);
    let mut rest = Vec::new();
    for atom in slow {
        match polls.iter_mut().find(|poll| covers(poll.span, atom.span)) {
            Some(poll) => poll.points.extend(atom.points),
            None => rest.push(atom),
        }
    }
    polls.extend(join(rest, joining, max_words, due));
    polls
}

/// `poll` in smaller parts, if there are any: the least cut that makes more than one.
pub(super) fn parts(poll: &Poll, profile: &Profile, due: Millis) -> Option<Vec<Poll>> {
    let cuts: &[Joining] = match poll.joining {
        Joining::Bridged => &[Joining::Touching, Joining::Single],
        Joining::Touching => &[Joining::Single],
        Joining::Single => &[],
    };
    cuts.iter().find_map(|&joining| {
        let mut atoms = atoms(profile, poll.points());
        atoms.iter_mut().for_each(|atom| atom.class = poll.class);
        let parts = join(atoms, joining, profile.link.max_words, due);
        (parts.len() > 1).then_some(parts)
    })
}

/// The points at `indices`, those of one atomic group together, by table and address.
fn atoms(profile: &Profile, indices: impl Iterator<Item = usize>) -> Vec<Atom> {
    let mut atoms: Vec<(Option<&str>, Atom)> = Vec::new();
    for (index, point) in indices.filter_map(|index| Some((index, profile.points.get(index)?))) {
        let span = Span { table: point.table, first: point.address, count: point.encoding.words() };
        let group = point.atomic.as_deref();
        let joined = atoms
            .iter_mut()
            .filter(|(other, _)| group.is_some() && *other == group)
            .find_map(|(_, atom)| Some((united(atom.span, span)?, atom)));
        match joined {
            Some((whole, atom)) => {
                atom.span = whole;
                atom.points.push(index);
                if point.poll == PollClass::Fast {
                    atom.class = PollClass::Fast;
                }
            }
            None => atoms.push((group, Atom { class: point.poll, span, points: vec![index] })),
        }
    }
    let mut atoms: Vec<_> = atoms.into_iter().map(|(_, atom)| atom).collect();
    atoms.sort_by_key(|atom| (rank(atom.span.table), atom.span.first));
    atoms
}

/// `atoms`, which come by table and address, in as few reads as `joining` and `max_words` allow.
fn join(atoms: Vec<Atom>, joining: Joining, max_words: u16, due: Millis) -> Vec<Poll> {
    let mut polls: Vec<Poll> = Vec::new();
    for Atom { class, span, points } in atoms {
        let joined = polls.last_mut().and_then(|poll| {
            let whole = united(poll.span, span)?;
            (whole.count <= max_words && may_join(joining, poll.span, span)).then_some((whole, poll))
        });
        match joined {
            Some((whole, poll)) => {
                poll.span = whole;
                poll.points.extend(points);
            }
            None => polls.push(Poll { span, refusal: None, class, joining, due, busy: 0, lost: 0, points }),
        }
    }
    polls
}

/// Whether `next`, which does not begin before `span`, may be read with it.
fn may_join(joining: Joining, span: Span, next: Span) -> bool {
    let gap = next.first.saturating_sub(span.first).saturating_sub(span.count);
    match joining {
        Joining::Bridged => gap <= MAX_GAP,
        Joining::Touching => gap == 0,
        // Several points may lie in one register.
        Joining::Single => covers(span, next),
    }
}

/// The least span that holds both, if there is one.
fn united(one: Span, other: Span) -> Option<Span> {
    let first = one.first.min(other.first);
    let end = |span: Span| (span.first - first).checked_add(span.count);
    let count = end(one)?.max(end(other)?);
    (one.table == other.table).then_some(Span { table: one.table, first, count })
}

fn covers(outer: Span, inner: Span) -> bool {
    united(outer, inner) == Some(outer)
}

const fn rank(table: Table) -> u8 {
    match table {
        Table::Holding => 0,
        Table::Input => 1,
        Table::Discrete => 2,
        Table::Coil => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;
    use eisbach_protocol::registers::{Encoding, Point};
    use proptest::prelude::*;

    fn point(table: Table, address: u16, encoding: Encoding) -> Point {
        let relay = load("leak-relay", None).unwrap();
        let plain = Point { poll: PollClass::Fast, atomic: None, sentinel: false, ..relay.points[0].clone() };
        Point { table, address, encoding, ..plain }
    }

    fn profile(points: impl IntoIterator<Item = Point>) -> Profile {
        let mut profile = load("leak-relay", None).unwrap();
        profile.link.max_words = 60;
        profile.link.zero_fills = false;
        profile.points = points.into_iter().collect();
        profile
    }

    fn holding(addresses: &[(u16, Encoding)]) -> Profile {
        profile(addresses.iter().map(|&(address, encoding)| point(Table::Holding, address, encoding)))
    }

    fn pump() -> Profile {
        holding(&[
            (200, Encoding::Bit(8)),
            (200, Encoding::Bit(9)),
            (204, Encoding::U16),
            (300, Encoding::U16),
            (302, Encoding::U16),
            (303, Encoding::U16),
            (311, Encoding::U32),
            (314, Encoding::I16),
        ])
    }

    fn spans(polls: &[Poll]) -> Vec<(u16, u16)> {
        polls.iter().map(|poll| (poll.span.first, poll.span.count)).collect()
    }

    #[test]
    fn a_pump_is_read_in_two_requests() {
        assert_eq!(spans(&gather(&pump(), Millis::ZERO)), [(200, 5), (300, 15)]);
    }

    #[test]
    fn a_declined_read_is_taken_apart_step_by_step() {
        let (pump, now) = (pump(), Millis::ZERO);
        let touching = parts(&gather(&pump, now)[1], &pump, now).unwrap();
        assert_eq!(spans(&touching), [(300, 1), (302, 2), (311, 2), (314, 1)]);
        assert_eq!(spans(&parts(&touching[1], &pump, now).unwrap()), [(302, 1), (303, 1)]);
        assert!(parts(&touching[2], &pump, now).is_none());
        let bits = holding(&[(200, Encoding::Bit(8)), (200, Encoding::Bit(9))]);
        assert!(parts(&gather(&bits, now)[0], &bits, now).is_none(), "one register is one read");
    }

    #[test]
    fn a_device_that_fills_gaps_with_zeros_is_never_read_over_a_gap() {
        let mut pump = pump();
        pump.link.zero_fills = true;
        let polls = gather(&pump, Millis::ZERO);
        assert_eq!(spans(&polls), [(200, 1), (204, 1), (300, 1), (302, 2), (311, 2), (314, 1)]);
    }

    #[test]
    fn an_atomic_group_is_one_read_over_any_gap_and_is_never_taken_apart() {
        let mut meter = holding(&[(10, Encoding::F32), (12, Encoding::F32), (50, Encoding::F32)]);
        for index in [0, 2] {
            meter.points[index].atomic = Some("heat".try_into().unwrap());
        }
        let polls = gather(&meter, Millis::ZERO);
        assert_eq!(spans(&polls), [(10, 42)]);
        let parts = parts(&polls[0], &meter, Millis::ZERO);
        assert!(parts.is_none(), "the other point lies inside the group's read");
    }

    #[test]
    fn slow_points_have_reads_of_their_own_unless_a_fast_read_passes_over_them() {
        let mut pump = pump();
        for index in [2, 4, 7] {
            pump.points[index].poll = PollClass::Slow;
        }
        let polls = gather(&pump, Millis::ZERO);
        assert_eq!(spans(&polls), [(200, 1), (300, 13), (204, 1), (314, 1)]);
        assert_eq!(
            polls.iter().map(|poll| poll.class == PollClass::Slow).collect::<Vec<_>>(),
            [false, false, true, true]
        );
        assert!(polls[1].points.contains(&4));
    }

    #[test]
    fn the_last_register_of_all_is_read_like_any_other() {
        let end = holding(&[(65_520, Encoding::U16), (65_534, Encoding::U32), (0, Encoding::U16)]);
        assert_eq!(spans(&gather(&end, Millis::ZERO)), [(0, 1), (65_520, 16)]);
    }

    fn points() -> impl Strategy<Value = Vec<Point>> {
        let table =
            prop_oneof![Just(Table::Holding), Just(Table::Input), Just(Table::Discrete), Just(Table::Coil)];
        let address = prop_oneof![0..200_u16, 65_400..65_534_u16];
        let one = (table, address, any::<bool>(), any::<bool>(), 0..6_u8);
        let one = one.prop_map(|(table, address, wide, slow, group)| {
            let encoding = match table {
                Table::Discrete | Table::Coil => Encoding::Bit(0),
                Table::Holding | Table::Input if wide => Encoding::U32,
                Table::Holding | Table::Input => Encoding::U16,
            };
            let atomic = (group == 0 && address < 4).then(|| "group".try_into().unwrap());
            let poll = if slow { PollClass::Slow } else { PollClass::Fast };
            Point { atomic, poll, ..point(table, address, encoding) }
        });
        prop::collection::vec(one, 1..32)
    }

    proptest! {
        #[test]
        fn every_value_is_read_whole_in_one_read_and_from_its_own_address(
            points in points(), max_words in 6..40_u16, zero_fills in any::<bool>(), cuts in 0..4_usize,
        ) {
            let mut profile = profile(points.iter().cloned());
            (profile.link.max_words, profile.link.zero_fills) = (max_words, zero_fills);
            let mut polls = gather(&profile, Millis::ZERO);
            for cut in 0..cuts.min(polls.len()) {
                if let Some(parts) = parts(&polls[cut], &profile, Millis::ZERO) {
                    polls.splice(cut..=cut, parts);
                }
            }
            let mut seen = vec![0; points.len()];
            for poll in &polls {
                prop_assert!(poll.span.count <= max_words);
                let words: Vec<u16> = (0..poll.span.count).map(|offset| poll.span.first + offset).collect();
                for (index, point, own) in poll.values(&profile, &words) {
                    prop_assert_eq!(point.table, poll.span.table);
                    prop_assert_eq!(own.len(), usize::from(point.encoding.words()));
                    prop_assert_eq!(own[0], point.address);
                    seen[index] += 1;
                }
                let in_group = |index: usize| points[index].atomic.is_some() && points[index].table == poll.span.table;
                let all = (0..points.len()).filter(|&index| in_group(index)).count();
                let here = poll.points().filter(|&index| in_group(index)).count();
                prop_assert!(here == 0 || here == all, "an atomic group is read together");
            }
            prop_assert!(seen.iter().all(|&times| times == 1));
        }
    }
}
