//! A node that swings, for what is to be measured of a record: every reading moves, each age too.

use eisbach_control::record::Step;
use eisbach_control::{Controller, GpuInput, Snapshot};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Millis, Percent, Watts};

/// What was known and decided at this tenth of a second.
pub(crate) fn step(controller: &mut Controller, tick: u16, gpus: u8) -> Step {
    let (now, snapshot) = (Millis::new(u64::from(tick) * 100), snapshot(tick, gpus));
    let decision = controller.step(&snapshot, now);
    Step { now, snapshot, decision }
}

fn snapshot(tick: u16, gpus: u8) -> Snapshot {
    let swing = (f32::from(tick) / 10.0 * 1.7).sin();
    let gpu = |index: u8| {
        let own = f32::from(index) * 0.37 + swing * 3.1;
        let age = Millis::new(40 + u64::from(tick * 7 + u16::from(index) * 13) % 110);
        GpuInput {
            health: GpuHealth::Ok,
            temperature: Reading::measured(Celsius::new((60.0 + own).round()), age),
            margin: Reading::measured(Kelvin::new((27.0 - own).round()), age),
            power: Reading::measured(Watts::new(520.0 + 100.0 * own), age),
            thermal_slowdown: Reading::measured(false, age),
            ..GpuInput::default()
        }
    };
    let mut snapshot = Snapshot { gpus_expected: gpus.into(), ..Snapshot::default() };
    snapshot.gpus = (0..gpus).map(gpu).collect();
    let age = Millis::new(u64::from(tick % 3) * 90 + 30);
    snapshot.pump.running = Reading::measured(true, age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(9.0 + 0.01 * swing), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0 + 0.1 * swing), age);
    snapshot.meter.return_ = Reading::measured(Celsius::new(44.0 + 0.5 * swing), age);
    snapshot.valve.position = Reading::measured(Percent::new(40.0), age);
    snapshot.room.dew_point = Reading::bad(BadReason::CommLost);
    snapshot
}
