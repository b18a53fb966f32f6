//! The face: listens to the grid, posts what it asks for, and tells what became of hints.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use eisbach_protocol::units::{Millis, Watts};
use ring::rand::{SystemRandom, generate};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::engine::{Engine, Order};
use super::jws;
use super::keeper::{self, Keeper};
use super::keys::SigningKey;
use super::load::Load;
use super::refusal::Refusal;
use super::settings::FlexSettings;
use super::shed::Told;
use super::words::{Event, Kind, Outcome, Publisher, Role, Uuid};
use crate::facility::face::{Face, Inbound, Moment, Outlet};
use crate::facility::link::{Delivery, Refused};
use crate::facility::standing::{Post, Standing};
use crate::report::Report;
use crate::report::events::{Enforcement, PowerOutcome, Short};

/// Outcomes that wait for a connection; the oldest goes.
const MOST_OUTCOMES: usize = 32;

/// Shortest time between two events about one kind of refusal.
const REFUSAL_PAUSE: Millis = Millis::from_secs(60);

/// The face, from the agent's start to its end.
#[derive(Debug)]
pub(crate) struct FlexFace {
    engine: Engine,
    publisher: Publisher,
    signing: Option<SigningKey>,
    post: Post,
    kept: watch::Sender<Vec<u8>>,
    news: mpsc::Sender<PowerOutcome>,
    load: Load,
    order: Order,
    outcomes: VecDeque<Told>,
    /// Each kind of refusal, and when its last event was told.
    refusals_told: Vec<(Refusal, Millis)>,
}

impl FlexFace {
    /// For this node. What the grid asks for is posted there, and what became of it is told there; the task keeps
    /// targets over a restart.
    pub(crate) fn new(
        settings: &FlexSettings,
        state: &Path,
        post: Post,
        news: mpsc::Sender<PowerOutcome>,
    ) -> (Self, Keeper) {
        let mut engine = Engine::new(settings.rules.clone(), settings.issuers());
        if let Some(kept) = keeper::load(state) {
            engine.take_up(kept);
        }
        let (keeper, kept) = Keeper::new(state);
        let face = Self {
            engine,
            publisher: Publisher { role: Role::Infra, name: settings.agent.clone() },
            signing: settings.signing_key(),
            post,
            kept,
            news,
            load: Load::default(),
            order: Order::default(),
            outcomes: VecDeque::new(),
            refusals_told: Vec::new(),
        };
        (face, keeper)
    }

    fn keep_if_changed(&mut self, wall_ms: u64) {
        if !self.engine.has_changed() {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(&self.engine.keep(wall_ms)) {
            self.kept.send_replace(bytes);
        }
    }

    /// What is asked of the controller, said anew with each report.
    fn ask(&mut self, report: &Report, now: Moment) {
        self.load = Load::of(report);
        let order = self.engine.step(&self.load, (now.at, now.wall_ms));
        let Order { budget: power_budget, drain, correlation } = order;
        self.post.ask(Standing { power_budget, drain, ..Standing::default() }, now.at);
        if correlation != self.order.correlation || power_budget.is_some() != self.order.budget.is_some() {
            let watts = power_budget.map(Watts::get);
            info!(?watts, ?correlation, "the grid's target for this node");
        }
        self.order = order;
        self.keep_if_changed(now.wall_ms);
        for told in self.engine.outcomes() {
            self.tell_ourselves(&told, now.wall_ms);
            if self.outcomes.len() >= MOST_OUTCOMES {
                self.outcomes.pop_front();
            }
            self.outcomes.push_back(told);
        }
    }

    /// In the log once a kind, and among the events once a minute: a flood of bad words must not wash out the rest.
    fn tell_refusal(&mut self, inbound: &Inbound, refusal: Refusal, now: Moment) {
        match self.refusals_told.iter_mut().find(|(told, _)| *told == refusal) {
            Some((_, at)) if now.at.since(*at) < REFUSAL_PAUSE => return,
            Some((_, at)) => *at = now.at,
            None => {
                let (topic, reason) = (inbound.topic.as_str(), refusal.as_str());
                warn!(topic, reason, "event refused; further ones of this kind are only counted");
                self.refusals_told.push((refusal, now.at));
            }
        }
        let id = Event::read(&inbound.payload).map(|event| event.id.to_string()).unwrap_or_default();
        let outcome = PowerOutcome {
            id: Short::new(&id),
            target: Short::new("node"),
            enforcement: Enforcement::Skipped,
            asked: None,
            applied: None,
            reason: Some(Short::new(refusal.as_str())),
            wall_ms: now.wall_ms,
        };
        let _ = self.news.try_send(outcome);
    }

    fn tell_ourselves(&self, told: &Told, wall_ms: u64) {
        for line in &told.enforcement.results {
            let enforcement = match line.outcome {
                Outcome::Applied => Enforcement::Applied,
                Outcome::Failed => Enforcement::Failed,
                Outcome::Skipped => Enforcement::Skipped,
            };
            let outcome = PowerOutcome {
                id: Short::new(&told.enforcement.breach.to_string()),
                target: Short::new(&line.resource),
                enforcement,
                asked: line.asked,
                applied: line.applied,
                reason: Some(Short::new(&line.message)),
                wall_ms,
            };
            // Full: the ring behind it would have overwritten them as well.
            let _ = self.news.try_send(outcome);
        }
    }

    fn publish(&mut self, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused> {
        while let Some(told) = self.outcomes.front() {
            if let Some(payload) = self.written(told, now.wall_ms) {
                out.publish(&self.publisher.topic("powerbreach/enforcement"), payload, Delivery::Exactly)?;
            }
            self.outcomes.pop_front();
        }
        Ok(())
    }

    /// The event; none without a key, for an unsigned word is none on this bus.
    fn written(&self, told: &Told, wall_ms: u64) -> Option<Vec<u8>> {
        let key = self.signing.as_ref()?;
        let words = told.enforcement.write(wall_ms)?;
        let data = jws::sign(&words, key, wall_ms)?;
        let id = Uuid::from_random(generate(&SystemRandom::new()).ok()?.expose());
        Event::write(id, &self.publisher, Kind::BreachEnforcement, wall_ms, &told.trace, &data)
    }
}

impl Face for FlexFace {
    fn name(&self) -> &'static str {
        "flex"
    }

    fn connected(&mut self, out: &mut Outlet<'_>) -> Result<(), Refused> {
        self.engine.topics().iter().try_for_each(|topic| out.listen(topic))
    }

    fn lost(&mut self) {}

    fn report(
        &mut self,
        report: &Arc<Report>,
        now: Moment,
        out: Option<&mut Outlet<'_>>,
    ) -> Result<(), Refused> {
        self.ask(report, now);
        out.map_or(Ok(()), |out| self.publish(now, out))
    }

    fn message(&mut self, inbound: &Inbound, now: Moment, out: &mut Outlet<'_>) {
        let message = (inbound.topic.as_str(), inbound.payload.as_slice(), inbound.retained);
        let heard = self.engine.message(message, &self.load, (now.at, now.wall_ms));
        self.keep_if_changed(now.wall_ms);
        let Err(refusal) = heard else { return };
        out.counters().commands_refused.count();
        self.tell_refusal(inbound, refusal, now);
    }

    fn goodbye(&mut self, _now: Moment, _out: &mut Outlet<'_>) -> Result<(), Refused> {
        Ok(())
    }

    fn is_ready(&self) -> bool {
        true
    }
}
