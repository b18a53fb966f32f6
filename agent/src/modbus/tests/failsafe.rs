//! The one-shot way to safety, and the one back to the devices' own regulation.

use super::bus_rig::{on_the_bus, station};
use super::fake_slave::{Fault, once};
use super::fake_wire::{Asked, FakeWire, Fate};
use super::*;
use crate::modbus::bus::{Medium, Request};
use crate::modbus::failsafe::{
    DEADLINE, FailsafeError, SafeWrite, Target, drive_safe, drive_safe_over, release_over,
};
use eisbach_protocol::registers::{Authority, CommandForm, Signal};

fn safe(device: &str, control: Control, value: impl Into<Option<f32>>) -> SafeWrite {
    SafeWrite { device: device.to_owned(), control, value: value.into() }
}

/// What was written to `unit`, in order.
fn written(wire: &FakeWire, unit: u8) -> Vec<(u16, u16)> {
    let writes = wire.asked(|asked| asked.unit == unit && asked.writes());
    let pair = |asked: Asked| match asked.request {
        Request::Write { address, word } => (address, word),
        Request::Read(_) => panic!("no write"),
    };
    writes.into_iter().map(pair).collect()
}

#[tokio::test]
async fn i02_no_device_keeps_another_from_its_safe_state() {
    let pump = FakeSlave::start().await;
    let silent = FakeSlave::scheming(|_| Some(Fault::Silent)).await;
    let strange = FakeSlave::start().await;
    strange.device().registers.insert(29, 7);
    let devices = [
        settings("silent", &silent.address, bench()),
        settings("gone", "127.0.0.1:1", bench()),
        settings("strange", &strange.address, bench()),
        settings("pump", &pump.address, bench()),
    ];
    let writes = [
        safe("silent", Control::PumpSpeed, 100.0),
        safe("nowhere", Control::PumpSpeed, None),
        safe("pump", Control::PumpSpeed, 100.0),
        safe("pump", Control::ValvePosition, None),
        safe("pump", Control::PumpRun, 1.0),
        safe("gone", Control::PumpRun, 1.0),
        safe("strange", Control::PumpRun, 1.0),
        safe("pump", Control::PumpSpeed, 101.0),
    ];
    let outcomes = drive_safe(&devices, &writes, DEADLINE).await;
    for (outcome, write) in outcomes.iter().zip(&writes) {
        assert_eq!((&outcome.device, outcome.control), (&write.device, write.control), "in the order asked");
    }
    assert!(matches!(&outcomes[0].result, Err(FailsafeError::Late(cause)) if cause.contains("no answer")));
    assert_eq!(outcomes[1].result, Err(FailsafeError::UnknownDevice));
    assert_eq!(outcomes[2].result, Ok(()));
    assert_eq!(outcomes[3].result, Err(FailsafeError::UnknownControl));
    assert_eq!(outcomes[4].result, Ok(()));
    assert!(matches!(&outcomes[5].result, Err(FailsafeError::Late(cause)) if cause.contains("refused")));
    assert!(matches!(outcomes[6].result, Err(FailsafeError::Stranger(_))));
    assert_eq!(outcomes[7].result, Err(FailsafeError::OutOfRange));
    assert_eq!((pump.writes_to(103), pump.writes_to(100)), (vec![10_000], vec![3]));
    assert!(strange.device().log.iter().all(|asked| asked.function != 6));
}

#[tokio::test]
async fn a_write_that_fails_is_tried_again_until_it_is_proven() {
    for fault in [Fault::Echo, Fault::Forget, Fault::Reset, Fault::Silent, Fault::Exception(0x04)] {
        let pump =
            FakeSlave::scheming(once(fault, 1, |asked| asked.address == 103 && asked.function == 6)).await;
        let devices = [settings("pump", &pump.address, bench())];
        let writes = [safe("pump", Control::PumpSpeed, 100.0), safe("pump", Control::PumpRun, 1.0)];
        let outcomes = drive_safe(&devices, &writes, PATIENCE).await;
        assert!(outcomes.iter().all(|outcome| outcome.result == Ok(())), "{fault:?}: {outcomes:?}");
        assert_eq!(pump.writes_to(103), [10_000, 10_000], "{fault:?}");
        assert_eq!(pump.writes_to(100), [3], "what is proven is not written again");
    }
}

#[tokio::test(start_paused = true)]
async fn i02_units_of_one_wire_take_turns_and_a_dead_one_costs_the_others_little() {
    for medium in [Medium::Transactions, Medium::Anonymous] {
        let dead = |asked: &Asked| (asked.unit == 1).then_some(Fate::Silence);
        let wire = FakeWire::scheming(medium, Clock::start(), dead);
        let devices = [1, 2, 3].map(|unit| on_the_bus(unit, station(unit)));
        let writes = ["unit1", "unit2", "unit3"].map(|name| safe(name, Control::PumpSpeed, None));
        let outcomes = drive_safe_over(|_| wire.clone(), &devices, &writes, DEADLINE).await;
        assert!(matches!(outcomes[0].result, Err(FailsafeError::Late(_))), "{medium:?}");
        assert_eq!((&outcomes[1].result, &outcomes[2].result), (&Ok(()), &Ok(())), "{medium:?}");
        assert_eq!(outcomes[1].target, Target::Value(100.0), "what the profile calls safe");
        assert_eq!((written(&wire, 2), written(&wire, 3)), (vec![(103, 10_000)], vec![(103, 10_000)]));
    }
}

#[tokio::test(start_paused = true)]
async fn i05_a_device_that_a_person_has_is_left_alone_with_its_presets() {
    let wire = FakeWire::sound(Medium::Transactions, Clock::start());
    let mut profile = bench();
    profile.identity = None;
    profile.points[3].signal = Signal::PumpLocal;
    profile.authority = Authority::LocalRemote { local: Signal::PumpLocal };
    profile.commands[0].release = Some(1);
    let devices = [on_the_bus(1, profile)];
    let writes = [safe("unit1", Control::PumpSpeed, None), safe("unit1", Control::PumpRun, 0.0)];
    let outcomes = drive_safe_over(|_| wire.clone(), &devices, &writes, DEADLINE).await;
    assert!(outcomes.iter().all(|outcome| outcome.result == Err(FailsafeError::Local)), "{outcomes:?}");
    let outcomes = release_over(|_| wire.clone(), &devices, DEADLINE).await;
    assert_eq!(outcomes[0].result, Err(FailsafeError::Local));
    assert_eq!(written(&wire, 1), []);
}

#[tokio::test(start_paused = true)]
async fn i02_a_drive_is_armed_on_the_way_to_safety_unless_it_runs() {
    for (holds, writes) in [(1, vec![(100, 2), (100, 3)]), (3, vec![(100, 3)])] {
        let wire = FakeWire::sound(Medium::Transactions, Clock::start());
        wire.inside().registers.insert((1, 100), holds);
        let mut profile = station(1);
        profile.commands[0].form =
            CommandForm::Word { on: 3, off: 1, reset: None, arm: Some(2), allow_mask: 3 };
        let devices = [on_the_bus(1, profile)];
        let run = [safe("unit1", Control::PumpRun, None)];
        let outcomes = drive_safe_over(|_| wire.clone(), &devices, &run, DEADLINE).await;
        assert_eq!((&outcomes[0].result, written(&wire, 1)), (&Ok(()), writes));
    }
}

#[tokio::test(start_paused = true)]
async fn i09_a_register_that_wears_out_and_is_safe_already_is_not_written() {
    let wire = FakeWire::sound(Medium::Transactions, Clock::start());
    wire.inside().registers.insert((1, 103), 10_000);
    let mut profile = station(1);
    profile.commands[1].daily_budget = Some(100);
    let devices = [on_the_bus(1, profile)];
    let speed = [safe("unit1", Control::PumpSpeed, None)];
    let outcomes = drive_safe_over(|_| wire.clone(), &devices, &speed, DEADLINE).await;
    assert_eq!((&outcomes[0].result, written(&wire, 1)), (&Ok(()), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_device_is_let_go_with_its_release_words_and_nothing_else() {
    let wire = FakeWire::sound(Medium::Transactions, Clock::start());
    let mut profile = bench();
    profile.identity = None;
    profile.commands[0].release = Some(1);
    let devices = [on_the_bus(1, profile), on_the_bus(2, station(2))];
    let outcomes = release_over(|_| wire.clone(), &devices, DEADLINE).await;
    let told: Vec<_> = outcomes.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["unit1: PumpRun to its own regulation: taken"]);
    assert_eq!((written(&wire, 1), written(&wire, 2)), (vec![(100, 1)], vec![]));
}
