//! From signed words to a power budget for this node. No I/O, no clock.
//!
//! ```text
//!   message ─► gate ─┬─► load targets ─► schedule of each issuer ─► lowest in force ──► ramp ─┐
//!                    │                                                                    ├─► Order
//!                    └─► alerts ───────► caps of the hints for us ────── at once ─────────┘
//! ```
//!
//! Everything here only lowers. The order is one bound beside the others; when it goes, it goes at a rate, and back
//! only to what all others allow. A link that falls silent changes nothing: a target holds until its end.

use eisbach_protocol::units::{Millis, Watts};
use serde::{Deserialize, Serialize};

use super::gate::{Admitted, Gate, Issuer, Memory};
use super::lapse::Lapse;
use super::load::Load;
use super::ramp::Ramp;
use super::refusal::Refusal;
use super::schedule::{Schedule, Slot};
use super::shed::{Breach, Own, Shed, Told};
use super::words::{Alert, Kind, Target, Targets, Uuid};

/// How far ahead a target may begin: a week. Beyond, somebody's calendar is wrong.
const HORIZON_MS: u64 = 7 * 24 * 3600 * 1000;

/// How this node takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct FlexRules {
    /// How hints name this node.
    pub resource: String,
    /// The feeds that it hangs on.
    pub feeds: Vec<String>,
    /// Its part of a feed's power, above 0 and up to 1.
    pub share: f64,
    /// What the node draws beside its GPUs.
    pub overhead: Watts,
    /// How fast a budget moves, W/s.
    pub ramp_watts_per_s: f32,
    /// An event older than this is refused, ms.
    pub max_age_ms: u64,
    /// Hints that are not repeated for this long are given back.
    pub hold: Millis,
}

/// What Flex asks of this node now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Order {
    /// Most that all GPUs may draw.
    pub(super) budget: Option<Watts>,
    /// No new work for this node.
    pub(super) drain: bool,
    /// What the target in force belongs to.
    pub(super) correlation: Option<Uuid>,
}

/// What must outlive the process.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(default)]
    lapse: Lapse,
    issuers: Vec<(String, Memory, Schedule)>,
    #[serde(default)]
    breaches: Vec<Breach>,
}

/// The engine.
#[derive(Debug)]
pub(super) struct Engine {
    rules: FlexRules,
    own: Own,
    gate: Gate,
    /// One for each issuer of the gate.
    schedules: Vec<Schedule>,
    shed: Shed,
    ramp: Ramp,
    lapse: Lapse,
    /// Whether there is something new to keep.
    changed: bool,
}

impl Engine {
    /// One that asks for nothing.
    pub(super) fn new(rules: FlexRules, issuers: Vec<Issuer>) -> Self {
        Self {
            own: Own { resource: rules.resource.clone(), overhead: rules.overhead },
            schedules: vec![Schedule::default(); issuers.len()],
            gate: Gate::new(issuers, rules.max_age_ms),
            shed: Shed::new(rules.hold),
            ramp: Ramp::new(rules.ramp_watts_per_s),
            lapse: Lapse::default(),
            changed: false,
            rules,
        }
    }

    /// The topics to follow.
    pub(super) fn topics(&self) -> Vec<String> {
        self.gate.issuers().filter_map(Issuer::topic).collect()
    }

    /// Takes up a message.
    ///
    /// # Errors
    /// If it is not followed; nothing is asked of the node then.
    pub(super) fn message(
        &mut self,
        (topic, payload, retained): (&str, &[u8], bool),
        load: &Load,
        (now, wall_ms): (Millis, u64),
    ) -> Result<(), Refusal> {
        let admitted = self.gate.admit(topic, payload, retained, wall_ms)?;
        self.pass((now, wall_ms));
        let followed = self.follow(&admitted, load, wall_ms);
        // For what finds no room now there shall be none later, out of somebody else's hand.
        if followed.is_ok() || followed == Err(Refusal::Full) {
            self.gate.note(&admitted);
            self.changed = true;
        }
        followed
    }

    fn follow(&mut self, admitted: &Admitted, load: &Load, wall_ms: u64) -> Result<(), Refusal> {
        let is_dated = admitted.signed.signed_at.is_some();
        match admitted.kind {
            Kind::LoadTargetSet => {
                let targets = Targets::read(&admitted.signed.payload).map_err(|_| Refusal::Malformed)?;
                let since_ms = wall_ms.saturating_sub(self.rules.max_age_ms);
                if !is_dated && !targets.0.iter().all(|target| target.is_dated(since_ms)) {
                    return Err(Refusal::Undated);
                }
                let slots = self.slots(targets, admitted.event.correlation, wall_ms)?;
                let schedule = self.schedules.get_mut(admitted.issuer).ok_or(Refusal::ForeignIssuer)?;
                schedule.add(&slots, wall_ms).map_err(|_| Refusal::Full)
            }
            Kind::BreachAlert if !is_dated => Err(Refusal::Undated),
            Kind::BreachAlert => {
                let alert = Alert::read(&admitted.signed.payload).map_err(|_| Refusal::Malformed)?;
                if !self.rules.feeds.contains(&alert.feed) {
                    return Err(Refusal::ForeignFeed);
                }
                self.shed.alert(alert, admitted.event.trace.clone(), &self.own, load)
            }
            Kind::BreachEnforcement => Err(Refusal::Topic),
        }
    }

    /// What is asked of the node now.
    pub(super) fn step(&mut self, load: &Load, (now, wall_ms): (Millis, u64)) -> Order {
        self.pass((now, wall_ms));
        let slots = self.schedules.iter().filter_map(Schedule::in_force);
        let slot = slots.reduce(|lowest, slot| if slot.power < lowest.power { slot } else { lowest });
        let (goal, correlation) = (slot.and_then(|slot| slot.power), slot.and_then(|slot| slot.correlation));
        let wish = self.shed.step(load);
        self.changed |= self.shed.has_outcomes();
        Order { budget: self.ramp.step(goal, wish.cap, load.drawn, now), drain: wish.drain, correlation }
    }

    /// Time passes.
    fn pass(&mut self, (now, wall_ms): (Millis, u64)) {
        let passed = self.lapse.passed((now, wall_ms));
        self.shed.pass(passed);
        for schedule in &mut self.schedules {
            self.changed |= schedule.pass(passed, wall_ms);
        }
    }

    /// What became of hints since it was asked last.
    pub(super) fn outcomes(&mut self) -> Vec<Told> {
        self.shed.outcomes()
    }

    /// Whether what must outlive the process has changed since it was asked last.
    pub(super) fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What must outlive the process.
    pub(super) fn keep(&mut self, wall_ms: u64) -> Kept {
        for schedule in &mut self.schedules {
            schedule.tidy(wall_ms);
        }
        let lines = self.gate.memories().zip(&self.schedules);
        let issuers = lines.map(|((of, memory), slots)| (of, memory.clone(), slots.clone())).collect();
        Kept { lapse: self.lapse, issuers, breaches: self.shed.keep() }
    }

    /// Takes up what was kept before a restart. What it says of issuers that are no longer known, or
    /// of feeds that are no longer ours, is left.
    pub(super) fn take_up(&mut self, kept: Kept) {
        self.lapse = kept.lapse;
        let feeds = &self.rules.feeds;
        let ours = kept.breaches.into_iter().filter(|breach| feeds.contains(breach.feed()));
        self.shed.take_up(ours.collect(), &self.own);
        for (source, memory, schedule) in kept.issuers {
            let at = self.gate.memories().position(|(known, _)| known == source);
            if let Some(own) = at.and_then(|at| self.schedules.get_mut(at)).filter(|_| schedule.is_sane()) {
                *own = schedule;
            }
            self.gate.remember(&source, memory);
        }
    }

    /// Targets as they concern this node.
    fn slots(
        &self,
        Targets(targets): Targets,
        correlation: Option<Uuid>,
        wall_ms: u64,
    ) -> Result<Vec<Slot>, Refusal> {
        let ours = |target: Target| {
            let feeds = self.feeds(&target);
            (!feeds.is_empty()).then_some((target, feeds))
        };
        let targets: Vec<_> = targets.into_iter().filter_map(ours).collect();
        if targets.is_empty() {
            return Err(Refusal::ForeignFeed);
        }
        let slot = |(target, feeds): (Target, Vec<String>)| {
            let interval = (target.start_ms.unwrap_or(wall_ms), target.end_ms.unwrap_or(u64::MAX));
            Slot::new(interval, feeds, target.watts.map(|watts| self.part(watts)), correlation)
        };
        let slots: Vec<_> = targets.into_iter().map(slot).collect();
        if slots.iter().any(|slot| slot.start_ms > wall_ms.saturating_add(HORIZON_MS)) {
            return Err(Refusal::Future);
        }
        let lasting: Vec<_> = slots.into_iter().filter(|slot| slot.end_ms > wall_ms).collect();
        if lasting.is_empty() { Err(Refusal::Expired) } else { Ok(lasting) }
    }

    /// Those of this node's feeds that a target is for; all of them if it names none.
    fn feeds(&self, target: &Target) -> Vec<String> {
        let meant = |feed: &&String| target.feeds.is_empty() || target.feeds.contains(feed);
        self.rules.feeds.iter().filter(meant).cloned().collect()
    }

    /// What a feed's target leaves for this node's GPUs.
    #[expect(clippy::cast_possible_truncation, reason = "a power of at most a site, to four digits")]
    fn part(&self, watts: f64) -> Watts {
        (Watts::new((watts * self.rules.share) as f32) - self.rules.overhead).larger(Watts::ZERO)
    }
}
