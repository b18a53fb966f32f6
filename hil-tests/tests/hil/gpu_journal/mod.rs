//! The journal of limits against SIGKILL: nothing rises that was not proven, nothing is lost, everything comes back.
//!
//! ```text
//!   round:   start ─► take the driver ─► ask, ask, ask … ─► SIGKILL ─► look at GPUs and journal
//!               └─────── at a moment that the seed draws ──────┘
//!   tenth:   start ─► prove cooling ─► release all ─► every limit is the one before the first round
//! ```
//!
//! The kill comes after a bounded wait and not upon a condition: that its moment is any moment is the point.

mod dice;
mod rounds;

use eisbach_hil_tests::{GpuNode, GpuPeer, until};
use eisbach_nvml_sim::{GpuModel, GpuSpec};
use eisbach_protocol::gpu_link::{Throttle, Verdict};
use eisbach_protocol::units::{Megahertz, Watts};
use serde_json::Value;
use std::time::Duration;

use dice::Dice;
use rounds::{Moment, Seen, play};

const MINUTE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 200;
const SEED: u64 = 0x0E15_BAC4;
/// Between samples: the least that there may be, so that some kills meet one.
const SAMPLE_MS: u32 = 100;
/// The GPU whose low-power profile somebody else has turned on.
const PROFILED: usize = 7;
/// Max-Q (nvml.h), as a bit.
const MAX_Q: u32 = 1 << 1;

/// Four H200 and four B200, of which somebody else has lowered every other one.
fn node() -> GpuNode {
    let models = [GpuModel::H200, GpuModel::B200];
    let specs: Vec<GpuSpec> = models.into_iter().flat_map(|model| vec![model.spec(); 4]).collect();
    let node = GpuNode::of(specs, SAMPLE_MS);
    for (gpu, limit) in [(1, 550_000), (3, 200_000), (4, 800_000), (6, 725_500)] {
        node.gpus()[gpu].request_power_limit(limit, 0);
    }
    node.gpus()[PROFILED].request_power_profiles(MAX_Q, 0);
    node
}

/// The power limit that is requested of each GPU, mW.
fn limits(node: &GpuNode) -> Vec<u32> {
    node.gpus().iter().map(|gpu| gpu.request().power_limit_milliwatts).collect()
}

/// Everything that could be asked for.
fn capped(gpu: u8, watts: f32) -> Throttle {
    Throttle {
        power_cap: Some(Watts::new(watts)),
        sm_clock_max: Some(Megahertz::new(900.0)),
        low_power_profile: true,
        smoothing: true,
        ..Throttle::nothing(gpu)
    }
}

/// Cooling is proven and everything is given back: each GPU is as `originals` says and nothing of ours is left.
fn give_back(node: &GpuNode, peer: &mut GpuPeer, originals: &[u32]) {
    for gpu in 0..8 {
        peer.beat(true);
        assert_eq!(peer.verdict(Throttle::nothing(gpu)), Verdict::Applied, "gpu{gpu}");
    }
    assert_eq!(limits(node), originals);
    for (index, gpu) in node.gpus().iter().enumerate() {
        let request = gpu.request();
        assert_eq!(request.sm_clock_lock, None, "gpu{index}");
        assert_eq!(request.max_q(), index == PROFILED, "gpu{index}: what somebody else turned on stays on");
        assert!(!request.smoothing, "gpu{index}");
        peer.beat(true);
        peer.sample(u8::try_from(index).unwrap(), "nothing is said to be held", |sample| {
            let switches = sample.held_profile || sample.held_smoothing;
            sample.held_cap.is_none() && sample.held_clock.is_none() && !switches
        });
    }
    until(
        "the journal holds nothing",
        MINUTE,
        || node.journal(),
        |held| *held == Value::Object([].into_iter().collect()),
    );
}

#[test]
fn i08_two_hundred_kills_at_any_moment_raise_no_limit_and_lose_none() {
    let mut node = node();
    let originals = limits(&node);
    let mut dice = Dice::new(SEED);
    let mut seen = Seen::default();
    for round in 1..=ROUNDS {
        play(&mut node, &mut dice, Moment::of(round), &originals, &mut seen);
        if round % 10 == 0 {
            node.start();
            let mut peer = node.connect_to_all();
            give_back(&node, &mut peer, &originals);
            node.kill();
            assert_eq!(limits(&node), originals);
        }
    }
    eprintln!("{ROUNDS} kills, seed {SEED:#x}: {seen}");
    // How many kills meet a journal that is being written is the disk's doing; that many leave caps is ours.
    assert!(seen.capped > ROUNDS / 4, "{seen}");
}

#[test]
fn a_half_written_journal_is_left_aside() {
    let mut node = node();
    let originals = limits(&node);
    node.start();
    let mut peer = node.connect_to_all();
    for gpu in 0..8 {
        assert_eq!(peer.verdict(capped(gpu, 300.0)), Verdict::Applied);
    }
    node.kill();
    let (before, journal) = (limits(&node), node.journal());
    std::fs::write(node.journal_file().with_extension("json.new"), "{ \"version\": 1, \"gpus\": { \"GPU-")
        .unwrap();

    node.start();
    let mut peer = node.connect_to_all();
    assert_eq!((limits(&node), node.journal()), (before, journal));
    give_back(&node, &mut peer, &originals);
}

#[test]
fn i08_after_a_power_cut_what_was_capped_is_capped_again_until_cooling_is_proven() {
    let mut node = node();
    node.start();
    let mut peer = node.connect_to_all();
    for gpu in 0..8 {
        assert_eq!(peer.verdict(capped(gpu, 300.0)), Verdict::Applied);
    }
    let caps = limits(&node);
    node.power_cycle();
    node.gpus()[PROFILED].request_power_profiles(MAX_Q, 0);
    // What somebody else had asked for is gone too: this is what is found, and what is returned to.
    let found = limits(&node);
    assert_eq!(found, [[700_000; 4], [1_000_000; 4]].concat());

    node.start();
    let mut peer = node.connect_to_all();
    assert_eq!(limits(&node), caps, "before anybody has said a word");
    peer.beat(false);
    for gpu in 0..8 {
        assert_eq!(peer.verdict(Throttle::nothing(gpu)), Verdict::Withheld, "gpu{gpu}");
    }
    assert_eq!(limits(&node), caps);
    assert!(node.gpus().iter().all(|gpu| gpu.request().sm_clock_lock.is_some()));
    for gpu in &node.gpus()[4..] {
        let request = gpu.request();
        assert!(request.max_q() && request.smoothing, "{request:?}, {}", node.journal()[gpu.uuid()]);
    }
    give_back(&node, &mut peer, &found);
}
