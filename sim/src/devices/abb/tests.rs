//! The map and the behaviour of the drive.

use super::super::device::{ordered_speed, words, write};
use super::state::RUN;
use super::*;

const READY: u16 = 0x047E;

fn seen() -> PumpReadings {
    PumpReadings { speed: 0.8, speed_rpm: 2320.4, power_watts: 277.0, ..PumpReadings::default() }
}

fn sees(drive: &mut Drive, pump: PumpReadings) {
    drive.sense(&Readings { pump, ..Readings::default() });
}

fn drive_with(loss_action: CommLossAction) -> Drive {
    let settings = DriveSettings { loss_action, ..DriveSettings::default() };
    let mut drive = Drive::new(settings, 0.8, 0.25);
    sees(&mut drive, seen());
    drive
}

fn drive() -> Drive {
    drive_with(CommLossAction::Fault)
}

fn reference(percent: i16) -> u16 {
    (percent * 200).cast_unsigned()
}

#[test]
fn the_map_has_the_manuals_places_and_scales() {
    let drive = drive();
    let running = status::RDY_ON | status::RDY_RUN | status::RDY_REF | status::OFF_2 | status::OFF_3;
    assert_eq!(words::<4>(&drive, 0), [0x047F, 16_000, 0, running | status::AT_SETPOINT | status::REMOTE]);
    assert_eq!(words::<2>(&drive, 4), [16_000, 16_000], "20000 is full speed");
    assert_eq!(words::<6>(&drive, 6), [2320, 50, 277, 0, 0, 0], "rpm, 0.01 A, W, no fault, no warning");
    assert_eq!((words::<1>(&drive, 400), words::<3>(&drive, 5813)), ([0], [1, 2, 30]));
}

#[test]
fn registers_outside_the_map_do_not_exist() {
    for address in [12, 99, 399, 401, 5812, 5816, 9605, 9607] {
        assert_eq!(drive().register(address), None, "register {address}");
    }
}

#[test]
fn it_follows_its_reference_and_never_backwards() {
    let mut drive = drive();
    for (percent, speed) in [(45, 45), (100, 100), (10, 25), (-60, 25)] {
        write(&mut drive, 1, reference(percent)).unwrap();
        assert_eq!(ordered_speed(&drive), Some(speed), "{percent} %");
    }
    write(&mut drive, 1, 30_000).unwrap();
    assert_eq!(ordered_speed(&drive), Some(100), "150 %");
    write(&mut drive, 0, RUN & !control::RAMP_IN_ZERO).unwrap();
    assert_eq!(ordered_speed(&drive), Some(25), "zero reference is its lowest speed");
}

#[test]
fn it_stops_by_047e_and_starts_by_047f() {
    let mut drive = drive();
    write(&mut drive, 0, READY).unwrap();
    assert_eq!(ordered_speed(&drive), None);
    assert_eq!(drive.register(3).unwrap() & (status::RDY_ON | status::RDY_RUN), status::RDY_ON);
    write(&mut drive, 0, RUN).unwrap();
    assert_eq!(ordered_speed(&drive), Some(80));
}

#[test]
fn without_remote_the_reference_is_kept() {
    let mut drive = drive();
    write(&mut drive, 0, RUN & !control::REMOTE_CMD).unwrap();
    write(&mut drive, 1, reference(30)).unwrap();
    assert_eq!(ordered_speed(&drive), Some(80));
}

#[test]
fn after_a_fault_it_needs_a_reset_and_then_both_words() {
    let mut drive = drive();
    sees(&mut drive, PumpReadings { alarm_code: 51, ..seen() });
    assert_eq!((ordered_speed(&drive), drive.register(9)), (None, Some(MOTOR_STALL)));
    assert_ne!(drive.register(3).unwrap() & status::TRIPPED, 0);
    write(&mut drive, 0, RUN | control::RESET).unwrap();
    assert_eq!(drive.register(9), Some(MOTOR_STALL), "the cause is still there");

    sees(&mut drive, seen());
    write(&mut drive, 0, RUN | control::RESET).unwrap();
    assert_eq!(drive.register(9), Some(MOTOR_STALL), "the bit was high before");
    write(&mut drive, 0, RUN).unwrap();
    write(&mut drive, 0, RUN | control::RESET).unwrap();
    assert_eq!((drive.register(9), ordered_speed(&drive)), (Some(0), None));
    assert_ne!(drive.register(3).unwrap() & status::SWITCH_ON_INHIBITED, 0);
    write(&mut drive, 0, RUN).unwrap();
    assert_eq!(ordered_speed(&drive), None, "047F alone does not start it");
    write(&mut drive, 0, READY).unwrap();
    write(&mut drive, 0, RUN).unwrap();
    assert_eq!(ordered_speed(&drive), Some(80));
}

#[test]
fn each_action_on_a_silent_bus_does_what_its_name_says() {
    for (action, speed, fault, warning) in [
        (CommLossAction::None, Some(45), 0, 0),
        (CommLossAction::Fault, None, EFB_COMM_LOSS, 0),
        (CommLossAction::LastSpeed, Some(45), 0, EFB_COMM_LOSS_WARNING),
        (CommLossAction::SafeSpeed, Some(80), 0, EFB_COMM_LOSS_WARNING),
    ] {
        let mut drive = drive_with(action);
        write(&mut drive, 1, reference(45)).unwrap();
        drive.tick(2_999);
        drive.heard();
        assert_eq!((ordered_speed(&drive), drive.register(10)), (Some(45), Some(0)));
        drive.tick(3_000);
        assert_eq!(ordered_speed(&drive), speed, "{action:?}");
        assert_eq!(words::<2>(&drive, 9), [fault, warning], "{action:?}");
        write(&mut drive, 1, reference(45)).unwrap();
        assert_eq!(drive.register(10), Some(0), "the bus is back: {action:?}");
    }
}

#[test]
fn supervision_begins_with_the_first_message_and_can_count_reads() {
    let mut drive = drive();
    drive.heard();
    drive.tick(1_000_000);
    assert_eq!(ordered_speed(&drive), Some(80), "nobody has spoken yet");
    write(&mut drive, 5814, ANY_MESSAGE).unwrap();
    drive.heard();
    drive.tick(1_002_000);
    drive.heard();
    drive.tick(1_004_999);
    assert_eq!(ordered_speed(&drive), Some(80));
    drive.tick(1_005_000);
    assert_eq!(ordered_speed(&drive), None);
}

#[test]
fn at_its_panel_it_runs_whatever_the_bus_says() {
    let mut drive = drive();
    sees(&mut drive, PumpReadings { forced_local: true, ..seen() });
    write(&mut drive, 0, READY).unwrap();
    drive.tick(60_000);
    assert_eq!(ordered_speed(&drive), Some(80));
    assert_eq!(drive.register(3).unwrap() & status::REMOTE, 0);
}

#[test]
fn only_saving_writes_the_eeprom() {
    let mut drive = drive();
    write(&mut drive, 5813, 3).unwrap();
    assert_eq!(drive.eeprom_writes(), 0);
    write(&mut drive, 9606, 1).unwrap();
    assert_eq!((drive.eeprom_writes(), drive.register(9606)), (1, Some(0)));
}

#[test]
fn a_value_outside_its_range_is_refused() {
    let mut drive = drive();
    assert_eq!(write(&mut drive, 5813, 6), Err(Exception::Value));
    assert_eq!(write(&mut drive, 5814, 0), Err(Exception::Value));
    assert_eq!(write(&mut drive, 3, 0), Err(Exception::Address));
}
