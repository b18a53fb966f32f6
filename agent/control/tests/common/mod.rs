//! A healthy node of eight GPUs, to be spoilt by each test in its own way.
#![allow(dead_code, reason = "each test file uses its own part")]

use eisbach_control::{
    Controller, Decision, GpuInput, LeakInput, MeterInput, PumpInput, RoomInput, Snapshot, ValveInput,
};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, KiloPascal, LitersPerMinute, Millis, Percent, Watts};

pub(crate) const AGE: Millis = Millis::new(30);

/// Everything answers, everything is well.
pub(crate) fn healthy() -> Snapshot {
    let gpu = GpuInput {
        health: GpuHealth::Ok,
        temperature: Reading::measured(Celsius::new(60.0), AGE),
        margin: Reading::measured(Kelvin::new(27.0), AGE),
        power: Reading::measured(Watts::new(600.0), AGE),
        ..GpuInput::default()
    };
    Snapshot {
        gpus: core::iter::repeat_n(gpu, 8).collect(),
        gpus_expected: 8,
        pump: PumpInput {
            shared: false,
            running: Reading::measured(true, AGE),
            alarm: Reading::measured(false, AGE),
            remote: Reading::measured(true, AGE),
            speed: Reading::measured(Percent::new(70.0), AGE),
            head: Reading::measured(KiloPascal::new(56.0), AGE),
        },
        valve: ValveInput {
            position: Reading::measured(Percent::new(50.0), AGE),
            fault: Reading::measured(false, AGE),
            ..ValveInput::default()
        },
        meter: MeterInput {
            flow: Reading::measured(LitersPerMinute::new(8.75), AGE),
            supply: Reading::measured(Celsius::new(35.0), AGE),
            return_: Reading::measured(Celsius::new(45.0), AGE),
        },
        room: RoomInput { dew_point: Reading::measured(Celsius::new(12.0), AGE) },
        leak: LeakInput { detected: Reading::measured(false, AGE), fault: Reading::measured(false, AGE) },
        ..Snapshot::default()
    }
}

/// Steps the controller with the same snapshot for a while, ten times a second; the last decision.
pub(crate) fn hold(controller: &mut Controller, snapshot: &Snapshot, from: Millis, seconds: u64) -> Decision {
    let mut decision = controller.step(snapshot, from);
    for tenth in 1..=seconds * 10 {
        decision = controller.step(snapshot, from + Millis::new(tenth * 100));
    }
    decision
}
