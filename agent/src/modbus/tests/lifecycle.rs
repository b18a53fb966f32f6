//! What the cycle sees of a link, from start to stop.

use super::*;
use crate::modbus::state::Phase;
use eisbach_protocol::reading::{BadReason, Quality};
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::Millis;

#[tokio::test]
async fn i11_every_value_has_its_quality_from_the_first_moment() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    let quality = |signal| link.reading(signal, rig.clock.now()).quality();
    assert_eq!(quality(Signal::Flow), Quality::Bad(BadReason::NeverRead));
    assert_eq!(quality(Signal::ValvePosition), Quality::Bad(BadReason::NotSupported));
    until(&link, |image| image.points.iter().take(4).all(Option::is_some)).await;
    assert_eq!(quality(Signal::Flow), Quality::Good);
    assert_eq!(link.reading(Signal::Leak, rig.clock.now()).usable(), Some(1.0));
}

#[tokio::test]
async fn i11_the_values_of_a_lost_device_grow_stale_and_keep_their_number() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    until(&link, |image| image.points[0].is_some()).await;
    drop(slave);
    until(&link, |image| image.state.phase == Phase::Down).await;
    let now = rig.clock.now();
    assert_eq!(link.reading(Signal::Flow, now).last_known(), Some(200.0));
    let later = link.reading(Signal::Flow, now + Millis::new(STALE_MS + 1));
    assert_eq!((later.quality(), later.last_known()), (Quality::Stale, Some(200.0)));
    assert!(later.age() > Millis::new(STALE_MS));
}

#[tokio::test]
async fn a_strange_device_has_no_values_and_says_so() {
    let slave = FakeSlave::start().await;
    slave.device().registers.insert(29, 7);
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    until(&link, |image| matches!(image.state.phase, Phase::Refused(_))).await;
    let reading = link.reading(Signal::Flow, rig.clock.now());
    assert_eq!(reading.quality(), Quality::Bad(BadReason::ConfigError));
}

#[tokio::test]
async fn the_state_dates_from_when_the_link_went_up_or_down() {
    let address = free_address("127.0.0.3:0").await;
    let mut rig = Rig::new();
    let link = rig.link(&address, bench());
    let started = link.state().since;
    for _ in 0..3 {
        until(&link, |image| image.state.phase == Phase::Down).await;
        until(&link, |image| image.state.phase == Phase::Connecting).await;
    }
    assert_eq!(link.state().since, started);
    let _slave = FakeSlave::at(&address, |_| None).await;
    until(&link, |image| image.state.phase == Phase::Up).await;
    assert!(link.state().since > started);
}

#[tokio::test]
async fn a_link_ends_when_its_token_is_cancelled() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    let down = rig.link("127.0.0.1:1", bench());
    until(&link, |image| image.state.phase == Phase::Up).await;
    until(&down, |image| image.lost).await;
    rig.token.cancel();
    while let Some(ended) = timeout(PATIENCE, rig.tasks.join_next()).await.unwrap() {
        ended.unwrap();
    }
}

#[tokio::test]
async fn latency_is_counted() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    requests(&link, 10).await;
    let counters = link.counters();
    assert!(0 < counters.latency_last_us && counters.latency_last_us <= counters.latency_max_us);
}
