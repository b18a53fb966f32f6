//! The controller and the plant in virtual time, joined by nothing but their sensors and actuators.

use eisbach_control::{
    Controller, Decision, GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, Remote, RoomInput, Rung,
    Snapshot, StateName, Tuning, ValveInput,
};
use eisbach_nvml_sim::{Features, GpuModel, Rating};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, KiloPascal, LitersPerMinute, Megahertz, Millis, Quantity, Watts};
use eisbach_sim::plant::{Actuators, Boundary, Plant, PlantParams};
use eisbach_sim::workload::{Load, Workload};

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
    pub(crate) plant: Plant,
    pub(crate) boundary: Boundary,
    pub(crate) controller: Controller,
    /// GPUs follow clock locks. Where they do not, power caps must do.
    pub(crate) locks_work: bool,
    /// The facility's word on power.
    pub(crate) power_budget: Option<Watts>,
    /// Orders from afar.
    pub(crate) remote: Remote,
    rating: Rating,
    /// Core temperature at which the margin is zero.
    zero_margin: Celsius,
    actuators: Actuators,
    load: Load,
    ticks: u64,
}

impl Bench {
    /// A node that has been running at this load for a while, taken over by a fresh controller.
    pub(crate) fn new(workload: Workload, seed: u64) -> Self {
        Self::with(PlantParams::default(), workload, seed)
    }

    /// The same with another plant. Its margin counts from the slowdown, 2 K beyond where the driver's does.
    pub(crate) fn with(params: PlantParams, workload: Workload, seed: u64) -> Self {
        let slowdown = Celsius::from_f32(single(params.gpu.slowdown_celsius));
        let built = Self::built((GpuModel::H200, params), Tuning::default(), workload, seed);
        Self { zero_margin: slowdown, ..built }
    }

    /// The same for any GPU model, and with these numbers; flow and head at full speed are the plant's.
    pub(crate) fn of(node: (GpuModel, PlantParams), tuning: Tuning, workload: Workload, seed: u64) -> Self {
        let full = Plant::new(node.1.clone(), seed).full_speed().noted();
        let tuning = Tuning {
            full_speed_flow: LitersPerMinute::from_f32(single(full.flow_lpm)),
            full_speed_head: KiloPascal::from_f32(single(full.head_kpa)),
            ..tuning
        };
        Self::built(node, tuning, workload, seed)
    }

    fn built(
        (model, params): (GpuModel, PlantParams),
        tuning: Tuning,
        workload: Workload,
        seed: u64,
    ) -> Self {
        let mut load = Load::new(workload, seed);
        let usual = Boundary::default();
        let boundary = Boundary {
            utilisation: load.step(),
            heat_demand_watts: usual.heat_demand_watts * params.size(),
            ..usual
        };
        let actuators = Actuators { pump_speed: 0.8, valve: 0.5, ..Actuators::of(&params.gpu) };
        let plant = Plant::settled(params, seed, &actuators, &boundary);
        Self {
            plant,
            boundary,
            controller: Controller::new(tuning),
            power_budget: None,
            remote: Remote::default(),
            locks_work: true,
            rating: model.rating(),
            zero_margin: zero_margin(&model.rating()),
            actuators,
            load,
            ticks: 0,
        }
    }

    /// Runs for so many seconds of plant time.
    pub(crate) fn run(&mut self, seconds: f64) -> Course {
        let mut course = Course::default();
        let start = self.plant.truth().time_s;
        let mut rungs = vec![Vec::new(); 8];
        let pump_before = self.plant.truth().energy.pump_kwh;
        let uncapped = self.plant.params().gpu.tdp_watts;
        while self.plant.truth().time_s < start + seconds - 1e-6 {
            let decision = self.tick();
            self.note(&decision, &mut course);
            let now_s = self.plant.truth().time_s;
            for (gpu, rungs) in decision.gpus.iter().zip(&mut rungs) {
                if rungs.last().is_none_or(|(_, rung)| *rung != gpu.rung) {
                    rungs.push((now_s, gpu.rung));
                }
            }
            if now_s > start + 5.0 {
                let watts: f64 = self.plant.truth().gpus.iter().map(|gpu| gpu.watts).sum();
                let limit = |cap: Watts| f64::from(cap.get());
                let limits = decision.gpus.iter().map(|gpu| gpu.power_cap.map_or(uncapped, limit)).sum();
                course.peak_watts = (course.peak_watts.0.max(watts), course.peak_watts.1.max(limits));
            }
        }
        course.rungs = rungs.into_iter().max_by_key(Vec::len).unwrap_or_default();
        course.pump_kwh = self.plant.truth().energy.pump_kwh - pump_before;
        course
    }

    /// One control cycle: the plant moves on, the controller decides, and is obeyed.
    pub(crate) fn tick(&mut self) -> Decision {
        self.drift();
        let decision = self.controller.step(&self.snapshot(), Millis::new(self.ticks * 100));
        self.obey(&decision);
        decision
    }

    /// The same time with nobody at the controls.
    pub(crate) fn drift(&mut self) {
        for _ in 0..10 {
            self.boundary.utilisation = self.load.step();
            self.plant.step(&self.actuators, &self.boundary);
        }
        self.ticks += 1;
    }

    /// Whether every GPU is capped as on loss of flow.
    pub(crate) fn is_capped(&self, decision: &Decision) -> bool {
        let (lowest, default) = (self.rating.power_min_watts, self.rating.power_default_watts);
        let first_stage = f64::from(Tuning::default().first_stage_share) * f64::from(default);
        let most = first_stage.max(lowest.into());
        decision.gpus.iter().all(|gpu| gpu.power_cap.is_some_and(|cap| f64::from(cap.get()) <= most))
    }

    fn note(&self, decision: &Decision, course: &mut Course) {
        let truth = self.plant.truth();
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
        if self.ticks.is_multiple_of(10) {
            course.supply.push(truth.node_loop.supply_celsius);
            course.returns.push(truth.node_loop.return_celsius);
        }
    }

    fn obey(&mut self, decision: &Decision) {
        self.actuators.pump_run = decision.pump_run;
        if let Some(speed) = decision.pump.value {
            self.actuators.pump_speed = f64::from(speed.get()) / 100.0;
        }
        if let Some(position) = decision.valve.value {
            self.actuators.valve = f64::from(position.get()) / 100.0;
        }
        for (actuator, wanted) in self.actuators.gpus.iter_mut().zip(&decision.gpus) {
            let gpu = &self.plant.params().gpu;
            actuator.power_limit_watts = wanted.power_cap.map_or(gpu.tdp_watts, |cap| f64::from(cap.get()));
            let clock = wanted.clock_max.filter(|_| self.locks_work);
            actuator.clock_max_mhz = clock.map_or(gpu.clock_max_mhz, |clock| f64::from(clock.get()));
        }
    }

    fn snapshot(&self) -> Snapshot {
        fn told<Q: Quantity>(value: f64) -> Reading<Q> {
            Reading::measured(Q::from_f32(single(value)), Millis::new(20))
        }
        fn flag(value: bool) -> Reading<bool> {
            Reading::measured(value, Millis::new(20))
        }
        let (sensors, sockets) = (self.plant.sensors(), self.plant.params().sockets);
        let gpu = |gpu: &Option<eisbach_sim::plant::GpuSensors>| {
            let Some(gpu) = gpu else { return GpuInput { health: GpuHealth::Lost, ..GpuInput::default() } };
            let temperature: Reading<Celsius> = told(gpu.core_celsius);
            GpuInput {
                health: GpuHealth::Ok,
                temperature,
                margin: temperature.map(|temperature| self.zero_margin - temperature),
                power: told(gpu.power_watts),
                limits: limits(&self.rating),
                ..GpuInput::default()
            }
        };
        Snapshot {
            gpus: sensors.gpus.iter().take(sockets).map(gpu).collect(),
            gpus_expected: sockets,
            pump: PumpInput {
                shared: false,
                running: flag(sensors.pump.running),
                alarm: flag(sensors.pump.alarm),
                remote: flag(true),
                speed: told(sensors.pump.speed * 100.0),
                head: told(sensors.pump.head_kpa),
            },
            valve: ValveInput {
                position: told(sensors.valve.position * 100.0),
                fault: flag(sensors.valve.fault),
            },
            meter: MeterInput {
                flow: told(sensors.meter.flow_lpm),
                supply: told(sensors.meter.supply_celsius),
                return_: told(sensors.meter.return_celsius),
            },
            room: RoomInput { dew_point: told(sensors.room.dew_point_celsius) },
            leak: LeakInput { detected: flag(sensors.leak.detected), fault: flag(sensors.leak.fault) },
            power_budget: self.power_budget,
            remote: self.remote,
            ..Snapshot::default()
        }
    }
}

/// Where the driver's margin is zero; where it tells none, the agent counts from the slowdown.
fn zero_margin(rating: &Rating) -> Celsius {
    let counts = !rating.lacks.contains(Features::MARGIN_TEMPERATURE);
    let celsius = if counts { rating.max_operating_celsius } else { rating.slowdown_celsius };
    Celsius::from_f32(single(celsius.into()))
}

fn limits(rating: &Rating) -> GpuLimits {
    let watts = |watts: u32| Some(Watts::from_f32(single(watts.into())));
    let megahertz = |megahertz: u32| Some(Megahertz::from_f32(single(megahertz.into())));
    GpuLimits {
        power_min: watts(rating.power_min_watts),
        power_default: watts(rating.power_default_watts),
        clock_min: megahertz(rating.sm_clock_min_mhz),
        clock_max: megahertz(rating.sm_clock_max_mhz),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "instruments do not resolve more than f32")]
fn single(value: f64) -> f32 {
    value as f32
}
