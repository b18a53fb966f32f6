//! One step: analyse first, then act. Read it top to bottom.

mod analysis;
mod verdict;

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Millis, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use self::analysis::Analysis;
use crate::budget::{Budget, Budgets, LoopView};
use crate::decision::{Decision, GpuDecision, Leader, Reason};
use crate::effects::Effects;
use crate::escalation::{Escalator, Plight};
use crate::estimate::{Estimator, NodeView};
use crate::flow_guard::{Flow, FlowGuard};
use crate::history::History;
use crate::ladder::{Context, Order};
use crate::loops::{LONGEST_STEP_S, LoopTask, Loops};
use crate::observer::{self, Observer};
use crate::permit::{self, Keeper};
use crate::pump::FULL_SPEED;
use crate::remote::{Fate, RemoteOutcome};
use crate::setpoint::{self, Layer, full_heat};
use crate::snapshot::Snapshot;
use crate::state::{Findings, State, StateName};
use crate::throttle::Throttle;
use crate::tuning::Tuning;

/// An alarm of the drive is reset so often while flow is lost, and at most so many times in a row.
const RESET_EVERY: Millis = Millis::from_secs(10);
const RESET_PULSE: Millis = Millis::from_secs(1);
const MOST_RESETS: u8 = 6;

/// The controller of one node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Controller {
    tuning: Tuning,
    state: State,
    started: Option<Millis>,
    last_step: Option<Millis>,
    meter_seen: Option<Millis>,
    gpus_seen: bool,
    effects: Effects,
    resets: Resets,
    estimator: Estimator,
    history: History,
    guard: FlowGuard,
    observer: Observer,
    loops: Loops,
    set_points: Layer,
    permit: Keeper,
    budgets: Budgets,
    throttle: Throttle,
    escalator: Escalator,
    run: bool,
    /// The loop stands still by order, and no water was found.
    isolated: bool,
}

/// Attempts to bring a tripped drive back.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Resets {
    last: Option<Millis>,
    count: u8,
}

impl Controller {
    /// A controller in Boot.
    #[must_use]
    pub fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            state: State::Boot { since: Millis::ZERO },
            started: None,
            last_step: None,
            meter_seen: None,
            gpus_seen: false,
            effects: Effects::default(),
            resets: Resets::default(),
            estimator: Estimator::default(),
            history: History::default(),
            guard: FlowGuard::new(&tuning),
            observer: Observer::new(&tuning),
            loops: Loops::default(),
            set_points: Layer::default(),
            permit: Keeper::default(),
            budgets: Budgets::default(),
            throttle: Throttle::default(),
            escalator: Escalator::default(),
            run: true,
            isolated: false,
        }
    }

    /// A controller that starts in Leak, because one was found before and nobody has confirmed its end.
    #[must_use]
    pub fn with_latched_leak(tuning: Tuning) -> Self {
        Self { state: State::Leak, run: false, ..Self::new(tuning) }
    }

    /// Its numbers.
    #[must_use]
    pub const fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// Takes new numbers without a bump: states, loops and ladders keep what they have.
    pub fn retune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    /// Decides what to do about `snapshot`, taken at `now`.
    ///
    /// To be called about ten times a second with a `now` that never goes back.
    pub fn step(&mut self, snapshot: &Snapshot, now: Millis) -> Decision {
        let step_s = self.advance(now);
        let mut node = NodeView::default();
        self.estimator.look(snapshot, now, &self.tuning, &mut node);
        let analysis = self.analyse(&node, snapshot, now, step_s);

        let before = self.state.name();
        self.state = self.state.next(&analysis.findings, now, &self.tuning);
        self.isolated = self.is_isolated(before, &analysis.findings);
        if before == StateName::Boot && self.state.name() != StateName::Boot {
            self.loops.take_over(snapshot, self.guard.law());
        }

        let second = self.loops.due(now);
        let task = LoopTask {
            state: self.state,
            stopped: analysis.findings.stopped(),
            node: analysis.node,
            supply: self.observer.supply(analysis.node, snapshot, self.guard.law(), &self.tuning),
            flow: observer::flow(snapshot, self.observer.suspect(), self.guard.law()),
            position: snapshot.valve.position.usable(),
            steady: self.observer.is_steady(),
            target: analysis.target,
            rise: self.set_points.held(&self.tuning).rise,
            heat: self.observer.heat(),
            network: self.observer.network(),
            law: self.guard.law(),
            permit: self.permit.valve(&self.moment(snapshot, &analysis)),
            remote: &analysis.remote,
        };
        self.loops.run(&task, second, now, &self.tuning);
        if let Some(dt_s) = second {
            self.look_outside(snapshot, &analysis, dt_s, now);
        }
        let mut gpus = Vec::new();
        let budget = self.throttle(snapshot, &analysis, now, second.is_some(), &mut gpus);
        self.run = self.state.name() != StateName::Leak;
        let pump_reset = self.reset_pump(&analysis, now);
        let mut escalation = self.escalator.step(&self.plight(snapshot, &analysis), now, &self.tuning);
        if analysis.remote.drain {
            let ordered = (Leader::Remote, Reason::DrainOrdered);
            escalation.drain = Some(escalation.drain.unwrap_or(ordered));
        }
        let power_budget = granted(snapshot, analysis.node, budget);
        let remote = RemoteOutcome { power_budget, ..self.loops.outcome().with_senseless(&snapshot.remote) };
        // Not as a new one of the parts of the old: it is large.
        let mut decision = self.decide(snapshot, &analysis, gpus, now);
        (decision.pump_reset, decision.escalation, decision.remote) = (pump_reset, escalation, remote);
        decision
    }

    /// What may be more urgent than the river's permit.
    fn moment(&self, snapshot: &Snapshot, analysis: &Analysis<'_>) -> permit::Moment {
        permit::Moment {
            state: self.state.name(),
            seen: analysis.findings.hottest_measured.is_some(),
            supply: snapshot.meter.supply.usable(),
        }
    }

    /// River and heat network, once a second: what they say holds from the next second on.
    fn look_outside(&mut self, snapshot: &Snapshot, analysis: &Analysis<'_>, dt_s: f32, now: Millis) {
        let second = setpoint::Second {
            node: analysis.node,
            surroundings: &snapshot.surroundings,
            running: matches!(self.state, State::Running),
            supply: snapshot.meter.supply.usable(),
            rise: self.set_points.held(&self.tuning).rise,
            flow: snapshot.meter.flow.usable(),
            asked: self.loops.flow(),
            full_flow: self.guard.law().flow_at(FULL_SPEED),
            floor: analysis.target.floor,
            ordered: analysis.remote.supply_target,
            permit: self.permit.wants_hot(),
        };
        let highest = self.set_points.highest(&second, &self.tuning);
        self.set_points.run(&second, dt_s, now, &self.tuning);
        let second = permit::Second {
            snapshot,
            node: analysis.node,
            moment: self.moment(snapshot, analysis),
            full_heat: full_heat(analysis.node, &self.tuning),
            highest,
            ordered: analysis.remote.river_at_most,
        };
        self.permit.run(&second, dt_s, now, &self.tuning);
    }

    /// Time since the last step, bounded.
    fn advance(&mut self, now: Millis) -> f32 {
        if self.started.is_none() {
            self.started = Some(now);
            if matches!(self.state, State::Boot { .. }) {
                self.state = State::Boot { since: now };
            }
        }
        let step_s = self.last_step.map_or(0.0, |last| now.since(last).as_secs_f32()).min(LONGEST_STEP_S);
        self.last_step = Some(now);
        step_s
    }

    /// Whether the loop stands still by order: it was no leak before, and no water was found since. A latch that an
    /// earlier run left does not tell: that counts as a leak.
    fn is_isolated(&self, before: StateName, findings: &Findings) -> bool {
        let here = self.state.name() == StateName::Leak && !findings.water;
        here && (self.isolated || before != StateName::Leak)
    }

    /// Whether the drive shall forget its alarm now.
    fn reset_pump(&mut self, analysis: &Analysis<'_>, now: Millis) -> bool {
        if !analysis.findings.pump_alarm || self.state.name() == StateName::Leak {
            if analysis.flow == Flow::Proven {
                self.resets = Resets::default();
            }
            return false;
        }
        let since = self.resets.last.map_or(RESET_EVERY, |last| now.since(last));
        if since >= RESET_EVERY && self.resets.count < MOST_RESETS {
            self.resets = Resets { last: Some(now), count: self.resets.count + 1 };
            return true;
        }
        since < RESET_PULSE
    }

    fn throttle(
        &mut self,
        snapshot: &Snapshot,
        analysis: &Analysis<'_>,
        now: Millis,
        second: bool,
        gpus: &mut Vec<GpuDecision, MAX_GPUS>,
    ) -> Option<Budget> {
        let meter = &snapshot.meter;
        let lost = matches!(analysis.flow, Flow::Lost(_));
        let view = LoopView {
            facility: snapshot.power_budget,
            permit: self.permit.budget(),
            flow: meter.flow.usable().filter(|_| !lost),
            supply: meter.supply.usable(),
            return_: meter.return_.usable(),
            // Nobody may order the loop's limit away.
            target: analysis.target.own,
            margin: analysis.node.hottest,
            pump_at_limit: self.loops.pump_at_limit() || self.effects.pump_is_off(now),
        };
        let budget = self.budgets.judge(&view, now, &self.tuning);
        let context = Context {
            now,
            second,
            cooling_proven: self.cooling_proven(analysis),
            order: self.order(analysis, now),
            supply: view.supply,
            tuning: &self.tuning,
        };
        self.throttle.step(analysis.node, budget, &context, gpus);
        budget
    }

    fn cooling_proven(&self, analysis: &Analysis<'_>) -> bool {
        analysis.flow == Flow::Proven && matches!(self.state, State::Running | State::Hot { .. })
    }

    /// Little power for all, by order of the state. A GPU at its limit while there is flow needs no order: its own
    /// ladder has it, and the others are cooled.
    fn order(&self, analysis: &Analysis<'_>, now: Millis) -> Option<Order> {
        match self.state {
            State::Boot { .. } | State::Running | State::Hot { .. } => None,
            State::Critical { since, cause, .. } => (cause.0 == Leader::FlowGuard)
                .then(|| Order { cause, second_stage: now.since(since) >= self.tuning.second_stage_after }),
            State::Leak => Some(Order::lowest(analysis.findings.stopped())),
            State::Uncontrollable => Some(Order::lowest((Leader::FlowGuard, Reason::NothingHelped))),
        }
    }

    fn plight(&self, snapshot: &Snapshot, analysis: &Analysis<'_>) -> Plight {
        Plight {
            state: self.state.name(),
            water: analysis.findings.water,
            stopped: analysis.findings.stopped(),
            flow: analysis.flow,
            hottest_measured: analysis.findings.hottest_measured,
            blind: self.gpus_seen && analysis.findings.hottest_measured.is_none() && !snapshot.detached,
            deep: self.throttle.deep(),
            reset: snapshot.reset,
        }
    }
}

/// What became of the facility's word on power.
fn granted(snapshot: &Snapshot, node: &NodeView, budget: Option<Budget>) -> Fate<Watts> {
    let Some(granted) = snapshot.power_budget else { return Fate::Absent };
    if !granted.get().is_finite() || granted < Watts::ZERO {
        return Fate::Senseless;
    }
    let least = node.gpus.iter().fold(node.unlisted, |sum, gpu| sum + gpu.power_range.0);
    match budget {
        Some(Budget { cause: (_, by), .. }) if by != Reason::FacilityBudget => Fate::Overridden { by },
        _ if granted < least => Fate::Clamped { to: least, by: Reason::LowestLimits },
        Some(_) | None => Fate::InForce,
    }
}
