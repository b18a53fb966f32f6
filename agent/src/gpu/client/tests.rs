//! The link against the real server, and against a puppet for what the real one never does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::gpu_link::{
    Beat, Detach, DriverState, FRAME_LEN, Frame, GpuHealth, GpuSample, HandOver, Hello, Throttle, Verdict,
};
use eisbach_protocol::units::{Millis, Watts};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{ClientSettings, GpuEntry, GpuLink, GpuView, HandOverWish, LinkState};
use crate::clock::Clock;
use crate::gpu::server::bench::Bench;

/// A link, its task and the way to stop it.
struct Agent {
    link: GpuLink,
    tasks: JoinSet<()>,
    token: CancellationToken,
}

impl Agent {
    fn start(socket: PathBuf, silence_ms: u64) -> Self {
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let settings = ClientSettings { first_retry_ms: 10, silence_ms, ..ClientSettings::new(socket) };
        let link = GpuLink::spawn(&mut tasks, settings, Clock::start(), token.clone());
        Self { link, tasks, token }
    }

    async fn until(&self, what: &str, holds: impl Fn(&GpuView) -> bool) {
        for _ in 0..2000 {
            if holds(&self.link.view()) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
        panic!("never came true: {what}: {:?}", self.link.view());
    }

    async fn stop(mut self) {
        self.token.cancel();
        self.tasks.join_next().await.unwrap().unwrap();
    }
}

fn cap(gpu: u8, watts: f32) -> Throttle {
    Throttle { power_cap: Some(Watts::new(watts)), ..Throttle::nothing(gpu) }
}

fn beat(leaving: bool) -> Beat {
    Beat { cycle: 7, cooling_proven: true, leaving }
}

fn answered(view: &GpuView, gpu: u8, verdict: Verdict) -> bool {
    view.requests.iter().any(|one| one.throttle.gpu == gpu && one.verdict == Some(verdict))
}

/// A GPU process by hand, for what the real one never does.
struct Puppet {
    listener: UnixListener,
    _folder: tempfile::TempDir,
}

impl Puppet {
    fn start() -> (Self, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("gpu.sock");
        (Self { listener: UnixListener::bind(&socket).unwrap(), _folder: folder }, socket)
    }

    async fn accept(&self) -> UnixStream {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let hello = Hello {
            gpu_count: 1,
            driver: DriverState::Ready,
            may_throttle: true,
            detached_left_ms: 0,
            driver_version: heapless::String::new(),
        };
        stream.write_all(&Frame::Hello(hello).encode(1)).await.unwrap();
        stream
    }
}

async fn next(stream: &mut UnixStream) -> Frame {
    let mut bytes = [0; FRAME_LEN];
    stream.read_exact(&mut bytes).await.unwrap();
    Frame::decode(&bytes).unwrap().1
}

#[tokio::test]
async fn the_view_follows_the_gpu_process() {
    let bench = Bench::start(2);
    let agent = Agent::start(bench.socket(), 3000);
    assert_eq!(agent.link.view().link, LinkState::Down);
    agent
        .until("both GPUs", |view| {
            view.link == LinkState::Up
                && view.gpus.iter().filter(|gpu| gpu.sample.health == GpuHealth::Ok).count() == 2
        })
        .await;
    agent.link.throttle(cap(1, 300.0));
    agent.until("applied", |view| answered(view, 1, Verdict::Applied)).await;
    assert_eq!((bench.limit_watts(0), bench.limit_watts(1)), (700, 300));
    agent.stop().await;
}

#[tokio::test]
async fn a_hung_gpu_grows_old_in_the_view_and_the_others_stay_fresh() {
    let bench = Bench::start(2);
    let agent = Agent::start(bench.socket(), 3000);
    agent.until("both GPUs", |view| view.gpus.len() == 2).await;
    bench.hang(0, true);
    agent.until("hung", |view| view.gpus[0].sample.health == GpuHealth::Hung).await;
    let view = agent.link.view();
    let now = agent.link.shared.clock.now();
    assert!(view.gpus[0].age(now) > view.gpus[1].age(now));
    assert_eq!(view.gpus[1].sample.health, GpuHealth::Ok);
    agent.stop().await;
}

#[tokio::test]
async fn a_new_gpu_process_is_found_and_told_the_latest_requests_again() {
    let mut bench = Bench::start(2);
    let agent = Agent::start(bench.socket(), 3000);
    agent.link.throttle(cap(0, 300.0));
    agent.link.throttle(cap(1, 300.0));
    agent.until("applied", |view| (0..2).all(|gpu| answered(view, gpu, Verdict::Applied))).await;
    assert!(matches!(bench.stop(), Some(Ok(()))));
    agent.until("down", |view| view.link == LinkState::Down).await;
    agent.link.throttle(cap(0, 260.0));
    agent.link.throttle(cap(0, 250.0));
    bench.restart();
    agent.until("the new one for 0", |view| answered(view, 0, Verdict::Applied)).await;
    agent.until("the old one for 1", |view| answered(view, 1, Verdict::Applied)).await;
    assert_eq!((bench.limit_watts(0), bench.limit_watts(1)), (250, 300));
    let counters = agent.link.counters();
    assert_eq!((counters.connections, counters.requests_replaced), (2, 1));
    agent.stop().await;
}

#[tokio::test]
async fn i07_a_beat_from_before_the_connection_is_never_sent() {
    let (puppet, socket) = Puppet::start();
    let later = socket.with_extension("later");
    std::fs::rename(&socket, &later).unwrap();
    let agent = Agent::start(socket.clone(), 3000);
    agent.link.beat(beat(false));
    sleep(Duration::from_millis(1)).await;
    std::fs::rename(&later, &socket).unwrap();
    let mut stream = puppet.accept().await;
    agent.until("up", |view| view.link == LinkState::Up).await;
    agent.link.throttle(cap(0, 300.0));
    assert_eq!(next(&mut stream).await, Frame::Throttle(cap(0, 300.0)));
    assert_eq!(agent.link.counters().beats_dropped, 1);
}

#[tokio::test]
async fn last_words_are_still_said() {
    let (puppet, socket) = Puppet::start();
    let agent = Agent::start(socket, 3000);
    let mut stream = puppet.accept().await;
    agent.until("up", |view| view.link == LinkState::Up).await;
    agent.link.throttle(cap(0, 300.0));
    agent.link.beat(beat(true));
    agent.stop().await;
    assert_eq!(next(&mut stream).await, Frame::Beat(beat(true)));
    assert_eq!(next(&mut stream).await, Frame::Throttle(cap(0, 300.0)));
}

#[tokio::test]
async fn a_silent_gpu_process_is_gone_and_looked_for_again() {
    let (puppet, socket) = Puppet::start();
    let agent = Agent::start(socket, 50);
    let _silent = puppet.accept().await;
    agent.until("up", |view| view.link == LinkState::Up).await;
    agent.until("down", |view| view.link == LinkState::Down).await;
    let _again = puppet.accept().await;
    agent.until("up again", |view| view.link == LinkState::Up).await;
}

#[tokio::test]
async fn a_malformed_frame_costs_the_connection_and_is_counted() {
    let (puppet, socket) = Puppet::start();
    let agent = Agent::start(socket, 3000);
    for wrong in [[0xff; FRAME_LEN], Frame::Beat(beat(false)).encode(1)] {
        let mut stream = puppet.accept().await;
        stream.write_all(&wrong).await.unwrap();
        let mut rest = Vec::new();
        let _ended = stream.read_to_end(&mut rest).await;
    }
    agent.until("counted", |_| agent.link.counters().malformed == 2).await;
}

#[tokio::test]
async fn i01_a_limit_that_is_no_number_becomes_the_lowest_and_never_none() {
    let bench = Bench::start(1);
    let agent = Agent::start(bench.socket(), 3000);
    agent.link.throttle(cap(0, f32::NAN));
    agent.until("applied", |view| answered(view, 0, Verdict::Applied)).await;
    assert_eq!(bench.limit_watts(0), 200);
    agent.link.throttle(cap(99, 300.0));
    assert_eq!(agent.link.counters().requests_refused, 1);
    agent.stop().await;
}

#[test]
fn i11_readings_never_taken_are_for_ever_old() {
    let entry = |age_ms| GpuEntry {
        sample: Arc::new(GpuSample { age_ms, ..GpuSample::default() }),
        received_at: Millis::new(1000),
    };
    assert_eq!(entry(u32::MAX).age(Millis::new(1000)), Millis::FOREVER);
    assert_eq!(entry(20).age(Millis::new(1300)), Millis::new(320));
}

/// A link to a server that has been told to let go of its driver.
async fn detached(bench: &Bench) -> Agent {
    bench.set_margin(0, 50.0);
    let agent = Agent::start(bench.socket(), 3000);
    let cool = |view: &GpuView| {
        view.gpus.iter().any(|gpu| gpu.sample.margin.value().is_some_and(|margin| margin.get() > 40.0))
    };
    agent.until("cool", cool).await;
    let answer = agent.link.hand_over(HandOverWish::Detach(Detach { for_ms: 60_000 })).await.unwrap();
    assert_eq!(answer.result, HandOver::Detached);
    agent.until("detached", |view| view.driver == DriverState::Detached).await;
    agent
}

#[tokio::test]
async fn i11_a_gpu_process_that_went_away_while_detached_is_gone_and_not_detached() {
    let bench = Bench::start(1);
    let agent = detached(&bench).await;
    let view = agent.link.view();
    let heard_at = view.heard_at.unwrap();
    assert!(view.is_detached(heard_at + Millis::from_secs(3)), "a restart takes a moment");
    assert!(!view.is_detached(heard_at + Millis::new(3001)));
    agent.stop().await;
}

#[tokio::test]
async fn i02_the_cycle_takes_a_driver_back_that_a_person_wanted_let_go() {
    let bench = Bench::start(1);
    let agent = detached(&bench).await;
    agent.link.take_back();
    agent.until("taken back", |view| view.driver == DriverState::Ready).await;
    agent.stop().await;
}
