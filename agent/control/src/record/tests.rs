use eisbach_protocol::gpu_link::{GpuHealth, MAX_GPUS};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Percent, Watts};
use std::boxed::Box;
use std::string::ToString as _;
use std::vec;
use std::vec::Vec;

use super::*;
use crate::snapshot::GpuInput;
use crate::tuning::Tuning;

/// A tenth of a second of a node that swings; at 40 s its flow is lost.
fn snapshot(tick: u16, gpus: usize) -> Snapshot {
    let t = f32::from(tick) / 10.0;
    let swing = (t * 1.7).sin();
    let flow = if (40.0..50.0).contains(&t) { 0.0 } else { 9.0 + 0.01 * swing };
    let mut snapshot = Snapshot { gpus_expected: gpus, ..Snapshot::default() };
    for index in 0..u8::try_from(gpus).unwrap() {
        let own = f32::from(index) * 0.37 + swing * 3.1;
        let age = Millis::new(40 + u64::from(tick * 7 + u16::from(index) * 13) % 110);
        let gpu = GpuInput {
            health: GpuHealth::Ok,
            temperature: Reading::measured(Celsius::new((60.0 + own).round()), age),
            margin: Reading::measured(Kelvin::new((27.0 - own).round()), age),
            power: Reading::measured(Watts::new(520.0 + 100.0 * own), age),
            thermal_slowdown: Reading::measured(false, age),
            ..GpuInput::default()
        };
        snapshot.gpus.push(gpu).unwrap();
    }
    let age = Millis::new(u64::from(tick % 3) * 90 + 30);
    snapshot.pump.running = Reading::measured(true, age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(flow), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0 + 0.1 * swing), age);
    snapshot.meter.return_ = Reading::measured(Celsius::new(44.0 + 0.5 * swing), age);
    snapshot.valve.position = Reading::measured(Percent::new(40.0), age);
    snapshot.room.dew_point = Reading::bad(BadReason::CommLost);
    snapshot
}

fn opening(why: Why) -> Opening {
    Opening::new(why, Millis::ZERO, 1_790_000_000_000, "0.1.0")
}

/// So many ticks as one segment, and the controller after them.
fn segment(controller: &mut Controller, ticks: core::ops::Range<u16>, gpus: usize) -> Vec<u8> {
    let (mut bytes, mut out) = (Vec::new(), vec![0; LONGEST_OPENING]);
    let mut writer = Box::<Writer>::default();
    let length = writer.open(&opening(Why::Started), controller, &mut out).unwrap();
    bytes.extend_from_slice(&out[..length]);
    for tick in ticks {
        let (now, snapshot) = (Millis::new(u64::from(tick) * 100), snapshot(tick, gpus));
        let decision = controller.step(&snapshot, now);
        let length = writer.step(now, &snapshot, &decision, &mut out).unwrap();
        bytes.extend_from_slice(&out[..length]);
    }
    bytes
}

fn bytes_of(value: &impl Serialize) -> Vec<u8> {
    let mut out = vec![0; LONGEST];
    bits(value, &mut out).unwrap().to_vec()
}

/// Steps that decide again what the record says, and what else was found.
fn replay(bytes: &[u8]) -> (usize, Vec<&'static str>) {
    let mut reader = Box::new(Reader::new(bytes).unwrap());
    let (mut mind, mut same, mut others) = (None, 0, Vec::new());
    while let Some(found) = reader.next() {
        match found {
            Ok(Found::Opened(opening)) => opening.check().unwrap(),
            Ok(Found::State(state)) => mind = Some(controller(state).unwrap()),
            Ok(Found::Step(bytes)) => {
                let step = step(bytes).unwrap();
                let again = mind.as_mut().unwrap().step(&step.snapshot, step.now);
                assert_eq!(bytes_of(&again), bytes_of(&step.decision), "at {}", step.now);
                same += 1;
            }
            Ok(Found::Damaged { .. }) => others.push("damaged"),
            Err(RecordError::OtherFormat { .. }) => others.push("other format"),
            Err(error) => panic!("{error}"),
        }
    }
    (same, others)
}

#[test]
fn what_is_read_back_decides_the_same_bit_for_bit() {
    let mut mind = Controller::new(Tuning::default());
    let first = segment(&mut mind, 0..450, 8);
    // From the middle of an emergency, too.
    let second = segment(&mut mind, 450..600, 8);
    assert_eq!(replay(&first), (450, vec![]));
    assert_eq!(replay(&second), (150, vec![]));
    assert_eq!(replay(&[first, second].concat()), (600, vec![]));
}

#[test]
fn i13_an_hour_of_eight_gpus_takes_a_fraction_of_its_room() {
    let bytes = segment(&mut Controller::new(Tuning::default()), 0..600, 8).len();
    let mib_an_hour = bytes * 60 / (1 << 20);
    std::eprintln!("{bytes} bytes a minute");
    assert!(mib_an_hour < 16, "{mib_an_hour} MiB an hour");
}

#[test]
fn the_largest_node_fits_a_frame_twice_over() {
    let mut mind = Controller::new(Tuning::default());
    let mut widest = 0;
    for tick in 0..600 {
        let now = Millis::new(u64::MAX / 2 + u64::from(tick) * 100);
        let mut snapshot = snapshot(tick, MAX_GPUS);
        snapshot.gpus.iter_mut().for_each(|gpu| {
            gpu.held_cap = Some(Watts::new(400.0));
            gpu.power = Reading::bad(BadReason::CommLost);
        });
        let decision = mind.step(&snapshot, now);
        widest = widest.max(bytes_of(&(now, snapshot, decision)).len()).max(bytes_of(&mind).len());
    }
    assert!(2 * widest < LONGEST, "{widest} bytes");
}

#[test]
fn a_torn_tail_costs_the_step_that_it_tears() {
    let bytes = segment(&mut Controller::new(Tuning::default()), 0..20, 2);
    let whole = replay(&bytes).0;
    assert_eq!(replay(&bytes[..bytes.len() - 1]), (whole - 1, vec!["damaged"]));
}

#[test]
fn a_damaged_byte_ends_its_segment_and_the_next_is_read() {
    let mut mind = Controller::new(Tuning::default());
    let (mut first, second) = (segment(&mut mind, 0..20, 2), segment(&mut mind, 20..30, 2));
    let at = first.len() - 10;
    first[at] ^= 0x40;
    assert_eq!(replay(&[first, second].concat()), (19 + 10, vec!["damaged"]));
}

#[test]
fn another_format_is_told_once_and_left_out() {
    let mut mind = Controller::new(Tuning::default());
    let (mut first, second) = (segment(&mut mind, 0..20, 2), segment(&mut mind, 20..30, 2));
    first[MAGIC.len()] = 7;
    assert_eq!(replay(&[first, second].concat()), (10, vec!["other format"]));
}

#[test]
fn what_is_no_record_is_refused_in_one_line() {
    for bytes in [&b""[..], b"timestamp,flow\n", &MAGIC[..7]] {
        let error = Reader::new(bytes).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "this is no flight record; give a file that `record export` wrote");
    }
}

#[test]
fn another_versions_types_are_refused_by_name() {
    let mut other = opening(Why::Started);
    other.check().unwrap();
    other.shape ^= 1;
    assert!(other.check().unwrap_err().to_string().starts_with("recorded by version 0.1.0"));
}

#[test]
fn any_bytes_behind_a_beginning_are_read_without_a_panic() {
    let bytes = segment(&mut Controller::new(Tuning::default()), 0..10, 2);
    let mut seed = 1_u32;
    for _ in 0..2000 {
        let mut hurt = bytes.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = usize::try_from(seed >> 8).unwrap() % hurt.len();
            hurt[at] = seed.to_le_bytes()[3];
        }
        if let Ok(mut reader) = Reader::new(&hurt).map(Box::new) {
            while let Some(found) = reader.next() {
                if let Ok(Found::Step(bytes)) = found {
                    drop(step(bytes));
                }
            }
        }
    }
}

#[test]
fn a_survey_counts_what_is_whole() {
    let bytes = segment(&mut Controller::new(Tuning::default()), 0..20, 2);
    let whole = Survey::of(&bytes).unwrap();
    assert_eq!((whole.opening.why, whole.steps, whole.whole), (Why::Started, 20, bytes.len()));
    let torn = Survey::of(&bytes[..bytes.len() - 3]).unwrap();
    assert!(torn.steps == 19 && torn.whole < bytes.len() - 3, "{torn:?}");
    assert_eq!(Survey::of(&bytes[..9]).unwrap_err(), RecordError::NotARecord);
}
