//! The task behind the desk: one command after the other, and the ends of those in force.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eisbach_control::StateName;
use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::action::{Action, ActionName, Direction};
use super::envelope::{self, Envelope, LONGEST};
use super::judge::{Circumstances, Claim, Ruling, judge};
use super::ledger::{self, Ledger};
use super::orders::{Order, Orders};
use super::refusal::Refusal;
use super::told::{Noise, Told};
use super::wall::WallClock;
use super::wishes::{Became, Wishes, alarm_order};
use super::{DeskSettings, Kind, Submission, Switch, Switched, Tally};
use crate::clock::Clock;
use crate::cycle;
use crate::report::events::{Answer, AnswerState, Short};

/// How often the ends of orders are looked for.
const LOOK: Duration = Duration::from_millis(100);
/// A disk that takes longer is treated as broken.
const SAVE_LIMIT: Duration = Duration::from_secs(1);

/// Where the task tells what it did.
#[derive(Debug)]
pub(super) struct Out {
    pub(super) orders: watch::Sender<Arc<Orders>>,
    pub(super) local: watch::Sender<bool>,
    pub(super) answers: mpsc::Sender<Answer>,
    pub(super) rebirth: watch::Sender<u64>,
}

/// The task's memory.
#[derive(Debug)]
pub(super) struct Task {
    settings: DeskSettings,
    out: Out,
    tally: Arc<Tally>,
    tuning: watch::Receiver<cycle::Orders>,
    state: watch::Receiver<StateName>,
    clock: Clock,
    ledger: Ledger,
    orders: Orders,
    wall: WallClock,
    wishes: Wishes,
    /// A write that hangs in the disk; no other is started meanwhile.
    hanging: Option<JoinHandle<io::Result<()>>>,
    told: Told,
    plain: u64,
}

/// Who asks for what, for the answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    id: Short,
    issuer: Short,
    action: Short,
}

impl Task {
    pub(super) fn new(
        settings: DeskSettings,
        out: Out,
        tally: Arc<Tally>,
        (tuning, state): (watch::Receiver<cycle::Orders>, watch::Receiver<StateName>),
        clock: Clock,
    ) -> Self {
        let ledger = Ledger::load(&settings.state);
        out.local.send_replace(ledger.is_local());
        Self {
            settings,
            out,
            tally,
            tuning,
            state,
            clock,
            ledger,
            orders: Orders::default(),
            wall: WallClock::default(),
            wishes: Wishes::default(),
            hanging: None,
            told: Told::default(),
            plain: 0,
        }
    }

    /// Judges until `token` is cancelled. A person at the node goes before any flood, and so do the ends of orders.
    pub(super) async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Submission>,
        mut switches: mpsc::Receiver<Switch>,
        token: CancellationToken,
    ) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = token.cancelled() => return,
                Some(Switch { on, done }) = switches.recv() => {
                    let switched = self.switch(on).await;
                    // Whoever asked may have gone.
                    let _gone = done.send(switched);
                }
                _ = look.tick() => self.expire(self.clock.now()),
                Some(became) = self.wishes.next() => self.came_back(became),
                submission = inbox.recv() => match submission {
                    Some(submission) => self.take(submission).await,
                    None => return,
                },
            }
        }
    }

    /// Judges one command and does what it may.
    async fn take(&mut self, submission: Submission) {
        let (names, claim) = self.read(submission);
        let claim = match claim {
            Ok(claim) => claim,
            Err(refusal) => return self.refuse(&names, refusal),
        };
        let (now, wall_ms) = (self.clock.now(), Clock::wall_ms());
        let clock_sure = self.wall.look(now, wall_ms);
        let tuning = self.tuning.borrow().tuning;
        let circumstances = Circumstances {
            settings: &self.settings.commands,
            tuning: &tuning,
            node: &self.settings.node,
            ledger: &self.ledger,
            orders: &self.orders,
            now,
            state: *self.state.borrow(),
            wall_ms,
            clock_sure,
        };
        let ruling = match judge(&claim, &circumstances) {
            Ok(ruling) => ruling,
            Err(refusal) => return self.refuse(&names, refusal),
        };
        if let Some(counter) = ruling.spend {
            self.ledger.spend(&names.issuer, counter);
            if !self.keep().await {
                return self.refuse(&names, Refusal::NotKept);
            }
        }
        // The disk may have taken its time; an order begins when it begins.
        let carried_out = match alarm_order(&ruling.action, &names.issuer) {
            Some(order) => {
                let wish = (names.clone(), ruling.clone());
                match self.wishes.hand(&self.settings.alarms, order, wish) {
                    Ok(()) => return self.remember(&claim),
                    Err(word) => Err(word),
                }
            }
            None => self.carry_out(&names, &claim, &ruling, self.clock.now()).map_err(Refusal::as_str),
        };
        match carried_out {
            Ok(state) => {
                self.remember(&claim);
                self.accept(&names, &ruling, state);
            }
            Err(word) => self.refuse_with(&names, word),
        }
    }

    /// Makes sure that an envelope is not taken up twice.
    fn remember(&mut self, claim: &Claim) {
        let Claim::Envelope { envelope: Envelope { id, issuer, counter, .. }, key } = claim else { return };
        let known = self.settings.commands.issuer(issuer.as_str()).map(|issuer| issuer.name.as_str());
        self.ledger.note(known, id.clone());
        if let (Some(_), Some(counter)) = (key, counter) {
            self.ledger.saw(issuer, *counter);
        }
    }

    /// Answers a wish about an alarm with what became of it.
    fn came_back(&mut self, (names, ruling, became): Became) {
        match became {
            Ok(state) => self.accept(&names, &ruling, state),
            Err(word) => self.refuse_with(&names, word),
        }
    }

    /// What a submission says, and how it is to be called in the answer.
    fn read(&mut self, submission: Submission) -> (Names, Result<Claim, Refusal>) {
        let Submission { face, retained, kind } = submission;
        let (names, claim) = match kind {
            Kind::Envelope(text) => self.open(&text),
            Kind::Plain(action) => {
                self.plain += 1;
                let issuer = Short::new(face);
                let id = Short::new(&format!("{face}-{}", self.plain));
                (Names::new(id, issuer.clone(), &action), Ok(Claim::Plain { issuer, action }))
            }
        };
        (names, if retained { Err(Refusal::Retained) } else { claim })
    }

    fn open(&self, text: &[u8]) -> (Names, Result<Claim, Refusal>) {
        let short = text.len() <= LONGEST;
        let text = if short { text.trim_ascii() } else { text };
        let sealed = short && !text.starts_with(b"{");
        let (key, opened) = match std::str::from_utf8(text) {
            Ok(compact) if sealed && compact.contains('.') => match self.settings.seals.open(compact) {
                Some((envelope, key)) => (Some(key), envelope),
                None => return (Names::default(), Err(Refusal::BadSignature)),
            },
            Ok(_) | Err(_) => (None, text.to_vec()),
        };
        match envelope::decode(&opened) {
            Ok(envelope) => {
                let names = Names::new(envelope.id.clone(), envelope.issuer.clone(), &envelope.action);
                (names, Ok(Claim::Envelope { envelope, key }))
            }
            Err(refusal) => {
                let [id, issuer, action] = envelope::glimpse(&opened);
                (Names { id, issuer, action }, Err(refusal))
            }
        }
    }

    fn carry_out(
        &mut self,
        names: &Names,
        claim: &Claim,
        ruling: &Ruling,
        now: Millis,
    ) -> Result<AnswerState, Refusal> {
        let Names { id, issuer, .. } = names;
        match ruling.action {
            Action::PumpAtLeast(_)
            | Action::ValveAtMost(_)
            | Action::SupplyTarget(_)
            | Action::PowerBudget(_)
            | Action::RiverAtMost(_)
            | Action::River(_)
            | Action::HeatDemand { .. }
            | Action::Drain
            | Action::Manual(_)
            | Action::Isolate => {
                let known = self.settings.commands.issuer(issuer.as_str()).is_some()
                    || matches!(claim, Claim::Plain { .. });
                let replaced = self.orders.put((id.clone(), issuer.clone()), known, ruling, now)?;
                self.publish();
                self.ended(replaced, &AnswerState::Done);
                Ok(ruling.clamped.map_or(AnswerState::Accepted, |to| AnswerState::Clamped { to }))
            }
            Action::Auto => {
                let held = self.orders.take(|order| order.action.name() == ActionName::Manual);
                self.publish();
                self.ended(held, &AnswerState::Done);
                Ok(AnswerState::Done)
            }
            Action::Release(name) => {
                let own = self.orders.take_own(issuer, name).ok_or(Refusal::NothingToRelease)?;
                self.publish();
                self.ended([own], &AnswerState::Done);
                Ok(AnswerState::Done)
            }
            // These went to the cycle.
            Action::Acknowledge(_) | Action::Shelve { .. } | Action::Unshelve(_) | Action::Reset(_) => {
                Err(Refusal::Busy)
            }
            Action::Rebirth => {
                self.out.rebirth.send_modify(|count| *count += 1);
                Ok(AnswerState::Done)
            }
        }
    }

    /// Takes away what is over.
    fn expire(&mut self, now: Millis) {
        self.wall.look(now, Clock::wall_ms());
        let over = self.orders.take(|order| order.until <= now);
        if !over.is_empty() {
            self.publish();
            self.ended(over, &AnswerState::Expired);
        }
    }

    /// Hands the node to a person, or back. What rests on a right ends with it.
    async fn switch(&mut self, on: bool) -> Switched {
        self.ledger.set_local(on);
        self.out.local.send_replace(on);
        if on {
            let by_right =
                |order: &Order| order.direction == Direction::Authority && !order.action.name().tells();
            let remote = self.orders.take(by_right);
            self.publish();
            self.ended(remote, &AnswerState::Done);
        }
        info!(on, "maintenance: while on, no command that needs a right is obeyed");
        Switched { local: on, kept: self.keep().await }
    }

    /// The ledger on the disk; whether it is there.
    async fn keep(&mut self) -> bool {
        let Some(page) = self.ledger.page() else { return false };
        if let Some(write) = self.hanging.take_if(|write| !write.is_finished()) {
            self.hanging = Some(write);
            return false;
        }
        self.hanging = None;
        let state: PathBuf = self.settings.state.clone();
        let mut write = spawn_blocking(move || ledger::keep(&state, &page));
        match timeout(SAVE_LIMIT, &mut write).await {
            Ok(Ok(Ok(()))) => true,
            Ok(Ok(Err(error))) => {
                warn!(%error, "the counters of commands cannot be kept");
                false
            }
            Ok(Err(_)) => false,
            Err(_) => {
                self.hanging = Some(write);
                false
            }
        }
    }

    fn publish(&self) {
        self.out.orders.send_replace(Arc::new(self.orders.clone()));
    }

    fn ended(&self, orders: impl IntoIterator<Item = Order>, state: &AnswerState) {
        for order in orders {
            self.answer(&Names::new(order.id, order.issuer, &order.action), state.clone());
        }
    }

    fn accept(&self, names: &Names, ruling: &Ruling, state: AnswerState) {
        Tally::count(&self.tally.accepted);
        let Names { id, issuer, action } = names;
        match ruling.direction {
            Direction::Authority => info!(%id, %issuer, %action, answer = state.as_str(), "command obeyed"),
            Direction::Safe | Direction::Own => {
                debug!(%id, %issuer, %action, answer = state.as_str(), "command obeyed");
            }
        }
        self.answer(names, state);
    }

    fn refuse(&mut self, names: &Names, refusal: Refusal) {
        self.refuse_with(names, refusal.as_str());
    }

    fn refuse_with(&mut self, names: &Names, reason: &'static str) {
        Tally::count(&self.tally.refused);
        match self.told.one_more(reason, self.clock.now()) {
            Noise::First => {
                let Names { id, issuer, action } = names;
                warn!(%id, %issuer, %action, reason, "command refused; further ones of this kind are not logged");
            }
            Noise::Event => {}
            Noise::None => return,
        }
        // Also where it has no name: nobody would hear of it otherwise.
        self.send(names, AnswerState::Refused { reason: Short::new(reason) });
    }

    /// A command without a name wants no answer.
    fn answer(&self, names: &Names, state: AnswerState) {
        if !names.id.as_str().is_empty() {
            self.send(names, state);
        }
    }

    fn send(&self, names: &Names, state: AnswerState) {
        let Names { id, issuer, action } = names.clone();
        if self.out.answers.try_send(Answer { id, issuer, action, state, wall_ms: Clock::wall_ms() }).is_err()
        {
            Tally::count(&self.tally.unanswered);
        }
    }
}

impl Names {
    fn new(id: Short, issuer: Short, action: &Action) -> Self {
        Self { id, issuer, action: Short::new(action.name().as_str()) }
    }
}
