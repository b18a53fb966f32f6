//! The log's view of the cycle: one event per episode, never one per tick.
//!
//! ```text
//!   cycle ── try_send (never waits) ──► 64 cycles ──► task ──► log
//! ```
//!
//! A log can block: a journal that is stopped, a terminal that is held. So the cycle hands over what it decided and a
//! task of its own does the talking. What finds no room is counted, and the count is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eisbach_control::{Decision, Rung, StateName};
use eisbach_protocol::alarm::Priority;
use eisbach_protocol::units::{Kelvin, Megahertz, Percent, Watts};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::report::Report;
use crate::report::events::{AlarmChange, AlarmEvent, AnswerState, EventKind, Short};

/// Cycles that may wait for the log: some seconds.
const WAITING: usize = 64;

/// The cycle's way to the log.
#[derive(Debug)]
pub struct Teller {
    queue: mpsc::Sender<(Decision, Arc<Report>)>,
    dropped: Arc<AtomicU64>,
}

impl Teller {
    /// Starts the task that does the talking; it ends when the teller is dropped.
    pub fn start(tasks: &mut JoinSet<()>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<(Decision, Arc<Report>)>(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        tasks.spawn(async move {
            let mut episodes = Episodes::default();
            while let Some((decision, report)) = waiting.recv().await {
                let cycles = lost.swap(0, Ordering::Relaxed);
                if cycles > 0 {
                    warn!(cycles, "the log was too slow; episodes may be missing");
                }
                episodes.tell(&decision, &report);
            }
        });
        Self { queue, dropped }
    }

    /// Hands over one cycle. Never waits.
    pub fn tell(&self, decision: Decision, report: Arc<Report>) {
        if self.queue.try_send((decision, report)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Remembers what has been said.
#[derive(Debug)]
struct Episodes {
    state: StateName,
    gpu_rungs: Vec<Rung>,
    /// Number of the last event that was said.
    told: u64,
}

impl Default for Episodes {
    fn default() -> Self {
        Self { state: StateName::Boot, gpu_rungs: Vec::new(), told: 0 }
    }
}

impl Episodes {
    /// Tells what has changed since the last call.
    fn tell(&mut self, decision: &Decision, report: &Report) {
        if decision.state != self.state {
            info!(
                from = self.state.as_str(),
                to = decision.state.as_str(),
                leader = decision.leader.as_str(),
                reason = decision.reason.as_str(),
                margin_kelvin = decision.hottest_margin.map(Kelvin::get),
                pump_percent = decision.pump.value.map(Percent::get),
                valve_percent = decision.valve.value.map(Percent::get),
                "control state changed"
            );
            self.state = decision.state;
        }
        self.gpu_rungs.resize(decision.gpus.len(), Rung::Free);
        for (index, (gpu, before)) in decision.gpus.iter().zip(&mut self.gpu_rungs).enumerate() {
            if gpu.rung != *before {
                info!(
                    gpu = index,
                    rung = gpu.rung.number(),
                    leader = gpu.leader.as_str(),
                    reason = gpu.reason.as_str(),
                    cap_watts = gpu.power_cap.map(Watts::get),
                    clock_mhz = gpu.clock_max.map(Megahertz::get),
                    "throttling rung changed"
                );
                *before = gpu.rung;
            }
        }
        let news = report.events.since(self.told);
        if news.missed > 0 {
            warn!(events = news.missed, "more happened than could be said");
        }
        news.events.for_each(|event| tell_event(&event.kind));
        self.told = report.events.last();
    }
}

fn tell_event(kind: &EventKind) {
    match kind {
        EventKind::Alarm(event) => tell_alarm(event),
        EventKind::Command(answer) => {
            let (id, issuer, action) = (answer.id.as_str(), answer.issuer.as_str(), answer.action.as_str());
            let state = answer.state.as_str();
            match &answer.state {
                AnswerState::Clamped { to } => info!(id, issuer, action, state, to, "command answered"),
                AnswerState::Refused { reason } => {
                    warn!(id, issuer, action, state, reason = reason.as_str(), "command answered");
                }
                AnswerState::Accepted | AnswerState::Done | AnswerState::Expired => {
                    info!(id, issuer, action, state, "command answered");
                }
            }
        }
        EventKind::Power(outcome) => info!(
            id = outcome.id.as_str(),
            target = outcome.target.as_str(),
            outcome = outcome.enforcement.as_str(),
            asked_watts = outcome.asked.map(Watts::get),
            applied_watts = outcome.applied.map(Watts::get),
            reason = outcome.reason.as_ref().map(Short::as_str),
            "power enforcement"
        ),
    }
}

fn tell_alarm(event: &AlarmEvent) {
    let (def, by) = (event.alarm.def(), event.by.as_ref().map(Short::as_str));
    match (event.change, def.priority) {
        (AlarmChange::Raised { first_out }, Priority::Critical | Priority::High) => error!(
            alarm = def.name,
            first_out,
            consequence = def.consequence,
            action = def.action,
            "alarm raised"
        ),
        (AlarmChange::Raised { first_out }, Priority::Medium | Priority::Low) => warn!(
            alarm = def.name,
            first_out,
            consequence = def.consequence,
            action = def.action,
            "alarm raised"
        ),
        (AlarmChange::Cleared, _) => info!(alarm = def.name, "alarm cleared"),
        (AlarmChange::Acknowledged, _) => info!(alarm = def.name, by, "alarm acknowledged"),
        (AlarmChange::Shelved { until_ms }, _) => info!(alarm = def.name, by, until_ms, "alarm shelved"),
        (AlarmChange::Unshelved, _) => info!(alarm = def.name, by, "alarm no longer shelved"),
        (AlarmChange::Suppressed { by }, _) => {
            info!(alarm = def.name, cause = by.as_str(), "alarm suppressed by its cause");
        }
        (AlarmChange::Unsuppressed, _) => info!(alarm = def.name, "alarm no longer suppressed"),
        (AlarmChange::Reset, _) => info!(alarm = def.name, by, "alarm reset"),
    }
}
