//! The recorder, with a controller before it and a folder or a made-up disk behind it.

mod disk;
mod folder;

use eisbach_control::record::{self, Found, Reader, bits};
use eisbach_control::{GpuInput, Tuning};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Percent, Watts};

use super::*;

const WALL: u64 = 1_790_000_000_000;
const WIDE: Bound = Bound { bytes: 64_000_000, steps: STEPS_AN_HOUR };

/// A node of two GPUs whose flow is lost at 20 s.
fn snapshot(tick: u64) -> Snapshot {
    let mut snapshot = Snapshot { gpus_expected: 2, ..Snapshot::default() };
    let age = Millis::new(50 + tick * 37 % 100);
    for _ in 0..2 {
        let gpu = GpuInput {
            margin: Reading::measured(Kelvin::new(25.0), age),
            temperature: Reading::measured(Celsius::new(60.0), age),
            power: Reading::measured(Watts::new(600.0), age),
            ..GpuInput::default()
        };
        snapshot.gpus.push(gpu).unwrap();
    }
    let flow = if tick < 200 { 3.0 } else { 0.0 };
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(flow), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0), age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot.valve.position = Reading::measured(Percent::new(40.0), age);
    snapshot
}

/// A controller under record.
struct Bench {
    recorder: Recorder,
    mind: Controller,
    tick: u64,
    /// What the node's clock showed at tick zero, ms since 1970.
    wall: u64,
}

impl Bench {
    fn new(recorder: Recorder) -> Self {
        Self { recorder, mind: Controller::new(Tuning::default()), tick: 0, wall: WALL }
    }

    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let at = Millis::new(self.tick * 100);
            let snapshot = snapshot(self.tick);
            self.recorder.before(&self.mind, at);
            let decision = self.mind.step(&snapshot, at);
            self.recorder.after(&snapshot, &decision, Moment { at, wall_ms: self.wall + at.get() });
            self.tick += 1;
        }
    }
}

/// Decides a record again: its steps, and how its segments begin.
fn replay(bytes: &[u8]) -> (u64, Vec<Why>) {
    let mut reader = Box::new(Reader::new(bytes).unwrap());
    let (mut mind, mut steps, mut whys) = (None, 0, Vec::new());
    let (mut a, mut b) = (vec![0; record::LONGEST], vec![0; record::LONGEST]);
    while let Some(found) = reader.next() {
        match found.unwrap() {
            Found::Opened(opening) => whys.push(opening.why),
            Found::State(state) => mind = Some(record::controller(state).unwrap()),
            Found::Step(bytes) => {
                let step = record::step(bytes).unwrap();
                let again = mind.as_mut().unwrap().step(&step.snapshot, step.now);
                assert_eq!(bits(&again, &mut a).unwrap(), bits(&step.decision, &mut b).unwrap());
                steps += 1;
            }
            Found::Damaged { at, length } => panic!("{length} damaged bytes at {at}"),
        }
    }
    (steps, whys)
}
