//! What sampling eight GPUs costs, against two naive peers on the same stand-in library in the same run.
//!
//! ```text
//!   eisbach-agent gpu     its own samples tell the time of a batch, its call statistics the calls, /proc the rest
//!   nvml-wrapper          this program again: each reading with a call of its own
//!   NVIDIA's bindings     hil-tests/foreign/nvml_sampler.py: the same
//! ```
//!
//! Run with `.ci/bench sampling`; it prints rows for `docs/performance.md`. All three sample at the same pace, so that
//! none has its code and data warmer than the others. The stand-in answers at once, which shows what is our own doing;
//! a driver does not (50 µs to some 20 ms a call), so all three are measured with 1 ms a call too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measuring program may be blunt, and counts a few thousand"
)]

mod native;
mod usage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use eisbach_hil_tests::{GpuNode, Process, Stopwatch};
use eisbach_nvml_sim::{Faults, GpuCell, GpuModel, STATE_ENV, SharedState};
use eisbach_protocol::gpu_link::Frame;
use serde_json::Value;

use usage::Usage;

const GPUS: usize = 8;
/// How long the GPU process is watched, s.
const WATCHED_S: f64 = 30.0;
/// ... where only times of batches are wanted, s.
const GLANCE_S: f64 = 12.0;
/// Batches of each peer.
const BATCHES: usize = 75;
/// Longest time that a peer may take.
const PEER_LIMIT: Duration = Duration::from_secs(120);
/// This program is the peer.
const PEER: &str = "--peer";

/// What one way of sampling costs.
#[derive(Debug)]
struct Cost {
    /// Median time of one GPU's batch, µs.
    one_us: f64,
    /// Until all GPUs have been read, µs: one after the other, or the slowest where they are read beside each other.
    all_us: f64,
    /// Processor time of the whole process for all GPUs' batches, µs.
    cpu_us: f64,
    /// Driver calls in one GPU's batch.
    calls: f64,
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(at) = words.iter().position(|word| word == PEER) {
        return native::run(&words[at + 1..]);
    }
    println!("| what | figure |\n|---|---|");
    let (at_5_hz, five) = gpu_process(200, 0, WATCHED_S);
    let (_, ten) = gpu_process(100, 0, WATCHED_S);
    let calls = compare("that answers at once", &at_5_hz, 0);
    let (slow, _) = gpu_process(200, 1, GLANCE_S);
    compare("that takes 1 ms a call", &slow, 1);
    println!(
        "| driver calls in one GPU's batch: ours / each reading by itself | {:.1} / {calls:.0} |",
        at_5_hz.calls
    );
    for (hertz, (percent, rss_mib)) in [(5, five), (10, ten)] {
        println!(
            "| GPU process, 8 GPUs at {hertz} Hz: share of one core / memory | {percent:.1} % / {rss_mib:.1} MiB |"
        );
    }
}

/// Prints what the peers cost against `ours` on a driver that takes `slow_ms` a call; returns their calls.
fn compare(driver: &str, ours: &Cost, slow_ms: u32) -> f64 {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sampler = here.join("foreign/nvml_sampler.py");
    let wrapper = peer(&std::env::current_exe().unwrap(), &[PEER], slow_ms);
    let python = peer(&here.join(".venv/bin/python"), &[sampler.to_str().unwrap()], slow_ms);
    for (name, cost) in [("single nvml-wrapper calls", &wrapper), ("NVIDIA's Python bindings", &python)] {
        let (one, all) = (cost.one_us / ours.one_us, cost.all_us / ours.all_us);
        let cpu = cost.cpu_us / ours.cpu_us;
        println!(
            "| driver {driver}, {name} against ours: time for one GPU / for eight / processor time of the process | \
             {one:.2} / {all:.2} / {cpu:.2} times |"
        );
    }
    wrapper.calls
}

/// Watches the GPU process; what a batch costs, and its share of a core in percent and memory in MiB.
fn gpu_process(sample_ms: u32, slow_ms: u32, watched_s: f64) -> (Cost, (f64, f64)) {
    let mut node = GpuNode::of(vec![GpuModel::H200.spec(); GPUS], sample_ms);
    slow_down(node.gpus(), slow_ms);
    node.start();
    let mut peer = node.connect_to_all();
    let id = node.process.as_ref().unwrap().id();
    let (before, watch) = (Usage::of(id), Stopwatch::start());
    let (mut beats, mut batches) = (0.0, vec![Vec::new(); GPUS]);
    let mut calls = BTreeMap::<_, [(f64, u64); 2]>::new();
    while watch.elapsed().as_secs_f64() < watched_s {
        let frame = peer.hear().unwrap();
        let now_s = watch.elapsed().as_secs_f64();
        if now_s > beats * 0.1 {
            beats += 1.0;
            peer.beat(true);
        }
        match frame {
            Frame::Sample(sample) => batches[usize::from(sample.index)].push(f64::from(sample.batch_us)),
            Frame::CallStat(stat) => {
                let seen = (now_s, stat.calls);
                calls.entry((stat.gpu, stat.name)).or_insert([seen; 2])[1] = seen;
            }
            _ => {}
        }
    }
    let (used, took_s) = (Usage::of(id).since(&before), watch.elapsed().as_secs_f64());
    let rounds = took_s * 1000.0 / f64::from(sample_ms);
    let rate = |[(first_s, first), (last_s, last)]: [(f64, u64); 2]| {
        if last_s > first_s { (last - first) as f64 / (last_s - first_s) } else { 0.0 }
    };
    let calls_per_s: f64 = calls.into_values().map(rate).sum();
    let fewest = batches.iter().map(Vec::len).min().unwrap();
    let slowest = |round: usize| batches.iter().map(|gpu| gpu[round]).fold(0.0, f64::max);
    let cost = Cost {
        one_us: median(&mut batches.concat()),
        all_us: median(&mut (0..fewest).map(slowest).collect::<Vec<_>>()),
        cpu_us: used.cpu_us / rounds,
        calls: calls_per_s * took_s / rounds / GPUS as f64,
    };
    (cost, (used.cpu_us / took_s / 10_000.0, used.rss_mib))
}

/// Runs a peer at 5 Hz.
fn peer(program: &Path, words: &[&str], slow_ms: u32) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let state: PathBuf = folder.path().join("nvml.state");
    let nvml = SharedState::create(&state, &vec![GpuModel::H200.spec(); GPUS]).unwrap();
    slow_down(nvml.gpus(), slow_ms);
    let mut command = Command::new(program);
    command.args(words).arg(eisbach_nvml_sim::library_path().unwrap()).args(["200", &BATCHES.to_string()]);
    command.env(STATE_ENV, &state);
    let mut process = Process::start("peer", command, folder.path().join("peer.log"));
    let ended = process.ended(PEER_LIMIT);
    let told = process.json_lines().pop().filter(|_| ended.success()).expect("a peer tells what it took");
    let number = |name: &str| told.get(name).and_then(Value::as_f64).unwrap();
    Cost {
        one_us: number("one_us"),
        all_us: number("all_us"),
        cpu_us: number("cpu_us") / BATCHES as f64,
        calls: number("calls"),
    }
}

fn slow_down(gpus: &[GpuCell], slow_ms: u32) {
    gpus.iter().for_each(|gpu| gpu.set_faults(Faults { slow_ms, ..Faults::default() }));
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
