//! The exchange as it is run: a cluster of NATS servers, one of which dies.
//!
//! It is the one that leads least: where a leader dies, part of MQTT stands still before the servers have elected
//! another, and nothing that a client does makes that faster. A bystander that comes at that moment tells how long.

use std::thread::JoinHandle;
use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Nats, Observer, Rig, RigOptions, Seen, Stopwatch, until};
use serde_json::Value;

/// From the death of a server to the first word through another, beyond what the other servers need to serve anybody.
const LIMIT: Duration = Duration::from_secs(5);

/// How long a client that comes now waits until a server has taken its session, and kept and told what it says.
fn bystander(port: u16) -> JoinHandle<Duration> {
    std::thread::spawn(move || {
        let since = Stopwatch::start();
        Observer::start_as("bystander", port).keep("bystander", b"here".to_vec());
        since.elapsed()
    })
}

fn of<'a>(all: &'a [Seen], prefix: &str) -> impl Iterator<Item = &'a Seen> {
    all.iter().filter(move |seen| seen.topic.starts_with(prefix))
}

/// The numbers of the events told, each once, in order.
fn numbers(observer: &Observer) -> Vec<u64> {
    let all = observer.all();
    let events = of(&all, "eisbach/v1/node-0001/event");
    let number =
        |seen: &Seen| serde_json::from_slice::<Value>(&seen.payload).expect("JSON")["number"].as_u64();
    let mut numbers: Vec<_> = events.filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[test]
fn a_server_that_dies_costs_five_seconds_at_most_and_no_event() {
    let mut cluster = Nats::cluster(3);
    let mut places = [0, 1, 2];
    places.sort_by_key(|at| cluster.leads(*at));
    let ports = places.map(|at| cluster.ports()[at]);
    // A third party, on a server that stays and leads.
    let observer = Observer::start(ports[2]);
    let brokers = ports.map(|port| format!("mqtt://127.0.0.1:{port}")).to_vec();
    let rig = Rig::start(&RigOptions {
        settings: vec![
            ("exchange", "brokers", brokers.into()),
            ("exchange.dsx", "rack_id", "r-12".into()),
            ("exchange.json", "prefix", "eisbach/v1".into()),
        ],
        ..RigOptions::default()
    });
    let count = |prefix: &str| of(&observer.all(), prefix).count();
    until(
        "both faces speak",
        MINUTE,
        || (count("BMS/"), count("eisbach/v1/")),
        |seen| seen.0 > 20 && seen.1 > 20,
    );
    rig.event("leak-sensor-fault");
    rig.alarm_is("leak_sensor_fault", true, MINUTE);
    until("its event", MINUTE, || numbers(&observer), |numbers| !numbers.is_empty());

    let before = (count("BMS/"), count("eisbach/v1/"));
    let since = Stopwatch::start();
    cluster.kill(places[0]);
    let bystander = bystander(ports[1]);
    rig.event("leak-sensor-ok");
    until(
        "both faces speak through another server",
        2 * MINUTE,
        || (count("BMS/"), count("eisbach/v1/")),
        |now| now.0 > before.0 + 5 && now.1 > before.1 + 5,
    );
    let took = since.elapsed();
    let others = bystander.join().expect("the bystander is served");
    eprintln!(
        "spoke through another server after {} ms, a bystander after {} ms",
        took.as_millis(),
        others.as_millis()
    );
    assert!(took <= LIMIT + others, "{took:?}, a bystander {others:?}");

    rig.alarm_is("leak_sensor_fault", false, MINUTE);
    rig.event("leak-sensor-fault");
    rig.alarm_is("leak_sensor_fault", true, MINUTE);
    let last = || rig.status()["events"]["last"].as_u64();
    let wanted = last().unwrap_or(3);
    let seen = until("every event", MINUTE, || numbers(&observer), |numbers| numbers.last() >= Some(&wanted));
    assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
    assert_eq!(seen.first(), Some(&1), "{seen:?}");
}
