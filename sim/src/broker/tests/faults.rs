//! The faults that a test can order.

use std::time::Duration;

use rumqttc::{Connect, Packet, QoS};

use super::bench::{Bench, never, until, within};

#[tokio::test]
async fn a_cut_ends_every_session_and_refuses_new_ones_until_restored() {
    let bench = Bench::start().await;
    let mut observer = bench.control.subscribe_all();
    let mut node = bench.client_with_will("node").await;
    node.publish("state", "kept", true).await;

    bench.control.cut();
    assert_eq!(bench.control.stats().clients, 0);
    node.closed().await;
    assert_eq!(within(observer.next()).await.unwrap().topic, "state");
    assert_eq!(within(observer.next()).await.unwrap().topic, "gone/node");
    let mut refused = bench.raw().await;
    refused.send(&Packet::Connect(Connect::new("node"))).await;
    refused.expect_closed().await;

    bench.control.restore();
    let mut node = bench.client("node").await;
    node.subscribe("state", QoS::AtMostOnce).await;
    assert_eq!(node.published().await.payload, "kept");
}

#[tokio::test]
async fn a_connection_accepted_before_a_cut_is_not_taken_in_during_it() {
    let bench = Bench::start().await;
    let mut raw = bench.raw().await;
    raw.send_bytes(&[0x10]).await;
    let _accepted = bench.raw_client(Connect::new("later")).await;
    bench.control.cut();
    let mut rest = bytes::BytesMut::new();
    Packet::Connect(Connect::new("node")).write(&mut rest, usize::MAX).unwrap();
    raw.send_bytes(&rest[1..]).await;
    within(raw.receive()).await;
    assert_eq!(bench.control.stats().clients, 0);
}

#[tokio::test]
async fn a_frozen_broker_accepts_and_says_nothing_until_it_thaws() {
    let bench = Bench::start().await;
    let mut member = bench.raw_client(Connect::new("member")).await;

    bench.control.freeze();
    member.send(&Packet::PingReq).await;
    let mut newcomer = bench.raw().await;
    newcomer.send(&Packet::Connect(Connect::new("newcomer"))).await;
    never(member.receive()).await;
    never(newcomer.receive()).await;
    assert_eq!(bench.control.stats().connects, 1);

    bench.control.thaw();
    assert_eq!(within(member.receive()).await, Some(Packet::PingResp));
    newcomer.expect_welcome().await;
}

#[tokio::test]
async fn a_cut_ends_frozen_sessions_too() {
    let bench = Bench::start().await;
    let mut member = bench.raw_client(Connect::new("member")).await;
    bench.control.freeze();
    bench.control.cut();
    member.expect_closed().await;
}

#[tokio::test]
async fn a_delayed_connack_leaves_the_client_waiting_as_a_member() {
    let bench = Bench::start().await;
    bench.control.delay_connack(Duration::from_secs(3600));
    let mut waiting = bench.raw().await;
    waiting.send(&Packet::Connect(Connect::new("waiting"))).await;
    until(|| bench.control.stats().clients == 1).await;
    never(waiting.receive()).await;

    bench.control.delay_connack(Duration::ZERO);
    let _other = bench.raw_client(Connect::new("other")).await;
    bench.control.cut();
    waiting.expect_closed().await;
}
