use std::fs;
use std::path::Path;

use eisbach_control::record::{LONGEST_OPENING, Opening, Why, Writer};
use eisbach_control::{Controller, Decision, Devices, Tuning};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::units::{Kelvin, Percent};
use tempfile::{TempDir, tempdir};

use super::*;
use crate::closed_loop::Node;
use crate::plant::{Fault, FaultKind, PlantParams};
use crate::workload::Workload;

const WALL: u64 = 1_795_861_200_000;

/// A node in virtual time whose controller is under record.
struct Bench {
    node: Node,
    mind: Controller,
    writer: Box<Writer>,
    out: Vec<u8>,
    bytes: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let params = PlantParams::default();
        let tuning = Node::commissioned(&params, Tuning::default());
        Self {
            node: Node::new(GpuModel::H200, params, Workload::Training, 1),
            mind: Controller::new(tuning),
            writer: Box::default(),
            out: vec![0; LONGEST_OPENING],
            bytes: Vec::new(),
        }
    }

    fn begin(&mut self, why: Why) {
        let now = self.node.now();
        let opening = Opening::new(why, now, WALL + now.get(), "0.1.0");
        let length = self.writer.open(&opening, &self.mind, &mut self.out).unwrap();
        self.bytes.extend_from_slice(&self.out[..length]);
    }

    fn run(&mut self, seconds: u64, alter: impl Fn(u64, &mut Decision)) {
        for tick in 0..seconds * 10 {
            self.node.drift();
            let (now, snapshot) = (self.node.now(), self.node.snapshot());
            let mut decision = self.mind.step(&snapshot, now);
            self.node.obey(&decision);
            alter(tick, &mut decision);
            let length = self.writer.step(now, &snapshot, &decision, &mut self.out).unwrap();
            self.bytes.extend_from_slice(&self.out[..length]);
        }
    }

    /// A minute of training, flow lost for 20 s, and the way back.
    fn incident() -> Self {
        let mut bench = Self::new();
        bench.begin(Why::Started);
        bench.run(60, untouched);
        bench.node.plant.inject(Fault::FlowLoss);
        bench.run(5, untouched);
        // A segment that begins in the midst of it.
        bench.begin(Why::Continued);
        bench.run(15, untouched);
        bench.node.plant.clear(FaultKind::FlowLoss);
        bench.run(40, untouched);
        bench
    }
}

fn untouched(_tick: u64, _decision: &mut Decision) {}

fn arguments(folder: &Path, bytes: &[u8], set: &[&str]) -> ReplayArguments {
    let file = folder.join("incident.eisrec");
    fs::write(&file, bytes).unwrap();
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    ReplayArguments { file, set, csv: Some(folder.join("out.csv")), all: false }
}

/// What a replay says, and whether it is content.
fn replay(bytes: &[u8], set: &[&str]) -> (Result<bool, String>, String) {
    replay_in(&tempdir().unwrap(), bytes, set)
}

fn replay_in(folder: &TempDir, bytes: &[u8], set: &[&str]) -> (Result<bool, String>, String) {
    let mut out = Vec::new();
    let done = run(&arguments(folder.path(), bytes, set), &mut out).map_err(|error| error.to_string());
    (done, String::from_utf8(out).unwrap())
}

#[test]
fn an_incident_in_the_plant_is_decided_again_bit_for_bit_over_a_restart_too() {
    let mut bench = Bench::incident();
    bench.mind = Controller::new(*bench.mind.tuning());
    bench.begin(Why::Started);
    bench.run(20, untouched);
    let tuning = Tuning { trim_margin: Kelvin::new(30.0), ..*bench.mind.tuning() };
    bench.mind.retune(tuning);
    bench.begin(Why::Retuned);
    bench.run(20, untouched);
    let folder = tempdir().unwrap();
    let (done, told) = replay_in(&folder, &bench.bytes, &[]);
    assert_eq!(done, Ok(true), "{told}");
    for line in [
        "identical: all 1600 decisions are the recorded ones, bit for bit",
        "critical (flow_guard: ",
        "condition of alarm loss_of_flow holds",
        "new numbers from the configuration",
        "smallest margin: ",
    ] {
        assert!(told.contains(line), "no \"{line}\" in\n{told}");
    }
    let table = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert_eq!(table.lines().count(), 1601);
    let columns = |line: &str| line.split(',').count();
    // A reason may hold a comma, within its quotes.
    assert!(table.lines().next().unwrap().ends_with(",gpu7_cap_recorded_w,gpu7_cap_now_w"));
    assert!(columns(table.lines().last().unwrap()) >= 18 + 8 * 5);
}

#[test]
fn the_first_decision_that_is_another_is_told_with_time_and_field() {
    let mut bench = Bench::new();
    bench.begin(Why::Started);
    bench.run(30, |tick, decision| {
        if tick >= 250 {
            decision.pump.value = Some(Percent::new(12.5));
            decision.alarms.set(true, Alarm::Leak);
            decision.ignoring = Devices::PUMP.with(Devices::METER);
        }
    });
    let (done, told) = replay(&bench.bytes, &[]);
    assert_eq!(done, Ok(false));
    assert!(
        told.contains("DIFFERENT: first at 10:20:25.100 (25100 ms)\n  alarms: leak recorded, none now\n"),
        "{told}"
    );
    assert!(told.contains("\n  ignoring: pump, meter recorded, none now\n"), "{told}");
    assert!(told.contains("\n  pump.value: 12.5 recorded, "), "{told}");
    assert!(told.ends_with("50 of 300 decisions are not the recorded ones\n"), "{told}");
}

#[test]
fn a_segment_that_does_not_follow_from_the_one_before_is_told() {
    let mut bench = Bench::new();
    bench.begin(Why::Started);
    bench.run(20, untouched);
    bench.mind = Controller::new(*bench.mind.tuning());
    bench.begin(Why::Continued);
    bench.run(5, untouched);
    let (done, told) = replay(&bench.bytes, &[]);
    assert_eq!(done, Ok(false));
    assert!(told.contains("0 of 250 decisions are not the recorded ones, and 1 segments begin"), "{told}");
}

#[test]
fn another_number_shows_what_would_have_been_decided() {
    let bench = Bench::incident();
    let (done, told) = replay(&bench.bytes, &["trim_margin=40", "trim_max = 20.0"]);
    assert_eq!(done, Ok(true), "{told}");
    for line in [
        "with trim_margin = 40 in place of 20",
        "The plant's answer is not simulated",
        "decisions would have been others:",
        "  pump.value: ",
    ] {
        assert!(told.contains(line), "no \"{line}\" in\n{told}");
    }
    let (done, told) = replay(&bench.bytes, &["trim_margin=20"]);
    assert_eq!(done, Ok(true));
    assert!(told.ends_with("nothing would have been decided otherwise, in 1200 steps\n"), "{told}");
}

#[test]
fn a_number_that_cannot_be_changed_so_is_refused_in_one_line() {
    let bench = Bench::incident();
    for (set, why) in [
        ("trim_margin", "--set trim_margin: give key=value, for example trim_margin=15"),
        ("trim=1", "unknown field `trim`, expected"),
        ("trim_margin=warm", "--set trim_margin=warm: "),
        ("trim_margin=-5", "--set trim_margin=-5: trim_margin must be "),
    ] {
        let error = replay(&bench.bytes, &[set]).0.unwrap_err();
        assert!(error.contains(why) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn what_is_damaged_is_left_out_and_what_cannot_be_read_is_refused() {
    let bench = Bench::incident();
    let mut hurt = bench.bytes.clone();
    // In the first segment.
    hurt[9000] ^= 1;
    let (done, told) = replay(&hurt, &[]);
    assert_eq!(done, Ok(true), "{told}");
    assert!(told.contains("are damaged and were left out"), "{told}");

    let mut other = bench.bytes;
    other[8] = 9;
    let error = replay(&other, &[]).0.unwrap_err();
    assert!(
        error.ends_with("record format 9, and this program reads 1; use the version that wrote it"),
        "{error}"
    );
    let error = replay(b"time,flow", &[]).0.unwrap_err();
    assert!(error.ends_with("this is no flight record; give a file that `record export` wrote"), "{error}");
}
