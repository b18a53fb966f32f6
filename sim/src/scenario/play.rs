//! Plays a scenario: the node's closed loop, with whatever happens to it.
//!
//! ```text
//!   outside, trace, events
//!          │
//!          ▼
//!       [ node ] ── snapshot ─► spoiler ─► harness ─► controller ── decision ─► harness ─► [ node ]
//!                                                                      │
//!                                              judges, track, fingerprint
//! ```

use std::sync::Arc;

use eisbach_control::{Controller, Decision, Snapshot, Surroundings};
use eisbach_protocol::units::{Percent, Quantity, Watts};

use super::criterion::{Kind, Verdict};
use super::event::{Event, Orders, What};
use super::file::Scenario;
use super::judge::{Judge, Moment, Others, verdicts};
use super::protection::{Harness, Protection};
use super::sensor::Spoiler;
use super::span::{Span, seconds};
use super::track::{Fingerprint, Sample, Track};
use crate::closed_loop::{Node, single};
use crate::plant::{Fault, Plant};
use crate::workload::{Load, Workload};

/// Cycles between two samples of the track: a second.
const SAMPLE: u64 = Span::from_secs(1).cycles();
/// Flow for full heat, L/min per kW (OCP guideline).
const DESIGN_LPM_PER_KW: f64 = 1.5;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its criteria, in the order of its file.
    pub verdicts: Vec<Verdict>,
    /// Its course.
    pub track: Track,
}

impl Outcome {
    /// Every criterion holds.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.passed)
    }
}

/// What came of a scenario without one of its protections.
#[derive(Clone, Debug)]
pub struct Stripped {
    /// What was taken away.
    pub protection: Protection,
    /// The criteria that hold with it and not without.
    pub broken: Vec<Verdict>,
}

/// Runs a scenario, and whatever other runs its criteria ask for.
#[must_use]
pub fn run(scenario: &Scenario) -> Outcome {
    let played = Play::new(scenario, Harness::whole()).played();
    let asks = |kind: Kind| scenario.form.criteria.iter().any(|criterion| criterion.kind == kind);
    let same = asks(Kind::Replay)
        .then(|| Play::new(scenario, Harness::whole()).played().fingerprint == played.fingerprint);
    let fixed_kwh = if asks(Kind::PumpSaving) { fixed_flow(scenario) } else { Vec::new() };
    Outcome { verdicts: verdicts(&played.judges, &Others { fixed_kwh, same }), track: played.track }
}

/// Runs a scenario without each of its protections: first with all of them, then without one at a time. None of these
/// runs is repeated to see whether it is the same.
#[must_use]
pub fn run_without(scenario: &Scenario) -> Vec<Stripped> {
    let asks = scenario.form.criteria.iter().any(|criterion| criterion.kind == Kind::PumpSaving);
    let fixed_kwh = if asks { fixed_flow(scenario) } else { Vec::new() };
    let others = Others { fixed_kwh, same: Some(true) };
    let judged = |harness: Harness| verdicts(&Play::new(scenario, harness).played().judges, &others);
    let whole = judged(Harness::whole());
    let strip = |protection: &Protection| {
        let bare = judged(Harness::without(*protection, fixed_speed(scenario), full_power(scenario)));
        let broken = bare.into_iter().zip(&whole).filter(|(bare, whole)| whole.passed && !bare.passed);
        Stripped { protection: *protection, broken: broken.map(|(bare, _)| bare).collect() }
    };
    scenario.form.without.iter().map(strip).collect()
}

/// Pump energy with fixed flow in the time of each criterion.
fn fixed_flow(scenario: &Scenario) -> Vec<Option<f64>> {
    let harness = Harness::fixed_flow(fixed_speed(scenario));
    Play::new(scenario, harness).played().judges.iter().map(Judge::pump_kwh).collect()
}

/// Power of all GPUs at their limits.
fn full_power(scenario: &Scenario) -> Watts {
    let gpus = std::iter::repeat_n(scenario.params.gpu.tdp_watts, scenario.params.sockets).sum();
    Watts::from_f32(single(gpus))
}

/// Pump speed that gives the flow for full heat.
fn fixed_speed(scenario: &Scenario) -> Percent {
    let full = Plant::new(scenario.params.clone(), 0).full_speed();
    let design_lpm = DESIGN_LPM_PER_KW * scenario.params.installed_watts() / 1000.0;
    Percent::from_f32(single((100.0 * design_lpm / full.flow_lpm).clamp(30.0, 100.0)))
}

/// A scenario being played.
pub(super) struct Play<'a> {
    scenario: &'a Scenario,
    node: Node,
    controller: Controller,
    harness: Harness,
    spoiler: Spoiler,
    orders: Orders,
    heard: bool,
    reset: bool,
    /// Nobody is at the controls before this cycle.
    dark_until: Option<u64>,
    /// Cycles from the scenario's beginning.
    cycle: u64,
    last: Option<Decision>,
    judges: Vec<Judge>,
    track: Track,
    fingerprint: Fingerprint,
}

impl<'a> Play<'a> {
    /// The node at the scenario's beginning, with a controller that has found its place.
    pub(super) fn new(scenario: &'a Scenario, harness: Harness) -> Self {
        let form = &scenario.form;
        let outside = form.outside.boundary(0.0, &scenario.params);
        let node = Node::placed(
            scenario.model,
            scenario.params.clone(),
            Workload::Constant { level: scenario.first_level() },
            outside,
            form.seed,
        );
        let controller = Controller::new(harness.tuning(scenario.tuning));
        let mut play = Self::of(scenario, (node, controller), harness);
        for _ in 0..form.settle.cycles() {
            play.advance(false);
        }
        play
    }

    /// A node and its controller at the beginning of a scenario.
    fn of(scenario: &'a Scenario, (node, controller): (Node, Controller), harness: Harness) -> Self {
        let form = &scenario.form;
        let judge = |criterion| Judge::new(criterion, form.duration);
        Self {
            scenario,
            node,
            controller,
            harness,
            spoiler: Spoiler::default(),
            orders: Orders::default(),
            heard: true,
            reset: false,
            dark_until: None,
            cycle: 0,
            last: None,
            judges: form.criteria.iter().map(judge).collect(),
            track: Track { slowdown_celsius: scenario.params.gpu.slowdown_celsius, ..Track::default() },
            fingerprint: Fingerprint::default(),
        }
    }

    /// The same node and controller at the beginning of another scenario.
    pub(super) fn branch<'b>(&self, scenario: &'b Scenario) -> Play<'b> {
        Play::of(scenario, (self.node.clone(), self.controller.clone()), self.harness.clone())
    }

    /// Verdicts, where no criterion asks for another run.
    pub(super) fn judged(self) -> Vec<Verdict> {
        verdicts(&self.played().judges, &Others::default())
    }

    fn played(mut self) -> Self {
        match (&self.scenario.trace, self.scenario.form.workload) {
            (Some(trace), _) => self.node.work(Load::from_trace(Arc::clone(trace))),
            (None, Some(workload)) => self.work(workload),
            (None, None) => {}
        }
        let events = in_order(&self.scenario.form.events);
        let mut coming = events.into_iter().peekable();
        while self.cycle < self.scenario.form.duration.cycles() {
            while let Some(event) = coming.next_if(|event| event.at.cycles() <= self.cycle) {
                self.happen(&event.what);
            }
            self.cycle += 1;
            self.advance(true);
            self.judge();
        }
        self
    }

    fn now_s(&self) -> f64 {
        seconds(self.cycle)
    }

    fn work(&mut self, workload: Workload) {
        self.node.work(Load::new(workload, self.scenario.form.seed));
    }

    fn happen(&mut self, what: &What) {
        let now_s = self.now_s();
        self.track.marks.push((now_s, what.to_string()));
        match what {
            What::Fault(fault) => {
                if self.harness.lacks(Protection::SecondPump) {
                    self.node.plant.inject(Fault::StandbyFailed);
                }
                self.node.plant.inject(*fault);
            }
            What::Mend(kind) => self.node.plant.clear(*kind),
            What::Sensor { of, how } => self.spoiler.spoil(*of, *how, now_s),
            What::SensorMended(of) => self.spoiler.mend(*of),
            What::Load(workload) => self.work(*workload),
            What::Orders(orders) => self.orders = *orders,
            What::FacilityLost => (self.heard, self.orders) = (false, Orders::default()),
            What::FacilityBack => self.heard = true,
            What::Restart { dark } => self.dark_until = Some(self.cycle + dark.cycles()),
            What::Reset => self.reset = true,
        }
    }

    /// One control cycle.
    fn advance(&mut self, begun: bool) {
        let now_s = self.now_s();
        let outside = &self.scenario.form.outside;
        self.node.boundary = outside.boundary(now_s, &self.scenario.params);
        self.node.drift();

        match self.dark_until {
            Some(until) if self.cycle < until => return,
            Some(_) => self.take_over(),
            None => {}
        }
        let snapshot = self.told();
        let mut decision = self.controller.step(&snapshot, self.node.now());
        self.harness.pass(&mut decision, begun);
        self.node.obey(&decision);
        self.last = Some(decision);
    }

    /// What the controller gets to see.
    fn told(&mut self) -> Snapshot {
        let now_s = self.now_s();
        self.node.remote = self.orders.remote();
        self.node.power_budget = self.orders.budget();
        let demand = self.node.plant.truth().facility.heat_demand_watts;
        let outside = &self.scenario.form.outside;
        self.node.surroundings =
            if self.heard { outside.told(now_s, demand) } else { Surroundings::default() };
        let mut snapshot = Snapshot { reset: std::mem::take(&mut self.reset), ..self.node.snapshot() };
        self.spoiler.apply(&mut snapshot, now_s);
        self.harness.tell(&mut snapshot);
        snapshot
    }

    /// A fresh controller, which knows nothing of before.
    fn take_over(&mut self) {
        self.dark_until = None;
        self.controller = Controller::new(self.harness.tuning(self.scenario.tuning));
        self.harness.begin_anew();
    }

    fn judge(&mut self) {
        let now_s = self.now_s();
        let Some(decision) = &self.last else { return };
        let (truth, params) = (self.node.plant.truth(), &self.scenario.params);
        self.fingerprint.see(truth, decision);
        let moment = Moment {
            now_s,
            dt_s: seconds(1),
            truth,
            decision,
            sockets: params.sockets,
            slowdown_celsius: params.gpu.slowdown_celsius,
            tdp_watts: params.gpu.tdp_watts,
            permit_broken: self.scenario.form.outside.breaks_permit(now_s, truth.power.river),
        };
        self.judges.iter_mut().for_each(|judge| judge.see(&moment));
        if self.cycle.is_multiple_of(SAMPLE) {
            let node = (params.sockets, params.gpu.tdp_watts);
            self.track.samples.push(Sample::of(now_s, truth, decision, node));
        }
    }
}

/// By time; at the same time in the order of the file.
fn in_order(events: &[Event]) -> Vec<&Event> {
    let mut events: Vec<&Event> = events.iter().collect();
    events.sort_by_key(|event| event.at);
    events
}
