//! One life of the GPU process, and what it leaves behind.

use std::fmt;

use eisbach_hil_tests::{GpuNode, GpuPeer};
use eisbach_nvml_sim::GpuCell;
use eisbach_protocol::gpu_link::Throttle;
use eisbach_protocol::units::{Megahertz, Watts};
use serde_json::Value;

use super::dice::Dice;
use super::{MAX_Q, PROFILED, limits};

/// When the process is killed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    /// Somewhere between its start and having taken up again what it held.
    StartUp,
    /// While it sets limits; cooling is not proven.
    Capping,
    /// While it gives limits back upon proof.
    Restoring,
    /// While it is asked for this and that, with or without proof.
    Mixed,
}

impl Moment {
    pub(super) const fn of(round: usize) -> Self {
        match round % 4 {
            0 => Self::StartUp,
            1 => Self::Capping,
            2 => Self::Restoring,
            _ => Self::Mixed,
        }
    }
}

/// How high each GPU's limit may be when the process is dead, mW.
struct Ceiling<'a> {
    now: Vec<u32>,
    originals: &'a [u32],
}

impl Ceiling<'_> {
    /// These limits are asked for; `proven` says whether cooling is.
    fn note(&mut self, throttle: &Throttle, lowest: u32, proven: bool) {
        let gpu = usize::from(throttle.gpu);
        let may_be = match throttle.power_cap {
            Some(cap) => milliwatts(cap).max(lowest),
            None if proven => u32::MAX,
            None => 0,
        };
        self.now[gpu] = self.now[gpu].max(may_be.min(self.originals[gpu]));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole watts, and few")]
fn milliwatts(power: Watts) -> u32 {
    power.get() as u32 * 1000
}

/// Plays one round: starts the process, asks, kills, and looks.
pub(super) fn play(node: &mut GpuNode, dice: &mut Dice, moment: Moment, originals: &[u32], seen: &mut Seen) {
    let mut ceiling = Ceiling { now: limits(node), originals };
    node.start();
    match moment {
        Moment::StartUp => dice.pause(0, 80_000),
        Moment::Capping => {
            let mut peer = node.connect_to_all();
            ask_all(node, &mut peer, dice, &mut ceiling, |dice| (capping(dice), false));
            dice.pause(200, 20_000);
        }
        Moment::Restoring => {
            let mut peer = node.connect_to_all();
            peer.beat(true);
            ask_all(node, &mut peer, dice, &mut ceiling, |_| (Throttle::nothing(0), true));
            dice.pause(200, 25_000);
        }
        Moment::Mixed => {
            let proven = dice.one_in(2);
            let mut peer = node.connect_to_all();
            peer.beat(proven);
            for _ in 0..dice.between(1, 5) {
                ask_all(node, &mut peer, dice, &mut ceiling, |dice| (any_wish(dice), proven));
            }
            dice.pause(200, 20_000);
        }
    }
    node.kill();
    look(node, &ceiling, seen);
}

/// Asks something of every GPU, in any order, now in a burst and now one after the other.
fn ask_all(
    node: &GpuNode,
    peer: &mut GpuPeer,
    dice: &mut Dice,
    ceiling: &mut Ceiling<'_>,
    wish: impl Fn(&mut Dice) -> (Throttle, bool),
) {
    let in_a_burst = dice.one_in(2);
    for gpu in dice.gpus() {
        let (wish, proven) = wish(dice);
        let throttle = Throttle { gpu, ..wish };
        let lowest = *node.gpus()[usize::from(gpu)].rating().power_range_milliwatts().start();
        ceiling.note(&throttle, lowest, proven);
        peer.ask(throttle);
        if !in_a_burst {
            dice.pause(200, 5_000);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "some hundreds")]
fn capping(dice: &mut Dice) -> Throttle {
    let megahertz = Megahertz::new(dice.between(300, 2100) as f32);
    Throttle {
        power_cap: Some(Watts::new(dice.between(100, 1100) as f32)),
        sm_clock_max: (!dice.one_in(4)).then_some(megahertz),
        low_power_profile: dice.one_in(2),
        smoothing: dice.one_in(2),
        ..Throttle::nothing(0)
    }
}

fn any_wish(dice: &mut Dice) -> Throttle {
    match dice.between(0, 3) {
        0 => Throttle::nothing(0),
        // Only the clock, the profile and smoothing are asked for: the cap is given back.
        1 => Throttle { power_cap: None, ..capping(dice) },
        _ => capping(dice),
    }
}

/// What dead processes have left behind, over all rounds.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Rounds after which some GPU was capped.
    pub(super) capped: usize,
    /// Rounds after which the journal claimed a cap that was not, or no longer, on the GPU.
    journal_ahead: usize,
    /// Rounds after which a journal was still being written.
    unfinished: usize,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} left GPUs capped, {} a journal ahead of the GPUs, {} an unfinished journal",
            self.capped, self.journal_ahead, self.unfinished
        )
    }
}

fn look(node: &GpuNode, ceiling: &Ceiling<'_>, seen: &mut Seen) {
    let (limits, journal) = (limits(node), node.journal());
    let (mut capped, mut ahead) = (false, false);
    for (index, gpu) in node.gpus().iter().enumerate() {
        let (limit, original) = (limits[index], ceiling.originals[index]);
        assert!(limit <= ceiling.now[index], "gpu{index}: {limit} mW is above {} mW", ceiling.now[index]);
        let claim = &journal[gpu.uuid()];
        let place = format!("gpu{index} at {limit} of {original} mW: {:?}, {claim}", gpu.request());
        held_is_known(index, gpu, claim, original, &place);
        capped |= limit < original;
        ahead |= claim["power"]["cap_mw"].as_u64().is_some_and(|cap| cap != u64::from(limit));
    }
    seen.capped += usize::from(capped);
    seen.journal_ahead += usize::from(ahead);
    seen.unfinished += usize::from(node.journal_file().with_extension("json.new").exists());
}

/// Whatever is in force on a GPU and not somebody else's, the journal knows, and where to return to.
fn held_is_known(index: usize, gpu: &GpuCell, claim: &Value, original: u32, place: &str) {
    let request = gpu.request();
    let power = &claim["power"];
    if request.power_limit_milliwatts != original {
        assert_eq!(power["original_mw"], original, "{place}");
        let ours = [&power["cap_mw"], &power["was_mw"]];
        assert!(ours.iter().any(|ours| **ours == request.power_limit_milliwatts), "{place}");
    } else if power.is_object() {
        assert_eq!(power["original_mw"], original, "{place}");
    }
    assert!(request.sm_clock_lock.is_none() || claim["clock_mhz"].is_u64(), "{place}");
    assert!(!request.smoothing || claim["smoothing"] == true, "{place}");
    if index == PROFILED {
        assert_eq!(request.power_profiles, MAX_Q, "{place}");
        assert_ne!(claim["low_power_profile"], true, "{place}");
    } else {
        assert!(!request.max_q() || claim["low_power_profile"] == true, "{place}");
    }
}
