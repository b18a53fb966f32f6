//! Instructions of one control step, counted by callgrind: the same number on every machine.
//!
//! Run with `.ci/bench`, which installs the runner. The peer in the same run is an idle step, so the table in
//! `docs/performance.md` is a ratio.
#![allow(missing_docs, unused_qualifications, reason = "what the benchmark macros expand to")]

use eisbach_control::{Controller, GpuInput, Snapshot, Tuning};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, KiloPascal, LitersPerMinute, Millis, Percent, Watts};
use gungraun::{library_benchmark, library_benchmark_group, main};
use std::hint::black_box;

fn node(gpus: usize) -> (Controller, Snapshot) {
    let age = Millis::new(30);
    let gpu = GpuInput {
        health: GpuHealth::Ok,
        temperature: Reading::measured(Celsius::new(60.0), age),
        margin: Reading::measured(Kelvin::new(27.0), age),
        power: Reading::measured(Watts::new(600.0), age),
        ..GpuInput::default()
    };
    let mut snapshot = Snapshot { gpus_expected: gpus, ..Snapshot::default() };
    snapshot.gpus = core::iter::repeat_n(gpu, gpus).collect();
    snapshot.pump.running = Reading::measured(true, age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot.pump.head = Reading::measured(KiloPascal::new(56.0), age);
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(8.75), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0), age);
    let mut controller = Controller::new(Tuning::default());
    for tick in 0..100 {
        controller.step(&snapshot, Millis::new(tick * 100));
    }
    (controller, snapshot)
}

#[library_benchmark]
#[bench::no_gpu(node(0))]
#[bench::eight_gpus(node(8))]
#[bench::sixteen_gpus(node(16))]
fn step((mut controller, snapshot): (Controller, Snapshot)) -> eisbach_control::Decision {
    controller.step(black_box(&snapshot), Millis::new(10_100))
}

library_benchmark_group!(name = control; benchmarks = step);
main!(library_benchmark_groups = control);
