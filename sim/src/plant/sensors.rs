//! All that can be measured from outside, as the instruments show it.

use serde::Serialize;

use super::gpu::GpuState;
use super::instrument::{Instrument, SecondMean, quantised};
use super::params::InstrumentParams;
use super::truth::{GpuTruth, Truth};
use super::{DT, GPUS};
use crate::rng::Noise;

/// A pump that draws air makes flow and head flicker by this much more than they do (estimate).
const ROUGH: f64 = 5.0;

/// What the sensors show.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sensors {
    /// The GPUs; `None` for one that the driver has lost or that has switched itself off.
    pub gpus: [Option<GpuSensors>; GPUS],
    /// The pump's drive.
    pub pump: PumpSensors,
    /// The heat meter in the node loop.
    pub meter: MeterSensors,
    /// The recovery valve.
    pub valve: ValveSensors,
    /// Room air.
    pub room: RoomSensors,
    /// The leak rope.
    pub leak: LeakSensors,
}

/// One GPU as NVML shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct GpuSensors {
    /// Core, whole °C.
    pub core_celsius: f64,
    /// Memory, whole °C.
    pub memory_celsius: f64,
    /// Power right now, W.
    pub power_watts: f64,
    /// Power over the last second, W.
    pub power_average_watts: f64,
    /// SM clock, MHz.
    pub clock_mhz: f64,
    /// Utilisation, 0 to 1.
    pub utilisation: f64,
    /// The hardware slows it down.
    pub slowed: bool,
}

/// The pump's drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PumpSensors {
    /// The drive turns the motor.
    pub running: bool,
    /// The drive has tripped.
    pub alarm: bool,
    /// Speed of the motor, share of full speed.
    pub speed: f64,
    /// Speed of the motor, 1/min.
    pub rpm: f64,
    /// Head, kPa.
    pub head_kpa: f64,
    /// Electric power, W.
    pub power_watts: f64,
    /// Pressure at the inlet over ambient, kPa.
    pub inlet_kpa: f64,
}

/// The heat meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MeterSensors {
    /// Flow, L/min.
    pub flow_lpm: f64,
    /// Into the cold plates, °C.
    pub supply_celsius: f64,
    /// Out of the cold plates, °C.
    pub return_celsius: f64,
}

/// The recovery valve, an energy valve with its own meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct ValveSensors {
    /// Position, 0 to 1.
    pub position: f64,
    /// It pushes and does not move.
    pub fault: bool,
    /// Flow through recovery, L/min.
    pub flow_lpm: f64,
    /// Into recovery, °C.
    pub inlet_celsius: f64,
    /// Out of recovery, °C.
    pub outlet_celsius: f64,
    /// Recovered heat as the valve computes it from these, W.
    pub recovered_watts: f64,
}

/// Room air.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RoomSensors {
    /// Temperature, °C.
    pub celsius: f64,
    /// Relative humidity, 0 to 1.
    pub humidity: f64,
    /// Dew point, °C.
    pub dew_point_celsius: f64,
}

/// The leak rope's relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeakSensors {
    /// Water.
    pub detected: bool,
    /// The rope is broken and sees nothing.
    pub fault: bool,
}

/// The instruments at work.
#[derive(Clone, Debug)]
pub(super) struct Instruments {
    gpus: [GpuInstruments; GPUS],
    pump_speed: Instrument,
    rated_rpm: f64,
    pump_head: Instrument,
    pump_power: Instrument,
    inlet: Instrument,
    flow: Instrument,
    flow_cutoff_lpm: f64,
    supply: Instrument,
    return_: Instrument,
    valve_position: Instrument,
    valve_flow: Instrument,
    valve_inlet: Instrument,
    valve_outlet: Instrument,
    room: Instrument,
    humidity: Instrument,
    dew_point: Instrument,
}

#[derive(Clone, Debug)]
struct GpuInstruments {
    core: Instrument,
    memory: Instrument,
    power: Instrument,
    average: SecondMean,
}

impl Instruments {
    pub(super) fn new(params: &InstrumentParams, rated_rpm: f64) -> Self {
        let instrument = |spec| Instrument::new(spec, DT);
        let gpu = || GpuInstruments {
            core: instrument(params.gpu_core),
            memory: instrument(params.gpu_memory),
            power: instrument(params.gpu_power),
            average: SecondMean::default(),
        };
        Self {
            gpus: std::array::from_fn(|_| gpu()),
            pump_speed: instrument(params.pump_speed),
            rated_rpm,
            pump_head: instrument(params.pump_head),
            pump_power: instrument(params.pump_power),
            inlet: instrument(params.inlet),
            flow: instrument(params.flow),
            flow_cutoff_lpm: params.flow_cutoff_lpm,
            supply: instrument(params.supply),
            return_: instrument(params.return_),
            valve_position: instrument(params.valve_position),
            valve_flow: instrument(params.valve_flow),
            valve_inlet: instrument(params.valve_temperature),
            valve_outlet: instrument(params.valve_temperature),
            room: instrument(params.room),
            humidity: instrument(params.humidity),
            dew_point: instrument(params.dew_point),
        }
    }

    /// Looks at the truth of one step, in a fixed order, so that the same noise falls on the same sensor.
    pub(super) fn read(&mut self, truth: &Truth, noise: &mut Noise) -> Sensors {
        let mut gpus = [None; GPUS];
        for ((shown, instruments), gpu) in gpus.iter_mut().zip(&mut self.gpus).zip(&truth.gpus) {
            *shown = instruments.read(gpu, noise);
        }
        Sensors {
            gpus,
            pump: self.read_pump(truth, noise),
            meter: self.read_meter(truth, noise),
            valve: self.read_valve(truth, noise),
            room: RoomSensors {
                celsius: self.room.read(truth.room.celsius, noise),
                humidity: self.humidity.read(truth.room.humidity, noise).clamp(0.0, 1.0),
                dew_point_celsius: self.dew_point.read(truth.room.dew_point_celsius, noise),
            },
            leak: LeakSensors {
                detected: truth.node_loop.rope_wet && !truth.node_loop.rope_broken,
                fault: truth.node_loop.rope_broken,
            },
        }
    }

    fn read_pump(&mut self, truth: &Truth, noise: &mut Noise) -> PumpSensors {
        let speed = self.pump_speed.read(truth.pump.speed, noise);
        PumpSensors {
            running: truth.pump.running,
            alarm: truth.pump.tripped,
            speed,
            rpm: (speed * self.rated_rpm).round(),
            head_kpa: self.pump_head.read_rough(truth.pump.head_kpa, roughness(truth), noise).max(0.0),
            power_watts: self.pump_power.read(truth.power.pump, noise),
            inlet_kpa: self.inlet.read(truth.node_loop.inlet_kpa, noise).max(0.0),
        }
    }

    fn read_meter(&mut self, truth: &Truth, noise: &mut Noise) -> MeterSensors {
        let flow = self.flow.read_rough(truth.node_loop.flow_lpm, roughness(truth), noise);
        MeterSensors {
            flow_lpm: if flow < self.flow_cutoff_lpm { 0.0 } else { flow },
            supply_celsius: self.supply.read(truth.node_loop.supply_celsius, noise),
            return_celsius: self.return_.read(truth.node_loop.return_celsius, noise),
        }
    }

    fn read_valve(&mut self, truth: &Truth, noise: &mut Noise) -> ValveSensors {
        /// Water in the facility loop, W per L/min and K.
        const WATER: f64 = 69.5;
        let flow_lpm = self.valve_flow.read(truth.valve.flow_lpm, noise);
        let inlet_celsius = self.valve_inlet.read(truth.valve.inlet_celsius, noise);
        let outlet_celsius = self.valve_outlet.read(truth.valve.outlet_celsius, noise);
        ValveSensors {
            position: self.valve_position.read(truth.valve.position, noise),
            fault: truth.valve.fault,
            flow_lpm,
            inlet_celsius,
            outlet_celsius,
            recovered_watts: (WATER * flow_lpm * (inlet_celsius - outlet_celsius)).max(0.0).round(),
        }
    }
}

impl GpuInstruments {
    fn read(&mut self, gpu: &GpuTruth, noise: &mut Noise) -> Option<GpuSensors> {
        let shown = GpuSensors {
            core_celsius: self.core.read(gpu.core_celsius, noise),
            memory_celsius: self.memory.read(gpu.memory_celsius, noise),
            power_watts: self.power.read(gpu.watts, noise),
            power_average_watts: quantised(self.average.read(gpu.watts), 0.001),
            clock_mhz: quantised(gpu.clock_mhz, CLOCK_STEP_MHZ),
            utilisation: gpu.utilisation,
            slowed: gpu.state == GpuState::Slowed,
        };
        (gpu.present && gpu.state != GpuState::Off).then_some(shown)
    }
}

/// Noise of flow and head against what it is in a loop without air.
fn roughness(truth: &Truth) -> f64 {
    if truth.pump.air > 0.0 { ROUGH } else { 1.0 }
}

/// SM clocks come in steps of this.
const CLOCK_STEP_MHZ: f64 = 15.0;
