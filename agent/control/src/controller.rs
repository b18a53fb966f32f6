//! One step: analyse first, then act. Read it top to bottom.

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Millis, Percent};
use heapless::Vec;

use crate::alarms::AlarmSet;
use crate::decision::{Decision, GpuDecision, Leader, Output, Reason, Rung};
use crate::effects::Effects;
use crate::estimate::{Estimator, NodeView};
use crate::flow_guard::{Flow, FlowGuard, Known};
use crate::history::History;
use crate::ladder::{Context, Forced, Ladder, distance_to_next};
use crate::pump::{PumpLoop, PumpTask};
use crate::snapshot::Snapshot;
use crate::standing::{Facts, is_silent, standing};
use crate::state::{Cause, Findings, PATIENCE, State, StateName};
use crate::supply::{self, SupplyLoop, SupplyTarget};
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
    effects: Effects,
    resets: Resets,
    estimator: Estimator,
    history: History,
    guard: FlowGuard,
    pump: PumpLoop,
    supply: SupplyLoop,
    ladders: [Ladder; MAX_GPUS],
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
            effects: Effects::default(),
            resets: Resets::default(),
            estimator: Estimator::default(),
            history: History::default(),
            guard: FlowGuard::new(&tuning),
            pump: PumpLoop::default(),
            supply: SupplyLoop::default(),
            ladders: [Ladder::default(); MAX_GPUS],
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
        let gpus = self.ladders(&analysis, now, second.is_some());
        self.run = self.state.name() != StateName::Leak;
        let pump_reset = self.reset_pump(&analysis, now);
        let decision = self.decide(snapshot, &analysis, (pump, valve), gpus, now);
        Decision { pump_reset, ..decision }
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
            pump_alarm: snapshot.pump.alarm.usable() == Some(true),
            reset: snapshot.reset,
        };
        Analysis { node, flow, findings, target: supply::target(snapshot, &self.tuning) }
    }

    /// The required part that has been silent for too long, if any.
    fn silent(&self, node: &NodeView, snapshot: &Snapshot, now: Millis) -> Option<Reason> {
        let unseen = now.since(self.started.unwrap_or(now)) > PATIENCE && !node.all_seen;
        let meter_gone = now.since(self.meter_seen.or(self.started).unwrap_or(now)) > self.tuning.blind_after;
        if unseen || (snapshot.gpus.is_empty() && snapshot.gpus_expected > 0) {
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

    fn ladders(&mut self, analysis: &Analysis, now: Millis, second: bool) -> Vec<GpuDecision, MAX_GPUS> {
        let forced = self.forced(now);
        let context = Context {
            now,
            second,
            cooling_proven: analysis.flow == Flow::Proven
                && matches!(self.state, State::Running | State::Hot { .. }),
            forced,
            tuning: &self.tuning,
        };
        analysis
            .node
            .gpus
            .iter()
            .zip(&mut self.ladders)
            .map(|(gpu, ladder)| ladder.step(gpu, &context))
            .collect()
    }

    /// Minimum power for all, by order of the state.
    fn forced(&self, now: Millis) -> Option<Forced> {
        match self.state {
            State::Boot { .. } | State::Running | State::Hot { .. } => None,
            State::Critical { since, cause, .. } => {
                Some(Forced { cause, second_stage: now.since(since) >= self.tuning.second_stage_after })
            }
            State::Leak => {
                Some(Forced { cause: (Leader::LeakInterlock, Reason::WaterFound), second_stage: true })
            }
            State::Uncontrollable => {
                Some(Forced { cause: (Leader::FlowGuard, Reason::NothingHelped), second_stage: true })
            }
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
            cooling_proven: analysis.flow == Flow::Proven
                && matches!(self.state, State::Running | State::Hot { .. }),
            alarms: self.alarms(snapshot, analysis, now),
        }
    }

    fn cause(&self, analysis: &Analysis) -> Cause {
        match self.state {
            State::Boot { .. } => (Leader::Boot, Reason::FirstReadings),
            State::Running => (Leader::Normal, Reason::Nothing),
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

/// The highest rung in use: GPUs first, then what the node gave up.
fn highest_rung(gpus: &[GpuDecision], pump: Output<Percent>, valve: Output<Percent>) -> Rung {
    let throttled = gpus.iter().map(|gpu| gpu.rung).max().unwrap_or_default();
    let full_flow = pump.value.is_some_and(|speed| speed >= Percent::new(100.0));
    let cooling_first = match valve.leader {
        Leader::CoolingFirst | Leader::FlowGuard | Leader::Temperature | Leader::SilentPart => {
            valve.value == Some(Percent::ZERO)
        }
        Leader::Boot
        | Leader::FeedForward
        | Leader::MarginTrim
        | Leader::MinimumFlow
        | Leader::SupplyLoop
        | Leader::DewPoint
        | Leader::LeakInterlock
        | Leader::Release
        | Leader::Normal => false,
    };
    let given_up = if cooling_first {
        Rung::RecoveryBack
    } else if full_flow {
        Rung::MoreFlow
    } else {
        Rung::Free
    };
    throttled.max(given_up)
}
