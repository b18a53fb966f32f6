//! The driver comes, goes, is let go of and taken back.

use std::sync::atomic::Ordering;

use eisbach_protocol::gpu_link::{Detach, DriverState, EventKind, Frame, GpuHealth, HandOver, Verdict};
use eisbach_protocol::units::Watts;

use super::super::bench::Bench;
use super::super::driver::{Fault, Happening};
use super::super::fake::{FakeNode, What};
use super::Peer;
use crate::gpu::lock;

fn loaded(bench: &Bench) -> usize {
    bench.node.loaded.load(Ordering::SeqCst)
}

/// A node whose GPUs are cool and seen.
fn cool(gpus: u8) -> (Bench, Peer) {
    let bench = Bench::start(gpus);
    bench.gpus.iter().for_each(|gpu| gpu.with(|state| state.margin = Some(50.0)));
    let mut peer = Peer::connect(&bench);
    for gpu in 0..gpus {
        peer.sample(gpu, |sample| {
            sample.health == GpuHealth::Ok && sample.margin.value().is_some_and(|m| m.get() > 40.0)
        });
    }
    (bench, peer)
}

#[test]
fn a_detach_frees_the_driver_and_an_attach_takes_it_again_with_what_was_held() {
    let (bench, mut peer) = cool(2);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert_eq!(loaded(&bench), 1);
    assert_eq!(peer.detach(60_000), HandOver::Detached);
    assert_eq!(loaded(&bench), 0, "the driver is free when the answer is there");
    let hello = peer.hello(|hello| hello.driver == DriverState::Detached);
    assert!(hello.gpu_count == 0 && hello.detached_left_ms > 50_000);
    let of = peer.throttle(0, Some(250.0), None);
    assert_eq!(peer.verdict(of), Verdict::Detached);
    assert_eq!(bench.limit_watts(0), 300, "limits stay as they are");

    // A reset or a driver update forgets limits.
    bench.gpus[0].with(|state| state.requested_mw = 700_000);
    assert_eq!(peer.attach(), HandOver::Attached);
    let back = peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.held_cap.is_some());
    assert_eq!(back.held_cap, Some(Watts::new(300.0)));
    assert_eq!(bench.limit_watts(0), 300);
}

#[test]
fn i12_the_driver_is_let_go_of_on_a_thread_of_its_own() {
    let (bench, mut peer) = cool(2);
    assert_eq!(peer.detach(60_000), HandOver::Detached);
    assert_eq!(*lock(&bench.node.let_go_by), ["release"], "the supervisor waits for no driver");
}

#[test]
fn a_detach_while_the_driver_is_being_loaded_waits_for_the_load_to_end() {
    let (bench, mut peer) = cool(1);
    assert_eq!(peer.detach(60_000), HandOver::Detached);
    FakeNode::set_hanging(&bench.node.loading_hangs, true);
    let loads = bench.node.loads.load(Ordering::SeqCst);
    assert_eq!(peer.attach(), HandOver::Attached);
    while bench.node.loads.load(Ordering::SeqCst) == loads {
        std::thread::yield_now();
    }
    let asked = peer.send(&Frame::Detach(Detach { for_ms: 60_000 }));
    let behind = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(behind), Verdict::Unreachable, "the detach has been heard");
    FakeNode::set_hanging(&bench.node.loading_hangs, false);
    assert_eq!(peer.handed_over(asked), HandOver::Detached);
    assert_eq!(loaded(&bench), 0, "what the load brought is let go of");
    assert_eq!(*lock(&bench.node.let_go_by), ["release", "driver"]);
}

#[test]
fn a_driver_that_holds_on_to_a_listener_is_not_let_go_and_the_gpus_stay_guarded() {
    let (bench, mut peer) = cool(2);
    FakeNode::set_hanging(&bench.node.listening_hangs, true);
    let listens = bench.node.listens.load(Ordering::SeqCst);
    while bench.node.listens.load(Ordering::SeqCst) == listens {
        peer.sample(0, |_| true);
    }
    assert_eq!(peer.detach(60_000), HandOver::DriverHung);
    for gpu in 0..2 {
        peer.sample(gpu, |sample| sample.health == GpuHealth::Ok && sample.age_ms < 100);
    }
    bench.gpus[0].with(|state| state.margin = Some(0.0));
    peer.sample(0, |sample| sample.guarded);
    bench.gpus[0].with(|state| state.margin = Some(50.0));
    peer.sample(0, |sample| sample.margin.value().is_some_and(|margin| margin.get() > 40.0));
    peer.beat(true);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    FakeNode::set_hanging(&bench.node.listening_hangs, false);
    lock(&bench.node.happenings).push_back(Happening { gpu: Some(1), kind: EventKind::Xid, data: 79 });
    peer.sample(1, |sample| sample.xid_count == 1);
}

#[test]
fn a_detach_ends_by_itself_when_its_time_is_over() {
    let (bench, mut peer) = cool(1);
    assert_eq!(peer.detach(1000), HandOver::Detached);
    peer.hello(|hello| hello.driver == DriverState::Ready);
    assert_eq!(loaded(&bench), 1);
}

#[test]
fn a_process_that_is_started_while_detached_leaves_the_driver_alone_until_it_is_told() {
    let (mut bench, mut peer) = cool(1);
    assert_eq!(peer.detach(60_000), HandOver::Detached);
    bench.restart();
    let mut peer = Peer::connect(&bench);
    peer.hello(|hello| hello.driver == DriverState::Detached);
    assert_eq!(loaded(&bench), 0);
    assert_eq!(peer.attach(), HandOver::Attached);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
}

#[test]
fn a_detach_is_refused_while_a_gpu_is_warm_and_nothing_is_let_go() {
    let (bench, mut peer) = cool(2);
    bench.gpus[1].with(|state| state.margin = Some(20.0));
    peer.sample(1, |sample| sample.margin.value().is_some_and(|margin| margin.get() < 25.0));
    assert_eq!(peer.detach(60_000), HandOver::GpuHot);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    assert_eq!(loaded(&bench), 1);
}

#[test]
fn a_detach_is_refused_for_a_gpu_that_hangs_in_the_driver() {
    let (bench, mut peer) = cool(2);
    bench.hang(1, true);
    peer.sample(1, |sample| sample.health == GpuHealth::Hung);
    assert_eq!(peer.detach(60_000), HandOver::GpuHung);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.age_ms < 1000);
}

#[test]
fn a_gpu_that_gets_stuck_on_the_way_out_keeps_the_driver_and_the_others_go_on() {
    let (bench, mut peer) = cool(2);
    bench.hang(1, true);
    // Inside a call, and not yet seen to hang: its last reading is still young.
    peer.sample(1, |sample| sample.age_ms > 60);
    assert_eq!(peer.detach(60_000), HandOver::GpuHung);
    assert_eq!(loaded(&bench), 1);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.age_ms < 100);
    bench.hang(1, false);
    peer.sample(1, |sample| sample.health == GpuHealth::Ok && sample.age_ms < 100);
    assert_eq!(peer.detach(60_000), HandOver::Detached);
}

#[test]
fn a_driver_that_goes_away_is_looked_for_again_and_what_was_held_is_asked_for_again() {
    let (bench, mut peer) = cool(2);
    let of = peer.throttle(0, Some(300.0), Some(900.0));
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.gpus.iter().for_each(|gpu| {
        gpu.with(|state| {
            state.fault = Some(Fault::Absent("unloaded".to_owned()));
            (state.requested_mw, state.clock) = (700_000, None);
        });
    });
    peer.hello(|hello| hello.gpu_count == 0);
    bench.gpus.iter().for_each(|gpu| gpu.with(|state| state.fault = None));
    let back = peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.held_cap.is_some());
    assert_eq!(back.held_cap, Some(Watts::new(300.0)));
    assert_eq!(bench.gpus[0].with(|state| (state.requested_mw, state.clock)), (300_000, Some(900)));
    assert_eq!(loaded(&bench), 1, "the old one was let go of");
}

#[test]
fn an_error_that_a_gpu_reports_is_told_and_counted() {
    let (bench, mut peer) = cool(2);
    lock(&bench.node.happenings).extend((0..40).map(|_| Happening {
        gpu: Some(1),
        kind: EventKind::Xid,
        data: 79,
    }));
    let event = peer.until(|frame| match frame {
        Frame::Event(event) => Some(*event),
        _ => None,
    });
    assert_eq!((event.gpu, event.kind, event.data), (1, EventKind::Xid, 79));
    let sample = peer.sample(1, |sample| sample.xid_count == 40);
    assert_eq!(sample.xid_last, 79);
    peer.sample(0, |sample| sample.xid_count == 0);
}

#[test]
fn how_long_driver_calls_take_is_told_for_every_gpu() {
    let (_bench, mut peer) = cool(2);
    for gpu in 0..2 {
        let stat = peer.until(|frame| match frame {
            Frame::CallStat(stat) if stat.gpu == gpu && stat.name.as_str() == "read" => Some(stat.clone()),
            _ => None,
        });
        assert!(
            stat.calls > 0 && stat.buckets.iter().map(|count| u64::from(*count)).sum::<u64>() == stat.calls
        );
    }
}

#[test]
fn switches_are_held_and_given_back_like_limits() {
    use eisbach_protocol::gpu_link::Throttle;

    use super::super::driver::Switch;
    let mut bench = Bench::start_with_switches();
    bench.gpus[0].with(|state| state.smoothing = true);
    let mut peer = Peer::connect(&bench);
    let wish = Throttle { low_power_profile: true, smoothing: true, ..Throttle::nothing(0) };
    let of = peer.send(&Frame::Throttle(wish));
    assert_eq!(peer.verdict(of), Verdict::Applied);
    let held = peer.sample(0, |sample| sample.held_profile);
    assert!(!held.held_smoothing, "it was on before us");
    bench.restart();
    assert!(bench.gpus[0].with(|state| state.low_power_profile), "a restart gives nothing back");
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.held_profile);
    peer.beat(true);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert_eq!(
        bench.gpus[0].writes(),
        [What::Switch(Switch::LowPowerProfile, true), What::Switch(Switch::LowPowerProfile, false)]
    );
}
