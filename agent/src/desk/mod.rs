//! The desk: where every command of every face is judged, and what was allowed is kept until its end.
//!
//! ```text
//!   faces ── Submission ──► [ 64 ] ──► task ── judge ──► refused ─────────────────────────┐
//!                                       │         └────► counter on disk ──► accepted ────┤
//!            (never waits)              │                                                 ▼
//!                                       ├── Orders in force ──► cell ──► cycle: Snapshot.remote, power_budget
//!            maintenance on, off ─ 1st ►├── alarm orders ─────► alarm desk ─► cycle: alarm book
//!                                       └── answers ──────────► [ 64 ] ──► cycle: events of the report
//! ```
//!
//! Bad input changes nothing and gets one word that says why. What is in force has an end, and the cycle looks at the
//! end itself. What goes in a safe direction needs nothing but an issuer that can say it; all else needs a right, a
//! counter that survives restarts, and nobody at work on the node. What would weaken an order in force goes in no safe
//! direction, whatever it asks for.

mod action;
mod envelope;
mod judge;
mod ledger;
mod orders;
mod refusal;
mod signature;
mod task;
#[cfg(test)]
mod tests;
mod told;
mod wall;
mod wishes;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eisbach_control::StateName;
use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use self::action::{ACTIONS, Action, ActionDef, ActionName, Direction, River, plain};
pub use self::envelope::{Envelope, LONGEST as LONGEST_ENVELOPE, decode};
pub use self::judge::{LONGEST_LIFE_MS, SKEW_MS};
pub use self::orders::{InForce, Orders};
pub use self::refusal::Refusal;
pub use self::signature::{IssuerKeys, Seals};
use self::task::Task;
use crate::alarms::AlarmDesk;
use crate::clock::Clock;
use crate::config::CommandsConfig;
use crate::cycle;
use crate::report::events::{Answer, EventKind, Events};

/// Names under which faces give orders. No issuer may call itself so.
pub const FACES: [&str; 4] = ["sparkplug", "json", "dsx", "flex"];

/// Commands that wait to be judged.
const INBOX: usize = 64;
/// People at the node who wait: their own way, past any flood of commands.
const SWITCHES: usize = 4;
/// Answers that wait for the cycle: a tenth of a second of a flood.
const ANSWERS: usize = 64;
/// Answers that one cycle takes: a flood must not drive every other event out of the ring before it is told.
const ANSWERS_A_CYCLE: usize = 8;

/// A command as a face took it.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission {
    /// Name of the face.
    pub face: &'static str,
    /// The broker kept it from an unknown time ago.
    pub retained: bool,
    /// What came.
    pub kind: Kind,
}

/// In which form a command comes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// An envelope, or a signed one, as it came.
    Envelope(Vec<u8>),
    /// A write to a point that may be written, with nothing around it.
    Plain(Action),
}

/// What has become of all commands so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// In force, or done.
    pub accepted: u64,
    /// Changed nothing; also those that are no event because there were too many of their kind.
    pub refused: u64,
    /// Not even looked at: too many at once.
    pub dropped: u64,
    /// Answers that nobody took in time.
    pub unanswered: u64,
}

/// What a report tells of commands.
#[derive(Clone, Debug, Default)]
pub struct CommandsView {
    /// The orders in force.
    pub in_force: InForce,
    /// Somebody works on the node.
    pub local: bool,
    /// What has become of all commands so far.
    pub counts: Counts,
    /// The last answer.
    pub last: Option<Answer>,
}

#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    unanswered: AtomicU64,
}

impl Tally {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A person takes the node, or hands it back.
#[derive(Debug)]
struct Switch {
    on: bool,
    done: oneshot::Sender<Switched>,
}

/// What became of the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// Somebody works on the node.
    pub local: bool,
    /// A restart will know.
    pub kept: bool,
}

/// The faces' side. As many as there are faces.
#[derive(Clone, Debug)]
pub struct Desk {
    inbox: mpsc::Sender<Submission>,
    switches: mpsc::Sender<Switch>,
    rebirths: watch::Receiver<u64>,
    tally: Arc<Tally>,
}

/// The cycle's side.
#[derive(Debug)]
pub struct Tray {
    orders: watch::Receiver<Arc<Orders>>,
    local: watch::Receiver<bool>,
    answers: mpsc::Receiver<Answer>,
    state: watch::Sender<StateName>,
    tally: Arc<Tally>,
}

/// What the desk needs to know.
#[derive(Debug)]
pub struct DeskSettings {
    /// This node, as envelopes name it.
    pub node: String,
    /// Where the counters lie.
    pub state: PathBuf,
    /// Who may do what.
    pub commands: CommandsConfig,
    /// Who can check signatures.
    pub seals: Box<dyn Seals>,
    /// Who keeps the alarms.
    pub alarms: AlarmDesk,
}

impl Desk {
    /// Starts the task that judges.
    pub fn start(
        tasks: &mut JoinSet<()>,
        settings: DeskSettings,
        tuning: watch::Receiver<cycle::Orders>,
        clock: Clock,
        token: CancellationToken,
    ) -> (Self, Tray) {
        let tally = Arc::new(Tally::default());
        let (inbox, submissions) = mpsc::channel(INBOX);
        let (switches, switched) = mpsc::channel(SWITCHES);
        let (told, answers) = mpsc::channel(ANSWERS);
        let (in_force, orders) = watch::channel(Arc::default());
        let (rebirth, rebirths) = watch::channel(0);
        let (switch, local) = watch::channel(false);
        let (state, seen) = watch::channel(StateName::Boot);
        let out = task::Out { orders: in_force, local: switch, answers: told, rebirth };
        let task = Task::new(settings, out, Arc::clone(&tally), (tuning, seen), clock);
        tasks.spawn(task.run(submissions, switched, token));
        let tray = Tray { orders, local, answers, state, tally: Arc::clone(&tally) };
        (Self { inbox, switches, rebirths, tally }, tray)
    }

    /// Hands in a command. Never waits; whether there was room.
    pub fn submit(&self, submission: Submission) -> bool {
        let taken = self.inbox.try_send(submission).is_ok();
        if !taken {
            Tally::count(&self.tally.dropped);
        }
        taken
    }

    /// How often everything was asked to be told once more.
    #[must_use]
    pub fn rebirths(&self) -> u64 {
        *self.rebirths.borrow()
    }

    /// Says that somebody works on the node, or no longer; nothing if the desk is gone.
    pub async fn maintenance(&self, on: bool) -> Option<Switched> {
        let (done, told) = oneshot::channel();
        self.switches.send(Switch { on, done }).await.ok()?;
        told.await.ok()
    }
}

impl Tray {
    /// The orders in force at `now`.
    #[must_use]
    pub fn in_force(&self, now: Millis) -> InForce {
        self.orders.borrow().at(now)
    }

    /// Somebody works on the node.
    #[must_use]
    pub fn is_local(&self) -> bool {
        *self.local.borrow()
    }

    /// Tells the desk which state the node is in.
    pub fn tell(&self, state: StateName) {
        self.state.send_if_modified(|told| std::mem::replace(told, state) != state);
    }

    /// Takes what was answered since the last cycle to the events, and looks at the rest. A flood waits.
    pub fn collect(&mut self, view: &mut CommandsView, events: &mut Arc<Events>) {
        for answer in std::iter::from_fn(|| self.answers.try_recv().ok()).take(ANSWERS_A_CYCLE) {
            view.last = Some(answer.clone());
            Events::push(events, EventKind::Command(answer));
        }
        view.local = self.is_local();
        view.counts = self.counts();
    }

    /// The next answer, if there is one.
    pub fn next_answer(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// What has become of all commands so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            accepted: of(&self.tally.accepted),
            refused: of(&self.tally.refused),
            dropped: of(&self.tally.dropped),
            unanswered: of(&self.tally.unanswered),
        }
    }
}
