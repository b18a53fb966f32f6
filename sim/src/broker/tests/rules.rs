//! The rules of MQTT that the agent and SCADA hosts rely on.

use std::collections::BTreeSet;

use rumqttc::{Connect, ConnectReturnCode, LastWill, Packet, Publish, QoS, Subscribe, SubscribeReasonCode};

use super::bench::{Bench, until, within};
use crate::broker::Limits;

#[tokio::test]
async fn a_retained_message_reaches_a_later_subscriber_until_an_empty_one_clears_it() {
    let bench = Bench::start().await;
    let mut node = bench.client("node").await;
    node.publish("state/node", "online", true).await;
    node.publish("state/node", "news", false).await;

    let mut early = bench.client("early").await;
    early.subscribe("state/+", QoS::AtLeastOnce).await;
    let message = early.published().await;
    assert_eq!((message.payload.as_ref(), message.retain), (b"online".as_slice(), true));

    node.publish("state/node", "", true).await;
    let message = early.published().await;
    assert!(!message.retain, "to one who is subscribed already it is an ordinary message");
    assert_eq!(bench.control.stats().retained, 0);

    let mut late = bench.client("late").await;
    late.subscribe("state/+", QoS::AtLeastOnce).await;
    node.publish("state/marker", "x", false).await;
    assert_eq!(late.published().await.topic, "state/marker");
}

#[tokio::test]
async fn more_retained_messages_than_fit_in_flight_all_arrive() {
    let bench = Bench::start().await;
    let mut node = bench.client("node").await;
    for index in 0..200 {
        node.publish(&format!("meta/{index}"), "x", true).await;
    }
    let mut scada = bench.client("scada").await;
    scada.mqtt.subscribe("meta/#", QoS::AtLeastOnce).await.unwrap();
    let mut topics = BTreeSet::new();
    for _ in 0..200 {
        topics.insert(scada.published().await.topic);
    }
    assert_eq!(topics.len(), 200);
}

#[tokio::test]
async fn a_subscriber_gets_what_matches_until_it_unsubscribes() {
    let bench = Bench::start().await;
    let (mut node, mut scada) = (bench.client("node").await, bench.client("scada").await);
    scada.subscribe("spBv1.0/+/NDATA/#", QoS::AtMostOnce).await;
    scada.subscribe("marker", QoS::AtMostOnce).await;
    node.publish("spBv1.0/dc1/NCMD/n", "no", false).await;
    node.publish("spBv1.0/dc1/NDATA/n", "yes", false).await;
    assert_eq!(scada.published().await.payload, "yes");

    scada.unsubscribe("spBv1.0/+/NDATA/#").await;
    node.publish("spBv1.0/dc1/NDATA/n", "no", false).await;
    node.publish("marker", "end", false).await;
    assert_eq!(scada.published().await.payload, "end");
}

#[tokio::test]
async fn a_message_is_delivered_at_the_lower_of_its_qos_and_the_subscription() {
    const QOS: [QoS; 2] = [QoS::AtMostOnce, QoS::AtLeastOnce];
    let bench = Bench::start().await;
    for granted in QOS {
        let mut scada = bench.client(&format!("scada-{granted:?}")).await;
        scada.subscribe("data", granted).await;
        for sent in QOS {
            let node = bench.client("node").await;
            node.mqtt.publish("data", sent, false, "x").await.unwrap();
            let message = scada.published().await;
            let lower = if sent < granted { sent } else { granted };
            assert_eq!(message.qos, lower, "sent {sent:?}, granted {granted:?}");
            assert_eq!(message.pkid != 0, lower == QoS::AtLeastOnce);
        }
    }
}

#[tokio::test]
async fn a_subscription_for_qos_2_is_granted_qos_1_and_one_too_many_is_refused() {
    let bench = Bench::with(Limits { subscriptions: 1, ..Limits::default() }).await;
    let mut raw = bench.raw_client(Connect::new("scada")).await;
    let mut request = Subscribe::new("a", QoS::ExactlyOnce);
    request.add("b".into(), QoS::AtMostOnce).pkid = 7;
    raw.send(&Packet::Subscribe(request)).await;
    let Some(Packet::SubAck(ack)) = within(raw.receive()).await else {
        panic!("no SUBACK");
    };
    let expected = [SubscribeReasonCode::Success(QoS::AtLeastOnce), SubscribeReasonCode::Failure];
    assert_eq!((ack.pkid, ack.return_codes.as_slice()), (7, expected.as_slice()));
}

#[tokio::test]
async fn a_will_is_published_when_the_connection_breaks_and_not_after_disconnect() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();

    let polite = bench.client_with_will("polite").await;
    polite.mqtt.disconnect().await.unwrap();
    until(|| bench.control.stats().clients == 0).await;
    assert_eq!(bench.control.stats().wills, 0);

    drop(bench.client_with_will("broken").await);
    let will = within(observer.next()).await.unwrap();
    assert_eq!((will.client_id.as_str(), will.topic.as_str(), will.will), ("broken", "gone/broken", true));
    assert_eq!(will.sequence, 0, "nothing was published before it");
}

#[tokio::test]
async fn a_client_silent_beyond_its_keep_alive_is_closed_and_its_will_published() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();
    let mut connect = Connect::new("silent");
    connect.keep_alive = 1;
    connect.last_will = Some(LastWill::new("gone", "x", QoS::AtMostOnce, true));
    let mut raw = bench.raw_client(connect).await;
    raw.expect_closed().await;
    assert!(within(observer.next()).await.unwrap().will);
    let stats = bench.control.stats();
    assert_eq!((stats.keep_alive_expired, stats.wills, stats.retained), (1, 1, 1));
}

#[tokio::test]
async fn a_second_connection_takes_over_and_the_will_of_the_first_is_published_before_anything_else() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();
    let mut first = bench.client_with_will("node").await;
    first.subscribe("old", QoS::AtMostOnce).await;
    let mut second = bench.client_with_will("node").await;
    second.subscribe("#", QoS::AtMostOnce).await;
    first.closed().await;
    second.publish("new", "x", false).await;

    assert_eq!(within(observer.next()).await.unwrap().topic, "gone/node");
    assert_eq!(within(observer.next()).await.unwrap().topic, "new");
    assert_eq!(second.published().await.topic, "new", "its predecessor's will came before its subscription");
    let stats = bench.control.stats();
    assert_eq!((stats.takeovers, stats.wills, stats.clients), (1, 1, 1));
}

#[tokio::test]
async fn an_empty_client_id_is_for_clean_sessions_only() {
    let bench = Bench::start().await;
    let (_first, _second) =
        (bench.raw_client(Connect::new("")).await, bench.raw_client(Connect::new("")).await);
    assert_eq!(bench.control.stats().clients, 2);

    let mut raw = bench.raw().await;
    let mut connect = Connect::new("");
    connect.clean_session = false;
    raw.send(&Packet::Connect(connect)).await;
    let Some(Packet::ConnAck(ack)) = within(raw.receive()).await else {
        panic!("no CONNACK");
    };
    assert_eq!(ack.code, ConnectReturnCode::BadClientId);
    raw.expect_closed().await;
}

#[tokio::test]
async fn the_observer_sees_what_passes_and_counts_what_it_missed() {
    let bench = Bench::with(Limits { observer_lag: 2, ..Limits::default() }).await;
    let mut observer = bench.control.subscribe_all();
    let mut node = bench.client("node").await;
    for payload in ["0", "1", "2", "3", "4"] {
        node.publish("data", payload, false).await;
    }
    let seen = observer.try_next().unwrap();
    assert_eq!((seen.sequence, observer.missed()), (3, 3));
    assert_eq!((seen.client_id.as_str(), seen.payload.as_ref()), ("node", b"3".as_slice()));
    assert_eq!(observer.try_next().unwrap().sequence, 4);
    assert_eq!(observer.try_next(), None);
}

#[tokio::test]
async fn the_latest_connects_are_remembered_as_they_were_sent() {
    let bench = Bench::with(Limits { connects_remembered: 1, ..Limits::default() }).await;
    let _older = bench.client("older").await;
    let mut connect = Connect::new("node");
    connect.last_will = Some(LastWill::new("gone", "x", QoS::AtLeastOnce, false));
    connect.keep_alive = 30;
    let _node = bench.raw_client(connect.clone()).await;
    let seen = bench.control.connects();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].client_id.as_str(), seen[0].clean_session), ("node", true));
    assert_eq!((seen[0].keep_alive_seconds, &seen[0].will), (30, &connect.last_will));
}

#[tokio::test]
async fn a_publisher_may_pipeline_behind_its_connect() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();
    let mut raw = bench.raw().await;
    let data = || Packet::Publish(Publish::new("data", QoS::AtMostOnce, "x"));
    let mut bytes = bytes::BytesMut::new();
    for packet in [Packet::Connect(Connect::new("hasty")), data(), data(), Packet::PingReq] {
        packet.write(&mut bytes, usize::MAX).unwrap();
    }
    raw.send_bytes(&bytes).await;
    raw.expect_welcome().await;
    assert_eq!(within(raw.receive()).await, Some(Packet::PingResp));
    assert_eq!(observer.try_next().unwrap().topic, "data");
    assert_eq!(observer.try_next().unwrap().topic, "data");
}

#[tokio::test]
async fn a_stopped_broker_closes_its_connections_and_its_port() {
    let mut bench = Bench::start().await;
    let mut node = bench.client("node").await;
    bench.stop.cancel();
    within(bench.tasks.join_next()).await.unwrap().unwrap();
    node.closed().await;
    assert!(tokio::net::TcpStream::connect(bench.address).await.is_err());
}
