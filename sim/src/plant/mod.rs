//! The world of one node: eight GPUs on cold plates, their loop, the facility, the river and the heat
//! network.
//!
//! ```text
//!  workload ─► GPU 1..8 ─► plates ┬─ return 2 L ──►┌─ CDU ─┐── buffer ──► recovery ─┬─► heat pump ─► network
//!              rest     ─► plates ┘                │   │   │                valve   └─► exchanger ─► river
//!                            ▲                     │   │   │                               │
//!    pump ── supply 2 L ─────┘                     │   │   │                               │
//!      └──────────────────────── strainer ◄────────└───────┘◄───────────── pipe ◄──────────┘
//!                         node loop (glycol)                    facility loop (water)
//! ```
//!
//! It advances by a fixed step of 10 ms, knows no clock, no thread and no input but what [`Plant::step`] is
//! given, and the same seed gives the same world bit for bit. Heat is neither made nor lost: what enters and
//! leaves in a step is in [`PowerTruth`], and the rest is in [`Plant::stored_heat`]. Inside are SI units and
//! °C; the units at the edges are in the names.

mod air;
pub(crate) mod cold_plate;
mod coolant;
pub(crate) mod delay;
pub(crate) mod exchanger;
pub(crate) mod facility;
mod faults;
#[cfg(test)]
mod flow_loss_tests;
pub(crate) mod gpu;
pub(crate) mod heat_pump;
pub(crate) mod hydraulics;
mod inputs;
mod instrument;
mod memo;
#[cfg(test)]
mod model_tests;
pub(crate) mod node_loop;
mod params;
pub(crate) mod pump;
mod pump_set;
mod record;
mod sensors;
mod steady;
#[cfg(test)]
mod tests;
mod truth;
#[cfg(test)]
mod validation;
pub(crate) mod valve;
mod vessel;

pub use air::dew_point;
pub use coolant::Coolant;
pub use faults::{Fault, FaultKind, SensorError, UnknownFault};
pub use gpu::GpuState;
pub use hydraulics::Resistance;
pub use inputs::{Actuators, Boundary, GpuActuators};
pub use instrument::InstrumentSpec;
pub use params::{
    Characteristic, ExchangerParams, FacilityParams, GpuParams, HeatPumpParams, InstrumentParams, LoopParams,
    PartLoad, PlantParams, PlateParams, PumpParams, RestParams, StandbyParams, Stiction, ValveParams,
    VesselParams,
};
pub use sensors::{GpuSensors, LeakSensors, MeterSensors, PumpSensors, RoomSensors, Sensors, ValveSensors};
pub use steady::{SetPoints, Steady, SteadyPlant};
pub use truth::{
    EnergyTruth, FacilityTruth, GpuTruth, LoopTruth, PowerTruth, PumpTruth, RoomTruth, Truth, ValveTruth,
};

use self::exchanger::Stream;
use self::facility::{Cooling, Ends, Facility};
use self::faults::Faults;
use self::gpu::{Gpu, Task};
use self::hydraulics::{Hydraulics, M3_S_PER_LPM, Thickness};
use self::node_loop::{Carried, HeatIn, NodeLoop};
use self::pump::Pump;
use self::pump_set::{PumpSet, SetFaults};
use self::sensors::Instruments;
use self::valve::Valve;
use self::vessel::Vessel;
use crate::rng::Noise;

/// GPUs in the node.
pub const GPUS: usize = 8;
/// The step, ms.
pub const STEP_MS: u64 = 10;
/// The step, s.
pub const DT: f64 = 0.01;

/// Temperature of everything in a new world, °C.
const START_CELSIUS: f64 = 20.0;
/// A world that has not settled by then does not, s.
const SETTLE_S: f64 = 1800.0;
/// Settled: the heat that stays in the world is less than this share of the heat that enters.
const SETTLED_SHARE: f64 = 0.005;
/// ... averaged over this time, s.
const SETTLED_OVER_S: f64 = 20.0;

/// The loop with its pump at full speed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FullSpeed {
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Head of the pump, kPa.
    pub head_kpa: f64,
}

impl FullSpeed {
    /// As one would note it down: to a tenth.
    #[must_use]
    pub fn noted(self) -> Self {
        let tenth = |value: f64| (value * 10.0).round() / 10.0;
        Self { flow_lpm: tenth(self.flow_lpm), head_kpa: tenth(self.head_kpa) }
    }
}

/// The world of one node.
#[derive(Clone, Debug)]
pub struct Plant {
    params: PlantParams,
    gpus: [Gpu; GPUS],
    node_loop: NodeLoop,
    pump: PumpSet,
    vessel: Vessel,
    facility: Facility,
    valve: Valve,
    faults: Faults,
    instruments: Instruments,
    noise: Noise,
    steps: u64,
    truth: Truth,
    sensors: Sensors,
}

impl Plant {
    /// A world at rest, everything at 20 °C. The seed decides the sensors' noise.
    #[must_use]
    pub fn new(params: PlantParams, seed: u64) -> Self {
        let mut sockets = 0..;
        let gpus = params.contact_spread.map(|contact| {
            let there = sockets.next().is_some_and(|socket| socket < params.sockets);
            let gpu = if there { params.gpu } else { params.gpu.absent() };
            Gpu::new(gpu, contact, START_CELSIUS, DT)
        });
        Self {
            gpus,
            node_loop: NodeLoop::new(&params, START_CELSIUS, DT),
            pump: PumpSet::new(&params),
            vessel: Vessel::new(params.vessel),
            facility: Facility::new(&params, START_CELSIUS, DT),
            valve: Valve::new(params.valve),
            faults: Faults::default(),
            instruments: Instruments::new(&params.instruments, params.pump.rated_rpm),
            noise: Noise::new(seed),
            steps: 0,
            truth: Truth::default(),
            sensors: Sensors::default(),
            params,
        }
    }

    /// A world that has been running like this for long.
    #[must_use]
    pub fn settled(params: PlantParams, seed: u64, actuators: &Actuators, boundary: &Boundary) -> Self {
        let mut plant = Self::new(params, seed);
        plant.settle(actuators, boundary);
        plant
    }

    /// Runs until temperatures stand still, then sets time and energies to zero. Returns whether they do:
    /// where more heat enters than leaves they rise for ever, and it gives up after half an hour.
    pub fn settle(&mut self, actuators: &Actuators, boundary: &Boundary) -> bool {
        let mut stays = 1.0;
        let mut left = SETTLE_S;
        while left > 0.0 && stays > SETTLED_SHARE {
            self.step(actuators, boundary);
            let power = &self.truth.power;
            stays += DT / SETTLED_OVER_S * ((power.net() / power.it().max(1.0)).abs() - stays);
            left -= DT;
        }
        self.steps = 0;
        self.truth.time_s = 0.0;
        self.truth.energy = EnergyTruth::default();
        self.truth.throttled_gpu_seconds = 0.0;
        left > 0.0
    }

    /// Advances the world by [`DT`].
    pub fn step(&mut self, actuators: &Actuators, boundary: &Boundary) {
        let (actuators, boundary) = (actuators.held(&self.params.gpu), boundary.held());
        let boundary = self.faults.around(&boundary, DT);
        self.steps += 1;

        let carried = self.circulate(&actuators);
        let plates = self.work(&actuators, &boundary);
        let cooling = self.cool(&actuators, &boundary);
        let power = self.power(&carried, &cooling);

        let heat = HeatIn { plates, rest: power.rest, pump: power.pump_heat };
        let facility = Stream { capacity: self.facility.capacity(), celsius: cooling.supply_celsius };
        let out = self.node_loop.exchange(&carried, &heat, facility, boundary.room_celsius, DT);
        self.facility.take(out.to_facility, cooling.supply_celsius, DT);

        let power = PowerTruth { room: out.to_room, ..power };
        self.record(&actuators, &boundary, &carried, &cooling, power);
        self.sensors = self.instruments.read(&self.truth, &mut self.noise);
        self.faults.spoil(&mut self.sensors);
        self.faults.age(DT);
    }

    /// What the sensors show.
    #[must_use]
    pub fn sensors(&self) -> &Sensors {
        &self.sensors
    }

    /// What is really so.
    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// The numbers that this world is made of.
    #[must_use]
    pub fn params(&self) -> &PlantParams {
        &self.params
    }

    /// What a commissioning engineer would note: flow and head with the pump at full speed, strainer clean,
    /// coolant at 35 °C.
    #[must_use]
    pub fn full_speed(&self) -> FullSpeed {
        let curve = Pump::curve(&self.params.pump, 1.0, 1.0);
        let flows = Hydraulics::new(&self.params).solve(curve, Thickness::AS_RATED, 1.0);
        FullSpeed { flow_lpm: flows.total / M3_S_PER_LPM, head_kpa: flows.head_pa / 1000.0 }
    }

    /// Puts a fault in. A fault that is in already takes the new numbers.
    pub fn inject(&mut self, fault: Fault) {
        self.faults.inject(fault);
    }

    /// Takes a fault out: it is mended, and the loop topped up.
    pub fn clear(&mut self, fault: FaultKind) {
        self.faults.clear(fault);
    }

    /// The faults that are in.
    pub fn faults(&self) -> impl Iterator<Item = FaultKind> + '_ {
        FaultKind::ALL.into_iter().filter(|kind| self.faults.has(*kind))
    }

    /// Heat in metal, coolant and water above 0 °C, J. It changes in a step by exactly [`PowerTruth::net`] ×
    /// [`DT`].
    #[must_use]
    pub fn stored_heat(&self) -> f64 {
        self.gpus.iter().map(Gpu::stored).sum::<f64>() + self.node_loop.stored() + self.facility.stored()
    }

    /// Turns the pump and moves the coolant.
    fn circulate(&mut self, actuators: &Actuators) -> Carried {
        let faults = SetFaults {
            pump: self.faults.pump(),
            standby_fails: self.faults.has(FaultKind::StandbyFailed),
            wear: self.faults.wear(),
        };
        self.pump.step(actuators.pump_run, actuators.pump_speed, faults, DT);
        let celsius = self.node_loop.mean_celsius();
        self.vessel.step(celsius, self.faults.hole_mm(), DT);
        let flow = self.truth.node_loop.flow_lpm * M3_S_PER_LPM;
        let suction = Pump::suction(&self.params.pump, self.vessel.pressure_kpa(), celsius, flow);
        let prime = self.vessel.prime() * self.faults.airless() * suction;
        self.truth.pump.air = 1.0 - prime;
        self.node_loop.foul(self.faults.cdu_loss());
        self.node_loop.circulate(self.pump.curve_now(prime), self.faults.clogging(), DT)
    }

    /// Lets the GPUs work; returns the heat into each plate, W.
    fn work(&mut self, actuators: &Actuators, boundary: &Boundary) -> [f64; GPUS] {
        let mut heats = [0.0; GPUS];
        let plates = self.node_loop.plates();
        let tasks = actuators.gpus.iter().zip(boundary.utilisation);
        for (((heat, gpu), plate), (set, asked)) in
            heats.iter_mut().zip(&mut self.gpus).zip(plates).zip(tasks)
        {
            let task = Task {
                utilisation: if set.present { asked } else { 0.0 },
                power_limit: set.power_limit_watts,
                clock_max_mhz: set.clock_max_mhz,
                max_q: set.max_q,
            };
            *heat = gpu.step(task, plate.metal(), DT);
        }
        heats
    }

    /// Moves the recovery valve and cools the facility's water.
    fn cool(&mut self, actuators: &Actuators, boundary: &Boundary) -> Cooling {
        self.valve.set_stiction(self.faults.stiction());
        self.valve.step(actuators.valve, self.faults.has(FaultKind::StuckValve), DT);
        self.facility.foul(self.faults.river_loss());
        self.facility.set_network(boundary.network_celsius.unwrap_or(self.params.heat_pump.network_celsius));
        let ends = Ends {
            recovery_share: self.valve.recovery_share_again(),
            river_celsius: boundary.river_celsius,
            river_intake: boundary.river_intake,
            demand: boundary.heat_demand_watts,
            pump_runs: !self.faults.has(FaultKind::FacilityPumpLost),
        };
        self.facility.cool(&ends, DT)
    }

    /// Heat and power of this step, but for what leaves to the room.
    fn power(&self, carried: &Carried, cooling: &Cooling) -> PowerTruth {
        let gpus = self.gpus.iter().map(Gpu::power).sum();
        let pump = self.pump.power(carried.flows.total, carried.flows.head_pa);
        PowerTruth {
            gpus,
            rest: self.params.rest.base_watts + self.params.rest.per_gpu_watt * gpus,
            pump,
            pump_heat: self.pump.heat(pump),
            recovery: cooling.lift.source,
            network: cooling.lift.delivered,
            heat_pump: cooling.lift.electric,
            river: cooling.river,
            room: 0.0,
        }
    }
}
