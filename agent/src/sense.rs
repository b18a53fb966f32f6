//! Sense: the newest values of all links become one snapshot. Nothing here waits.

use std::ops::RangeInclusive;

use eisbach_control::{
    GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, RoomInput, Snapshot, ValveInput,
};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::{Millis, Quantity};

use crate::config::DeviceRole;
use crate::gpu::client::{GpuEntry, GpuView};
use crate::links::Links;
use crate::modbus::device::DeviceLink;

/// A GPU's values are stale after this: a few sampling periods.
const GPU_STALE: Millis = Millis::new(1500);
/// Without a frame for this long there is no GPU link to speak of.
const GPU_LINK_GONE: Millis = Millis::from_secs(3);

/// What a core or memory can be warm or cold at all, °C.
const POSSIBLE_CELSIUS: RangeInclusive<f32> = -40.0..=150.0;
/// Margins beyond this are no margins, K.
const POSSIBLE_KELVIN: RangeInclusive<f32> = -100.0..=150.0;
/// No single GPU draws more, W.
const POSSIBLE_WATTS: RangeInclusive<f32> = 0.0..=3000.0;

/// The node at `now`.
pub fn snapshot(links: &Links, gpus_expected: usize, reset: bool, now: Millis) -> Snapshot {
    let quantity = Quantities { links, now };
    Snapshot {
        gpus: gpus(&links.gpu.view(), now),
        gpus_expected,
        pump: PumpInput {
            running: quantity.flag(DeviceRole::Pump, Signal::PumpRunning),
            alarm: quantity.flag(DeviceRole::Pump, Signal::PumpAlarm),
            remote: quantity.flag(DeviceRole::Pump, Signal::PumpRemote),
            speed: quantity.read(DeviceRole::Pump, Signal::PumpSpeed),
            head: quantity.read(DeviceRole::Pump, Signal::PumpHead),
            shared: links.device(DeviceRole::Pump).is_some_and(DeviceLink::is_shared),
        },
        valve: ValveInput {
            position: quantity.read(DeviceRole::Valve, Signal::ValvePosition),
            fault: quantity.flag(DeviceRole::Valve, Signal::ValveFault),
        },
        meter: MeterInput {
            flow: quantity.read(DeviceRole::Meter, Signal::Flow),
            supply: quantity.read(DeviceRole::Meter, Signal::SupplyTemperature),
            return_: quantity.read(DeviceRole::Meter, Signal::ReturnTemperature),
        },
        room: RoomInput { dew_point: quantity.read(DeviceRole::Room, Signal::DewPoint) },
        leak: LeakInput {
            detected: quantity.flag(DeviceRole::Leak, Signal::Leak),
            fault: quantity.flag(DeviceRole::Leak, Signal::LeakSensorFault),
        },
        reset,
    }
}

struct Quantities<'a> {
    links: &'a Links,
    now: Millis,
}

impl Quantities<'_> {
    fn read<Q: Quantity>(&self, role: DeviceRole, signal: Signal) -> Reading<Q> {
        // The codec has judged range and finiteness; what arrives here is a number or a reason.
        self.links.reading(role, signal, self.now).map(Q::from_f32)
    }

    fn flag(&self, role: DeviceRole, signal: Signal) -> Reading<bool> {
        self.links.reading(role, signal, self.now).map(|value| value >= 0.5)
    }
}

fn gpus<const N: usize>(view: &GpuView, now: Millis) -> heapless::Vec<GpuInput, N> {
    let newest = view.gpus.iter().map(|entry| entry.received_at).max();
    if newest.is_none_or(|newest| now.since(newest) > GPU_LINK_GONE) {
        return heapless::Vec::new();
    }
    view.gpus.iter().take(N).map(|entry| gpu(entry, now)).collect()
}

fn gpu(entry: &GpuEntry, now: Millis) -> GpuInput {
    let sample = &entry.sample;
    let age = now.since(entry.received_at) + Millis::new(u64::from(sample.age_ms));
    GpuInput {
        health: sample.health,
        temperature: judged(sample.temperature, age, &POSSIBLE_CELSIUS),
        margin: judged(sample.margin, age, &POSSIBLE_KELVIN),
        power: judged(sample.power, age, &POSSIBLE_WATTS),
        limits: GpuLimits {
            power_min: sample.limit_min,
            power_default: sample.limit_default,
            clock_min: sample.sm_clock_min,
            clock_max: sample.sm_clock_max,
        },
        held_cap: sample.held_cap,
        held_clock: sample.held_clock,
    }
}

/// A sample's field as a reading.
pub(crate) fn judged<Q: Quantity>(
    value: Option<Q>,
    age: Millis,
    possible: &RangeInclusive<f32>,
) -> Reading<Q> {
    value.map_or(Reading::bad(BadReason::CommLost), |value| {
        Reading::judge(value.get(), age, possible).aged(Millis::ZERO, GPU_STALE)
    })
}
