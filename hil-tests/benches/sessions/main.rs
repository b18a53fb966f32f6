//! A site of nodes in one process against one mosquitto with certificates: births after a restart of the broker, loss,
//! and what a message costs.
//!
//! ```text
//!   1,250 facility links, the agent's own code ──► mosquitto as shipped, mTLS ──► host: STATE, counts, gaps
//!   1,250 plain MQTT clients, the same bytes ────►
//! ```
//!
//! Run with `.ci/bench sessions [nodes]`; it prints rows for `docs/performance.md`. One value of each node changes each
//! second. The plain clients publish what a node's data weighs, at the same pace and over the same broker, so that the
//! ratio is what the agent adds. Links, plain clients and host share the machine with the broker.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measuring program may be blunt, and counts a few thousand"
)]

mod fleet;
mod host;
mod plain;
mod usage;

use std::time::Duration;

use eisbach_agent::clock::Clock;
use eisbach_hil_tests::{Mosquitto, Stopwatch};
use tokio::runtime::Runtime;

use fleet::Fleet;
use host::Host;
use usage::Usage;

/// A site of a thousand nodes and its spares.
const NODES: usize = 1250;
/// How long data is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// More than anything takes that works.
const LIMIT: Duration = Duration::from_secs(120);

fn main() {
    // cargo hands over `--bench` too.
    let nodes = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(NODES);
    let names: Vec<String> = (1..=nodes).map(|number| format!("node-{number:04}")).collect();
    let bearers: Vec<&str> = names.iter().map(String::as_str).chain(["scada"]).collect();
    let mut broker = Mosquitto::shipped(&bearers);
    let host = Host::start(&broker);
    let runtime = Runtime::new().unwrap();
    println!("| {nodes} sessions, mTLS, one mosquitto, one machine of {} processors | |", processors());
    println!("|---|---|");

    let watch = Stopwatch::start();
    let fleet = runtime.block_on(async { Fleet::start(&broker, &names, Clock::start()) });
    runtime.block_on(fleet.while_reporting(host.all_born(nodes, LIMIT)));
    println!("| all births, from nothing | {:.1} s |", watch.elapsed().as_secs_f64());

    let (before, seen) = (both(&broker), host.counts());
    runtime.block_on(fleet.while_reporting(watched()));
    let (ours, theirs) = since(&broker, before);
    let told = host.counts().since(seen);
    let agent_us = ours.cpu_us / told.data as f64;
    println!("| data, a node | {:.2} messages/s |", told.data as f64 / WATCHED.as_secs_f64() / nodes as f64);
    println!("| lost | {} of {} |", told.gaps, told.data);
    println!("| processor time a message, agent's links | {agent_us:.0} µs |");
    println!("| memory a session | {:.0} KiB |", ours.rss_mib * 1024.0 / nodes as f64);
    println!("| mosquitto | {:.1} % of a processor, {:.0} MiB |", share(&theirs), theirs.rss_mib);

    host.forget();
    broker.kill();
    let watch = Stopwatch::start();
    broker.start_again();
    let up = watch.elapsed();
    runtime.block_on(fleet.while_reporting(host.all_born(nodes, LIMIT)));
    println!(
        "| all births, from the restarted broker's first connection | {:.1} s |",
        (watch.elapsed() - up).as_secs_f64()
    );
    let seen = host.counts();
    runtime.block_on(fleet.while_reporting(watched()));
    let told = host.counts().since(seen);
    println!("| lost after that | {} of {} |", told.gaps, told.data);
    runtime.block_on(fleet.stop());

    let bytes = host.data_bytes();
    let plain = runtime.block_on(plain::Plain::start(&broker, &names, bytes, LIMIT));
    let (before, seen) = (both(&broker), host.counts());
    runtime.block_on(plain.publish_for(WATCHED));
    let (ours, _) = since(&broker, before);
    let plain_us = ours.cpu_us / host.counts().since(seen).data as f64;
    println!("| processor time a message, plain clients, {bytes} bytes | {plain_us:.0} µs |");
    println!("| ratio | {:.2} |", agent_us / plain_us);
}

/// Made within the runtime.
async fn watched() {
    tokio::time::sleep(WATCHED).await;
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Ours without the host, and the broker's.
fn both(broker: &Mosquitto) -> (Usage, Usage) {
    (Usage::of(std::process::id(), host::THREAD), Usage::of(broker.id(), ""))
}

fn since(broker: &Mosquitto, before: (Usage, Usage)) -> (Usage, Usage) {
    let (ours, theirs) = both(broker);
    (ours.since(&before.0), theirs.since(&before.1))
}

fn share(usage: &Usage) -> f64 {
    usage.cpu_us / 1e4 / WATCHED.as_secs_f64()
}
