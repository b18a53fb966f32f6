//! Alarms in the agent: the book, who may say something to it, and how it survives a restart.
//!
//! ```text
//!   verb, command desk ── AlarmDesk ── 32 orders ──┐             ┌──► report: a view of every alarm
//!   conditions of the cycle ───────────────────────┴─► book ─────┼──► events: every change, once
//!                                       leak: reset the latch ◄──┤
//!                                                                └──► newest record ─► keeper ─► alarms.json
//! ```
//!
//! The cycle steps the book and never waits: orders are taken from a bounded queue, and a task of its own writes the
//! record. What a person wants is answered with what became of it.

mod keeper;
mod order;
mod record;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use eisbach_control::{
    AlarmBook, AlarmChange, AlarmSet, AlarmView, Behind, Conditions, LeakInput, Moment, Refusal,
};
use eisbach_protocol::alarm::{ALARMS, Alarm, COUNT};
use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use order::{AlarmAction, AlarmDesk, AlarmError, AlarmOrder, AlarmVerdict};

pub(crate) use show::document;
pub use show::table;

use self::order::Asked;
use self::record::Record;
use crate::report::events::{AlarmEvent, EventKind, Events, Short};

/// Orders that may wait for the cycle.
const WAITING: usize = 32;

/// What a cycle knows of alarms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// How things stand.
    pub conditions: Conditions,
    /// The leak rope is whole and says that it is dry.
    pub dry: bool,
}

impl Found {
    /// What the controller and the agent itself have found. The leak alarm's condition is water, that of isolation is
    /// the order; the latch of both is the controller's state Leak, which remembers them.
    #[must_use]
    pub fn of(leak: &LeakInput, ordered: bool, of_control: AlarmSet, own: AlarmSet) -> Self {
        let rope = leak.detected.usable().filter(|_| leak.fault.usable() != Some(true));
        let mut conditions = Conditions { standing: of_control.with(own), ..Conditions::default() };
        for (alarm, holds) in [(Alarm::Leak, rope == Some(true)), (Alarm::Isolated, ordered)] {
            let latched = conditions.standing.has(alarm);
            conditions.interlocked.set(latched, alarm);
            conditions.standing.set(latched && holds, alarm);
        }
        Self { conditions, dry: rope == Some(false) }
    }

    /// The same with the devices behind the alarms.
    #[must_use]
    pub const fn with(mut self, behind: Behind) -> Self {
        self.conditions.behind = behind;
        self
    }
}

/// The cycle's side of the alarms.
#[derive(Debug)]
pub struct Alarms {
    book: AlarmBook,
    orders: mpsc::Receiver<Asked>,
    record: watch::Sender<Record>,
    kept: u64,
}

impl Alarms {
    /// Takes over what was kept, and starts the task that keeps it further.
    pub fn start(
        tasks: &mut JoinSet<()>,
        state: PathBuf,
        now: Moment,
        token: CancellationToken,
    ) -> (Self, AlarmDesk) {
        let found = record::load(&state);
        let mut book = AlarmBook::default();
        found.views().for_each(|(alarm, view)| book.restore(alarm, &view, now));
        let (record, newest) = watch::channel(found);
        tasks.spawn(keeper::run(state, newest, token));
        let (queue, orders) = mpsc::channel(WAITING);
        let kept = book.seq();
        (Self { book, orders, record, kept }, AlarmDesk::new(queue))
    }

    /// One cycle: orders first, then how things stand. Whether somebody wants the leak latch reset, and may.
    pub fn step(&mut self, found: &Found, events: &mut Arc<Events>, now: Moment) -> bool {
        let mut reset_latch = false;
        // As many as can wait: whoever goes on asking waits for the next cycle.
        for _ in 0..WAITING {
            let Ok(Asked { order, local, reply }) = self.orders.try_recv() else { break };
            let verdict = self.obey(&order, events, now).or_else(|error| match error {
                AlarmError::Refused(Refusal::Interlocked) => reset_interlock(local, found.dry),
                other => Err(other),
            });
            reset_latch |= verdict == Ok(AlarmVerdict::LatchAsked);
            // Whoever asked may have gone.
            let _gone = reply.send(verdict);
        }
        for (alarm, change) in &self.book.step(&found.conditions, now) {
            tell(events, *alarm, *change, None, now);
        }
        if self.kept != self.book.seq() {
            self.kept = self.book.seq();
            self.record.send_replace(Record::of(&self.book));
        }
        reset_latch
    }

    /// How every alarm stands, in the order of the table.
    #[must_use]
    pub fn views(&self) -> [AlarmView; COUNT] {
        let mut views = [AlarmView::default(); COUNT];
        views.iter_mut().zip(self.book.views()).for_each(|(place, view)| *place = view);
        views
    }

    fn obey(
        &mut self,
        order: &AlarmOrder,
        events: &mut Arc<Events>,
        now: Moment,
    ) -> Result<AlarmVerdict, AlarmError> {
        let Some(alarm) = order.alarm else { return self.obey_for_all(order, events, now) };
        match self.change(alarm, order.action, now) {
            Ok(change) => {
                tell(events, alarm, change, Some(&order.by), now);
                Ok(AlarmVerdict::Done { changed: 1 })
            }
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// Only what is to be seen can be acknowledged together: nobody has looked at what is hidden. All else is asked for
    /// by name.
    fn obey_for_all(
        &mut self,
        order: &AlarmOrder,
        events: &mut Arc<Events>,
        now: Moment,
    ) -> Result<AlarmVerdict, AlarmError> {
        match order.action {
            AlarmAction::Acknowledge => {}
            AlarmAction::Shelve { .. } | AlarmAction::Unshelve | AlarmAction::Reset => {
                return Err(AlarmError::NeedsName);
            }
        }
        let mut changed = 0;
        for def in &ALARMS {
            if self.book.view(def.alarm).is_unseen()
                && let Ok(change) = self.book.acknowledge(def.alarm, now)
            {
                tell(events, def.alarm, change, Some(&order.by), now);
                changed += 1;
            }
        }
        if changed == 0 { Err(Refusal::NothingToDo.into()) } else { Ok(AlarmVerdict::Done { changed }) }
    }

    fn change(&mut self, alarm: Alarm, action: AlarmAction, now: Moment) -> Result<AlarmChange, Refusal> {
        match action {
            AlarmAction::Acknowledge => self.book.acknowledge(alarm, now),
            AlarmAction::Shelve { minutes } => {
                let time = Millis::from_secs(u64::from(minutes) * 60);
                self.book.shelve(alarm, time, now)
            }
            AlarmAction::Unshelve => self.book.unshelve(alarm),
            AlarmAction::Reset => self.book.reset(alarm, now),
        }
    }
}

/// Whether the leak latch may be reset: at the node, and when the rope says dry; a broken one says nothing.
const fn reset_interlock(local: bool, dry: bool) -> Result<AlarmVerdict, AlarmError> {
    match (local, dry) {
        (false, _) => Err(AlarmError::LocalOnly),
        (true, false) => Err(AlarmError::NotKnownDry),
        (true, true) => Ok(AlarmVerdict::LatchAsked),
    }
}

fn tell(events: &mut Arc<Events>, alarm: Alarm, change: AlarmChange, by: Option<&Short>, now: Moment) {
    let event = AlarmEvent { alarm, change, by: by.cloned(), wall_ms: now.wall_ms };
    Events::push(events, EventKind::Alarm(event));
}

#[cfg(test)]
mod tests;
