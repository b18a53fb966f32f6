//! Clients that break the rules or the bounds: they are closed, and nobody else notices.

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use rumqttc::{Connect, ConnectReturnCode, LastWill, Packet, Protocol, PubAck, Publish, QoS, Subscribe};

use super::bench::{Bench, Client, Raw, until, within};
use crate::broker::Limits;

#[tokio::test]
async fn what_is_not_offered_or_not_allowed_closes_that_client_only() {
    let bench = Bench::start().await;
    let mut other = bench.client("other").await;
    other.subscribe("data", QoS::AtMostOnce).await;

    let publish = |topic: &str, qos| {
        let mut message = Publish::new(topic, qos, "x");
        message.pkid = 1;
        Packet::Publish(message)
    };
    let subscribe = |filter: &str, pkid| {
        let mut request = Subscribe::new(filter, QoS::AtMostOnce);
        request.pkid = pkid;
        Packet::Subscribe(request)
    };
    let offences = [
        publish("data", QoS::ExactlyOnce),
        publish("data/+", QoS::AtMostOnce),
        publish("", QoS::AtMostOnce),
        subscribe("a#", 1),
        subscribe("a", 0),
        Packet::Connect(Connect::new("again")),
        Packet::PingResp,
    ];
    let count = offences.len() as u64;
    for offence in offences {
        let mut raw = bench.raw_client(Connect::new("rogue")).await;
        raw.send(&offence).await;
        raw.expect_closed().await;
    }
    until(|| bench.control.stats().violations == count).await;

    other.publish("data", "still here", false).await;
    assert_eq!(other.published().await.payload, "still here");
}

#[tokio::test]
async fn a_client_that_breaks_the_rules_leaves_its_will() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();
    let mut connect = Connect::new("rogue");
    connect.last_will = Some(LastWill::new("gone", "x", QoS::AtMostOnce, false));
    let mut raw = bench.raw_client(connect).await;
    raw.send(&Packet::PingResp).await;
    assert!(within(observer.next()).await.unwrap().will);
}

#[tokio::test]
async fn i13_a_packet_over_the_limit_is_refused_before_it_is_read() {
    let bench = Bench::start().await;
    let mut raw = bench.raw_client(Connect::new("big")).await;
    // PUBLISH with a remaining length of 262,145: one more than 256 KiB.
    raw.send_bytes(&[0x30, 0x81, 0x80, 0x10]).await;
    raw.expect_closed().await;
    assert_eq!(bench.control.stats().violations, 1);
}

#[tokio::test]
async fn another_protocol_version_is_told_so() {
    let bench = Bench::start().await;
    let mut five = Connect::new("modern");
    five.protocol = Protocol::V5;
    let mut bytes = bytes::BytesMut::new();
    Packet::Connect(five).write(&mut bytes, usize::MAX).unwrap();
    let mut three = bytes.clone();
    three[8] = 3;
    for connect in [bytes, three] {
        let mut raw = bench.raw().await;
        raw.send_bytes(&connect).await;
        let Some(Packet::ConnAck(ack)) = within(raw.receive()).await else {
            panic!("no CONNACK");
        };
        assert_eq!(ack.code, ConnectReturnCode::RefusedProtocolVersion);
        raw.expect_closed().await;
    }
}

#[tokio::test]
async fn nothing_but_connect_comes_first_and_a_will_has_to_be_publishable() {
    let bench = Bench::start().await;
    let mut raw = bench.raw().await;
    raw.send(&Packet::PingReq).await;
    raw.expect_closed().await;

    let will = |topic: &str, qos| Some(LastWill::new(topic, "x", qos, false));
    for last_will in [will("a/#", QoS::AtMostOnce), will("a", QoS::ExactlyOnce)] {
        let mut raw = bench.raw().await;
        raw.send(&Packet::Connect(Connect { last_will, ..Connect::new("node") })).await;
        raw.expect_closed().await;
    }
    assert_eq!(bench.control.stats().clients, 0);
}

#[tokio::test]
async fn garbage_on_the_socket_hurts_nobody() {
    let bench = Bench::start().await;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
    for round in 0..200 {
        let mut raw =
            if round % 2 == 0 { bench.raw().await } else { bench.raw_client(Connect::new("rogue")).await };
        let mut garbage = [0; 64];
        random.fill_bytes(&mut garbage);
        raw.send_bytes(&garbage).await;
    }
    let mut other = bench.client("other").await;
    other.publish("data", "x", false).await;
    until(|| bench.control.stats().clients == 1).await;
}

#[tokio::test]
async fn i13_one_connection_too_many_is_turned_away() {
    let bench = Bench::with(Limits { clients: 1, ..Limits::default() }).await;
    let first = bench.raw_client(Connect::new("first")).await;
    bench.raw().await.expect_closed().await;
    assert_eq!(bench.control.stats().refused, 1);

    drop(first);
    until(|| bench.control.stats().clients == 0).await;
}

#[tokio::test]
async fn i13_a_full_queue_drops_qos_0_and_counts_it() {
    let bench = Bench::with(Limits { queue: 4, ..Limits::default() }).await;
    let mut deaf = bench.raw_client(Connect::new("deaf")).await;
    subscribe(&mut deaf, QoS::AtMostOnce).await;
    let mut options = bench.options("node");
    options.set_max_packet_size(1 << 18, 1 << 18);
    let mut node = Client::connect(options).await;
    let payload = "x".repeat(200_000);
    for _ in 0..400 {
        node.publish("data", &payload, false).await;
        if bench.control.stats().dropped > 0 {
            break;
        }
    }
    let stats = bench.control.stats();
    assert!(stats.dropped > 0, "{stats:?}");
    assert_eq!((stats.clients, stats.too_slow), (2, 0));
}

#[tokio::test]
async fn i13_a_client_that_never_acknowledges_qos_1_is_closed_and_not_lied_to() {
    let bench = Bench::with(Limits { queue: 4, ..Limits::default() }).await;
    let mut mute = bench.raw_client(Connect::new("mute")).await;
    subscribe(&mut mute, QoS::AtLeastOnce).await;
    let mut node = bench.client("node").await;
    for _ in 0..100 {
        node.publish("data", "x", false).await;
    }
    until(|| bench.control.stats().clients == 1).await;
    assert_eq!(bench.control.stats().too_slow, 1);
}

#[tokio::test]
async fn i13_retained_messages_asked_for_again_and_again_and_never_taken_end_the_connection() {
    let bench = Bench::with(Limits { retained: 70, ..Limits::default() }).await;
    let mut node = bench.client("node").await;
    for index in 0..70 {
        node.publish(&format!("data/{index}"), "x", true).await;
    }
    let mut mute = bench.raw_client(Connect::new("mute")).await;
    for _ in 0..4 {
        let mut request = Subscribe::new("data/+", QoS::AtLeastOnce);
        request.pkid = 1;
        mute.send(&Packet::Subscribe(request)).await;
    }
    while within(mute.receive()).await.is_some() {}
    assert_eq!(bench.control.stats().violations, 1);
}

#[tokio::test]
async fn a_client_that_acknowledges_may_have_any_number_of_qos_1_messages() {
    let bench = Bench::start().await;
    let mut scada = bench.raw_client(Connect::new("scada")).await;
    subscribe(&mut scada, QoS::AtLeastOnce).await;
    let mut node = bench.client("node").await;
    for _ in 0..200 {
        node.publish("data", "x", false).await;
        let Some(Packet::Publish(message)) = within(scada.receive()).await else {
            panic!("no PUBLISH");
        };
        scada.send(&Packet::PubAck(PubAck::new(message.pkid))).await;
    }
    assert_eq!(bench.control.stats().too_slow, 0);
}

async fn subscribe(raw: &mut Raw, qos: QoS) {
    let mut request = Subscribe::new("data", qos);
    request.pkid = 1;
    raw.send(&Packet::Subscribe(request)).await;
    assert!(matches!(within(raw.receive()).await, Some(Packet::SubAck(_))));
}
