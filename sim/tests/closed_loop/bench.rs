//! The controller and the plant in virtual time, joined by nothing but their sensors and actuators.

use eisbach_control::{
    Controller, Decision, GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, RoomInput, Rung, Snapshot,
    StateName, Tuning, ValveInput,
};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Megahertz, Millis, Quantity, Watts};
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

pub(crate) struct Bench {
    pub(crate) plant: Plant,
    pub(crate) boundary: Boundary,
    pub(crate) controller: Controller,
    /// GPUs follow clock locks. Where they do not, power caps must do.
    pub(crate) locks_work: bool,
    /// The facility's word on power.
    pub(crate) power_budget: Option<Watts>,
    actuators: Actuators,
    load: Load,
    ticks: u64,
}

impl Bench {
    /// A node that has been running at this load for a while, taken over by a fresh controller.
    pub(crate) fn new(workload: Workload, seed: u64) -> Self {
        Self::with(PlantParams::default(), workload, seed)
    }

    /// The same with another plant.
    pub(crate) fn with(params: PlantParams, workload: Workload, seed: u64) -> Self {
        let mut load = Load::new(workload, seed);
        let boundary = Boundary { utilisation: load.step(), ..Boundary::default() };
        let actuators = Actuators { pump_speed: 0.8, valve: 0.5, ..Actuators::default() };
        let plant = Plant::settled(params, seed, &actuators, &boundary);
        let controller = Controller::new(Tuning::default());
        Self { plant, boundary, controller, power_budget: None, locks_work: true, actuators, load, ticks: 0 }
    }

    /// Runs for so many seconds of plant time.
    pub(crate) fn run(&mut self, seconds: f64) -> Course {
        let mut course = Course::default();
        let start = self.plant.truth().time_s;
        let mut rungs = vec![Vec::new(); 8];
        let pump_before = self.plant.truth().energy.pump_kwh;
        while self.plant.truth().time_s < start + seconds - 1e-6 {
            for _ in 0..10 {
                self.boundary.utilisation = self.load.step();
                self.plant.step(&self.actuators, &self.boundary);
            }
            self.ticks += 1;
            let decision = self.controller.step(&self.snapshot(), Millis::new(self.ticks * 100));
            self.obey(&decision);
            self.note(&decision, &mut course);
            let now_s = self.plant.truth().time_s;
            for (gpu, rungs) in decision.gpus.iter().zip(&mut rungs) {
                if rungs.last().is_none_or(|(_, rung)| *rung != gpu.rung) {
                    rungs.push((now_s, gpu.rung));
                }
            }
            if now_s > start + 5.0 {
                let watts: f64 = self.plant.truth().gpus.iter().map(|gpu| gpu.watts).sum();
                let caps = decision.gpus.iter().map(|gpu| gpu.power_cap.map_or(700.0, Watts::get));
                let limits = f64::from(caps.sum::<f32>());
                course.peak_watts = (course.peak_watts.0.max(watts), course.peak_watts.1.max(limits));
            }
        }
        course.rungs = rungs.into_iter().max_by_key(Vec::len).unwrap_or_default();
        course.pump_kwh = self.plant.truth().energy.pump_kwh - pump_before;
        course
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
        if course.capped_s.is_none()
            && decision.gpus.iter().all(|gpu| gpu.power_cap == Some(Watts::new(200.0)))
        {
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
            actuator.power_limit_watts = wanted.power_cap.map_or(700.0, |cap| f64::from(cap.get()));
            let clock = wanted.clock_max.filter(|_| self.locks_work);
            actuator.clock_max_mhz = clock.map_or(1980.0, |clock| f64::from(clock.get()));
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "instruments do not resolve more than f32")]
    fn snapshot(&self) -> Snapshot {
        fn told<Q: Quantity>(value: f64) -> Reading<Q> {
            Reading::measured(Q::from_f32(value as f32), Millis::new(20))
        }
        fn flag(value: bool) -> Reading<bool> {
            Reading::measured(value, Millis::new(20))
        }
        let sensors = self.plant.sensors();
        let gpu = |gpu: &Option<eisbach_sim::plant::GpuSensors>| {
            let Some(gpu) = gpu else { return GpuInput { health: GpuHealth::Lost, ..GpuInput::default() } };
            let temperature: Reading<Celsius> = told(gpu.core_celsius);
            GpuInput {
                health: GpuHealth::Ok,
                temperature,
                margin: temperature.map(|temperature| Celsius::new(89.0) - temperature),
                power: told(gpu.power_watts),
                limits: GpuLimits {
                    power_min: Some(Watts::new(200.0)),
                    power_default: Some(Watts::new(700.0)),
                    clock_min: Some(Megahertz::new(345.0)),
                    clock_max: Some(Megahertz::new(1980.0)),
                },
                ..GpuInput::default()
            }
        };
        Snapshot {
            gpus: sensors.gpus.iter().map(gpu).collect(),
            gpus_expected: 8,
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
            ..Snapshot::default()
        }
    }
}
