//! One alarm's life.
//!
//! ```text
//!                 condition, on-delay                acknowledge
//!      Normal ───────────────────────► Unacked ───────────────────► Acked
//!       ▲  ▲                              │                           │ condition gone,
//!       │  │ acknowledge                  │ condition gone, off-delay │ off-delay
//!       │  └────────── Cleared ◄──────────┤ (Normal if never shown)   ├──────► Normal
//!       │                                 │ latching:                 │ latching:
//!       │ reset, condition gone           ▼                           ▼
//!       └──────────────────────── LatchedUnacked ──────────────► LatchedAcked ──► reset ──► Normal
//!                                            acknowledge
//!      Cleared and both Latched become Unacked again with the condition,
//!      Acked with one more device behind it: who has seen the valve's alarm has not seen the pump's.
//! ```

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::units::Millis;

use super::refusal::Refusal;
use super::view::{AlarmState, AlarmView};
use super::{AlarmChange, Conditions, Devices, LONGEST_SHELF, Moment};
use crate::alarms::AlarmSet;

/// What stood before a restart stands so long without its condition: until then not everything has been heard that it is
/// judged by (estimate; devices are commissioned and the GPU process is there within some seconds).
const RESTORED_STANDS: Millis = Millis::from_secs(30);

/// What is known of an alarm's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It is there.
    Holds,
    /// It is not, but an interlock remembers it.
    Remembered,
    /// It is not.
    Gone,
}

impl Condition {
    pub(super) fn of(alarm: Alarm, conditions: &Conditions) -> Self {
        if conditions.standing.has(alarm) {
            Self::Holds
        } else if has_interlock(alarm) && conditions.interlocked.has(alarm) {
            Self::Remembered
        } else {
            Self::Gone
        }
    }
}

/// An alarm whose latch is an interlock outside of the book: that is the authority, and its end is the alarm's.
const fn has_interlock(alarm: Alarm) -> bool {
    matches!(alarm, Alarm::Leak | Alarm::Isolated)
}

/// An alarm that was put aside must be to be seen for so long before the longest time begins anew.
const SEEN: Millis = Millis::from_secs(60);

/// The shelf's end, for us and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shelf {
    until: Millis,
    until_ms: u64,
}

impl Shelf {
    fn after(time: Millis, now: Moment) -> Self {
        Self { until: now.at + time, until_ms: now.wall_ms.saturating_add(time.get()) }
    }
}

/// One alarm.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    alarm: Alarm,
    state: AlarmState,
    /// Since when the condition is other than the state.
    pending: Option<Millis>,
    /// Stands until then even without its condition: it was found so after a restart.
    restored_until: Option<Millis>,
    shelf: Option<Shelf>,
    /// Latest end of the shelf, however often it is asked for: counted from the first time.
    latest: Option<Shelf>,
    /// Since when it is off the shelf.
    off_shelf: Option<Millis>,
    /// Devices behind it when its condition held last, and those of which people know.
    behind: Devices,
    known: Devices,
    suppressed_by: Option<Alarm>,
    explained_by: Option<Alarm>,
    /// Since it came last it was never to be seen.
    unseen: bool,
    on_ms: Option<u64>,
    ack_ms: Option<u64>,
    clear_ms: Option<u64>,
    seq: u64,
}

impl Slot {
    pub(super) const fn new(alarm: Alarm) -> Self {
        Self {
            alarm,
            state: AlarmState::Normal,
            pending: None,
            restored_until: None,
            shelf: None,
            latest: None,
            off_shelf: None,
            behind: Devices::NONE,
            known: Devices::NONE,
            suppressed_by: None,
            explained_by: None,
            unseen: false,
            on_ms: None,
            ack_ms: None,
            clear_ms: None,
            seq: 0,
        }
    }

    pub(super) const fn alarm(&self) -> Alarm {
        self.alarm
    }

    pub(super) const fn state(&self) -> AlarmState {
        self.state
    }

    /// It stands and may hide what follows from it: two alarms must not vanish because one is put aside.
    pub(super) const fn hides(&self) -> bool {
        self.state.is_active() && self.shelf.is_none()
    }

    pub(super) const fn touched(&mut self, seq: u64) {
        self.seq = seq;
    }

    pub(super) fn view(&self, first_out: bool) -> AlarmView {
        AlarmView {
            state: self.state,
            shelved_until_ms: self.shelf.map(|shelf| shelf.until_ms),
            shelvable_until_ms: self.latest.map(|latest| latest.until_ms),
            known: self.known,
            suppressed_by: self.suppressed_by,
            explained_by: self.explained_by,
            first_out,
            on_ms: self.on_ms,
            ack_ms: self.ack_ms,
            clear_ms: self.clear_ms,
            seq: self.seq,
        }
    }

    pub(super) fn restore(&mut self, kept: &AlarmView, now: Moment) {
        let latches = self.alarm.def().latched;
        self.state = match kept.state {
            AlarmState::LatchedUnacked if !latches => AlarmState::Cleared,
            AlarmState::LatchedAcked if !latches => AlarmState::Normal,
            state => state,
        };
        self.restored_until = is_standing(self.state).then(|| now.at + RESTORED_STANDS);
        // A clock that was set back must not make a shelf longer than it may be.
        let left = |until: u64| Millis::new(until.saturating_sub(now.wall_ms)).min(LONGEST_SHELF);
        let latest = kept.shelvable_until_ms.map(left).filter(|left| *left > Millis::ZERO);
        self.latest = latest.map(|left| Shelf::after(left, now));
        let longest = self.latest.map_or(LONGEST_SHELF, |latest| latest.until.since(now.at));
        if let Some(until) = kept.shelved_until_ms {
            let _over_or_not_shelvable = self.shelve(left(until).min(longest), now);
        }
        (self.behind, self.known) = (kept.known, kept.known);
        (self.on_ms, self.ack_ms, self.clear_ms) = (kept.on_ms, kept.ack_ms, kept.clear_ms);
    }

    /// Takes it off the shelf if it comes from a device for which it was not put there; whether that was so.
    pub(super) fn is_of_another_device(&mut self, condition: Condition, behind: Devices) -> bool {
        condition == Condition::Holds && self.is_news(behind) && self.shelf.take().is_some()
    }

    const fn is_news(&self, behind: Devices) -> bool {
        !self.known.is_empty() && !behind.is_within(self.known)
    }

    /// Takes note of the condition; an alarm that comes or goes says so.
    pub(super) fn judge(
        &mut self,
        condition: Condition,
        behind: Devices,
        now: Moment,
    ) -> Option<AlarmChange> {
        let holds = condition == Condition::Holds;
        let news = holds && self.is_news(behind);
        if holds {
            self.restored_until = None;
            (self.behind, self.known) = (behind, self.known.with(behind));
        }
        match (holds, self.state) {
            (true, AlarmState::Unacked | AlarmState::Acked) => {
                self.pending = None;
                news.then(|| self.raise(now))
            }
            (true, _) if self.has_waited(self.alarm.def().on_delay, now) => Some(self.raise(now)),
            (false, AlarmState::Unacked | AlarmState::Acked) if self.may_end(now) => {
                Some(self.end(condition, now))
            }
            (true, _) | (false, AlarmState::Unacked | AlarmState::Acked) => None,
            (false, AlarmState::Normal | AlarmState::Cleared) => {
                self.pending = None;
                self.remember(condition, now)
            }
            (false, AlarmState::LatchedUnacked | AlarmState::LatchedAcked) => {
                self.pending = None;
                self.release(condition)
            }
        }
    }

    fn has_waited(&mut self, delay: Millis, now: Moment) -> bool {
        let since = *self.pending.get_or_insert(now.at);
        now.at.since(since) >= delay
    }

    fn may_end(&mut self, now: Moment) -> bool {
        let waited = self.has_waited(self.alarm.def().off_delay, now);
        waited && self.restored_until.is_none_or(|until| now.at >= until)
    }

    fn raise(&mut self, now: Moment) -> AlarmChange {
        self.state = AlarmState::Unacked;
        if self.shelf.is_none() {
            self.known = self.behind;
        }
        (self.pending, self.unseen) = (None, true);
        (self.on_ms, self.ack_ms, self.clear_ms) = (Some(now.wall_ms), None, None);
        AlarmChange::Raised { first_out: false }
    }

    fn end(&mut self, condition: Condition, now: Moment) -> AlarmChange {
        let seen = self.state == AlarmState::Acked;
        let latches = match condition {
            Condition::Remembered => true,
            // The interlock was let go of at the same time.
            Condition::Holds | Condition::Gone => self.alarm.def().latched && !has_interlock(self.alarm),
        };
        self.state = match (latches, seen) {
            (true, true) => AlarmState::LatchedAcked,
            (true, false) => AlarmState::LatchedUnacked,
            (false, false) if !self.unseen => AlarmState::Cleared,
            (false, _) => AlarmState::Normal,
        };
        (self.pending, self.restored_until) = (None, None);
        self.clear_ms = Some(now.wall_ms);
        AlarmChange::Cleared
    }

    /// An interlock that remembers what the book does not know of is believed.
    fn remember(&mut self, condition: Condition, now: Moment) -> Option<AlarmChange> {
        if condition != Condition::Remembered {
            return None;
        }
        let raised = self.raise(now);
        self.state = AlarmState::LatchedUnacked;
        Some(raised)
    }

    /// Only somebody's reset lets go of an interlock.
    fn release(&mut self, condition: Condition) -> Option<AlarmChange> {
        if condition == Condition::Remembered || !has_interlock(self.alarm) {
            return None;
        }
        self.state = AlarmState::Normal;
        Some(AlarmChange::Reset)
    }

    /// Sees who of the active alarms explains this one, and who of those that are not put aside hides it.
    pub(super) fn explain(&mut self, active: AlarmSet, hiding: AlarmSet) -> Option<AlarmChange> {
        let def = self.alarm.def();
        let is_active = self.state.is_active();
        self.explained_by = def.causes.iter().copied().find(|cause| is_active && active.has(*cause));
        let before = self.suppressed_by;
        self.suppressed_by = def.suppressors().find(|cause| is_active && hiding.has(*cause));
        self.unseen &= self.suppressed_by.is_some() || self.shelf.is_some();
        match (before, self.suppressed_by) {
            (before, Some(by)) if before != Some(by) => Some(AlarmChange::Suppressed { by }),
            (Some(_), None) if is_active => Some(AlarmChange::Unsuppressed),
            (_, Some(_)) | (Some(_) | None, None) => None,
        }
    }

    pub(super) fn acknowledge(&mut self, now: Moment) -> Result<AlarmChange, Refusal> {
        self.state = match self.state {
            AlarmState::Unacked => AlarmState::Acked,
            AlarmState::Cleared => AlarmState::Normal,
            AlarmState::LatchedUnacked => AlarmState::LatchedAcked,
            AlarmState::Normal | AlarmState::Acked | AlarmState::LatchedAcked => {
                return Err(Refusal::NothingToDo);
            }
        };
        self.ack_ms = Some(now.wall_ms);
        self.known = self.behind;
        Ok(AlarmChange::Acknowledged)
    }

    pub(super) fn shelve(&mut self, time: Millis, now: Moment) -> Result<AlarmChange, Refusal> {
        if !self.alarm.def().shelvable {
            return Err(Refusal::NotShelvable);
        }
        if time == Millis::ZERO || time > LONGEST_SHELF {
            return Err(Refusal::ShelfTime);
        }
        let latest = *self.latest.get_or_insert_with(|| Shelf::after(LONGEST_SHELF, now));
        let shelf = Shelf::after(time, now);
        if shelf.until > latest.until {
            return Err(Refusal::ShelfSpent);
        }
        (self.shelf, self.off_shelf) = (Some(shelf), None);
        // What is put aside before it comes is so for whichever device comes first.
        self.known = if self.state == AlarmState::Normal { Devices::NONE } else { self.behind };
        Ok(AlarmChange::Shelved { until_ms: shelf.until_ms })
    }

    pub(super) fn unshelve(&mut self) -> Result<AlarmChange, Refusal> {
        self.shelf.take().map(|_| AlarmChange::Unshelved).ok_or(Refusal::NotShelved)
    }

    /// Takes it off the shelf when its time there is over; whether it was there.
    pub(super) fn shelf_is_over(&mut self, now: Moment) -> bool {
        let over = self.shelf.take_if(|shelf| shelf.until <= now.at).is_some();
        if self.shelf.is_none() && self.latest.is_some() {
            let since = *self.off_shelf.get_or_insert(now.at);
            if now.at.since(since) >= SEEN {
                (self.latest, self.off_shelf) = (None, None);
            }
        }
        over
    }

    pub(super) fn reset(&mut self, now: Moment) -> Result<AlarmChange, Refusal> {
        if !self.alarm.def().latched {
            return Err(Refusal::NotLatched);
        }
        match self.state {
            AlarmState::LatchedUnacked | AlarmState::LatchedAcked if has_interlock(self.alarm) => {
                Err(Refusal::Interlocked)
            }
            AlarmState::LatchedUnacked => {
                self.ack_ms = Some(now.wall_ms);
                self.state = AlarmState::Normal;
                Ok(AlarmChange::Reset)
            }
            AlarmState::LatchedAcked => {
                self.state = AlarmState::Normal;
                Ok(AlarmChange::Reset)
            }
            AlarmState::Unacked | AlarmState::Acked => Err(Refusal::StillActive),
            AlarmState::Normal | AlarmState::Cleared => Err(Refusal::NothingToDo),
        }
    }
}

const fn is_standing(state: AlarmState) -> bool {
    match state {
        AlarmState::Unacked | AlarmState::Acked => true,
        AlarmState::Normal | AlarmState::Cleared | AlarmState::LatchedUnacked | AlarmState::LatchedAcked => {
            false
        }
    }
}
