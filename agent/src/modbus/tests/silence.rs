//! Registers that are passed over in silence, gateways that lose their device, and devices that are still starting:
//! none of them keeps a device from its commands.

use super::bus_rig::{BusRig, on_the_bus, station};
use super::commissioning::guarded;
use super::fake_wire::{Asked, FakeWire, Fate};
use super::*;
use crate::modbus::bus::{Medium, Request};
use crate::modbus::commission::Protection;
use crate::modbus::failsafe::{DEADLINE, SafeWrite, drive_safe_over};
use crate::modbus::state::Phase;
use eisbach_protocol::registers::{Authority, Signal};
use eisbach_protocol::units::Millis;

const MEDIA: [Medium; 2] = [Medium::Transactions, Medium::Anonymous];

/// The station with presets in registers 101 and 102.
fn preset() -> Profile {
    let mut profile = station(1);
    profile.presets = bench().presets;
    let mut second = profile.presets[0].clone();
    second.address = 102;
    profile.presets.push(second).unwrap();
    profile
}

/// Its switch between local and remote is in register 200.
fn switched(mut profile: Profile) -> Profile {
    profile.points[0].signal = Signal::PumpLocal;
    profile.authority = Authority::LocalRemote { local: Signal::PumpLocal };
    profile
}

const fn writes(asked: &Asked, register: u16) -> bool {
    matches!(asked.request, Request::Write { address, .. } if address == register)
}

/// Asks for half speed all the time.
async fn asking(rig: &BusRig, seconds: u64) {
    for _ in 0..seconds * 10 {
        rig.links[0].request(Control::PumpSpeed, 50.0);
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn i12_presets_that_are_never_answered_do_not_keep_a_device_from_its_commands() {
    let silent: [fn(&Asked) -> bool; 3] =
        [|asked| asked.reads(101), |asked| asked.reads(101) || asked.reads(102), |asked| writes(asked, 101)];
    for (case, silent) in silent.into_iter().enumerate() {
        for medium in MEDIA {
            let clock = Clock::start();
            let wire = FakeWire::scheming(medium, clock, move |asked| silent(asked).then_some(Fate::Silence));
            let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, preset())]);
            asking(&rig, 15).await;
            assert_eq!(rig.links[0].state().phase, Phase::Up, "{case} {medium:?}");
            assert_eq!(wire.asked(|asked| writes(asked, 103)).len(), 1, "{case} {medium:?}");
            let lost = if case == 1 { 4 } else { 2 };
            assert_eq!(rig.links[0].counters().timeouts, lost, "{case} {medium:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_preset_that_was_passed_over_gets_one_more_chance_when_the_device_comes_back() {
    let clock = Clock::start();
    let wire =
        FakeWire::scheming(Medium::Transactions, clock, |asked| asked.reads(101).then_some(Fate::Silence));
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, preset())]);
    asking(&rig, 5).await;
    assert_eq!(wire.asked(|asked| writes(asked, 101)), []);
    wire.scheme(|_| Some(Fate::Close));
    asking(&rig, 2).await;
    wire.scheme(|_| None);
    asking(&rig, 2).await;
    assert_eq!(wire.asked(|asked| writes(asked, 101)).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn i12_a_watchdog_that_is_never_answered_is_unknown_and_costs_one_answer_in_five_minutes() {
    for medium in MEDIA {
        let clock = Clock::start();
        let wire = FakeWire::scheming(medium, clock, |asked| asked.reads(109).then_some(Fate::Silence));
        let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, guarded(1))]);
        asking(&rig, 60).await;
        let protection = rig.links[0].protection();
        assert!(matches!(&protection, Protection::Unknown { why } if why.contains("109")), "{protection:?}");
        assert_eq!(wire.asked(|asked| asked.reads(109)).len(), 1, "{medium:?}");
        assert_eq!((rig.links[0].state().phase, rig.links[0].counters().timeouts), (Phase::Up, 1));
        asking(&rig, 300).await;
        assert_eq!(wire.asked(|asked| asked.reads(109)).len(), 2, "{medium:?}");
        wire.scheme(|_| None);
        wire.inside().registers.extend([((1, 109), 200), ((1, 108), 2)]);
        asking(&rig, 300).await;
        assert!(matches!(rig.links[0].protection(), Protection::Protected { .. }), "{medium:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn i12_a_switch_that_is_never_answered_counts_as_remote() {
    for medium in MEDIA {
        for profile in [switched(station(1)), switched(preset())] {
            let clock = Clock::start();
            let wire = FakeWire::scheming(medium, clock, |asked| asked.reads(200).then_some(Fate::Silence));
            let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, profile)]);
            asking(&rig, 15).await;
            assert!(!wire.asked(|asked| writes(asked, 103)).is_empty(), "{medium:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i02_silence_at_a_preset_or_the_switch_does_not_keep_a_device_from_its_safe_state() {
    for silent in [101, 200] {
        for medium in MEDIA {
            let wire = FakeWire::scheming(medium, Clock::start(), move |asked| {
                asked.reads(silent).then_some(Fate::Silence)
            });
            let devices = [on_the_bus(1, switched(preset()))];
            wire.inside().registers.insert((1, 200), 0);
            let speed = SafeWrite { device: "unit1".to_owned(), control: Control::PumpSpeed, value: None };
            let outcomes = drive_safe_over(|_| wire.clone(), &devices, &[speed], DEADLINE).await;
            assert_eq!(outcomes[0].result, Ok(()), "{silent} {medium:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_its_gateway_loses_is_looked_at_anew_over_the_same_connection() {
    for code in [0x0A, 0x0B] {
        let clock = Clock::start();
        let wire = FakeWire::sound(Medium::Transactions, clock);
        let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, preset())]);
        asking(&rig, 5).await;
        wire.scheme(move |_| Some(Fate::Exception(code)));
        asking(&rig, 5).await;
        assert_ne!(rig.links[0].state().phase, Phase::Up);
        // It comes back with what it was made with.
        wire.inside().registers.clear();
        wire.scheme(|_| None);
        asking(&rig, 5).await;
        assert_eq!((rig.links[0].state().phase, wire.inside().connections), (Phase::Up, 1));
        for register in [101, 102, 103] {
            assert_eq!(wire.asked(|asked| writes(asked, register)).len(), 2, "register {register}");
        }
        let foreign = rig.links[0].write_state(Control::PumpSpeed).unwrap().foreign_events;
        assert_eq!(foreign, 0, "its own defaults are no other master");
    }
}

#[tokio::test(start_paused = true)]
async fn registers_that_a_gateway_does_not_bring_are_no_lost_device() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Transactions, clock, |asked| {
        (asked.reads(200) || asked.reads(204)).then_some(Fate::Exception(0x0B))
    });
    let mut profile = bench();
    profile.link.max_words = 4;
    wire.inside().registers.insert((1, 29), 29);
    let rig = BusRig::new(&wire, clock, vec![on_the_bus(1, profile)]);
    sleep(Duration::from_secs(1)).await;
    let since = rig.links[0].state().since;
    sleep(Duration::from_secs(60)).await;
    assert_eq!((rig.links[0].state().phase, rig.links[0].state().since), (Phase::Up, since));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_starting_is_no_stranger() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Transactions, clock, |_| Some(Fate::Exception(0x02)));
    let rig = BusRig::stations(&wire, clock, &[1]);
    for _ in 0..40 {
        sleep(Duration::from_millis(100)).await;
        assert!(!matches!(rig.links[0].state().phase, Phase::Refused(_)));
    }
    wire.scheme(|_| None);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.links[0].state().phase, Phase::Up);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_never_says_who_it_is_is_a_stranger_in_the_end_and_is_not_asked_more_than_that() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Transactions, clock, |_| Some(Fate::Exception(0x02)));
    let rig = BusRig::stations(&wire, clock, &[1]);
    sleep(Duration::from_secs(7)).await;
    assert!(matches!(rig.links[0].state().phase, Phase::Refused(_)));
    let from = clock.now() + Millis::from_secs(1);
    sleep(Duration::from_secs(61)).await;
    let asked = wire.asked(|asked| asked.at > from).len();
    assert!((5..=7).contains(&asked), "asked {asked} times in a minute");
}

#[tokio::test(start_paused = true)]
async fn i02_a_device_that_is_starting_is_driven_to_safety_once_it_says_who_it_is() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Transactions, clock, |asked| {
        (asked.at < Millis::new(900)).then_some(Fate::Exception(0x02))
    });
    let speed = SafeWrite { device: "unit1".to_owned(), control: Control::PumpSpeed, value: None };
    let devices = [on_the_bus(1, station(1))];
    let outcomes = drive_safe_over(|_| wire.clone(), &devices, &[speed], DEADLINE).await;
    assert_eq!(outcomes[0].result, Ok(()));
}
