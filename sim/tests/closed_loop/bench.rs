//! The controller and the plant in virtual time, joined by nothing but their sensors and actuators.

use eisbach_control::{Controller, Decision, Rung, StateName, Tuning};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::units::{Celsius, Quantity, Watts};
use eisbach_sim::closed_loop::{Node, single};
use eisbach_sim::plant::PlantParams;
use eisbach_sim::workload::Workload;

/// What happened in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Course {
    pub(crate) peak_celsius: f64,
    pub(crate) states: Vec<(f64, StateName, &'static str)>,
    pub(crate) throttled_decisions: usize,
    /// Rungs that the GPU with most changes went through.
    pub(crate) rungs: Vec<(f64, Rung)>,
    /// Highest rung asked for outside.
    pub(crate) called: Option<Rung>,
    /// Highest sum of the GPUs' powers, and of their limits, after the first five seconds of the run, W.
    pub(crate) peak_watts: (f64, f64),
    pub(crate) pump_kwh: f64,
    pub(crate) supply: Vec<f64>,
    pub(crate) returns: Vec<f64>,
    /// Time at which every GPU was first capped, s.
    pub(crate) capped_s: Option<f64>,
}

#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) node: Node,
    pub(crate) controller: Controller,
}

impl Bench {
    /// A node that has been running at this load for a while, taken over by a fresh controller.
    pub(crate) fn new(workload: Workload, seed: u64) -> Self {
        Self::with(PlantParams::default(), workload, seed)
    }

    /// The same with another plant. Its margin counts from the slowdown, 2 K beyond where the driver's does.
    pub(crate) fn with(params: PlantParams, workload: Workload, seed: u64) -> Self {
        let slowdown = Celsius::from_f32(single(params.gpu.slowdown_celsius));
        let mut node = Node::new(GpuModel::H200, params, workload, seed);
        node.zero_margin = slowdown;
        Self { node, controller: Controller::new(Tuning::default()) }
    }

    /// The same for any GPU model, and with these numbers; flow and head at full speed are the plant's.
    pub(crate) fn of(node: (GpuModel, PlantParams), tuning: Tuning, workload: Workload, seed: u64) -> Self {
        let tuning = Node::commissioned(&node.1, tuning);
        let (model, params) = node;
        Self { node: Node::new(model, params, workload, seed), controller: Controller::new(tuning) }
    }

    /// Runs for so many seconds of plant time.
    pub(crate) fn run(&mut self, seconds: f64) -> Course {
        let mut course = Course::default();
        let start = self.node.plant.truth().time_s;
        let mut rungs = vec![Vec::new(); 8];
        let pump_before = self.node.plant.truth().energy.pump_kwh;
        let uncapped = self.node.plant.params().gpu.tdp_watts;
        while self.node.plant.truth().time_s < start + seconds - 1e-6 {
            let decision = self.tick();
            self.note(&decision, &mut course);
            let now_s = self.node.plant.truth().time_s;
            for (gpu, rungs) in decision.gpus.iter().zip(&mut rungs) {
                if rungs.last().is_none_or(|(_, rung)| *rung != gpu.rung) {
                    rungs.push((now_s, gpu.rung));
                }
            }
            if now_s > start + 5.0 {
                let watts: f64 = self.node.plant.truth().gpus.iter().map(|gpu| gpu.watts).sum();
                let limit = |cap: Watts| f64::from(cap.get());
                let limits = decision.gpus.iter().map(|gpu| gpu.power_cap.map_or(uncapped, limit)).sum();
                course.peak_watts = (course.peak_watts.0.max(watts), course.peak_watts.1.max(limits));
            }
        }
        course.rungs = rungs.into_iter().max_by_key(Vec::len).unwrap_or_default();
        course.pump_kwh = self.node.plant.truth().energy.pump_kwh - pump_before;
        course
    }

    /// One control cycle: the plant moves on, the controller decides, and is obeyed.
    pub(crate) fn tick(&mut self) -> Decision {
        self.node.drift();
        let decision = self.controller.step(&self.node.snapshot(), self.node.now());
        self.node.obey(&decision);
        decision
    }

    /// Whether every GPU is capped as on loss of flow.
    pub(crate) fn is_capped(&self, decision: &Decision) -> bool {
        let (lowest, default) = (self.node.rating().power_min_watts, self.node.rating().power_default_watts);
        let first_stage = f64::from(Tuning::default().first_stage_share) * f64::from(default);
        let most = first_stage.max(lowest.into());
        decision.gpus.iter().all(|gpu| gpu.power_cap.is_some_and(|cap| f64::from(cap.get()) <= most))
    }

    fn note(&self, decision: &Decision, course: &mut Course) {
        let truth = self.node.plant.truth();
        course.called = course.called.max(decision.escalation.rung());
        for gpu in &truth.gpus {
            course.peak_celsius = course.peak_celsius.max(gpu.core_celsius);
        }
        if course.states.last().is_none_or(|(_, state, _)| *state != decision.state) {
            course.states.push((truth.time_s, decision.state, decision.reason.as_str()));
        }
        if decision.gpus.iter().any(|gpu| gpu.power_cap.is_some() || gpu.clock_max.is_some()) {
            course.throttled_decisions += 1;
        }
        if course.capped_s.is_none() && self.is_capped(decision) {
            course.capped_s = Some(truth.time_s);
        }
        if self.node.cycles().is_multiple_of(10) {
            course.supply.push(truth.node_loop.supply_celsius);
            course.returns.push(truth.node_loop.return_celsius);
        }
    }
}
