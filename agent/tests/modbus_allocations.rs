//! Requests cost a small constant of memory each, and none of it stays: 100,000 of them over a real socket.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout, reason = "tests may be blunt")]

use std::alloc::System;
use std::time::Duration;

use eisbach_agent::clock::Clock;
use eisbach_agent::modbus::device::{DeviceLink, DeviceSettings, spawn_all};
use eisbach_agent::modbus::profile::parse;
use eisbach_agent::modbus::wire::{LineSettings, Wire};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const REQUESTS: u64 = 100_000;
/// Requests after which every buffer has found its size.
const WARM: u64 = 5_000;
/// Measured: 3. The library boxes its future, copies the words and hands them on.
const ALLOCATIONS_PER_REQUEST: u64 = 4;
/// Links at the same time: each polls at most every 10 ms.
const LINKS: u8 = 8;
/// What the allocator may hold more at the end than at the beginning: not a byte for each request.
const GROWTH: usize = 4 * 1024;

/// Signals that a profile may have far apart, so that each needs a request of its own.
const SIGNALS: [&str; 12] = [
    "flow",
    "supply_temperature",
    "return_temperature",
    "heat_power",
    "dew_point",
    "air_temperature",
    "relative_humidity",
    "pump_speed",
    "pump_rpm",
    "pump_head",
    "pump_power",
    "inlet_pressure",
];

#[tokio::test(flavor = "current_thread")]
async fn i13_a_hundred_thousand_requests_leave_no_memory_behind() {
    let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
    let mut settings = Vec::new();
    for number in 0..LINKS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tasks.spawn(device(listener));
        settings.push(DeviceSettings {
            name: format!("bench{number}"),
            wire: Wire::parse(&address, LineSettings::default(), None).unwrap(),
            unit: 1,
            profile: parse("bench", "bench.toml", &profile()).unwrap(),
            poll_ms: 10,
            stale_ms: 1_000,
        });
    }
    let links = spawn_all(&mut tasks, settings, None, Clock::start(), &token);

    reach(&links, WARM).await;
    let region = Region::new(ALLOCATOR);
    let before = requests(&links);
    reach(&links, before + REQUESTS).await;
    let (change, made) = (region.change(), requests(&links) - before);

    let per_request = u64::try_from(change.allocations).unwrap() / made;
    let growth = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    println!("{made} requests: {per_request} allocations each, {growth} bytes more at the end");
    assert!(per_request <= ALLOCATIONS_PER_REQUEST, "{per_request} allocations a request");
    assert!(growth <= GROWTH, "{growth} bytes were not given back");
    assert!(links.iter().all(|link| link.counters().timeouts + link.counters().broken == 0));
    token.cancel();
}

fn requests(links: &[DeviceLink]) -> u64 {
    links.iter().map(|link| link.counters().requests).sum()
}

async fn reach(links: &[DeviceLink], wanted: u64) {
    while requests(links) < wanted {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Answers every read with zeros, from one buffer.
async fn device(listener: TcpListener) {
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut frame = [0_u8; 12];
    while stream.read_exact(&mut frame).await.is_ok() {
        let [t0, t1, _, _, _, _, unit, function, _, _, _, count] = frame;
        let mut answer = [0_u8; 9 + 250];
        let data = count * 2;
        answer[..9].copy_from_slice(&[t0, t1, 0, 0, 0, 3 + data, unit, function, data]);
        stream.write_all(&answer[..9 + usize::from(data)]).await.unwrap();
    }
}

fn profile() -> String {
    let points = SIGNALS.iter().enumerate().map(|(at, signal)| {
        format!(
            "[[points]]\nsignal = \"{signal}\"\ntable = \"holding\"\naddress = {}\nencoding = \"u16\"\nlow = 0.0\nhigh = 100.0\nsource = \"test\"\ngrade = \"A\"\n",
            at * 100
        )
    });
    let head = "name = \"bench\"\ndevice = \"bench\"\n[sources]\ntest = \"this test\"\n[link]\nmax_words = 10\ntimeout_ms = 1000\n";
    head.to_owned() + &points.collect::<String>()
}
