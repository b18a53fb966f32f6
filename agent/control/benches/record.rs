//! What the flight record costs, in instructions counted by callgrind: the same numbers on every machine.
//!
//! ```text
//!   hand_over   what the cycle does: copies of snapshot and decision
//!   delta       what the thread does: a step as what differs from the step before, with its checksum
//!   in_full     its peer: the same step as plain postcard bytes
//!   json        another: the same step as JSON
//! ```
//!
//! Run with `.ci/bench`; the control step itself is its neighbour there. How many bytes each makes is printed by the test
//! `what_a_step_takes_against_plain_bytes_and_json`.
#![allow(missing_docs, unused_qualifications, reason = "what the benchmark macros expand to")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measuring program may be blunt")]

#[path = "../tests/swinging/mod.rs"]
mod swinging;

use eisbach_control::record::{LONGEST_OPENING, Opening, Step, Why, Writer, bits};
use eisbach_control::{Controller, Decision, Snapshot, Tuning};
use eisbach_protocol::units::Millis;
use gungraun::{library_benchmark, library_benchmark_group, main};
use std::hint::black_box;

/// A writer that has written a minute of eight GPUs, the step that comes next, and room for it.
fn minute() -> (Box<Writer>, Step, Vec<u8>) {
    let mut controller = Controller::new(Tuning::default());
    let (mut writer, mut out) = (Box::<Writer>::default(), vec![0; LONGEST_OPENING]);
    let opening = Opening::new(Why::Started, Millis::ZERO, 0, "0.1.0");
    writer.open(&opening, &controller, &mut out).unwrap();
    for tick in 0..600 {
        let step = swinging::step(&mut controller, tick, 8);
        writer.step(step.now, &step.snapshot, &step.decision, &mut out).unwrap();
    }
    (writer, swinging::step(&mut controller, 600, 8), out)
}

#[library_benchmark]
#[bench::eight_gpus(minute())]
fn hand_over((_writer, step, _out): (Box<Writer>, Step, Vec<u8>)) -> Box<(Snapshot, Decision)> {
    Box::new((black_box(&step).snapshot.clone(), step.decision.clone()))
}

#[library_benchmark]
#[bench::eight_gpus(minute())]
fn delta((mut writer, step, mut out): (Box<Writer>, Step, Vec<u8>)) -> usize {
    writer.step(step.now, black_box(&step.snapshot), &step.decision, &mut out).unwrap()
}

#[library_benchmark]
#[bench::eight_gpus(minute())]
fn in_full((_writer, step, mut out): (Box<Writer>, Step, Vec<u8>)) -> usize {
    bits(black_box(&step), &mut out).unwrap().len()
}

#[library_benchmark]
#[bench::eight_gpus(minute())]
fn json((_writer, step, mut out): (Box<Writer>, Step, Vec<u8>)) -> usize {
    let mut room = &mut out[..];
    let before = room.len();
    serde_json::to_writer(&mut room, black_box(&step)).unwrap();
    before - room.len()
}

library_benchmark_group!(name = record; benchmarks = hand_over, delta, in_full, json);
main!(library_benchmark_groups = record);
