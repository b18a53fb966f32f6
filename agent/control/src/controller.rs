//! One step: analyse first, then act. Read it top to bottom.

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Millis, Percent};
use heapless::Vec;

use crate::alarms::AlarmSet;
use crate::budget::{Budgets, LoopView};
use crate::decision::{Decision, Escalation, GpuDecision, Leader, Output, Reason};
use crate::effects::Effects;
use crate::escalation::{Escalator, Plight};
use crate::estimate::{Estimator, NodeView};
use crate::flow_guard::{Flow, FlowGuard, Known};
use crate::history::History;
use crate::ladder::{Context, Order};
use crate::pump::{FULL_SPEED, PumpLoop, PumpTask};
use crate::remote::RemoteOutcome;
use crate::rungs::{distance_to_next, highest_rung};
use crate::snapshot::Snapshot;
use crate::standing::{Facts, is_silent, standing};
use crate::state::{Cause, Findings, PATIENCE, State, StateName};
use crate::supply::{self, SupplyLoop, SupplyTarget};
use crate::throttle::Throttle;
use crate::tuning::Tuning;

/// Period of the pump and supply loops.
const LOOP_PERIOD: Millis = Millis::from_secs(1);
/// Longest time a step may account for; a longer gap is a stopped agent, not a long step.
const LONGEST_STEP_S: f32 = 2.0;
/// An alarm of the drive is reset so often while flow is lost, and at most so many times in a row.
const RESET_EVERY: Millis = Millis::from_secs(10);
const RESET_PULSE: Millis = Millis::from_secs(1);
const MOST_RESETS: u8 = 6;

/// The controller of one node.
#[derive(Clone, Debug)]
pub struct Controller {
    tuning: Tuning,
    state: State,
    started: Option<Millis>,
    last_step: Option<Millis>,
    last_loop: Option<Millis>,
    meter_seen: Option<Millis>,
    gpus_seen: bool,
    effects: Effects,
    resets: Resets,
    estimator: Estimator,
    history: History,
    guard: FlowGuard,
    pump: PumpLoop,
    supply: SupplyLoop,
    budgets: Budgets,
    throttle: Throttle,
    escalator: Escalator,
    /// Set-points of the last loop run, which hold until the next.
    held: (Output<Percent>, Output<Percent>),
    run: bool,
}

/// Attempts to bring a tripped drive back.
#[derive(Clone, Copy, Debug, Default)]
struct Resets {
    last: Option<Millis>,
    count: u8,
}

/// What one snapshot means, before anything is decided.
struct Analysis {
    node: NodeView,
    flow: Flow,
    findings: Findings,
    target: SupplyTarget,
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
            last_loop: None,
            meter_seen: None,
            gpus_seen: false,
            effects: Effects::default(),
            resets: Resets::default(),
            estimator: Estimator::default(),
            history: History::default(),
            guard: FlowGuard::new(&tuning),
            pump: PumpLoop::default(),
            supply: SupplyLoop::default(),
            budgets: Budgets::default(),
            throttle: Throttle::default(),
            escalator: Escalator::default(),
            held: (HOLD, HOLD),
            run: true,
        }
    }

    /// A controller that starts in Leak, because one was found before and nobody has confirmed its end.
    #[must_use]
    pub fn with_latched_leak(tuning: Tuning) -> Self {
        Self { state: State::Leak, run: false, ..Self::new(tuning) }
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
        let analysis = self.analyse(snapshot, now, step_s);

        let before = self.state.name();
        self.state = self.state.next(&analysis.findings, now, &self.tuning);
        if before == StateName::Boot && self.state.name() != StateName::Boot {
            self.take_over(snapshot);
        }

        let second = self.loop_due(now);
        let (pump, valve) = self.loops(snapshot, &analysis, now, second);
        let gpus = self.throttle(snapshot, &analysis, now, second.is_some());
        self.run = self.state.name() != StateName::Leak;
        let pump_reset = self.reset_pump(&analysis, now);
        let escalation = self.escalator.step(&self.plight(snapshot, &analysis), now, &self.tuning);
        let decision = self.decide(snapshot, &analysis, (pump, valve), gpus, now);
        Decision { pump_reset, escalation, ..decision }
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

    fn analyse(&mut self, snapshot: &Snapshot, now: Millis, step_s: f32) -> Analysis {
        let node = self.estimator.view(snapshot, now, &self.tuning);
        self.history.record(now, node.mean_temperature, node.power);
        let known = Known {
            run: self.run,
            set_point: self.held.0.value,
            thermal: self.history.thermal(),
            calm: node.hottest_measured.is_some_and(|margin| margin >= self.tuning.calm_margin),
            now,
            dt_s: step_s,
        };
        let flow = self.guard.judge(snapshot, known, &self.tuning);
        self.effects.watch(snapshot, (self.held.0.value, self.held.1.value), now);
        if snapshot.meter.flow.usable().is_some() && snapshot.meter.supply.usable().is_some() {
            self.meter_seen = Some(now);
        }
        self.gpus_seen |= node.hottest_measured.is_some();
        let findings = Findings {
            // A broken rope is a fault of its own: what it says about water is not believed.
            water: snapshot.leak.detected.usable() == Some(true)
                && snapshot.leak.fault.usable() != Some(true),
            flow,
            hottest: node.hottest,
            hottest_measured: node.hottest_measured,
            all_seen: node.all_seen
                && self.meter_seen.is_some()
                && snapshot.pump.speed.usable().is_some()
                && !is_silent(&snapshot.valve.position),
            silent: self.silent(&node, snapshot, now),
            slowed: node.slowed,
            throttled: self.throttle.is_hot(),
            pump_alarm: snapshot.pump.alarm.usable() == Some(true),
            reset: snapshot.reset,
        };
        Analysis { node, flow, findings, target: supply::target(snapshot, &self.tuning) }
    }

    /// The required part that has been silent for too long, if any.
    fn silent(&self, node: &NodeView, snapshot: &Snapshot, now: Millis) -> Option<Reason> {
        let unseen = now.since(self.started.unwrap_or(now)) > PATIENCE && !node.all_seen;
        let meter_gone = now.since(self.meter_seen.or(self.started).unwrap_or(now)) > self.tuning.blind_after;
        if snapshot.detached {
            Some(Reason::GpusDetached)
        } else if unseen || (snapshot.gpus.is_empty() && snapshot.gpus_expected > 0) {
            Some(Reason::GpuSilent)
        } else if meter_gone && snapshot.meter.flow.usable().is_some() {
            Some(Reason::SupplyUnknown)
        } else if meter_gone {
            Some(Reason::MeterSilent)
        } else {
            None
        }
    }

    /// Whether the drive shall forget its alarm now.
    fn reset_pump(&mut self, analysis: &Analysis, now: Millis) -> bool {
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

    /// Seeds the loops with what pump and valve do, so that taking over moves nothing.
    fn take_over(&mut self, snapshot: &Snapshot) {
        if let Some(speed) = snapshot.pump.speed.usable() {
            self.pump.seed(speed, self.guard.flow_per_percent());
        }
        if let Some(position) = snapshot.valve.position.usable() {
            self.supply.seed(position);
        }
        self.last_loop = None;
    }

    /// Seconds since the loops last ran, if they are due.
    fn loop_due(&mut self, now: Millis) -> Option<f32> {
        let since = self.last_loop.map_or(LOOP_PERIOD, |last| now.since(last));
        (since >= LOOP_PERIOD).then(|| {
            self.last_loop = Some(now);
            since.as_secs_f32().min(LONGEST_STEP_S)
        })
    }

    fn loops(
        &mut self,
        snapshot: &Snapshot,
        analysis: &Analysis,
        now: Millis,
        due: Option<f32>,
    ) -> (Output<Percent>, Output<Percent>) {
        let all = match self.state {
            State::Boot { since } if now.since(since) < self.tuning.boot_hold => {
                self.held = (HOLD, HOLD);
                return self.held;
            }
            State::Boot { .. } => Some((Leader::Boot, Reason::FirstReadings)),
            State::Running => None,
            State::Hot { cause, .. } | State::Critical { cause, .. } => Some(cause),
            State::Leak => {
                let reason = if analysis.findings.water { Reason::WaterFound } else { Reason::LeakLatched };
                let stop = Output { value: Some(Percent::ZERO), leader: Leader::LeakInterlock, reason };
                self.held = (stop, stop);
                return self.held;
            }
            State::Uncontrollable => Some((Leader::FlowGuard, Reason::NothingHelped)),
        };
        // Full cooling does not wait for the loops' next turn.
        if due.is_some() || all.is_some() {
            let dt_s = due.unwrap_or(0.0);
            let task = PumpTask {
                heat: analysis.node.power * self.tuning.heat_per_gpu_watt,
                hottest: analysis.node.hottest,
                flow_per_percent: self.guard.flow_per_percent(),
                full: all,
            };
            let pump = self.pump.run(&task, dt_s, &self.tuning);
            let supply = snapshot.meter.supply.usable();
            let valve =
                self.supply.run(supply, analysis.target, analysis.node.hottest, all, dt_s, &self.tuning);
            self.held = (pump, valve);
        }
        self.held
    }

    fn throttle(
        &mut self,
        snapshot: &Snapshot,
        analysis: &Analysis,
        now: Millis,
        second: bool,
    ) -> Vec<GpuDecision, MAX_GPUS> {
        let meter = &snapshot.meter;
        let lost = matches!(analysis.flow, Flow::Lost(_));
        let all_it_has = self.held.0.value.is_some_and(|speed| speed >= FULL_SPEED);
        let view = LoopView {
            facility: snapshot.power_budget,
            flow: meter.flow.usable().filter(|_| !lost),
            supply: meter.supply.usable(),
            return_: meter.return_.usable(),
            target: analysis.target.celsius,
            pump_at_limit: all_it_has || self.effects.pump_is_off(now),
        };
        let budget = self.budgets.judge(&view, now, &self.tuning);
        let context = Context {
            now,
            second,
            cooling_proven: self.cooling_proven(analysis),
            order: self.order(now),
            supply: view.supply,
            tuning: &self.tuning,
        };
        self.throttle.step(&analysis.node, budget, &context)
    }

    fn cooling_proven(&self, analysis: &Analysis) -> bool {
        analysis.flow == Flow::Proven && matches!(self.state, State::Running | State::Hot { .. })
    }

    /// Little power for all, by order of the state. A GPU at its limit while there is flow needs no order: its own
    /// ladder has it, and the others are cooled.
    fn order(&self, now: Millis) -> Option<Order> {
        match self.state {
            State::Boot { .. } | State::Running | State::Hot { .. } => None,
            State::Critical { since, cause, .. } => (cause.0 == Leader::FlowGuard)
                .then(|| Order { cause, second_stage: now.since(since) >= self.tuning.second_stage_after }),
            State::Leak => Some(Order::lowest((Leader::LeakInterlock, Reason::WaterFound))),
            State::Uncontrollable => Some(Order::lowest((Leader::FlowGuard, Reason::NothingHelped))),
        }
    }

    fn plight(&self, snapshot: &Snapshot, analysis: &Analysis) -> Plight {
        Plight {
            state: self.state.name(),
            water: analysis.findings.water,
            flow: analysis.flow,
            hottest_measured: analysis.findings.hottest_measured,
            blind: self.gpus_seen && analysis.findings.hottest_measured.is_none() && !snapshot.detached,
            deep: self.throttle.deep(),
            reset: snapshot.reset,
        }
    }

    fn decide(
        &self,
        snapshot: &Snapshot,
        analysis: &Analysis,
        (pump, valve): (Output<Percent>, Output<Percent>),
        gpus: Vec<GpuDecision, MAX_GPUS>,
        now: Millis,
    ) -> Decision {
        let (leader, reason) = self.cause(analysis);
        let rung = highest_rung(&gpus, pump, valve);
        Decision {
            state: self.state.name(),
            leader,
            reason,
            rung,
            next_rung_in: distance_to_next(rung, analysis.node.hottest, &self.tuning),
            pump_run: self.run,
            pump_reset: false,
            pump,
            valve,
            gpus,
            supply_target: analysis.target.celsius,
            flow_demand: self.pump.flow(),
            node_power: analysis.node.power,
            hottest_margin: analysis.node.hottest,
            cooling_proven: self.cooling_proven(analysis),
            escalation: Escalation::default(),
            remote: RemoteOutcome::default(),
            alarms: self.alarms(snapshot, analysis, now),
        }
    }

    fn cause(&self, analysis: &Analysis) -> Cause {
        match self.state {
            State::Boot { .. } => (Leader::Boot, Reason::FirstReadings),
            State::Running => self.throttle.led().unwrap_or((Leader::Normal, Reason::Nothing)),
            State::Hot { cause, .. } | State::Critical { cause, .. } => cause,
            State::Leak if analysis.findings.water => (Leader::LeakInterlock, Reason::WaterFound),
            State::Leak => (Leader::LeakInterlock, Reason::LeakLatched),
            State::Uncontrollable => (Leader::FlowGuard, Reason::NothingHelped),
        }
    }

    fn alarms(&self, snapshot: &Snapshot, analysis: &Analysis, now: Millis) -> AlarmSet {
        let state = self.state.name();
        standing(&Facts {
            snapshot,
            state,
            starting: state == StateName::Boot && now.since(self.started.unwrap_or(now)) <= PATIENCE,
            flow: analysis.flow,
            doubtful: self.guard.is_doubtful(snapshot, now, &self.tuning),
            hottest_measured: analysis.findings.hottest_measured,
            effects: &self.effects,
            floor: analysis.target.floor,
            now,
            tuning: &self.tuning,
        })
    }
}

const HOLD: Output<Percent> = Output { value: None, leader: Leader::Boot, reason: Reason::HoldAtStart };
