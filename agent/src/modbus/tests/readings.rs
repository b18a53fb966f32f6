//! What of a device's answer becomes a value, and how good it is.

use super::bus_rig::{BusRig, on_the_bus, station};
use super::fake_wire::FakeWire;
use crate::clock::Clock;
use crate::modbus::bus::{Medium, Request};
use crate::modbus::device::DeviceSettings;
use crate::modbus::state::Phase;
use eisbach_protocol::reading::{BadReason, Quality};
use eisbach_protocol::registers::{Expect, PollClass, Profile, Signal};
use eisbach_protocol::units::Millis;
use tokio::time::sleep;

async fn lives(profile: Profile, prepare: impl FnOnce(&FakeWire)) -> BusRig {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    prepare(&wire);
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, profile)]);
    sleep(std::time::Duration::from_millis(500)).await;
    rig
}

fn quality(rig: &BusRig, signal: Signal) -> Quality {
    rig.links[0].reading(signal, rig.clock.now()).quality()
}

fn set(rig: &BusRig, address: u16, word: u16) {
    rig.wire.inside().registers.insert((1, address), word);
}

async fn pass(ms: u64) {
    sleep(std::time::Duration::from_millis(ms)).await;
}

#[tokio::test(start_paused = true)]
async fn i01_a_jump_is_implausible_until_the_next_reading_confirms_it() {
    let mut profile = station(1);
    profile.points[0].max_slew = Some(10.0);
    let rig = lives(profile, |_| ()).await;
    assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
    set(&rig, 200, 12_000);
    let mut seen = Vec::new();
    for _ in 0..40 {
        pass(10).await;
        let quality = quality(&rig, Signal::Flow);
        if seen.last() != Some(&quality) {
            seen.push(quality);
        }
    }
    assert_eq!(seen, [Quality::Good, Quality::Bad(BadReason::Implausible), Quality::Good]);
    assert_eq!(rig.links[0].reading(Signal::Flow, rig.clock.now()).usable(), Some(12_000.0));
}

#[tokio::test(start_paused = true)]
async fn an_instrument_that_stands_still_is_uncertain() {
    let mut profile = station(1);
    profile.points[0].frozen_after_ms = Some(3_000);
    let rig = lives(profile, |_| ()).await;
    assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
    pass(3_500).await;
    assert_eq!(quality(&rig, Signal::Flow), Quality::Uncertain);
    set(&rig, 200, 10_201);
    pass(250).await;
    assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
}

#[tokio::test(start_paused = true)]
async fn i01_a_block_that_the_device_filled_with_zeros_has_no_values() {
    let mut profile = station(1);
    profile.link.zero_fills = true;
    profile.points[1].address = 201;
    profile.points[1].sentinel = true;
    let rig = lives(profile, |_| ()).await;
    assert_eq!(rig.wire.asked(|asked| asked.reads(201)).len(), 0, "one block");
    assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
    set(&rig, 201, 0);
    pass(250).await;
    for signal in [Signal::Flow, Signal::PumpHead] {
        assert_eq!(quality(&rig, signal), Quality::Bad(BadReason::InvalidMarker));
    }
    set(&rig, 201, 1);
    pass(250).await;
    assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
}

#[tokio::test(start_paused = true)]
async fn i11_a_slow_value_may_be_older_by_its_period_and_no_more() {
    let mut profile = station(1);
    profile.points[0].poll = PollClass::Slow;
    let rig = lives(profile, |_| ()).await;
    for _ in 0..300 {
        pass(10).await;
        assert_eq!(quality(&rig, Signal::Flow), Quality::Good);
    }
    let at = rig.clock.now();
    let later = |ms| rig.links[0].reading(Signal::Flow, at + Millis::new(ms)).quality();
    assert_eq!((later(900), later(2_100)), (Quality::Good, Quality::Stale));
}

#[tokio::test(start_paused = true)]
async fn i11_age_counts_from_the_request_not_from_the_answer() {
    let rig = lives(station(1), |_| ()).await;
    for _ in 0..100 {
        pass(1).await;
        let age = rig.age(0);
        assert!(age >= 20, "an answer takes 20 ms, and the value was {age} ms old");
    }
}

#[tokio::test(start_paused = true)]
async fn identity_can_be_words_or_text() {
    let words = |words: &[u16]| Expect::Words(heapless::Vec::from_slice(words).unwrap());
    let text = |text: &str| Expect::Text(text.try_into().unwrap());
    let hello = [(29, 0x4865), (30, 0x6C6C), (31, 0x6F00)];
    for (expect, known) in [
        (words(&[0x4865, 0x6C6C]), true),
        (words(&[0x4865, 0x6C6D]), false),
        (text("Hello"), true),
        (text("Hell"), true),
        (text("Hullo"), false),
    ] {
        let mut profile = station(1);
        profile.identity.as_mut().unwrap().expect = expect.clone();
        let rig = lives(profile, |wire| {
            wire.inside().registers.extend(hello.map(|(address, word)| ((1, address), word)));
        })
        .await;
        match rig.links[0].state().phase {
            Phase::Up => assert!(known, "{expect:?}"),
            Phase::Refused(stranger) => {
                assert!(!known, "{expect:?}");
                let said = stranger.to_string();
                assert!(said.contains("Hello.") || said.contains("[18533, 27756]"), "{said}");
            }
            other => panic!("{expect:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_restarted_is_looked_at_before_its_values_count() {
    let rig = lives(station(1), |_| ()).await;
    rig.wire.inside().registers.insert((1, 29), 7);
    rig.wire.inside().unplugged = true;
    rig.wire.scheme(|_| Some(super::fake_wire::Fate::Close));
    pass(500).await;
    rig.wire.inside().unplugged = false;
    rig.wire.scheme(|_| None);
    let before = rig.wire.asked(|_| true).len();
    pass(2_000).await;
    assert!(matches!(rig.links[0].state().phase, Phase::Refused(_)));
    let after = rig.wire.asked(|_| true).split_off(before);
    assert!(after.iter().all(|asked| asked.reads(29)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn a_huge_period_polls_once() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let seldom = DeviceSettings { poll_ms: u64::MAX, ..on_the_bus(1, station(1)) };
    let rig = BusRig::new(&wire, clock, vec![seldom]);
    pass(100_000).await;
    let reads = |first| wire.asked(|asked| asked.reads(first)).len();
    assert_eq!((reads(200), reads(300)), (1, 1));
    assert!(rig.wire.asked(|asked| matches!(asked.request, Request::Write { .. })).is_empty());
}
