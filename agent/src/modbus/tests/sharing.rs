//! Several devices on one wire: what one does wrong costs the others as little as can be.

use super::bus_rig::{BusRig, DEADLINE_MS, POLL_MS, on_the_bus, station};
use super::fake_wire::{Asked, FakeWire, Fate};
use crate::clock::Clock;
use crate::modbus::bus::Medium;
use crate::modbus::state::Phase;
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::Millis;

const MEDIA: [Medium; 2] = [Medium::Transactions, Medium::Anonymous];

fn dead(unit: u8) -> impl FnMut(&Asked) -> Option<Fate> + Send + 'static {
    move |asked| (asked.unit == unit).then_some(Fate::Silence)
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_all_units_of_a_wire() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let rig = BusRig::stations(&wire, clock, &[1, 2, 3]);
    rig.pass(2_000).await;
    assert_eq!(wire.inside().connections, 1);
    for place in 0..3 {
        assert!(rig.age(place) < 2 * POLL_MS);
    }
}

#[tokio::test(start_paused = true)]
async fn two_settings_of_the_same_device_share_it() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let pump = on_the_bus(1, station(1));
    let valve = crate::modbus::device::DeviceSettings { name: "valve".to_owned(), ..pump.clone() };
    let rig = BusRig::new(&wire, clock, vec![pump, valve]);
    rig.pass(10_000).await;
    let reads = wire.asked(|asked| asked.reads(200)).len();
    assert!(reads <= 101, "{reads} reads in 100 periods");
    assert!(rig.age(0) < 2 * POLL_MS && rig.age(1) < 2 * POLL_MS);
}

#[tokio::test(start_paused = true)]
async fn a_dead_unit_costs_the_others_nothing_but_its_probe_rate() {
    for medium in MEDIA {
        let clock = Clock::start();
        let wire = FakeWire::sound(medium, clock);
        let rig = BusRig::stations(&wire, clock, &[1, 2, 3]);
        rig.pass(2_000).await;
        wire.scheme(dead(2));
        rig.pass(30_000).await;
        assert_eq!(rig.links[1].state().phase, Phase::Dormant);
        assert_eq!(rig.links[1].counters().dormant, 1);

        let (from, mut oldest) = (clock.now(), 0);
        for _ in 0..6_000 {
            rig.pass(10).await;
            oldest = oldest.max(rig.age(0)).max(rig.age(2));
            assert_eq!((rig.links[0].state().phase, rig.links[2].state().phase), (Phase::Up, Phase::Up));
        }
        let asked = wire.asked(|asked| asked.unit == 2 && asked.at > from).len();
        let reads = wire.asked(|asked| asked.unit == 1 && asked.reads(200) && asked.at > from).len();
        assert!((6..=15).contains(&asked), "{medium:?}: asked {asked} times in a minute");
        assert!(oldest < DEADLINE_MS + 4 * POLL_MS, "{medium:?}: {oldest} ms old");
        assert!(reads > 500, "{medium:?}: {reads} of 600 reads made");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_dead_from_the_start_does_not_keep_the_others_from_their_start() {
    for medium in MEDIA {
        let clock = Clock::start();
        let wire = FakeWire::scheming(medium, clock, dead(1));
        let rig = BusRig::stations(&wire, clock, &[1, 2, 3]);
        rig.pass(3 * DEADLINE_MS + 500).await;
        for place in [1, 2] {
            assert!(rig.links[place].reading(Signal::Flow, clock.now()).last_known().is_some(), "{medium:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dormant_unit_that_answers_again_is_found_within_its_longest_rest() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Anonymous, clock, dead(2));
    let rig = BusRig::stations(&wire, clock, &[1, 2]);
    rig.pass(60_000).await;
    assert_eq!(rig.links[1].state().phase, Phase::Dormant);
    wire.scheme(|_| None);
    rig.pass(8_500).await;
    assert_eq!(rig.links[1].state().phase, Phase::Up);
    assert!(rig.age(1) < 500);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_reach_one_unit_keeps_its_connection() {
    for code in [0x0A, 0x0B] {
        let clock = Clock::start();
        let wire = FakeWire::sound(Medium::Transactions, clock);
        let rig = BusRig::stations(&wire, clock, &[1, 2]);
        rig.pass(2_000).await;
        wire.scheme(move |asked| (asked.unit == 2).then_some(Fate::Exception(code)));
        rig.pass(60_000).await;
        assert_eq!(rig.links[1].state().phase, Phase::Dormant);
        assert!(rig.age(1) > 50_000 && rig.age(0) < 2 * POLL_MS);
        assert_eq!(wire.inside().connections, 1);
        let by_code = rig.links[1].counters().exceptions_by_code[usize::from(code)];
        assert!((6..40).contains(&by_code), "asked {by_code} times");
    }
}

#[tokio::test(start_paused = true)]
async fn while_nobody_answers_no_unit_is_dormant_and_the_wire_is_tried_within_a_second() {
    for medium in MEDIA {
        let clock = Clock::start();
        let wire = FakeWire::scheming(medium, clock, |_| Some(Fate::Silence));
        let rig = BusRig::stations(&wire, clock, &[1, 2]);
        rig.pass(30_000).await;
        let log = wire.asked(|_| true);
        let longest = log.windows(2).map(|two| two[1].at.since(two[0].at).get()).max().unwrap();
        assert!(longest <= 3 * DEADLINE_MS + 1_000, "{medium:?}: {longest} ms");
        assert_eq!(rig.links[0].counters().dormant + rig.links[1].counters().dormant, 0);
        let tried = |unit| log.iter().filter(|asked| asked.unit == unit).count();
        assert!(tried(1).abs_diff(tried(2)) <= 1, "each has its turn: {} and {}", tried(1), tried(2));
        wire.scheme(|_| None);
        rig.pass(3 * DEADLINE_MS + 1_000).await;
        assert!(rig.age(0) < 500 && rig.age(1) < 500, "{medium:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_is_plugged_in_again_is_found_within_a_second() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let rig = BusRig::stations(&wire, clock, &[1]);
    rig.pass(1_000).await;
    wire.inside().unplugged = true;
    wire.scheme(|_| Some(Fate::Close));
    rig.pass(60_000).await;
    assert_eq!(rig.links[0].state().phase, Phase::Down);
    wire.inside().unplugged = false;
    wire.scheme(|_| None);
    rig.pass(1_000).await;
    assert_eq!(rig.links[0].state().phase, Phase::Up);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_on_the_wire_is_left_alone_and_looked_at_every_ten_seconds() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Anonymous, clock);
    wire.inside().registers.insert((2, 29), 7);
    let rig = BusRig::stations(&wire, clock, &[1, 2]);
    rig.pass(60_000).await;
    assert!(matches!(rig.links[1].state().phase, Phase::Refused(_)));
    let asked = wire.asked(|asked| asked.unit == 2);
    assert!(asked.iter().all(|asked| asked.reads(29)) && (5..=7).contains(&asked.len()), "{}", asked.len());
    assert_eq!(wire.inside().connections, 1);
}

#[tokio::test(start_paused = true)]
async fn a_register_that_is_passed_over_in_silence_costs_ever_less() {
    for medium in MEDIA {
        let clock = Clock::start();
        let wire = FakeWire::scheming(medium, clock, |asked| {
            (asked.unit == 1 && asked.reads(300)).then_some(Fate::Silence)
        });
        let rig = BusRig::stations(&wire, clock, &[1, 2]);
        rig.pass(60_000).await;
        let from = clock.now();
        rig.pass(60_000).await;
        let tried = wire.asked(|asked| asked.unit == 1 && asked.reads(300) && asked.at > from).len();
        let reads =
            |unit| wire.asked(|asked| asked.unit == unit && asked.reads(200) && asked.at > from).len();
        assert!(tried <= 9, "{medium:?}: tried {tried} times in a minute");
        assert!(reads(1) > 400 && reads(2) > 400, "{medium:?}: {} and {} of 600", reads(1), reads(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_settles_before_it_is_asked() {
    let clock = Clock::start();
    let wire = FakeWire::sound(Medium::Transactions, clock);
    let mut slow = station(2);
    slow.link.post_connect_ms = 700;
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, station(1)), on_the_bus(2, slow)]);
    rig.pass(600).await;
    assert_eq!(rig.links[0].state().phase, Phase::Settling);
    rig.pass(1_000).await;
    assert!(wire.asked(|_| true)[0].at >= Millis::new(700));
    assert_eq!(rig.links[1].state().phase, Phase::Up);
}
