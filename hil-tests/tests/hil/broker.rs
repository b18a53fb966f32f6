//! The facility's side, on a real mosquitto.

use std::time::Duration;

use eisbach_hil_tests::{Mosquitto, Observer, Rig, RigOptions, Seen, until};
use eisbach_protocol::sparkplug::{BD_SEQ, Metric, Payload, REBIRTH, Value};

const MINUTE: Duration = Duration::from_secs(60);
const NODE_COMMAND: &str = "spBv1.0/test/NCMD/node-0001";

/// A node on a broker that somebody has been watching from before its birth.
fn rig() -> (Rig, Mosquitto, Observer) {
    let broker = Mosquitto::start();
    let observer = Observer::start(broker.port());
    let rig = Rig::start(&RigOptions {
        broker: Some(broker.port()),
        workload: "training",
        ..RigOptions::default()
    });
    until("a birth", MINUTE, || observer.count("NBIRTH"), |births| *births > 0);
    (rig, broker, observer)
}

fn rebirth() -> Vec<u8> {
    Payload { timestamp_ms: Some(1), seq: None, metrics: vec![Metric::named(REBIRTH, Value::Boolean(true))] }
        .encode()
}

/// The node's own messages since its last NBIRTH, that one first.
fn since_birth(all: &[Seen]) -> Vec<Seen> {
    let start = all.iter().rposition(|seen| seen.kind() == "NBIRTH").expect("there is a birth");
    all[start..].iter().filter(|seen| !seen.kind().ends_with("CMD")).cloned().collect()
}

fn bd_seq(birth_or_death: &Seen) -> u8 {
    let payload = birth_or_death.payload();
    let metric = payload
        .metrics
        .iter()
        .find(|metric| metric.name() == Some(BD_SEQ))
        .expect("births and deaths carry bdSeq");
    match metric.value(None) {
        Ok(Some(Value::Int64(number))) => u8::try_from(number).unwrap(),
        other => panic!("bdSeq is {other:?}"),
    }
}

#[test]
fn nbirth_comes_before_any_data_and_the_sequence_has_no_gap() {
    let (_rig, _broker, observer) = rig();
    observer.publish(NODE_COMMAND, rebirth(), false);
    let before = observer.count("NBIRTH");
    until("a rebirth", MINUTE, || observer.count("NBIRTH"), |births| *births > before);
    until(
        "the sequence has wrapped",
        3 * MINUTE,
        || since_birth(&observer.all()).len(),
        |messages| *messages > 300,
    );
    let messages = since_birth(&observer.all());
    assert_eq!(messages[0].kind(), "NBIRTH");
    for (position, seen) in messages.iter().enumerate() {
        assert!(!seen.retained, "{}", seen.topic);
        assert_eq!(seen.payload().seq.map(usize::from), Some(position % 256), "{} at {position}", seen.topic);
    }
    let mut born = std::collections::BTreeSet::new();
    for seen in &messages[1..] {
        let device = seen.topic.split('/').nth(4).map(str::to_owned);
        match (seen.kind(), device) {
            ("DBIRTH", Some(device)) => assert!(born.insert(device)),
            ("DDATA", Some(device)) => assert!(born.contains(&device), "data of {device} before its birth"),
            ("NDATA", None) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(born.len(), 13, "eight GPUs and five devices: {born:?}");
}

#[test]
fn a_killed_agent_dies_by_its_will_and_is_born_again_with_the_next_bdseq() {
    let (mut rig, _broker, observer) = rig();
    let first = bd_seq(&since_birth(&observer.all())[0]);
    rig.agent.kill();
    until("the will", MINUTE, || observer.count("NDEATH"), |deaths| *deaths == 1);
    let death = observer.all().into_iter().find(|seen| seen.kind() == "NDEATH").unwrap();
    assert_eq!(bd_seq(&death), first);
    let births = observer.count("NBIRTH");
    rig.start_agent();
    until("a birth", MINUTE, || observer.count("NBIRTH"), |now| *now > births);
    assert_eq!(bd_seq(&since_birth(&observer.all())[0]), first.wrapping_add(1));
}

#[test]
fn a_clean_stop_says_ndeath_once() {
    let (mut rig, _broker, observer) = rig();
    assert!(rig.agent.stop(Duration::from_secs(15)).success());
    until("a death", MINUTE, || observer.count("NDEATH"), |deaths| *deaths > 0);
    assert_eq!(observer.all().last().map(|seen| seen.kind().to_owned()).as_deref(), Some("NDEATH"));
    assert_eq!(observer.count("NDEATH"), 1);
}

#[test]
fn i12_a_broker_away_for_thirty_seconds_costs_no_cycle_and_the_first_word_after_it_is_a_birth() {
    let (rig, mut broker, observer) = rig();
    let before = rig.cycles();
    broker.stop();
    let away = until("three hundred cycles pass", 2 * MINUTE, || rig.cycles(), |now| now.0 >= before.0 + 300);
    assert!(away.1 - before.1 <= 30, "{} of 300 cycles overran", away.1 - before.1);
    assert_eq!(rig.state(), "running");
    let restarted_ms = rig.status()["timestamp_ms"].as_u64().unwrap();
    broker.start_again();
    // What the observer's client still held from before the outage is older than this.
    let since = || -> Vec<Seen> {
        let all = observer.all();
        all.into_iter()
            .filter(|seen| seen.payload().timestamp_ms.is_some_and(|at| at >= restarted_ms))
            .collect()
    };
    until("it speaks again", MINUTE, || since().len(), |seen| *seen > 20);
    // The observer may itself come back later than the agent and miss the birth; what it does see must not be stale.
    let after = since();
    if let Some(birth) = after.iter().position(|seen| seen.kind() == "NBIRTH") {
        assert_eq!(birth, 0, "{:?}", after.iter().map(Seen::kind).collect::<Vec<_>>());
    }
    let births = observer.count("NBIRTH");
    observer.publish(NODE_COMMAND, rebirth(), false);
    until("a birth on request", MINUTE, || observer.count("NBIRTH"), |now| *now > births);
}

#[test]
fn commands_that_are_retained_malformed_or_unknown_do_nothing() {
    let (rig, _broker, observer) = rig();
    let before = observer.count("NBIRTH");
    let unknown = Payload {
        timestamp_ms: Some(1),
        seq: None,
        metrics: vec![Metric::named("Node Control/Reboot", Value::Boolean(true))],
    };
    for payload in [vec![0xFF; 100], Vec::new(), unknown.encode(), vec![0; 200_000]] {
        observer.publish(NODE_COMMAND, payload, false);
    }
    let cycles = rig.cycles().0;
    until("time passes", MINUTE, || rig.cycles().0, |now| *now > cycles + 70);
    assert_eq!(observer.count("NBIRTH"), before);
    assert_eq!(rig.state(), "running");
}
