//! Breaches: hints that concern this node become caps at once, and what became of them is told.
//!
//! ```text
//!   alert, active ──► caps ──► limits follow ──► told: applied ──┐
//!                       └────── they do not, for 10 s ──► failed ┤
//!   alert, resolved, or silent for long ◄────────────────────────┘ ──► caps go, told: reverted
//! ```
//!
//! A hint can only lower: what it asks for is one more bound beside all others. The budget is shared by the GPUs of
//! the node after their margins, so a hint for one GPU lowers the budget by what that GPU shall give up. A restart ends
//! no breach: what stands is kept, with the time since it was last heard of.

use eisbach_protocol::units::{Millis, Watts};
use serde::{Deserialize, Serialize};

use super::load::Load;
use super::refusal::Refusal;
use super::words::{
    Action, Alert, Enforcement, Hint, MOST_HINTS, Outcome, Phase, Resource, ResultLine, Status, Uuid,
};

/// Breaches that may stand at once: one for each feed of a site, and some.
const MOST: usize = 16;
/// What a throttled load keeps of its power (estimate: clocks at two thirds draw about this much).
const THROTTLED: f32 = 0.7;
/// Limits follow a budget within this (estimate: a cycle, a write, and a slow driver).
const SETTLE: Millis = Millis::from_secs(10);
/// Most that one step counts as waiting for them: nobody follows while this process is not there.
const LONGEST_STEP: Millis = Millis::from_secs(1);
/// Limits are set in whole watts for each GPU.
const ROUNDING: Watts = Watts::new(16.0);

/// The breaches that concern this node.
#[derive(Debug)]
pub(super) struct Shed {
    breaches: Vec<Breach>,
    hold: Millis,
    outcomes: Vec<Told>,
}

/// An outcome and the trace that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// The outcome.
    pub(super) enforcement: Enforcement,
    /// Trace of the alert that caused it.
    pub(super) trace: String,
}

/// What the hints ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wish {
    /// Most that all GPUs may draw.
    pub(super) cap: Option<Watts>,
    /// No new work.
    pub(super) drain: bool,
}

/// One breach, as it is kept over a restart too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Breach {
    id: Uuid,
    feed: String,
    trace: String,
    hints: Vec<Hint>,
    /// What the node drew when the breach began: what is throttled twice is not throttled further.
    base: Load,
    /// Follows from the hints and the base.
    #[serde(skip)]
    wish: Wish,
    /// How long nothing has been heard of it.
    silent: Millis,
    /// How long it waits for the limits to follow, and what they were; none once it is told.
    waits: Option<(Millis, Option<Watts>)>,
}

/// How hints name this node, and what else hangs on its feed.
#[derive(Clone, Debug)]
pub(super) struct Own {
    /// The node; its GPUs are `<node>/gpu0` and so on.
    pub(super) resource: String,
    /// What the node draws beside its GPUs.
    pub(super) overhead: Watts,
}

impl Own {
    /// The GPU of a hint, or none for the whole node.
    fn part<'a>(&self, hint: &'a Hint) -> Option<Option<&'a str>> {
        match hint.kind {
            Resource::Node => (hint.resource == self.resource).then_some(None),
            Resource::Gpu => {
                let gpu = hint.resource.strip_prefix(self.resource.as_str())?.strip_prefix('/')?;
                Some(Some(gpu))
            }
            Resource::Chassis => None,
        }
    }

    /// The cap over all GPUs that a hint asks for; none if what they draw is not known.
    fn cap(&self, hint: &Hint, load: &Load) -> Option<Watts> {
        let whole = load.drawn;
        let (now, overhead) = match self.part(hint)? {
            None => (whole, self.overhead),
            Some(gpu) => (load.gpus.iter().find(|(name, _)| name == gpu)?.1, Watts::ZERO),
        };
        let then = match hint.action {
            Action::PowerCap => hint.power_cap()? - overhead,
            Action::Throttle => now? * THROTTLED,
            Action::Suspend => Watts::ZERO,
        };
        match hint.kind {
            Resource::Node => Some(then.larger(Watts::ZERO)),
            Resource::Gpu => Some((whole? - (now? - then).larger(Watts::ZERO)).larger(Watts::ZERO)),
            Resource::Chassis => None,
        }
    }
}

impl Shed {
    /// Nothing to shed. What is not repeated for `hold` is given back.
    pub(super) const fn new(hold: Millis) -> Self {
        Self { breaches: Vec::new(), hold, outcomes: Vec::new() }
    }

    /// Takes up an alert.
    ///
    /// # Errors
    /// If none of its hints is for this node, or too many breaches stand.
    pub(super) fn alert(
        &mut self,
        alert: Alert,
        trace: String,
        own: &Own,
        load: &Load,
    ) -> Result<(), Refusal> {
        let Alert { breach: id, feed, status, hints } = alert;
        let hints: Vec<_> = match status {
            Status::Resolved => Vec::new(),
            Status::Active | Status::Escalated => {
                hints.into_iter().filter(|hint| own.part(hint).is_some()).collect()
            }
        };
        let known = self.breaches.iter().position(|breach| breach.id == id);
        match known {
            None if hints.is_empty() => return Err(Refusal::ForeignResource),
            None if self.breaches.len() >= MOST => return Err(Refusal::Full),
            None => {
                let (base, waits) = (load.clone(), Some((Millis::ZERO, load.limit)));
                let (wish, silent) = (Wish::of(&hints, own, &base), Millis::ZERO);
                self.breaches.push(Breach { id, feed, trace, hints, base, wish, silent, waits });
            }
            Some(at) if hints.is_empty() => {
                let breach = self.breaches.remove(at);
                self.outcomes.push(breach.told(Phase::Reverted, Outcome::Applied, "resolved", None));
            }
            Some(at) => {
                if let Some(breach) = self.breaches.get_mut(at) {
                    breach.again(hints, trace, own, load);
                }
            }
        }
        Ok(())
    }

    /// Time passes.
    pub(super) fn pass(&mut self, passed: Millis) {
        for breach in &mut self.breaches {
            breach.silent += passed;
            if let Some((waited, _)) = &mut breach.waits {
                *waited += passed.min(LONGEST_STEP);
            }
        }
    }

    /// What must outlive the process.
    pub(super) fn keep(&self) -> Vec<Breach> {
        self.breaches.clone()
    }

    /// Takes up what stood before a restart, where it is still for this node.
    pub(super) fn take_up(&mut self, kept: Vec<Breach>, own: &Own) {
        let ours = |breach: &Breach| {
            breach.hints.len() <= MOST_HINTS && breach.hints.iter().all(|hint| own.part(hint).is_some())
        };
        let wished = |breach: Breach| Breach { wish: Wish::of(&breach.hints, own, &breach.base), ..breach };
        self.breaches = kept.into_iter().filter(ours).take(MOST).map(wished).collect();
    }

    /// What stands now. Afterwards the [outcomes](Self::outcomes) of this moment are there.
    pub(super) fn step(&mut self, load: &Load) -> Wish {
        let hold = self.hold;
        let over = |breach: &mut Breach| breach.silent > hold;
        let over = self.breaches.extract_if(.., over);
        let silent =
            |breach: Breach| breach.told(Phase::Reverted, Outcome::Applied, "no longer heard of", None);
        self.outcomes.extend(over.map(silent));
        for breach in &mut self.breaches {
            self.outcomes.extend(breach.applied(load));
        }
        self.breaches.iter().fold(Wish::default(), |all, breach| all.and(breach.wish))
    }

    /// Whether something became of hints that nobody has asked for yet.
    pub(super) const fn has_outcomes(&self) -> bool {
        !self.outcomes.is_empty()
    }

    /// What became of hints since it was asked last.
    pub(super) fn outcomes(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.outcomes)
    }
}

impl Wish {
    fn of(hints: &[Hint], own: &Own, load: &Load) -> Self {
        let one = |hint: &Hint| {
            let whole = hint.kind == Resource::Node && hint.action == Action::Suspend;
            Self { cap: own.cap(hint, load), drain: whole }
        };
        let (nodes, gpus): (Vec<_>, Vec<_>) = hints.iter().partition(|hint| hint.kind == Resource::Node);
        let nodes = nodes.into_iter().map(one).fold(Self::default(), Self::and);
        // What several GPUs give up adds up.
        let given_up = gpus
            .into_iter()
            .filter_map(|hint| Some(load.drawn? - own.cap(hint, load)?))
            .fold(Watts::ZERO, |sum, one| sum + one);
        let gpus =
            load.drawn.filter(|_| given_up > Watts::ZERO).map(|all| (all - given_up).larger(Watts::ZERO));
        nodes.and(Self { cap: gpus, drain: false })
    }

    fn and(self, other: Self) -> Self {
        let cap = match (self.cap, other.cap) {
            (Some(one), Some(other)) => Some(one.smaller(other)),
            (one, other) => one.or(other),
        };
        Self { cap, drain: self.drain || other.drain }
    }
}

impl Breach {
    /// The feed that draws too much.
    pub(super) const fn feed(&self) -> &String {
        &self.feed
    }

    /// It is told of again, with the same hints or others.
    fn again(&mut self, hints: Vec<Hint>, trace: String, own: &Own, load: &Load) {
        (self.silent, self.trace) = (Millis::ZERO, trace);
        if hints != self.hints {
            self.wish = Wish::of(&hints, own, &self.base);
            (self.hints, self.waits) = (hints, Some((Millis::ZERO, load.limit)));
        }
    }

    /// Its outcome, once, when the limits have followed or have had the time to.
    fn applied(&mut self, load: &Load) -> Option<Told> {
        let (waited, before) = self.waits?;
        let within = |cap: Watts| load.limit.is_some_and(|limit| limit <= cap + ROUNDING);
        let followed = self.wish.cap.is_some_and(within);
        if !followed && waited < SETTLE {
            return None;
        }
        self.waits = None;
        let lowered = load.limit.zip(before).is_some_and(|(limit, before)| limit < before);
        let (outcome, message) = match self.wish.cap {
            None => (Outcome::Failed, "what the GPUs draw is not known"),
            Some(_) if followed => (Outcome::Applied, "all GPUs of the node share the cap"),
            Some(_) if lowered => {
                (Outcome::Applied, "no lower than this: the devices' and the node's own bounds")
            }
            Some(_) => (Outcome::Failed, "the power limits did not follow"),
        };
        Some(self.told(Phase::Applied, outcome, message, load.limit))
    }

    fn is_there(&self, hint: &Hint) -> bool {
        let last = hint.resource.rsplit('/').next();
        hint.kind != Resource::Gpu || self.base.gpus.iter().any(|(name, _)| Some(name.as_str()) == last)
    }

    fn told(&self, phase: Phase, outcome: Outcome, message: &str, applied: Option<Watts>) -> Told {
        let line = |hint: &Hint| {
            let (outcome, message) =
                if self.is_there(hint) { (outcome, message) } else { (Outcome::Skipped, "no such GPU here") };
            ResultLine {
                resource: hint.resource.clone(),
                kind: hint.kind,
                action: hint.action,
                outcome,
                message: message.to_owned(),
                asked: hint.power_cap(),
                applied,
            }
        };
        let results = self.hints.iter().map(line).collect();
        let enforcement = Enforcement { breach: self.id, feed: self.feed.clone(), phase, results };
        Told { enforcement, trace: self.trace.clone() }
    }
}
