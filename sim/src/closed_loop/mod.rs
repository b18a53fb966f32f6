//! One node in virtual time: plant and controller, joined by nothing but sensors and actuators.
//!
//! ```text
//!   workload ─► plant ── sensors ─► snapshot ─► controller
//!                 ▲                                 │
//!                 └──────── actuators ◄── decision ─┘
//! ```
//!
//! Thousands of times faster than real time: nobody waits for a clock, and the same seed gives the same course bit
//! for bit.

mod sensed;

use eisbach_control::{Decision, Remote, Snapshot, Surroundings, Tuning};
use eisbach_nvml_sim::{Features, GpuModel, Rating};
use eisbach_protocol::units::{Celsius, KiloPascal, LitersPerMinute, Millis, Quantity, Watts};

use crate::plant::{Actuators, Boundary, Plant, PlantParams, STEP_MS};
use crate::workload::{Load, Workload};

pub use sensed::{limits, single};

/// The control period, ms.
pub const CYCLE_MS: u64 = 100;

/// A node with everything that acts on it, but for who controls it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its world.
    pub plant: Plant,
    /// What the rest of the world does to it.
    pub boundary: Boundary,
    /// GPUs follow clock locks. Where they do not, power caps must do.
    pub locks_work: bool,
    /// The facility's word on power.
    pub power_budget: Option<Watts>,
    /// Orders from afar.
    pub remote: Remote,
    /// What the facility tells of the world outside.
    pub surroundings: Surroundings,
    /// Core temperature at which the margin is zero.
    pub zero_margin: Celsius,
    rating: Rating,
    actuators: Actuators,
    load: Load,
    cycles: u64,
}

impl Node {
    /// A node that has been running at this load for a while, on a spring day.
    #[must_use]
    pub fn new(model: GpuModel, params: PlantParams, workload: Workload, seed: u64) -> Self {
        let usual = Boundary::default();
        let boundary = Boundary { heat_demand_watts: usual.heat_demand_watts * params.size(), ..usual };
        Self::placed(model, params, workload, boundary, seed)
    }

    /// The same anywhere. The workload says what is asked of the GPUs.
    #[must_use]
    pub fn placed(
        model: GpuModel,
        params: PlantParams,
        workload: Workload,
        boundary: Boundary,
        seed: u64,
    ) -> Self {
        let mut load = Load::new(workload, seed);
        let boundary = Boundary { utilisation: load.step(), ..boundary };
        let actuators = Actuators { pump_speed: 0.8, valve: 0.5, ..Actuators::of(&params.gpu) };
        let plant = Plant::settled(params, seed, &actuators, &boundary);
        Self {
            plant,
            boundary,
            locks_work: true,
            power_budget: None,
            remote: Remote::default(),
            surroundings: Surroundings::default(),
            zero_margin: zero_margin(&model.rating()),
            rating: model.rating(),
            actuators,
            load,
            cycles: 0,
        }
    }

    /// The controller's numbers, with flow and head at full speed as a commissioning engineer would note them for
    /// this plant.
    #[must_use]
    pub fn commissioned(params: &PlantParams, tuning: Tuning) -> Tuning {
        let full = Plant::new(params.clone(), 0).full_speed().noted();
        Tuning {
            full_speed_flow: LitersPerMinute::from_f32(single(full.flow_lpm)),
            full_speed_head: KiloPascal::from_f32(single(full.head_kpa)),
            ..tuning
        }
    }

    /// Lets one control period pass.
    pub fn drift(&mut self) {
        for _ in 0..CYCLE_MS / STEP_MS {
            self.boundary.utilisation = self.load.step();
            self.plant.step(&self.actuators, &self.boundary);
        }
        self.cycles += 1;
    }

    /// The moment, as a controller counts it.
    #[must_use]
    pub const fn now(&self) -> Millis {
        Millis::new(self.cycles * CYCLE_MS)
    }

    /// Control periods that have passed.
    #[must_use]
    pub const fn cycles(&self) -> u64 {
        self.cycles
    }

    /// The GPU model's ratings.
    #[must_use]
    pub const fn rating(&self) -> &Rating {
        &self.rating
    }

    /// What the actuators are set to.
    #[must_use]
    pub const fn actuators(&self) -> &Actuators {
        &self.actuators
    }

    /// Sets the actuators past everybody.
    pub const fn set(&mut self, actuators: Actuators) {
        self.actuators = actuators;
    }

    /// Other work from now on.
    pub fn work(&mut self, load: Load) {
        self.load = load;
    }

    /// What a controller sees.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            power_budget: self.power_budget,
            remote: self.remote,
            surroundings: self.surroundings,
            ..sensed::snapshot(&self.plant, &self.actuators, &self.rating, self.zero_margin)
        }
    }

    /// Does what a controller has decided.
    pub fn obey(&mut self, decision: &Decision) {
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
}

/// Where the driver's margin is zero; where it tells none, the agent counts from the slowdown.
pub(crate) fn zero_margin(rating: &Rating) -> Celsius {
    let counts = !rating.lacks.contains(Features::MARGIN_TEMPERATURE);
    let celsius = if counts { rating.max_operating_celsius } else { rating.slowdown_celsius };
    Celsius::from_f32(single(celsius.into()))
}
