//! The server as its client sees it, through a real socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use eisbach_protocol::gpu_link::{
    Beat, Detach, DriverState, FRAME_LEN, Frame, GpuHealth, GpuSample, HandOver, Hello, Outcome, Throttle,
    Verdict,
};
use eisbach_protocol::units::{Megahertz, Watts};

mod driver;
mod foreign;

use super::bench::Bench;
use super::driver::Fault;
use super::fake::What;
use super::{ServerError, ServerSettings};

/// More frames than any condition here takes to come true.
const PATIENCE: usize = 3000;

/// The agent's end, by hand.
struct Peer {
    stream: UnixStream,
    sequence: u32,
}

impl Peer {
    fn connect(bench: &Bench) -> Self {
        let stream = UnixStream::connect(bench.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self { stream, sequence: 0 }
    }

    fn send(&mut self, frame: &Frame) -> u32 {
        self.sequence += 1;
        self.stream.write_all(&frame.encode(self.sequence)).unwrap();
        self.sequence
    }

    fn detach(&mut self, for_ms: u32) -> HandOver {
        let of = self.send(&Frame::Detach(Detach { for_ms }));
        self.handed_over(of)
    }

    fn attach(&mut self) -> HandOver {
        let of = self.send(&Frame::Attach);
        self.handed_over(of)
    }

    fn handed_over(&mut self, of: u32) -> HandOver {
        self.until(|frame| match frame {
            Frame::HandedOver(handed_over) if handed_over.of == of => Some(handed_over.result),
            _ => None,
        })
    }

    fn beat(&mut self, cooling_proven: bool) {
        self.send(&Frame::Beat(Beat { cycle: 1, cooling_proven, leaving: false }));
    }

    fn throttle(&mut self, gpu: u8, power: Option<f32>, clock: Option<f32>) -> u32 {
        self.send(&Frame::Throttle(Throttle {
            power_cap: power.map(Watts::new),
            sm_clock_max: clock.map(Megahertz::new),
            ..Throttle::nothing(gpu)
        }))
    }

    fn next(&mut self) -> std::io::Result<Frame> {
        let mut bytes = [0; FRAME_LEN];
        self.stream.read_exact(&mut bytes)?;
        Ok(Frame::decode(&bytes).unwrap().1)
    }

    fn until<T>(&mut self, found: impl Fn(&Frame) -> Option<T>) -> T {
        (0..PATIENCE).find_map(|_| found(&self.next().unwrap())).expect("never came true")
    }

    fn sample(&mut self, gpu: u8, found: impl Fn(&GpuSample) -> bool) -> GpuSample {
        self.until(|frame| match frame {
            Frame::Sample(sample) if sample.index == gpu && found(sample) => Some(sample.clone()),
            _ => None,
        })
    }

    fn verdict(&mut self, of: u32) -> Verdict {
        self.until(|frame| match frame {
            Frame::Outcome(outcome) if outcome.of == of => Some(outcome.verdict),
            _ => None,
        })
    }

    fn hello(&mut self, found: impl Fn(&Hello) -> bool) -> Hello {
        self.until(|frame| match frame {
            Frame::Hello(hello) if found(hello) => Some(hello.clone()),
            _ => None,
        })
    }

    /// Reads until the server closes the connection.
    fn is_closed(&mut self) -> bool {
        (0..PATIENCE).any(|_| self.next().is_err())
    }
}

#[test]
fn a_client_hears_who_serves_and_then_every_gpu() {
    let bench = Bench::start(3);
    let mut peer = Peer::connect(&bench);
    assert!(matches!(peer.next().unwrap(), Frame::Hello(_)));
    peer.hello(|hello| hello.driver == DriverState::Ready && hello.gpu_count == 3 && hello.may_throttle);
    for gpu in 0..3 {
        let sample = peer.sample(gpu, |sample| sample.health == GpuHealth::Ok);
        assert_eq!(sample.uuid.as_str(), format!("GPU-{gpu}"));
    }
}

#[test]
fn a_node_without_a_driver_is_served_all_the_same() {
    let bench = Bench::start(0);
    let mut peer = Peer::connect(&bench);
    let hello = peer.hello(|hello| hello.driver == DriverState::Absent);
    assert_eq!(hello.gpu_count, 0);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Unreachable);
}

#[test]
fn i12_a_hung_gpu_is_named_and_the_others_go_on() {
    let bench = Bench::start(2);
    let mut peer = Peer::connect(&bench);
    peer.sample(1, |sample| sample.health == GpuHealth::Ok);
    bench.hang(1, true);
    let hung = peer.sample(1, |sample| sample.health == GpuHealth::Hung);
    peer.sample(1, |sample| sample.health == GpuHealth::Hung && sample.age_ms > hung.age_ms);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.age_ms < hung.age_ms);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.hang(1, false);
    peer.sample(1, |sample| sample.health == GpuHealth::Ok && sample.age_ms < hung.age_ms);
}

#[test]
fn a_request_for_a_hung_gpu_is_unreachable_and_met_when_the_driver_lets_go() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    bench.hang(0, true);
    // Inside a reading: a request that it takes in hand has not hung yet.
    peer.sample(0, |sample| sample.age_ms > 60);
    let first = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(first), Verdict::Unreachable);
    peer.sample(0, |sample| sample.health == GpuHealth::Hung);
    let second = peer.throttle(0, Some(250.0), None);
    assert_eq!(peer.verdict(first), Verdict::Superseded);
    assert_eq!(peer.verdict(second), Verdict::Unreachable);
    bench.hang(0, false);
    assert_eq!(peer.verdict(second), Verdict::Applied);
    assert_eq!(bench.limit_watts(0), 250);
}

#[test]
fn an_answer_never_goes_to_another_client_than_asked() {
    let bench = Bench::start(1);
    let mut old = Peer::connect(&bench);
    old.sample(0, |sample| sample.health == GpuHealth::Ok);
    bench.hang(0, true);
    old.throttle(0, Some(300.0), None);
    old.sample(0, |sample| sample.health == GpuHealth::Hung);
    let mut new = Peer::connect(&bench);
    new.sample(0, |sample| sample.health == GpuHealth::Hung);
    bench.hang(0, false);
    new.until(|frame| match frame {
        Frame::Outcome(outcome) => panic!("not ours: {outcome:?}"),
        Frame::Sample(sample) => sample.held_cap,
        _ => None,
    });
    assert_eq!(bench.limit_watts(0), 300, "but it was met");
}

#[test]
fn a_request_is_met_and_shown() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    let of = peer.throttle(0, Some(300.0), Some(900.0));
    assert_eq!(peer.verdict(of), Verdict::Applied);
    let shown = peer.sample(0, |sample| sample.held_cap.is_some());
    assert_eq!(shown.held_cap, Some(Watts::new(300.0)));
    assert_eq!(shown.held_clock, Some(Megahertz::new(900.0)));
}

#[test]
fn a_lost_gpu_comes_back_with_a_fresh_handle_and_its_request_is_met() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    bench.gpus[0].with(|state| state.fault = Some(Fault::Lost));
    peer.sample(0, |sample| sample.health == GpuHealth::Lost);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Unreachable);
    bench.gpus[0].with(|state| state.fault = None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok && sample.held_cap.is_some());
}

#[test]
fn a_worker_that_dies_is_started_again_and_knows_what_it_holds() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.hang(0, true);
    peer.sample(0, |sample| sample.health == GpuHealth::Hung);
    bench.gpus[0].with(|state| (state.hangs, state.panics) = (false, true));
    peer.sample(0, |sample| sample.health == GpuHealth::Failed);
    let back = peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    assert_eq!(back.held_cap, Some(Watts::new(300.0)));
}

#[test]
fn a_driver_that_refuses_is_told_to_the_agent() {
    let bench = Bench::start(1);
    bench.gpus[0].with(|state| state.refuses_power = Some(Fault::NotPermitted));
    let mut peer = Peer::connect(&bench);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::NotPermitted);
    peer.hello(|hello| !hello.may_throttle);
}

#[test]
fn i08_a_release_is_withheld_until_cooling_is_proven() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    let of = peer.throttle(0, Some(300.0), Some(900.0));
    assert_eq!(peer.verdict(of), Verdict::Applied);
    let silent = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(silent), Verdict::Withheld);
    peer.beat(false);
    let unproven = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(unproven), Verdict::Withheld);
    assert_eq!(bench.limit_watts(0), 300);
    peer.beat(true);
    let proven = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(proven), Verdict::Applied);
    assert_eq!(bench.limit_watts(0), 700);
}

#[test]
fn i08_a_stop_without_proof_keeps_the_caps_and_the_next_process_gives_them_back() {
    let mut bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.beat(false);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.restart();
    assert_eq!(bench.limit_watts(0), 300);
    let mut peer = Peer::connect(&bench);
    let adopted = peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    assert_eq!(adopted.held_cap, Some(Watts::new(300.0)));
    peer.beat(true);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert_eq!(bench.limit_watts(0), 700);
}

#[test]
fn i08_an_orderly_stop_with_cooling_proven_gives_everything_back() {
    let mut bench = Bench::start(2);
    let mut peer = Peer::connect(&bench);
    for gpu in 0..2 {
        let of = peer.throttle(gpu, Some(300.0), Some(900.0));
        assert_eq!(peer.verdict(of), Verdict::Applied);
    }
    peer.beat(true);
    // A request behind the beat proves that the beat has arrived.
    let of = peer.throttle(0, Some(301.0), Some(900.0));
    assert_eq!(peer.verdict(of), Verdict::Applied);
    assert!(matches!(bench.stop(), Some(Ok(()))));
    for gpu in &bench.gpus {
        assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (700_000, None));
    }
}

#[test]
fn a_stop_does_not_wait_for_a_hung_gpu() {
    let mut bench = Bench::start(2);
    let mut peer = Peer::connect(&bench);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.hang(1, true);
    peer.beat(true);
    peer.sample(1, |sample| sample.health == GpuHealth::Hung);
    assert!(matches!(bench.stop(), Some(Ok(()))), "returns though worker 1 never will");
    assert_eq!(bench.limit_watts(0), 700);
}

fn with_a_short_silence(settings: &mut ServerSettings) {
    settings.silence_ms = 1000;
}

#[test]
fn the_guard_lowers_a_hot_gpu_under_a_silent_agent_and_hands_it_back() {
    let bench = Bench::start_with(2, with_a_short_silence);
    bench.gpus[0].with(|state| state.margin = Some(8.0));
    let mut peer = Peer::connect(&bench);
    let guarded = peer.sample(0, |sample| sample.guarded && sample.held_cap.is_some());
    assert_eq!(guarded.held_cap, Some(Watts::new(200.0)));
    assert_eq!(guarded.held_clock, Some(Megahertz::new(345.0)));
    let silent = peer.throttle(0, Some(500.0), None);
    assert_eq!(peer.verdict(silent), Verdict::Guarded, "a request without a pulse is no agent");
    peer.beat(true);
    let alive = peer.throttle(0, Some(500.0), None);
    assert_eq!(peer.verdict(alive), Verdict::Applied);
    assert_eq!(bench.gpus[0].writes().last(), Some(&What::Unlock));
    assert_eq!(bench.limit_watts(0), 500);
    assert_eq!(bench.gpus[1].writes(), [], "the cool one was left alone");
}

#[test]
fn the_guard_lowers_a_gpu_that_heats_up_under_a_silent_agent() {
    let bench = Bench::start_with(1, with_a_short_silence);
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.health == GpuHealth::Ok);
    bench.gpus[0].with(|state| state.temperature = Some(53.0));
    peer.sample(0, |sample| sample.guarded && sample.held_cap.is_some());
    assert_eq!(bench.limit_watts(0), 200);
}

#[test]
fn the_guard_overrules_the_agent_on_a_gpu_without_margin() {
    let bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.beat(true);
    bench.gpus[0].with(|state| state.margin = Some(0.0));
    peer.sample(0, |sample| sample.guarded);
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Guarded);
    assert_eq!(bench.limit_watts(0), 200);
    bench.gpus[0].with(|state| state.margin = Some(20.0));
    peer.sample(0, |sample| {
        sample.margin.value().is_some_and(|margin| margin.get() > 10.0) && sample.guarded
    });
    let of = peer.throttle(0, None, None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    peer.sample(0, |sample| !sample.guarded);
    assert_eq!(bench.limit_watts(0), 700);
}

#[test]
fn the_guard_insists_when_its_write_fails() {
    let bench = Bench::start_with(1, with_a_short_silence);
    bench.gpus[0].with(|state| {
        state.margin = Some(8.0);
        state.refuses_power = Some(Fault::Other("busy".to_owned()));
    });
    let mut peer = Peer::connect(&bench);
    peer.sample(0, |sample| sample.guarded);
    bench.gpus[0].with(|state| state.refuses_power = None);
    peer.sample(0, |sample| sample.limit_requested.value() == Some(Watts::new(200.0)));
}

#[test]
fn the_newest_client_wins() {
    let bench = Bench::start(1);
    let mut old = Peer::connect(&bench);
    old.sample(0, |_| true);
    let mut new = Peer::connect(&bench);
    new.sample(0, |_| true);
    assert!(old.is_closed());
}

#[test]
fn a_malformed_frame_costs_the_client_its_connection_and_nobody_else_anything() {
    let bench = Bench::start(1);
    let server_only = Frame::Outcome(Outcome { of: 1, gpu: 0, verdict: Verdict::Applied }).encode(1);
    for wrong in [[0xff; FRAME_LEN], server_only] {
        let mut peer = Peer::connect(&bench);
        peer.sample(0, |_| true);
        peer.stream.write_all(&wrong).unwrap();
        assert!(peer.is_closed());
    }
    Peer::connect(&bench).sample(0, |sample| sample.health == GpuHealth::Ok);
}

#[test]
fn a_client_of_another_user_is_turned_away() {
    let somebody_else = nix::unistd::getuid().as_raw().wrapping_add(1);
    let bench = Bench::start_with(1, |settings| settings.allowed_uid = Some(somebody_else));
    assert!(Peer::connect(&bench).is_closed());
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let bench = Bench::start(16);
    let mut idle = Peer::connect(&bench);
    bench.gpus[0].with(|state| state.margin = Some(0.0));
    // It keeps writing, so that it sees the connection go.
    let dropped = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let beat = Frame::Beat(Beat { cycle: 1, cooling_proven: false, leaving: false });
        idle.stream.write_all(&beat.encode(1)).is_err()
    });
    assert!(dropped);
    assert_eq!(bench.limit_watts(0), 200, "the guard was at work meanwhile");
}

#[test]
fn a_replaced_driver_ends_the_process_with_its_caps_in_place() {
    let mut bench = Bench::start(1);
    let mut peer = Peer::connect(&bench);
    peer.beat(true);
    let of = peer.throttle(0, Some(300.0), None);
    assert_eq!(peer.verdict(of), Verdict::Applied);
    bench.gpus[0].with(|state| state.fault = Some(Fault::Replaced));
    assert!(peer.is_closed());
    assert!(matches!(bench.stop(), Some(Err(ServerError::DriverReplaced))));
    assert_eq!(bench.limit_watts(0), 300);
}
