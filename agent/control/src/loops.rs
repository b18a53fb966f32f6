//! The loops of pump and recovery valve, once a second, and what the state makes of them.
//!
//! ```text
//!   Boot, at first   devices keep what they do
//!   Running          the loops, and the orders from afar
//!   Leak             everything stands still
//!   all others       all cooling there is, at once
//! ```

use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis, Percent};
use serde::{Deserialize, Serialize};

use crate::aim::Aim;
use crate::decision::{Leader, Output, Reason};
use crate::estimate::NodeView;
use crate::flow_law::FlowLaw;
use crate::heat::Heat;
use crate::learned::Bounded;
use crate::network::Network;
use crate::permit::ValveRule;
use crate::pump::{FULL_SPEED, PumpLoop, PumpOrders, PumpTask};
use crate::remote::{Remote, RemoteOutcome};
use crate::snapshot::Snapshot;
use crate::state::{Cause, State};
use crate::supply::{SupplyLoop, SupplyTarget, SupplyTask, ValveOrders};
use crate::tuning::Tuning;

/// Period of the loops.
const PERIOD: Millis = Millis::from_secs(1);
/// Longest time a run may account for; a longer gap is a stopped agent, not a long step.
pub(crate) const LONGEST_STEP_S: f32 = 2.0;

const HOLD: Output<Percent> = Output { value: None, leader: Leader::Boot, reason: Reason::HoldAtStart };

/// What the loops are asked to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopTask<'a> {
    pub(crate) state: State,
    /// Why the loop stands still, where it does.
    pub(crate) stopped: Cause,
    pub(crate) node: &'a NodeView,
    pub(crate) supply: Option<Celsius>,
    /// Flow in the loop, if it is measured.
    pub(crate) flow: Option<LitersPerMinute>,
    /// The valve's measured position.
    pub(crate) position: Option<Percent>,
    /// Load and loop have been steady for a while.
    pub(crate) steady: bool,
    pub(crate) target: SupplyTarget,
    /// Rise over the plates that is wanted.
    pub(crate) rise: Kelvin,
    /// Heat in the loop.
    pub(crate) heat: &'a Heat,
    /// What the heat network takes of it.
    pub(crate) network: &'a Network,
    /// Which speed gives which flow.
    pub(crate) law: &'a FlowLaw,
    /// What the river's permit asks of the valve.
    pub(crate) permit: ValveRule,
    /// The orders that make sense.
    pub(crate) remote: &'a Remote,
}

/// Both loops, and their set-points of the last run, which hold until the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Loops {
    aim: Aim,
    pump: PumpLoop,
    supply: SupplyLoop,
    last: Option<Millis>,
    held: (Output<Percent>, Output<Percent>),
    outcome: RemoteOutcome,
}

impl Default for Loops {
    fn default() -> Self {
        Self {
            aim: Aim::default(),
            pump: PumpLoop::default(),
            supply: SupplyLoop::default(),
            last: None,
            held: (HOLD, HOLD),
            outcome: RemoteOutcome::default(),
        }
    }
}

impl Loops {
    /// Set-points of pump and valve.
    pub(crate) const fn held(&self) -> (Output<Percent>, Output<Percent>) {
        self.held
    }

    /// Flow asked for.
    pub(crate) const fn flow(&self) -> LitersPerMinute {
        self.pump.flow()
    }

    /// Travel of the valve for twice the heat, as learned.
    pub(crate) const fn travel(&self) -> Bounded {
        self.supply.travel()
    }

    /// The pump gives all it has, or would if no hand held it.
    pub(crate) fn pump_at_limit(&self) -> bool {
        self.held.0.value.is_some_and(|speed| speed >= FULL_SPEED) || self.pump.held_back()
    }

    /// What became of the orders to pump and valve.
    pub(crate) const fn outcome(&self) -> RemoteOutcome {
        self.outcome
    }

    /// Seeds the loops with what pump and valve do, so that taking over moves nothing.
    pub(crate) fn take_over(&mut self, snapshot: &Snapshot, law: &FlowLaw) {
        if let Some(speed) = snapshot.pump.speed.usable() {
            self.pump.seed(speed, law);
        }
        if let Some(position) = snapshot.valve.position.usable() {
            self.supply.seed(position);
        }
        self.last = None;
    }

    /// Seconds since the loops last ran, if they are due.
    pub(crate) fn due(&mut self, now: Millis) -> Option<f32> {
        let since = self.last.map_or(PERIOD, |last| now.since(last));
        (since >= PERIOD).then(|| {
            self.last = Some(now);
            since.as_secs_f32().min(LONGEST_STEP_S)
        })
    }

    /// Moves the set-points.
    pub(crate) fn run(&mut self, task: &LoopTask<'_>, due: Option<f32>, now: Millis, tuning: &Tuning) {
        let all = match task.state {
            State::Boot { since } if now.since(since) < tuning.boot_hold => return self.hold(HOLD, task),
            State::Boot { .. } => Some((Leader::Boot, Reason::FirstReadings)),
            State::Running => None,
            State::Hot { cause, .. } | State::Critical { cause, .. } => Some(cause),
            State::Leak => {
                let (leader, reason) = task.stopped;
                return self.hold(Output { value: Some(Percent::ZERO), leader, reason }, task);
            }
            State::Uncontrollable => Some((Leader::FlowGuard, Reason::NothingHelped)),
        };
        // Full cooling does not wait for the loops' next turn.
        if due.is_some() || all.is_some() {
            self.turn(task, all, due.unwrap_or(0.0), tuning);
        }
    }

    fn hold(&mut self, output: Output<Percent>, task: &LoopTask<'_>) {
        self.held = (output, output);
        self.outcome = RemoteOutcome::overridden(task.remote, output.reason);
    }

    fn turn(&mut self, task: &LoopTask<'_>, all: Option<Cause>, dt_s: f32, tuning: &Tuning) {
        let manual = task.remote.manual.unwrap_or_default();
        // An order for warmer supply takes no flow away, one for colder supply may add to it.
        let supply = task.target.own.smaller(task.target.celsius);
        let rise = self.aim.rise(task.supply, supply, task.rise, dt_s);
        let pump_task = PumpTask {
            flow: tuning.flow_at(task.heat.to_carry(), rise),
            least_flow: tuning.flow_at(task.heat.present(), rise),
            hottest: task.node.hottest,
            law: task.law,
            full: all,
            orders: PumpOrders { at_least: task.remote.pump_at_least, manual: manual.pump },
        };
        let pump = self.pump.run(&pump_task, dt_s, tuning);
        let full = LitersPerMinute::new(task.law.full().value);
        let supply_task = SupplyTask {
            supply: task.supply,
            heat: task.network.left_for_river(task.heat.stepped()),
            full_heat: task.heat.most(),
            steady: task.steady,
            flow: (task.flow.unwrap_or_else(|| self.pump.flow()), full),
            measured: task.position,
            target: task.target,
            hottest: task.node.hottest,
            closed: all,
            permit: task.permit,
            orders: ValveOrders { at_most: task.remote.valve_at_most, manual: manual.valve },
        };
        let valve = self.supply.run(&supply_task, dt_s, tuning);
        self.held = (pump, valve);
        let (pump, valve) = (self.pump.fates(), self.supply.fates());
        self.outcome = RemoteOutcome {
            pump_at_least: pump.at_least,
            manual_pump: pump.manual,
            valve_at_most: valve.at_most,
            manual_valve: valve.manual,
            supply_target: task.target.fate(all),
            ..RemoteOutcome::default()
        };
    }
}
