//! Whatever a device or a wire does wrong: no false value, no false proof, and the link comes back.

use super::fake_slave::{Asked, Fault, once};
use super::*;
use crate::modbus::state::Phase;
use eisbach_protocol::reading::{BadReason, Quality};
use eisbach_protocol::registers::{Control, Signal};
use eisbach_protocol::units::Millis;

/// Later than the deadline of a request.
const LATE: Duration = Duration::from_millis(700);

const fn reads_200(asked: &Asked) -> bool {
    asked.function == 3 && asked.address == 200
}

const fn writes_speed(asked: &Asked) -> bool {
    asked.function == 6 && asked.address == 103
}

#[tokio::test]
async fn a_foul_answer_costs_the_connection_and_is_never_a_value() {
    const FAULTS: [Fault; 9] = [
        Fault::Late(LATE),
        Fault::Silent,
        Fault::Transaction,
        Fault::Unit,
        Fault::Function,
        Fault::Short,
        Fault::HalfFrame,
        Fault::Close,
        Fault::Reset,
    ];
    for fault in FAULTS {
        let slave = FakeSlave::scheming(once(fault, 3, reads_200)).await;
        let mut rig = Rig::new();
        let link = rig.link(&slave.address, bench());
        until(&link, |image| {
            only_truth(image);
            image.counters.reconnects == 1 && image.state.phase == Phase::Up
        })
        .await;
        all_true(&link, rig.clock).await;
        let counters = link.counters();
        assert_eq!(counters.timeouts + counters.broken, 1, "{fault:?}: {counters:?}");
        assert_eq!(slave.device().connections, 2, "{fault:?}");
    }
}

#[tokio::test]
async fn a_late_answer_is_not_believed_even_if_it_comes_while_the_link_is_up_again() {
    let slave = FakeSlave::scheming(once(Fault::Late(LATE), 3, reads_200)).await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    until(&link, |image| image.counters.timeouts == 1).await;
    let start = rig.clock.now().get();
    until(&link, |image| {
        only_truth(image);
        let past = |at: u64| at > start + 2 * u64::try_from(LATE.as_millis()).unwrap();
        image.points[0].is_some_and(|sample| past(sample.at.get()))
    })
    .await;
    assert_eq!(link.counters().broken, 0);
}

#[tokio::test]
async fn i06_a_false_echo_is_no_proof_and_the_request_is_written_again() {
    let slave = FakeSlave::scheming(once(Fault::Echo, 1, writes_speed)).await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    until(&link, |image| {
        assert!(image.writes[1].verified.is_none() || image.counters.reconnects == 1);
        image.writes[1].verified.is_some()
    })
    .await;
    assert_eq!(slave.writes_to(103), [5000, 5000]);
}

#[tokio::test]
async fn i06_a_register_that_does_not_keep_what_was_written_is_a_mismatch() {
    let slave = FakeSlave::scheming(|asked| writes_speed(asked).then_some(Fault::Forget)).await;
    let mut profile = bench();
    profile.commands[1].refresh_ms = 50;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, profile);
    rig.keep_asking(&link, Control::PumpSpeed, 50.0);
    until(&link, |image| image.counters.mismatches >= 3).await;
    assert_eq!(link.readback(Control::PumpSpeed), None);
    assert_eq!(link.counters().reconnects, 0);
}

#[tokio::test]
async fn an_exception_says_why_there_is_no_value_and_keeps_the_connection() {
    for (code, reason) in [
        (0x01, BadReason::ConfigError),
        (0x02, BadReason::ConfigError),
        (0x03, BadReason::ConfigError),
        (0x04, BadReason::DeviceFault),
        (0x06, BadReason::CommLost),
        (0x0A, BadReason::CommLost),
        (0x0B, BadReason::CommLost),
    ] {
        let input = |asked: &Asked| asked.function == 4;
        let slave = FakeSlave::scheming(move |asked| input(asked).then_some(Fault::Exception(code))).await;
        let mut rig = Rig::new();
        let link = rig.link(&slave.address, bench());
        until(&link, |image| image.points[2].is_some() && image.points[0].is_some()).await;
        let now = rig.clock.now();
        assert_eq!(link.reading(Signal::DewPoint, now).quality(), Quality::Bad(reason), "exception {code}");
        assert_eq!(link.reading(Signal::Flow, now).usable(), Some(200.0));
        assert_eq!(slave.device().connections, 1);
    }
}

#[tokio::test]
async fn a_device_that_was_busy_is_asked_again() {
    let slave = FakeSlave::scheming(once(Fault::Exception(0x06), 1, reads_200)).await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    all_true(&link, rig.clock).await;
    assert_eq!(link.counters().exceptions, 1);
}

#[tokio::test]
async fn a_gateway_that_loses_its_device_lets_values_grow_old() {
    let slave = FakeSlave::scheming({
        let mut reads = 0;
        move |asked| {
            reads += usize::from(reads_200(asked));
            (reads_200(asked) && reads > 1).then_some(Fault::Exception(0x0B))
        }
    })
    .await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    until(&link, |image| image.counters.exceptions >= 3).await;
    let reading = link.reading(Signal::Flow, rig.clock.now() + Millis::new(STALE_MS));
    assert_eq!((reading.quality(), reading.last_known()), (Quality::Stale, Some(200.0)));
}

#[tokio::test]
async fn a_device_that_comes_back_is_found() {
    let address = free_address("127.0.0.2:0").await;
    let mut rig = Rig::new();
    let link = rig.link(&address, bench());
    until(&link, |image| image.lost).await;
    assert_eq!(link.reading(Signal::Flow, rig.clock.now()).quality(), Quality::Bad(BadReason::CommLost));
    let slave = FakeSlave::at(&address, |_| None).await;
    all_true(&link, rig.clock).await;
    drop(slave);
    until(&link, |image| image.state.phase == Phase::Down).await;
    let _slave = FakeSlave::at(&address, |_| None).await;
    all_true(&link, rig.clock).await;
}

#[tokio::test]
async fn i12_a_silent_device_takes_no_turn_from_another() {
    let silent = FakeSlave::scheming(|_| Some(Fault::Silent)).await;
    let sound = FakeSlave::start().await;
    let mut rig = Rig::new();
    let mut profile = bench();
    profile.link.timeout_ms = 60_000;
    let stalled = rig.link(&silent.address, profile);
    let going = rig.link(&sound.address, bench());
    until(&stalled, |image| image.state.phase == Phase::Probing).await;
    requests(&going, 100).await;
    assert_eq!(silent.device().log.len(), 1, "the other link still waits for its first answer");
}

#[tokio::test]
async fn a_register_missing_in_a_gap_does_not_cost_its_neighbours() {
    let bridges = |asked: &Asked| reads_200(asked) && asked.argument > 1;
    let slave = FakeSlave::scheming(move |asked| bridges(asked).then_some(Fault::Exception(0x02))).await;
    let mut rig = Rig::new();
    let link = rig.link(&slave.address, bench());
    all_true(&link, rig.clock).await;
    assert_eq!(link.counters().exceptions, 1);
}
