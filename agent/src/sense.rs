//! Sense: the newest values of all links become one snapshot. Nothing here waits.

use std::ops::RangeInclusive;

use eisbach_control::{
    GpuInput, GpuLimits, LeakInput, MeterInput, PumpInput, RoomInput, Snapshot, ValveInput,
};
use eisbach_protocol::gpu_link::{Aged, Field};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::{Millis, Quantity};

use crate::config::DeviceRole;
use crate::desk::InForce;
use crate::gpu::client::{GPU_LINK_GONE, GpuEntry, GpuView};
use crate::links::Links;
use crate::modbus::device::DeviceLink;

/// A GPU's values are stale after this: a few sampling periods.
pub(crate) const GPU_STALE: Millis = Millis::new(1500);
/// What a core or memory can be warm or cold at all, °C.
const POSSIBLE_CELSIUS: RangeInclusive<f32> = -40.0..=150.0;
/// Margins beyond this are no margins, K.
const POSSIBLE_KELVIN: RangeInclusive<f32> = -100.0..=150.0;
/// The driver's reasons for a slow clock that are heat: by software, and by hardware (nvml.h).
const THERMAL_REASONS: u32 = 0x20 | 0x40;
/// No single GPU draws more, W.
const POSSIBLE_WATTS: RangeInclusive<f32> = 0.0..=3000.0;

/// The node at `now`.
pub fn snapshot(links: &Links, gpus_expected: usize, orders: &InForce, reset: bool, now: Millis) -> Snapshot {
    let quantity = Quantities { links, now };
    let view = links.gpu.view();
    Snapshot {
        gpus: gpus(&view, now),
        gpus_expected,
        detached: view.is_detached(now),
        power_budget: orders.power_budget,
        remote: orders.remote,
        surroundings: orders.surroundings,
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
            inlet: quantity.read(DeviceRole::Valve, Signal::RecoveryInlet),
            recovered: quantity.read(DeviceRole::Valve, Signal::RecoveredPower),
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
    let age = entry.age(now);
    GpuInput {
        health: sample.health,
        temperature: judged(&sample.temperature, age, &POSSIBLE_CELSIUS),
        margin: judged(&sample.margin, age, &POSSIBLE_KELVIN),
        power: judged(&sample.power, age, &POSSIBLE_WATTS),
        thermal_slowdown: told(&sample.throttle_reasons, age, GPU_STALE)
            .map(|bits| bits & THERMAL_REASONS != 0),
        limits: GpuLimits {
            power_min: sample.limit_min,
            power_default: sample.limit_default,
            clock_min: sample.sm_clock_min,
            clock_max: sample.sm_clock_max,
        },
        held_cap: sample.held_cap,
        held_clock: sample.held_clock,
        held_profile: sample.held_profile,
    }
}

/// A sample's field as a reading; impossible numbers are none.
pub(crate) fn judged<Q: Quantity>(
    field: &Field<Q>,
    batch_age: Millis,
    possible: &RangeInclusive<f32>,
) -> Reading<Q> {
    match field.last_known() {
        Some(aged) if !possible.contains(&aged.value.get()) => Reading::bad(BadReason::OutOfRange),
        Some(_) | None => told(field, batch_age, GPU_STALE),
    }
}

/// A sample's field as a reading that is stale beyond `limit`.
pub(crate) fn told<T: Copy>(field: &Field<T>, batch_age: Millis, limit: Millis) -> Reading<T> {
    let read = |aged: Aged<T>| Reading::measured(aged.value, batch_age + Millis::new(aged.age_ms.into()));
    match field {
        Field::Unread => Reading::bad(BadReason::NeverRead),
        Field::NotSupported => Reading::bad(BadReason::NotSupported),
        Field::Failed { last: None } => Reading::bad(BadReason::DeviceFault),
        Field::Read(aged) => read(*aged).aged(Millis::ZERO, limit),
        // The device was asked again and did not tell: what it told before is no longer good, however young.
        Field::Failed { last: Some(aged) } => read(*aged).aged(Millis::new(1), Millis::ZERO),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::reading::Quality;
    use eisbach_protocol::units::Kelvin;

    const ANY: RangeInclusive<f32> = -100.0..=150.0;

    #[test]
    fn i11_a_field_leaves_with_the_age_of_its_batch_and_its_own() {
        let field = Field::Read(Aged { value: Kelvin::new(20.0), age_ms: 400 });
        let reading = judged(&field, Millis::new(300), &ANY);
        assert_eq!((reading.quality(), reading.age()), (Quality::Good, Millis::new(700)));
        assert_eq!(judged(&field, Millis::new(1200), &ANY).quality(), Quality::Stale);
    }

    #[test]
    fn i11_a_field_that_failed_is_never_good() {
        let field = Field::Failed { last: Some(Aged { value: Kelvin::new(20.0), age_ms: 0 }) };
        let reading = judged(&field, Millis::ZERO, &ANY);
        assert_eq!((reading.quality(), reading.last_known()), (Quality::Stale, Some(Kelvin::new(20.0))));
    }

    #[test]
    fn i01_an_impossible_margin_is_none() {
        let field = Field::fresh(Kelvin::new(900.0));
        assert_eq!(judged(&field, Millis::ZERO, &ANY).quality(), Quality::Bad(BadReason::OutOfRange));
    }
}
