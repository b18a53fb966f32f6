//! The whole link against a broker that does what the test says, on a real socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::sparkplug::{BD_SEQ, Metric, NEXT_SERVER, Payload, Value};
use eisbach_protocol::units::Millis;
use rumqttc::{Connect, ConnectReturnCode, QoS};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::broker::{Broker, soon};
use super::world::{Sent, good, rebirth_request, report, settings};
use crate::clock::Clock;
use crate::facility::{
    BrokerAddress, FacilityLink, FacilitySettings, FacilityState, JsonSettings, Pace, SparkplugSettings,
};
use crate::report::Report;

/// Shorter than an operator may set it, for a test that waits for it.
pub(super) const PACE: Pace =
    Pace { keep_alive: Duration::from_secs(1), look: Duration::from_millis(20), spread: Millis::new(1) };
const BIRTHS: [&str; 6] = ["SUBSCRIBE", "SUBSCRIBE", "NBIRTH", "DBIRTH gpu0", "DBIRTH gpu1", "DBIRTH pump"];

/// An agent with nothing but its facility link.
struct Agent {
    link: FacilityLink,
    tasks: JoinSet<()>,
    token: CancellationToken,
}

impl Agent {
    fn start(
        ports: &[u16],
        settings: SparkplugSettings,
        json: Option<JsonSettings>,
        state_dir: &Path,
    ) -> Self {
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let settings = FacilitySettings {
            section: "facility",
            brokers: ports.iter().map(|port| at(*port)).collect(),
            tls: None,
            client_id: "node-7".into(),
            keep_alive_s: 10,
            node: "node-7".into(),
            state_dir: state_dir.to_owned(),
            desk: None,
            sparkplug: Some(settings),
            json,
            dsx: None,
            flex: None,
        };
        let link = FacilityLink::start(&mut tasks, settings, PACE, Clock::start(), token.clone()).unwrap();
        Self { link, tasks, token }
    }

    /// With a first report.
    fn reporting(port: u16, state_dir: &Path) -> Self {
        Self::walking(&[port], settings(), state_dir)
    }

    /// The same, with a list of brokers.
    fn walking(ports: &[u16], settings: SparkplugSettings, state_dir: &Path) -> Self {
        Self::of(ports, settings, None, state_dir)
    }

    /// The same, with the plain face beside.
    fn of(ports: &[u16], settings: SparkplugSettings, json: Option<JsonSettings>, state_dir: &Path) -> Self {
        let agent = Self::start(ports, settings, json, state_dir);
        agent.link.publish(Arc::new(report()));
        agent
    }

    async fn state(&mut self, state: FacilityState) {
        soon(self.link.state.wait_for(|now| *now == state)).await.unwrap();
    }

    /// As a crash: no goodbye.
    async fn kill(mut self) {
        self.tasks.shutdown().await;
    }

    async fn ended(&mut self) {
        while let Some(ended) = soon(self.tasks.join_next()).await {
            ended.unwrap();
        }
    }
}

fn at(port: u16) -> BrokerAddress {
    BrokerAddress { host: "127.0.0.1".into(), port, tls: false }
}

/// The cycle, faster than in life: it tells the same at its own pace and never ends.
pub(super) async fn cycles(link: &FacilityLink, report: Arc<Report>) {
    loop {
        link.publish(Arc::clone(&report));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The report of a hotter cycle.
fn hotter(by: u16) -> Arc<Report> {
    let mut hotter = report();
    for object in &mut hotter.objects {
        for (_, reading) in &mut object.points {
            *reading = reading.map(|value| match value {
                PointValue::Float(value) => PointValue::Float(value + 1000.0 * f32::from(by)),
                PointValue::Int(_) | PointValue::Bool(_) | PointValue::Text(_) | PointValue::Label(_) => {
                    value
                }
            });
        }
    }
    Arc::new(hotter)
}

fn dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn bd_seq_of(payload: &Payload) -> Option<Value> {
    payload.metrics.iter().find(|metric| metric.name() == Some(BD_SEQ))?.value(None).unwrap()
}

fn bd_seq_of_will(connect: &Connect) -> Option<Value> {
    bd_seq_of(&Payload::decode(&connect.last_will.as_ref()?.message).unwrap())
}

#[tokio::test]
async fn the_will_is_the_death_of_this_session_and_the_session_is_clean() {
    let (broker, dir) = (Broker::listen().await, dir());
    let _agent = Agent::reporting(broker.port(), dir.path());
    let (mut peer, connect) = broker.accept().await;
    let will = connect.last_will.clone().unwrap();
    assert_eq!(
        (will.topic.as_str(), will.qos, will.retain),
        ("spBv1.0/dc1/NDEATH/node-7", QoS::AtLeastOnce, false)
    );
    assert!(connect.clean_session);
    let (_, _, birth) = (peer.next().await, peer.next().await, peer.next().await);
    assert_eq!(bd_seq_of(birth.payload()), bd_seq_of_will(&connect));
}

#[tokio::test]
async fn a_broker_that_takes_its_time_sees_exactly_one_connect() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut agent = Agent::reporting(broker.port(), dir.path());
    let (mut peer, _) = broker.connect().await;
    assert!(!broker.is_knocked_at(Duration::from_millis(800)).await);
    peer.answer(ConnectReturnCode::Success).await;
    agent.state(FacilityState::Birthed).await;
    assert_eq!(peer.words(6).await, BIRTHS);
}

#[tokio::test]
async fn after_an_offline_time_the_birth_comes_first_and_tells_the_newest_values() {
    let dir = dir();
    let port = Broker::listen().await.port();
    let agent = Agent::reporting(port, dir.path());
    for cycle in 1..=600 {
        agent.link.publish(hotter(cycle));
        tokio::task::yield_now().await;
    }
    assert_eq!(agent.link.counters().published, 0);
    let broker = Broker::listen_on(port).await;
    let (mut peer, connect) = broker.accept().await;
    assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(0)), "attempts without a CONNECT take no number");
    for word in BIRTHS {
        let sent = peer.next().await;
        assert_eq!(sent.word(), word);
        if word == "DBIRTH gpu0" {
            let metrics = &sent.payload().metrics;
            let temperature = metrics.iter().find(|metric| metric.name() == Some("Temperature")).unwrap();
            assert_eq!(temperature.value(None), Ok(Some(Value::Float(600_050.0))));
        }
    }
    agent.link.publish(hotter(601));
    assert_eq!(peer.words(4).await, ["NDATA", "DDATA gpu0", "DDATA gpu1", "DDATA pump"]);
    assert_eq!(agent.link.counters().reconnects, 0);
}

#[tokio::test]
async fn what_was_written_for_one_connection_never_leaves_on_the_next() {
    let (broker, dir) = (Broker::listen().await, dir());
    let agent = Agent::reporting(broker.port(), dir.path());
    for cycle in 0..5 {
        let (mut peer, _) = broker.accept().await;
        assert_eq!(peer.words(3).await, BIRTHS[..3], "connection {cycle}");
        agent.link.publish(hotter(cycle));
        drop(peer);
        agent.link.publish(hotter(cycle + 100));
    }
}

#[tokio::test]
async fn bdseq_rises_by_one_a_connect_and_goes_on_after_a_crash() {
    let (broker, dir) = (Broker::listen().await, dir());
    let agent = Agent::reporting(broker.port(), dir.path());
    for expected in 0..3 {
        let (mut peer, connect) = broker.connect().await;
        assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(expected)));
        if expected == 1 {
            peer.answer(ConnectReturnCode::NotAuthorized).await;
        }
    }
    agent.kill().await;
    let _agent = Agent::reporting(broker.port(), dir.path());
    let (_, connect) = broker.connect().await;
    assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(3)));
}

#[tokio::test]
async fn a_clean_stop_says_ndeath_and_then_disconnects() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut agent = Agent::reporting(broker.port(), dir.path());
    let (mut peer, _) = broker.accept().await;
    assert_eq!(peer.words(6).await, BIRTHS);
    agent.token.cancel();
    let death = peer.next().await;
    assert_eq!((death.word().as_str(), bd_seq_of(death.payload())), ("NDEATH", Some(Value::Int64(0))));
    assert_eq!(peer.next().await, Sent::Disconnect);
    agent.ended().await;
    assert_eq!(agent.link.state(), FacilityState::Offline);
}

#[tokio::test]
async fn the_tasks_end_without_a_broker_and_with_a_silent_one() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut nobody = Agent::reporting(1, dir.path());
    let mut silent = Agent::reporting(broker.port(), dir.path());
    let (_peer, _) = broker.connect().await;
    for agent in [&mut nobody, &mut silent] {
        agent.token.cancel();
        agent.ended().await;
    }
}

#[tokio::test]
async fn a_broker_that_falls_silent_is_left_for_a_new_connection() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut agent = Agent::reporting(broker.port(), dir.path());
    let (_frozen, _) = broker.accept().await;
    agent.state(FacilityState::Birthed).await;
    let (mut peer, connect) = broker.accept().await;
    assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(1)));
    assert_eq!(peer.words(6).await, BIRTHS);
    assert_eq!(agent.link.counters().reconnects, 1);
}

#[tokio::test]
async fn i12_a_frozen_broker_with_a_full_socket_holds_up_nobody() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut agent = Agent::reporting(broker.port(), dir.path());
    let (_frozen, _) = broker.accept().await;
    agent.state(FacilityState::Birthed).await;
    let long_stories = ["a", "b"].map(|letter| &*letter.repeat(100_000).leak());
    for reason in long_stories.into_iter().cycle().take(1000) {
        let mut report = report();
        report.objects[0].points = vec![(PointId::NodeReason, good(PointValue::Text(reason)))];
        agent.link.publish(Arc::new(report));
        tokio::task::yield_now().await;
    }
    assert!(agent.link.counters().refused > 0, "socket and queue are full, and the cycle has not noticed");
    agent.link.publish(Arc::new(report()));
    let (mut peer, _) = broker.accept().await;
    assert_eq!(peer.words(6).await, BIRTHS, "nothing of the old connection comes first");
}

#[tokio::test]
async fn a_host_can_ask_for_births_and_a_retained_request_is_refused() {
    let (broker, dir) = (Broker::listen().await, dir());
    let mut agent = Agent::reporting(broker.port(), dir.path());
    let (mut peer, _) = broker.accept().await;
    assert_eq!(peer.words(6).await, BIRTHS);
    let request = rebirth_request();
    peer.publish(&request.topic, request.payload.clone(), true).await;
    peer.publish(&request.topic, vec![0xFF; 50_000], false).await;
    peer.publish(&request.topic, request.payload, false).await;
    agent.state(FacilityState::Connected).await;
    assert_eq!(agent.link.counters().commands_refused, 2);
    let cycles = cycles(&agent.link, hotter(1));
    let words = tokio::select! {
        words = peer.words(4) => words,
        () = cycles => Vec::new(),
    };
    assert_eq!(words, BIRTHS[2..], "and no data before them");
    assert_eq!(agent.link.counters().rebirths, 1);
}

/// Two brokers, and what the second one hears once the first has done what the test says.
async fn walked(first: impl AsyncFnOnce(super::broker::Peer)) -> (Connect, Vec<String>) {
    let (one, two, dir) = (Broker::listen().await, Broker::listen().await, dir());
    let _agent = Agent::walking(&[one.port(), two.port()], settings(), dir.path());
    let (mut peer, _) = one.accept().await;
    assert_eq!(peer.words(6).await, BIRTHS);
    first(peer).await;
    let (mut peer, connect) = two.accept().await;
    (connect, peer.words(6).await)
}

#[tokio::test]
async fn a_broker_that_dies_is_followed_by_the_next_with_new_births() {
    let (connect, words) = walked(async |peer| drop(peer)).await;
    assert_eq!((bd_seq_of_will(&connect), words), (Some(Value::Int64(1)), BIRTHS.map(String::from).to_vec()));
}

#[tokio::test]
async fn next_server_says_ndeath_and_disconnect_and_is_born_at_the_next_broker() {
    let (connect, words) = walked(async |mut peer| {
        let metrics = vec![Metric::named(NEXT_SERVER, Value::Boolean(true))];
        let payload = Payload { metrics, ..Payload::default() }.encode();
        peer.publish("spBv1.0/dc1/NCMD/node-7", payload, false).await;
        assert_eq!(peer.words(2).await, ["NDEATH", "DISCONNECT"]);
    })
    .await;
    assert_eq!((bd_seq_of_will(&connect), words), (Some(Value::Int64(1)), BIRTHS.map(String::from).to_vec()));
}

#[tokio::test]
async fn a_host_that_goes_offline_is_told_ndeath_and_awaited_again() {
    let (broker, dir) = (Broker::listen().await, dir());
    let settings = SparkplugSettings { primary_host: Some("scada".into()), ..settings() };
    let agent = Agent::walking(&[broker.port()], settings, dir.path());
    let (mut peer, _) = broker.accept().await;
    assert_eq!(peer.words(3).await, ["SUBSCRIBE"; 3]);
    let state = "spBv1.0/STATE/scada";
    let cycles = cycles(&agent.link, Arc::new(report()));
    let host = async {
        peer.publish(state, br#"{"online":true,"timestamp":1}"#.to_vec(), true).await;
        assert_eq!(peer.words(4).await, BIRTHS[2..]);
        peer.publish(state, br#"{"online":false,"timestamp":1}"#.to_vec(), false).await;
        assert_eq!(peer.words(2).await, ["NDEATH", "DISCONNECT"]);
        let (mut peer, connect) = broker.accept().await;
        assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(1)));
        assert_eq!(peer.words(3).await, ["SUBSCRIBE"; 3]);
    };
    tokio::select! {
        () = host => {}
        () = cycles => {}
    }
}

#[tokio::test]
async fn a_broker_that_answers_and_confirms_nothing_is_left_for_a_new_connection() {
    let (broker, dir) = (Broker::listen().await, dir());
    let json = JsonSettings { prefix: "p".into(), period: Millis::new(200), discovery: None };
    let agent = Agent::of(&[broker.port()], settings(), Some(json), dir.path());
    let (mut peer, _) = broker.accept().await;
    // It answers pings and subscriptions, and never a message that must be confirmed.
    let mute = async {
        loop {
            if peer.packet_answered().await.is_none() {
                break;
            }
        }
    };
    let cycles = cycles(&agent.link, Arc::new(report()));
    tokio::select! {
        () = mute => {}
        () = cycles => {}
    }
    let (_, connect) = broker.accept().await;
    assert_eq!(bd_seq_of_will(&connect), Some(Value::Int64(1)));
}
