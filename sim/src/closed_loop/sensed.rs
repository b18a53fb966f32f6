//! From the plant's sensors to the controller's snapshot.

use eisbach_control::{
    GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, RoomInput, Snapshot, ValveInput,
};
use eisbach_nvml_sim::Rating;
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Megahertz, Millis, Quantity, Watts};

use crate::plant::{Actuators, GpuActuators, GpuParams, GpuSensors, Plant};

/// Age of every reading: a fast bus.
const AGE: Millis = Millis::new(20);

/// Whatever is a number: the plant's sensors are asked for nothing impossible.
fn told<Q: Quantity>(value: f64) -> Reading<Q> {
    Reading::judge(single(value), AGE, &(f32::MIN..=f32::MAX))
}

const fn flag(value: bool) -> Reading<bool> {
    Reading::measured(value, AGE)
}

/// Everything that instruments tell of the node.
pub(super) fn snapshot(
    plant: &Plant,
    actuators: &Actuators,
    rating: &Rating,
    zero_margin: Celsius,
) -> Snapshot {
    let (sensors, sockets) = (plant.sensors(), plant.params().sockets);
    let gpu = |(gpu, set): (&Option<GpuSensors>, &GpuActuators)| {
        let held = held(set, &plant.params().gpu);
        let Some(gpu) = gpu else { return GpuInput { health: GpuHealth::Lost, ..held } };
        let temperature: Reading<Celsius> = told(gpu.core_celsius);
        GpuInput {
            health: GpuHealth::Ok,
            temperature,
            margin: temperature.map(|temperature| zero_margin - temperature),
            power: told(gpu.power_watts),
            thermal_slowdown: flag(gpu.slowed),
            limits: limits(rating),
            ..held
        }
    };
    Snapshot {
        gpus: sensors.gpus.iter().zip(&actuators.gpus).take(sockets).map(gpu).collect(),
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
            inlet: told(sensors.valve.inlet_celsius),
            recovered: told(sensors.valve.recovered_watts),
        },
        meter: MeterInput {
            flow: told(sensors.meter.flow_lpm),
            supply: told(sensors.meter.supply_celsius),
            return_: told(sensors.meter.return_celsius),
        },
        room: RoomInput { dew_point: told(sensors.room.dew_point_celsius) },
        leak: LeakInput { detected: flag(sensors.leak.detected), fault: flag(sensors.leak.fault) },
        ..Snapshot::default()
    }
}

/// What the GPU process holds for the controller, also for one that has just started.
fn held(set: &GpuActuators, gpu: &GpuParams) -> GpuInput {
    let cap = Some(set.power_limit_watts).filter(|cap| *cap < gpu.tdp_watts);
    let clock = Some(set.clock_max_mhz).filter(|clock| *clock < gpu.clock_max_mhz);
    GpuInput {
        held_cap: cap.map(|watts| Watts::from_f32(single(watts))),
        held_clock: clock.map(|megahertz| Megahertz::from_f32(single(megahertz))),
        ..GpuInput::default()
    }
}

/// What a GPU of this rating can be set to.
#[must_use]
pub fn limits(rating: &Rating) -> GpuLimits {
    let watts = |watts: u32| Some(Watts::from_f32(single(watts.into())));
    let megahertz = |megahertz: u32| Some(Megahertz::from_f32(single(megahertz.into())));
    GpuLimits {
        power_min: watts(rating.power_min_watts),
        power_default: watts(rating.power_default_watts),
        clock_min: megahertz(rating.sm_clock_min_mhz),
        clock_max: megahertz(rating.sm_clock_max_mhz),
    }
}

/// As an instrument tells it.
#[expect(clippy::cast_possible_truncation, reason = "instruments do not resolve more than f32")]
#[must_use]
pub fn single(value: f64) -> f32 {
    value as f32
}
