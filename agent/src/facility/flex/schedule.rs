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
//!
//! The wall clock says only when a target comes into force, which is now for one that has begun when it is heard. From
//! then on it has a life, and that passes whatever the wall clock does.

use eisbach_protocol::units::{Millis, Watts};
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
    /// None as long as its start is to come.
    life: Option<Life>,
}

/// A target in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Life {
    /// Counts up with each time that something came into force.
    begun: u64,
    /// How long it lasts yet; for ever if there is none.
    left: Option<Millis>,
}

impl Slot {
    /// A target whose place in the order is given by [`Schedule::add`].
    pub(super) const fn new(
        (start_ms, end_ms): (u64, u64),
        feeds: Vec<String>,
        power: Option<Watts>,
        correlation: Option<Uuid>,
    ) -> Self {
        Self { start_ms, end_ms, feeds, power, correlation, order: 0, life: None }
    }

    const fn is_due(&self, wall_ms: u64) -> bool {
        self.life.is_none() && self.start_ms <= wall_ms && wall_ms < self.end_ms
    }

    const fn begin(&mut self, begun: u64, wall_ms: u64) {
        let left = Millis::new(self.end_ms.saturating_sub(wall_ms));
        self.life = Some(Life { begun, left: if self.end_ms == u64::MAX { None } else { Some(left) } });
    }

    /// Whether it is over, or its time went by unseen.
    fn is_over(&self, wall_ms: u64) -> bool {
        self.life.map_or(self.end_ms <= wall_ms, |life| life.left == Some(Millis::ZERO))
    }

    /// Whether it counts instead of the other while both are in force.
    fn hides(&self, other: &Self) -> bool {
        let later = match (self.life, other.life) {
            (Some(own), Some(other)) => own.begun >= other.begun,
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => self.start_ms >= other.start_ms,
        };
        later && self.order > other.order && other.feeds.iter().all(|feed| self.feeds.contains(feed))
    }

    /// Whether it hides the other as long as that lasts.
    fn replaces(&self, other: &Self) -> bool {
        let lasts = match (self.life, other.life) {
            (Some(own), Some(other)) => {
                own.left.is_none_or(|own| other.left.is_some_and(|other| own >= other))
            }
            (None, None) => self.start_ms <= other.start_ms && self.end_ms >= other.end_ms,
            (Some(_), None) | (None, Some(_)) => false,
        };
        lasts && self.hides(other)
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
    /// How often something has come into force.
    #[serde(default)]
    begins: u64,
}

impl Schedule {
    /// Time passes. Tells whether something has come into force or is over.
    pub(super) fn pass(&mut self, passed: Millis, wall_ms: u64) -> bool {
        for left in self.slots.iter_mut().filter_map(|slot| slot.life.as_mut()?.left.as_mut()) {
            *left = left.since(passed);
        }
        let before = self.slots.len();
        self.slots.retain(|slot| slot.life.is_none() || !slot.is_over(wall_ms));
        let over = self.slots.len() != before;
        self.begin(wall_ms) || over
    }

    /// Puts into force what has to be, in the order in which it was to begin.
    fn begin(&mut self, wall_ms: u64) -> bool {
        let next =
            |slots: &[Slot]| slots.iter().filter(|slot| slot.is_due(wall_ms)).map(|slot| slot.start_ms).min();
        let mut any = false;
        while let Some(start_ms) = next(&self.slots) {
            self.begins = self.begins.saturating_add(1);
            let due = |slot: &&mut Slot| slot.start_ms == start_ms && slot.is_due(wall_ms);
            self.slots.iter_mut().filter(due).for_each(|slot| slot.begin(self.begins, wall_ms));
            any = true;
        }
        any
    }

    /// Takes up what one event sets, all or nothing.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn add(&mut self, slots: &[Slot], wall_ms: u64) -> Result<(), Full> {
        let order = self.orders.saturating_add(1);
        let new = slots.iter().map(|slot| Slot { order, ..slot.clone() });
        let mut all = self.clone();
        all.begin(wall_ms);
        all.slots.extend(new);
        all.begin(wall_ms);
        all.tidy(wall_ms);
        if all.slots.len() > MOST {
            return Err(Full);
        }
        *self = Self { orders: order, ..all };
        Ok(())
    }

    /// The target in force, if there is one.
    pub(super) fn in_force(&self) -> Option<&Slot> {
        let on = || self.slots.iter().filter(|slot| slot.life.is_some());
        on().filter(|slot| slot.power.is_some() && !on().any(|newer| newer.hides(slot)))
            .reduce(|lowest, slot| if slot.power < lowest.power { slot } else { lowest })
    }

    /// Forgets what is over, and what something newer hides as long as it lasts.
    pub(super) fn tidy(&mut self, wall_ms: u64) {
        let all = self.slots.clone();
        let hidden = |slot: &Slot| all.iter().any(|newer| newer.replaces(slot));
        self.slots.retain(|slot| !slot.is_over(wall_ms) && !hidden(slot));
    }

    /// Whether what was read from a disk can be followed.
    pub(super) fn is_sane(&self) -> bool {
        let sane =
            |slot: &Slot| slot.power.is_none_or(|power| power.get().is_finite() && power >= Watts::ZERO);
        self.slots.len() <= MOST && self.slots.iter().all(sane)
    }
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

    /// Both clocks go on, from a moment to a later one.
    fn go(schedule: &mut Schedule, (from, to): (u64, u64)) -> Option<f32> {
        for at in from + 1..=to {
            schedule.pass(Millis::new(1), at);
        }
        schedule.in_force().and_then(|slot| slot.power).map(Watts::get)
    }

    /// What counts at a moment, of events heard at 0.
    fn power(schedule: &Schedule, at: u64) -> Option<f32> {
        go(&mut schedule.clone(), (0, at))
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
    fn what_is_in_force_lasts_its_time_whatever_the_wall_clock_does() {
        let mut schedule = schedule(&[&[slot(0, 1000, Some(4000.0))], &[slot(10, 500, Some(3000.0))]]);
        let mut after = |passed, wall_ms| {
            schedule.pass(Millis::new(passed), wall_ms);
            schedule.in_force().and_then(|slot| slot.power).map(Watts::get)
        };
        assert_eq!(after(10, 10), Some(3000.0));
        assert_eq!(after(10, 0), Some(3000.0), "back before its start");
        assert_eq!(after(10, 1_000_000), Some(3000.0), "on beyond its end");
        assert_eq!([after(469, 40), after(1, 40)], [Some(3000.0), Some(4000.0)]);
        assert_eq!([after(499, 40), after(1, 40)], [Some(4000.0), None]);
    }

    #[test]
    fn a_word_of_now_wins_after_a_step_back_too() {
        let mut schedule = Schedule::default();
        schedule.add(&[slot(1000, u64::MAX, Some(4000.0))], 1000).unwrap();
        schedule.add(&[slot(200, u64::MAX, Some(5000.0))], 200).unwrap();
        assert_eq!(go(&mut schedule, (200, 201)), Some(5000.0));
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
            kept.begin(0);
            go(&mut kept, (0, now));
            let mut tidied = kept.clone();
            tidied.tidy(now);
            for later in now..45 {
                let both = [&mut kept, &mut tidied].map(|schedule| go(schedule, (later, later + 1)));
                prop_assert_eq!(both[0], both[1], "after {}", later);
            }
        }
    }
}
