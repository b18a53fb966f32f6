//! The alarm book: what has become of every alarm, after ISA-18.2.
//!
//! ```text
//!   conditions ──► slots: delay, state, latch ──► trip: who came first ──► causes: who explains whom ──► views, changes
//!                    ▲
//!   a person: acknowledge · shelve · unshelve · reset
//! ```
//!
//! The states of one alarm are drawn in `slot.rs`. Acknowledging says "seen" and ends nothing. Shelving and suppression
//! only change what is shown: an alarm behind them lives on and control does not look at either. A **trip** lasts from the
//! first critical or high alarm until none is active; the alarm that began it is its **first-out**: look there for the
//! cause. The book is pure: time is an argument, nothing allocates, and every change is told once.

mod devices;
mod refusal;
mod slot;
mod view;

use eisbach_protocol::alarm::{ALARMS, Alarm, COUNT, Priority};
use eisbach_protocol::units::Millis;

pub use devices::{Behind, Devices};
pub use refusal::Refusal;
pub use view::{AlarmState, AlarmView};

use self::slot::{Condition, Slot};
use crate::alarms::AlarmSet;

/// Longest time for which an alarm can be put aside: one shift.
pub const LONGEST_SHELF: Millis = Millis::from_secs(8 * 3600);

/// Changes of one alarm in one step: off the shelf, raised or cleared, explained or not.
const MOST_CHANGES: usize = 3 * COUNT;

/// A change of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmChange {
    /// It came.
    Raised {
        /// It was the first of its trip: look here for the cause.
        first_out: bool,
    },
    /// Its condition is gone.
    Cleared,
    /// Somebody has seen it.
    Acknowledged,
    /// Somebody put it aside for a while.
    Shelved {
        /// Until then, in UTC milliseconds.
        until_ms: u64,
    },
    /// It is no longer aside.
    Unshelved,
    /// Another alarm explains it.
    Suppressed {
        /// That one.
        by: Alarm,
    },
    /// Nothing explains it any more.
    Unsuppressed,
    /// It was latched, and was ended.
    Reset,
}

/// What changed in one step, in the order of the table.
pub type AlarmChanges = heapless::Vec<(Alarm, AlarmChange), MOST_CHANGES>;

/// A moment: on the agent's clock, and in UTC milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// On the agent's clock: for durations.
    pub at: Millis,
    /// In UTC milliseconds: for people.
    pub wall_ms: u64,
}

/// How things stand, for the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Alarms whose condition holds.
    pub standing: AlarmSet,
    /// Alarms that an interlock with a memory of its own holds, whether their condition does or not.
    pub interlocked: AlarmSet,
    /// Devices behind an alarm that stands for several of them.
    pub behind: Behind,
}

/// Every alarm's state.
#[derive(Clone, Debug)]
pub struct AlarmBook {
    slots: [Slot; COUNT],
    first_out: Option<Alarm>,
    tripped: bool,
    seq: u64,
}

impl Default for AlarmBook {
    fn default() -> Self {
        Self { slots: ALARMS.map(|def| Slot::new(def.alarm)), first_out: None, tripped: false, seq: 0 }
    }
}

impl AlarmBook {
    /// Takes over what an earlier run of the agent knew of an alarm. Call before the first step.
    pub fn restore(&mut self, alarm: Alarm, kept: &AlarmView, now: Moment) {
        if let Some(slot) = self.slot(alarm) {
            slot.restore(kept, now);
        }
        if kept.first_out {
            self.first_out = Some(alarm);
        }
        self.tripped = urgent(self.active()).next().is_some();
    }

    /// One step: how things stand now.
    pub fn step(&mut self, conditions: &Conditions, now: Moment) -> AlarmChanges {
        let mut changes = AlarmChanges::new();
        let mut raised = AlarmSet::NONE;
        for slot in &mut self.slots {
            let alarm = slot.alarm();
            let (condition, behind) = (Condition::of(alarm, conditions), conditions.behind.of(alarm));
            if slot.shelf_is_over(now) || slot.is_of_another_device(condition, behind) {
                note(&mut changes, alarm, AlarmChange::Unshelved);
            }
            match slot.judge(condition, behind, now) {
                Some(AlarmChange::Raised { .. }) => raised.raise_if(true, alarm),
                Some(change) => note(&mut changes, alarm, change),
                None => {}
            }
        }
        let active = self.active();
        self.trip(raised, active);
        for alarm in raised.iter() {
            note(&mut changes, alarm, AlarmChange::Raised { first_out: self.first_out == Some(alarm) });
        }
        let hiding = self.all(Slot::hides);
        for slot in &mut self.slots {
            if let Some(change) = slot.explain(active, hiding) {
                note(&mut changes, slot.alarm(), change);
            }
        }
        for (alarm, _) in &changes {
            self.touch(*alarm);
        }
        changes
    }

    /// Somebody has seen the alarm. Ends nothing but the wish to be seen.
    ///
    /// # Errors
    /// If there is nothing to be seen.
    pub fn acknowledge(&mut self, alarm: Alarm, now: Moment) -> Result<AlarmChange, Refusal> {
        self.change(alarm, |slot| slot.acknowledge(now))
    }

    /// Puts the alarm aside for a while, whether it is active or not.
    ///
    /// # Errors
    /// If that must not be, or not for so long.
    pub fn shelve(&mut self, alarm: Alarm, time: Millis, now: Moment) -> Result<AlarmChange, Refusal> {
        self.change(alarm, |slot| slot.shelve(time, now))
    }

    /// Takes the alarm off the shelf.
    ///
    /// # Errors
    /// If it is not there.
    pub fn unshelve(&mut self, alarm: Alarm) -> Result<AlarmChange, Refusal> {
        self.change(alarm, Slot::unshelve)
    }

    /// Ends an alarm that is latched and whose condition is gone; who does so has seen it.
    ///
    /// # Errors
    /// If its condition still holds, an interlock holds it, or it is not latched.
    pub fn reset(&mut self, alarm: Alarm, now: Moment) -> Result<AlarmChange, Refusal> {
        self.change(alarm, |slot| slot.reset(now))
    }

    /// How an alarm stands.
    #[must_use]
    pub fn view(&self, alarm: Alarm) -> AlarmView {
        self.views().nth(alarm as usize).unwrap_or_default()
    }

    /// How every alarm stands, in the order of the table.
    pub fn views(&self) -> impl Iterator<Item = AlarmView> {
        self.slots.iter().map(|slot| slot.view(self.first_out == Some(slot.alarm())))
    }

    /// The alarm that began the present trip, or the last one as long as it is not acknowledged.
    #[must_use]
    pub const fn first_out(&self) -> Option<Alarm> {
        self.first_out
    }

    /// Number of the newest change: what it is the same for has not changed.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    fn active(&self) -> AlarmSet {
        self.all(|slot| slot.state().is_active())
    }

    fn all(&self, such: impl Fn(&Slot) -> bool) -> AlarmSet {
        let mut all = AlarmSet::NONE;
        for slot in &self.slots {
            all.raise_if(such(slot), slot.alarm());
        }
        all
    }

    /// Begins and ends trips. Of alarms that come together, the first is one that none of the others explains.
    fn trip(&mut self, raised: AlarmSet, active: AlarmSet) {
        if urgent(active).next().is_none() {
            self.tripped = false;
            self.first_out = self.first_out.filter(|alarm| self.view(*alarm).state != AlarmState::Normal);
        } else if !self.tripped {
            self.tripped = true;
            let explained = |alarm: &Alarm| alarm.def().causes.iter().any(|cause| raised.has(*cause));
            let first = urgent(raised).find(|alarm| !explained(alarm));
            self.first_out = first.or_else(|| urgent(raised).next());
        }
    }

    fn slot(&mut self, alarm: Alarm) -> Option<&mut Slot> {
        self.slots.get_mut(alarm as usize)
    }

    fn change(
        &mut self,
        alarm: Alarm,
        change: impl FnOnce(&mut Slot) -> Result<AlarmChange, Refusal>,
    ) -> Result<AlarmChange, Refusal> {
        let change = self.slot(alarm).ok_or(Refusal::NothingToDo).and_then(change)?;
        self.touch(alarm);
        Ok(change)
    }

    fn touch(&mut self, alarm: Alarm) {
        self.seq = self.seq.saturating_add(1);
        let seq = self.seq;
        if let Some(slot) = self.slot(alarm) {
            slot.touched(seq);
        }
    }
}

fn urgent(set: AlarmSet) -> impl Iterator<Item = Alarm> {
    set.iter().filter(|alarm| alarm.def().priority <= Priority::High)
}

fn note(changes: &mut AlarmChanges, alarm: Alarm, change: AlarmChange) {
    // There is room for every change that one step can make.
    let _room = changes.push((alarm, change));
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
