//! One command of one device: decides what its register needs next, and what follows from what it shows.
//!
//! ```text
//!   wish ─► gate ─► known what is held? ─► other master? ─► proof under way? ─► budget ─► Write
//!                      │ no                   │ yes            │ yes              │ spent
//!                      ▼                      ▼                ▼                  ▼
//!                     Look            only more cooling   only more cooling   last tenth: only more cooling
//!
//!   held ───────────────────────► verified            foreign ──► counted, written again, or yielded to
//!   rejected, overwritten,
//!   unproven, not effective ────► trouble: said once, written again 3 times at min_interval, then at refresh
//! ```

mod notes;

use eisbach_protocol::registers::{Command, Effect};
use eisbach_protocol::units::Millis;

use super::agenda::{Class, Due};
use super::budget::{Allowance, Today};
use super::foreign::Foreign;
use super::gate::{Gate, Verdict, Wish, Write, meaning};
use super::ledger::Purse;
use super::state::Sample;
use super::verify::{Finding, Judgement, Proof, agrees};
use super::write_state::{Verified, WriteState, WriteTrouble};

/// How soon to ask again for a reservation: a disk needs some milliseconds.
const RESERVATION: Millis = Millis::new(20);

/// The state of one command.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) state: WriteState,
    gate: Gate,
    proof: Proof,
    foreign: Foreign,
    purse: Purse,
    /// Failures since it was last in force.
    failures: u8,
    /// A new proof whose effect was not judged yet.
    unjudged: bool,
    idle: bool,
}

/// What is around a desk when it decides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    /// The device's name.
    pub(super) device: &'a str,
    pub(super) command: &'a Command,
    pub(super) wish: Option<Wish>,
    /// The latest value of the point that shows the effect.
    pub(super) effect: Option<(&'a Effect, Option<Sample>)>,
    /// Age beyond which such a value says nothing.
    pub(super) stale: Millis,
    /// When the device was last reached.
    pub(super) reached_at: Millis,
    pub(super) today: Today,
}

/// What a desk wants to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// Read the register back.
    Look,
    /// Write it, and before it the word that arms it.
    Write(Option<u16>, Write),
}

impl Desk {
    pub(super) fn new(purse: Purse) -> Self {
        let state = WriteState { writes_today: purse.spent(), ..WriteState::default() };
        let (gate, proof, foreign) = (Gate::default(), Proof::default(), Foreign::default());
        Self { state, gate, proof, foreign, purse, failures: 0, unjudged: false, idle: true }
    }

    /// What to do next, and when.
    pub(super) fn plan(&mut self, scene: &Scene<'_>) -> Option<(Due, Step)> {
        let now = scene.today.now;
        self.judge_effect(scene);
        self.note_yield(scene);
        let verdict = self.gate.judge(scene.command, scene.wish, now);
        self.note(scene, verdict);
        let look = self.proof.look().map(|(at, awaited)| {
            let class = if awaited { Class::Control } else { Class::SlowPoll };
            (Due { class, at }, Step::Look)
        });
        let Verdict::Due(at, write) = verdict else {
            return look;
        };
        if look.is_none() {
            return Some((Due { class: Class::Control, at: now }, Step::Look));
        }
        sooner(self.order(scene, at, write), look, now)
    }

    /// The write, if nothing but its time stands against it.
    fn order(&mut self, scene: &Scene<'_>, at: Millis, write: Write) -> Option<(Due, Step)> {
        let (command, now) = (scene.command, scene.today.now);
        let held = self.proof.held();
        let urgent = write.is_urgent(command, held);
        let gives_way = self.state.yielded && !write.is_towards_safety(command, held);
        if gives_way || (self.proof.is_awaited() && !urgent) {
            return None;
        }
        let arm = write.arm(command, held);
        let class = if urgent { Class::Safe } else { Class::Control };
        let step = Step::Write(arm, write);
        if at > now {
            return Some((Due { class, at }, step));
        }
        // What is asked for cooling does not wait to learn who else writes.
        if !urgent && self.proof.is_hidden_by_a_write(at) {
            return Some((Due { class, at }, Step::Look));
        }
        let allowance = if write.stops_a_leak(command) {
            // Water on the floor is worse than a worn register.
            Allowance::Yes
        } else {
            self.purse.judge(scene.today, 1 + u32::from(arm.is_some()), urgent)
        };
        self.note_budget(scene, allowance == Allowance::Spent);
        match allowance {
            Allowance::Yes => Some((Due { class, at }, step)),
            Allowance::Soon => Some((Due { class, at: now + RESERVATION }, step)),
            Allowance::Spent => None,
        }
    }

    /// Step [`Write`](Step::Write) is being carried out: `writes` registers, whatever comes of it.
    pub(super) fn writing(&mut self, write: Write, writes: u32, now: Millis) {
        (0..writes).for_each(|_| self.purse.spend());
        self.state.writes_today = self.purse.spent();
        self.gate.attempt(write, now);
    }

    /// It was echoed.
    pub(super) fn written(&mut self, command: &Command, write: Write, now: Millis) {
        self.proof.written(write.word, &command.read_back, now);
    }

    /// It was declined.
    pub(super) fn declined(&mut self, scene: &Scene<'_>, why: &dyn std::fmt::Display) {
        self.proof.declined(scene.today.now);
        self.fail(scene, WriteTrouble::Rejected, why);
    }

    /// The register was looked at; `found` is nothing if the device declined to say. Returns what was found.
    pub(super) fn seen(&mut self, scene: &Scene<'_>, found: Option<u16>) -> Finding {
        let (command, now) = (scene.command, scene.today.now);
        let finding = self.proof.seen(found, &command.read_back, now);
        match finding {
            Finding::Known => self.spare(scene, found),
            Finding::Held => self.held(scene),
            Finding::Still => self.state.verified = self.verified(scene),
            Finding::Pending => {}
            Finding::Rejected => self.fail(scene, WriteTrouble::Rejected, &"it holds what it held before"),
            Finding::Overwritten => {
                self.event(scene);
                self.fail(scene, WriteTrouble::Overwritten, &"it holds something else");
            }
            Finding::Unproven => self.fail(scene, WriteTrouble::Unproven, &"it cannot be read back"),
            Finding::Foreign => {
                self.event(scene);
                self.state.verified = None;
                self.gate.doubt();
            }
        }
        finding
    }

    /// Nobody knows any more what the device holds: the connection was lost, or a person has it.
    pub(super) const fn doubt(&mut self) {
        self.gate.doubt();
        self.proof.doubt();
        self.state.verified = None;
    }

    /// A register that wears out and holds the wanted word already is not written.
    fn spare(&mut self, scene: &Scene<'_>, found: Option<u16>) {
        let (command, now) = (scene.command, scene.today.now);
        let wears = command.daily_budget.is_some();
        let Verdict::Due(_, write) = self.gate.judge(command, scene.wish, now) else {
            return;
        };
        if wears && found.is_some_and(|found| agrees(&command.read_back, write.word, found)) {
            self.gate.attempt(write, now);
            self.proof.adopt(write.word, now);
            self.held(scene);
        }
    }

    fn held(&mut self, scene: &Scene<'_>) {
        self.state.verified = self.verified(scene);
        self.unjudged = true;
        // Whether a held word is effective at last shows later.
        if self.state.trouble != Some(WriteTrouble::NotEffective) {
            self.calm(scene);
        }
    }

    fn verified(&self, scene: &Scene<'_>) -> Option<Verified> {
        let value = meaning(scene.command, self.proof.word()?)?;
        Some(Verified { value, at: scene.today.now })
    }

    fn judge_effect(&mut self, scene: &Scene<'_>) {
        let Some((effect, sample)) = scene.effect else {
            return;
        };
        let stands = self.state.trouble == Some(WriteTrouble::NotEffective);
        match self.proof.effect(scene.command, effect, sample, scene.today.now, scene.stale) {
            Judgement::Missed if self.proof.word().is_some() && (!stands || self.unjudged) => {
                self.unjudged = false;
                self.fail(scene, WriteTrouble::NotEffective, &"it holds it, and does not do it");
            }
            Judgement::Reached | Judgement::Unknown if stands => self.calm(scene),
            Judgement::Missed | Judgement::Reached | Judgement::Unknown | Judgement::Open => {}
        }
    }
}

/// The one to do first: the most urgent that is due, or else the earliest.
pub(super) fn sooner<J>(one: Option<(Due, J)>, other: Option<(Due, J)>, now: Millis) -> Option<(Due, J)> {
    let (Some(first), Some(second)) = (&one, &other) else {
        return one.or(other);
    };
    let first_is_sooner = match (first.0.at <= now, second.0.at <= now) {
        (true, true) => first.0 <= second.0,
        (true, false) => true,
        (false, true) => false,
        (false, false) => first.0.at <= second.0.at,
    };
    if first_is_sooner { one } else { other }
}

#[cfg(test)]
mod tests;
