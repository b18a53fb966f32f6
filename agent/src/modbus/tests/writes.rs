//! What reaches the wire as a write, counted at the device.

use super::fake_slave::{Asked, Fault};
use super::*;
use crate::modbus::gate::WISH_LIFE;
use crate::modbus::state::Phase;
use eisbach_protocol::registers::Control;

#[tokio::test]
async fn i06_a_request_is_written_once_and_proven_by_read_back() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.keep_asking(&link, Control::PumpSpeed, 55.5);
    until(&link, |image| image.writes[1].verified.is_some()).await;
    requests(&link, 20).await;
    assert_eq!(slave.writes_to(103), [5550]);
    let verified = link.readback(Control::PumpSpeed).unwrap();
    assert!((verified.value - 55.5).abs() < 0.005);
    assert!(slave.device().log.iter().all(|asked| asked.unit == 17));
}

#[tokio::test]
async fn i09_a_change_inside_the_dead_band_does_not_reach_the_wire() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.obeyed(&link, Control::PumpSpeed, 50.0).await;
    for step in 0..30_u8 {
        link.request(Control::PumpSpeed, 50.0 + f32::from(step % 9) * 0.01);
        requests(&link, 1).await;
    }
    assert_eq!(slave.writes_to(103), [5000]);
    rig.obeyed(&link, Control::PumpSpeed, 50.2).await;
    assert_eq!(slave.writes_to(103), [5000, 5020]);
}

#[tokio::test]
async fn i07_a_request_is_repeated_only_as_long_as_the_cycle_renews_it() {
    let slave = FakeSlave::start().await;
    let mut profile = bench();
    profile.commands[1].refresh_ms = 60;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, profile);
    let cycle = rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    until(&link, |image| image.counters.writes >= 5).await;
    assert!(slave.writes_to(103).iter().all(|&word| word == 5000));
    cycle.cancel();
    let hung_at = rig.clock.now();
    let read_after =
        |pause| move |image: &Image| image.points[0].is_some_and(|sample| sample.at > hung_at + pause);
    until(&link, read_after(WISH_LIFE + WISH_LIFE)).await;
    let written = slave.writes_to(103).len();
    until(&link, read_after(WISH_LIFE + WISH_LIFE + WISH_LIFE)).await;
    assert_eq!(slave.writes_to(103).len(), written);
}

#[tokio::test]
async fn the_latest_request_wins() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    for value in [10.0, 20.0, 30.0] {
        link.request(Control::PumpSpeed, value);
    }
    rig.obeyed(&link, Control::PumpSpeed, 30.0).await;
    assert_eq!(slave.writes_to(103), [3000]);
}

#[tokio::test]
async fn a_request_does_not_wait_for_the_next_poll() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let seldom = DeviceSettings { poll_ms: u64::MAX, ..settings("bench", &slave.address, bench()) };
    let link = rig.start(seldom);
    until(&link, |image| image.points.iter().take(TRUTH.len()).all(Option::is_some)).await;
    rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    until(&link, |image| image.writes[1].verified.is_some()).await;
}

#[tokio::test]
async fn a_pump_is_switched_by_whole_words() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.obeyed(&link, Control::PumpRun, 1.0).await;
    rig.obeyed(&link, Control::PumpRun, 0.0).await;
    assert_eq!(slave.writes_to(100), [3, 1]);
}

#[tokio::test]
async fn a_device_that_was_away_is_told_again() {
    let slave = FakeSlave::scheming({
        let mut reads = 0;
        move |asked| {
            reads += usize::from(asked.function == 4);
            (asked.function == 4 && reads == 20).then_some(Fault::Reset)
        }
    })
    .await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    until(&link, |image| image.counters.reconnects == 1 && image.writes[1].verified.is_some()).await;
    assert_eq!(slave.writes_to(103), [5000, 5000]);
}

#[tokio::test]
async fn i09_a_preset_is_written_only_where_the_device_holds_something_else() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    until(&link, |image| image.state.phase == Phase::Up).await;
    assert_eq!(slave.writes_to(101), [0]);

    let slave = FakeSlave::start().await;
    slave.device().registers.insert(101, 0);
    let link = rig.link(&slave.address, bench());
    until(&link, |image| image.state.phase == Phase::Up).await;
    assert_eq!(slave.writes_to(101), Vec::<u16>::new());
}

#[tokio::test]
async fn i09_a_strange_device_is_never_written_to_nor_polled() {
    let slave = FakeSlave::start().await;
    slave.device().registers.insert(29, 7);
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    rig.keep_asking(&link, Control::PumpRun, 1.0);
    until(&link, |image| matches!(image.state.phase, Phase::Refused(_))).await;
    for _ in 0..20 {
        let mut wishes = link.cells.wishes.subscribe();
        wishes.changed().await.unwrap();
    }
    let Phase::Refused(stranger) = link.state().phase else { panic!("stays refused") };
    assert_eq!(stranger.to_string(), "register 29 holds [7], the profile expects one of [29]");
    let identity = |asked: &Asked| (asked.function, asked.address) == (3, 29);
    assert!(slave.device().log.iter().all(identity), "{:?}", slave.device().log);
}

#[tokio::test]
async fn i01_a_request_outside_the_profile_does_not_reach_the_wire() {
    let slave = FakeSlave::start().await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    for value in [f32::NAN, 100.5, -1.0] {
        let asking = rig.keep_asking(&link, Control::PumpSpeed, value);
        until(&link, |image| image.writes[1].refused >= 1).await;
        requests(&link, 10).await;
        asking.cancel();
    }
    link.request(Control::ValvePosition, 50.0);
    assert!(!link.has(Control::ValvePosition));
    requests(&link, 10).await;
    assert_eq!(slave.writes_to(103), Vec::<u16>::new());
}
