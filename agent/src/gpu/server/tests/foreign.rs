//! Somebody else sets limits too; somebody asks too late, or for what is not there.

use eisbach_protocol::gpu_link::{Beat, Frame, GpuHealth, Throttle, Verdict};
use eisbach_protocol::units::Watts;

use super::super::bench::Bench;
use super::Peer;

fn capped_at(bench: &Bench, watts: f32) -> Peer {
    let mut peer = Peer::connect(bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    let of = peer.throttle(0, Some(watts), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    peer
}

#[test]
fn i08_a_limit_that_somebody_raises_above_our_cap_is_lowered_again_and_is_what_we_return_to() {
    let bench = Bench::start(1);
    let mut peer = capped_at(&bench, 300.0);
    bench.gpus[0].with(|state| state.requested_mw = 500_000);
    let seen = peer.sample(0, |sample| sample.foreign_changes == 1);
    assert_eq!(seen.held_cap, Some(Watts::new(300.0)));
    peer.sample(0, |sample| sample.limit_requested.value() == Some(Watts::new(300.0)));
    peer.beat(true);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert_eq!(bench.limit_watts(0), 500);
}

#[test]
fn i08_a_limit_that_somebody_lowers_below_our_cap_stays_theirs() {
    let bench = Bench::start(1);
    let mut peer = capped_at(&bench, 300.0);
    bench.gpus[0].with(|state| state.requested_mw = 250_000);
    let seen = peer.sample(0, |sample| sample.foreign_changes == 1);
    assert_eq!(seen.held_cap, Some(Watts::new(250.0)));
    peer.beat(true);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert_eq!(bench.limit_watts(0), 250);
}

#[test]
fn i09_a_fight_over_a_limit_is_fought_once_a_second_at_most() {
    let bench = Bench::start(1);
    let mut peer = capped_at(&bench, 300.0);
    // Ten changes in the time of some batches: the first is answered, the others wait for their second.
    for _ in 0..10 {
        bench.gpus[0].with(|state| state.requested_mw = 500_000);
        peer.sample(0, |_| true);
    }
    let writes = bench.gpus[0].writes().len();
    assert!(writes <= 3, "{writes} writes");
    peer.sample(0, |sample| sample.limit_requested.value() == Some(Watts::new(300.0)));
}

#[test]
fn a_limit_that_we_do_not_hold_is_nobodys_business() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    bench.gpus[0].with(|state| state.requested_mw = 500_000);
    let seen = peer.sample(0, |sample| sample.limit_requested.value() == Some(Watts::new(500.0)));
    assert_eq!(seen.foreign_changes, 0);
    assert_eq!(bench.gpus[0].writes(), []);
}

#[test]
fn a_request_that_is_far_behind_the_agents_beats_is_stale_and_changes_nothing() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    peer.send(&Frame::Beat(Beat { cycle: 1000, cooling_proven: true, leaving: false }));
    let late = Throttle { cycle: 900, power_cap: Some(Watts::new(300.0)), ..Throttle::nothing(0) };
    let of = peer.send(&Frame::Throttle(late));
    assert_eq!(peer.verdict(of), Verdict::Stale);
    let in_time = Throttle { cycle: 999, ..late };
    let of = peer.send(&Frame::Throttle(in_time));
    assert_eq!(peer.verdict(of), Verdict::Applied);
}

#[test]
fn a_request_for_a_gpu_that_is_not_there_says_so() {
    let bench = Bench::start(2);
    let mut peer = Peer::connect(&bench);
    peer.sample(1, |sample| sample.health == GpuHealth::Ok);
    let of = peer.throttle(2, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::NoSuchGpu);
}
