//! What one issuer has set for now and later.
//!
//! ```text
//!   older    ├────────── 4 kW ──────────────────────┤
//!   newer              ├──── 3 kW ────┤                    hides what began before it, as long as it lasts
//!   older                    ├─ 2 kW ─┤                    began later: stands beside it, and the lowest counts
//!   in force ├─ 4 kW ──┤ 3 kW┤  2 kW  ├─── 4 kW ────┤
//! ```
//!
//! A release (no power) hides like any other target. So a later order always wins over what is in force, and never
//! undoes what was ordered for a later time. It hides only what is for no other feeds than its own: a target for one
//! feed leaves the cap of another where it is.

use eisbach_protocol::units::Watts;
use serde::{Deserialize, Serialize};

use super::words::Uuid;

/// Most targets of one issuer that are kept.
const MOST: usize = 64;

/// A target as it concerns this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// From when.
    pub(super) start_ms: u64,
    /// Until when; for ever if it is [`u64::MAX`].
    pub(super) end_ms: u64,
    /// Those of this node's feeds that it is for.
    #[serde(default)]
    feeds: Vec<String>,
    /// Most that this node may draw; none is a release.
    pub(super) power: Option<Watts>,
    /// What it belongs to.
    pub(super) correlation: Option<Uuid>,
    /// Counts up with each event.
    order: u64,
}

impl Slot {
    /// A target whose place in the order is given by [`Schedule::add`].
    pub(super) const fn new(
        (start_ms, end_ms): (u64, u64),
        feeds: Vec<String>,
        power: Option<Watts>,
        correlation: Option<Uuid>,
    ) -> Self {
        Self { start_ms, end_ms, feeds, power, correlation, order: 0 }
    }

    const fn covers(&self, wall_ms: u64) -> bool {
        self.start_ms <= wall_ms && wall_ms < self.end_ms
    }

    fn hides(&self, other: &Self) -> bool {
        self.order > other.order
            && self.start_ms >= other.start_ms
            && other.feeds.iter().all(|feed| self.feeds.contains(feed))
    }
}

/// No room for more targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// The targets of one issuer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Schedule {
    slots: Vec<Slot>,
    orders: u64,
}

impl Schedule {
    /// Takes up what one event sets, all or nothing.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn add(&mut self, slots: &[Slot], wall_ms: u64) -> Result<(), Full> {
        let order = self.orders.saturating_add(1);
        let new = slots.iter().map(|slot| Slot { order, ..slot.clone() });
        let mut all: Vec<_> = self.slots.iter().cloned().chain(new).collect();
        prune(&mut all, wall_ms);
        if all.len() > MOST {
            return Err(Full);
        }
        (self.slots, self.orders) = (all, order);
        Ok(())
    }

    /// The target in force, if there is one.
    pub(super) fn at(&self, wall_ms: u64) -> Option<&Slot> {
        let on = || self.slots.iter().filter(|slot| slot.covers(wall_ms));
        on().filter(|slot| slot.power.is_some() && !on().any(|newer| newer.hides(slot)))
            .reduce(|lowest, slot| if slot.power < lowest.power { slot } else { lowest })
    }

    /// Forgets what is over.
    pub(super) fn tidy(&mut self, wall_ms: u64) {
        prune(&mut self.slots, wall_ms);
    }

    /// Whether what was read from a disk can be followed.
    pub(super) fn is_sane(&self) -> bool {
        let sane =
            |slot: &Slot| slot.power.is_none_or(|power| power.get().is_finite() && power >= Watts::ZERO);
        self.slots.len() <= MOST && self.slots.iter().all(sane)
    }
}

/// Takes out what is over, and what something newer hides from now or its start until its end.
fn prune(slots: &mut Vec<Slot>, wall_ms: u64) {
    let all = slots.clone();
    let hidden = |slot: &Slot| {
        let from = slot.start_ms.max(wall_ms);
        all.iter().any(|newer| newer.hides(slot) && newer.start_ms <= from && newer.end_ms >= slot.end_ms)
    };
    slots.retain(|slot| slot.end_ms > wall_ms && !hidden(slot));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot(start_ms: u64, end_ms: u64, power: Option<f32>) -> Slot {
        of(&["main-a"], (start_ms, end_ms), power)
    }

    fn of(feeds: &[&str], interval: (u64, u64), power: Option<f32>) -> Slot {
        let feeds = feeds.iter().map(|feed| (*feed).to_owned()).collect();
        Slot::new(interval, feeds, power.map(Watts::new), None)
    }

    fn schedule(events: &[&[Slot]]) -> Schedule {
        let mut schedule = Schedule::default();
        for event in events {
            schedule.add(event, 0).unwrap();
        }
        schedule
    }

    fn power(schedule: &Schedule, at: u64) -> Option<f32> {
        schedule.at(at).and_then(|slot| slot.power).map(Watts::get)
    }

    #[test]
    fn a_target_counts_from_its_start_to_its_end() {
        let schedule = schedule(&[&[slot(10, 20, Some(4000.0))]]);
        assert_eq!([9, 10, 19, 20].map(|at| power(&schedule, at)), [None, Some(4000.0), Some(4000.0), None]);
    }

    #[test]
    fn the_newest_word_wins_over_what_is_in_force_and_then_the_older_is_back() {
        let schedule = schedule(&[&[slot(0, 40, Some(4000.0))], &[slot(10, 20, Some(5000.0))]]);
        assert_eq!([5, 15, 25].map(|at| power(&schedule, at)), [Some(4000.0), Some(5000.0), Some(4000.0)]);
    }

    #[test]
    fn a_release_ends_what_is_in_force_and_leaves_what_comes_later() {
        let schedule = schedule(&[
            &[slot(0, u64::MAX, Some(4000.0)), slot(50, 60, Some(3000.0))],
            &[slot(10, u64::MAX, None)],
        ]);
        assert_eq!([5, 15, 55, 65].map(|at| power(&schedule, at)), [Some(4000.0), None, Some(3000.0), None]);
    }

    #[test]
    fn a_target_for_one_feed_leaves_the_cap_of_another() {
        let long = (0, u64::MAX);
        let mut schedule = schedule(&[&[of(&["a"], long, Some(3000.0))], &[of(&["b"], long, Some(5000.0))]]);
        assert_eq!(power(&schedule, 5), Some(3000.0));
        schedule.add(&[of(&["b"], long, None)], 5).unwrap();
        assert_eq!(power(&schedule, 5), Some(3000.0), "nor does a release");
        schedule.add(&[of(&["a", "b"], long, Some(4000.0))], 5).unwrap();
        assert_eq!(power(&schedule, 5), Some(4000.0), "one for both hides each");
        schedule.add(&[of(&["a"], long, None)], 5).unwrap();
        assert_eq!(power(&schedule, 5), Some(4000.0), "half of it is not all of it");
    }

    #[test]
    fn among_those_that_stand_the_lowest_counts() {
        let schedule = schedule(&[
            &[slot(20, 30, Some(2000.0))],
            &[slot(0, 100, Some(4000.0)), slot(0, 100, Some(3500.0))],
        ]);
        assert_eq!([5, 25, 35].map(|at| power(&schedule, at)), [Some(3500.0), Some(2000.0), Some(3500.0)]);
    }

    #[test]
    fn targets_that_replace_each_other_never_fill_it() {
        let mut schedule = Schedule::default();
        for at in 0..1000 {
            assert_eq!(schedule.add(&[slot(at, u64::MAX, Some(4000.0))], at), Ok(()));
        }
        assert_eq!(schedule.slots.len(), 1);
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut schedule = Schedule::default();
        let many: Vec<_> = (0..60).map(|at| slot(1000 + at, 2000, Some(1.0))).collect();
        schedule.add(&many, 0).unwrap();
        assert_eq!(schedule.add(&many, 0), Ok(()), "they replace the first");
        let later: Vec<_> = (0..60).map(|at| slot(3000 + at, 4000 + at, Some(1.0))).collect();
        assert_eq!(schedule.add(&later, 0), Err(Full));
        assert_eq!(power(&schedule, 1500), Some(1.0));
        assert_eq!(power(&schedule, 3500), None);
    }

    proptest! {
        /// Whatever is thrown away never counted again.
        #[test]
        fn to_forget_changes_nothing(
            slots in proptest::collection::vec((0_u64..20, 1_u64..20, proptest::option::of(1_u16..9), 0_usize..3), 1..12),
            now in 0_u64..25,
        ) {
            let mut kept = Schedule::default();
            for (order, (start, length, power, feeds)) in slots.iter().enumerate() {
                let feeds: &[&str] = [&["a"][..], &["b"], &["a", "b"]][*feeds];
                let slot = of(feeds, (*start, start + length), power.map(f32::from));
                kept.slots.push(Slot { order: order as u64, ..slot });
            }
            let mut tidied = kept.clone();
            tidied.tidy(now);
            for later in now..45 {
                prop_assert_eq!(power(&kept, later), power(&tidied, later), "at {}", later);
            }
        }
    }
}
