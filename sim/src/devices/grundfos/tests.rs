//! The map and the behaviour of the E-pump.

use super::super::device::{words, write};
use super::map::status;
use super::*;

const REMOTE_ON: u16 = control::REMOTE | control::ON;

fn seen() -> PumpReadings {
    PumpReadings {
        speed: 0.62,
        speed_rpm: 1798.4,
        head_kpa: 134.56,
        flow_lpm: 45.0,
        power_watts: 70_000.4,
        inlet_kpa: -12.3,
        liquid_celsius: 31.25,
        ..PumpReadings::default()
    }
}

fn pump(seen: PumpReadings) -> Pump {
    let mut pump = Pump::new(PumpSettings::default());
    pump.sense(&Readings { pump: seen, ..Readings::default() });
    pump
}

/// A pump in remote, on, at 45.00 %, at 1 s of plant time.
fn remote() -> Pump {
    let mut pump = pump(seen());
    pump.tick(1_000);
    write(&mut pump, 103, 4500).unwrap();
    write(&mut pump, 100, REMOTE_ON).unwrap();
    pump
}

/// What the drive is told: its speed in percent, or to stop.
fn ordered(pump: &Pump) -> Option<u16> {
    let mut orders = Orders { pump_run: false, pump_speed: f64::NAN, valve_position: f64::NAN };
    pump.order(&mut orders);
    orders.pump_run.then(|| unsigned(orders.pump_speed, 0.01))
}

#[test]
fn identity_is_that_of_an_e_pump() {
    assert_eq!(words::<3>(&pump(seen()), 29), [2, 1, 1]);
}

#[test]
fn the_data_block_has_the_documents_scales() {
    let pump = pump(seen());
    let block: [u16; 56] = words(&pump, 300);
    let at = |address: usize| block[address - 300];
    assert_eq!(at(300), 1346, "head, 0.001 bar");
    assert_eq!(at(301), 27, "flow, 0.1 m³/h");
    assert_eq!(at(302), 6200, "performance, 0.01 %");
    assert_eq!(at(303), 1798, "rpm");
    assert_eq!(at(304), 310, "frequency, 0.1 Hz");
    assert_eq!(at(307), 8000, "actual set-point, 0.01 %");
    assert_eq!(at(308), 3043, "current, 0.1 A");
    assert_eq!([at(311), at(312)], [1, 4464], "power in W, high word first");
    assert_eq!(at(314).cast_signed(), -123, "inlet, 0.001 bar");
    assert_eq!(at(321), 30440, "liquid, 0.01 K");
    assert_eq!(at(338), 1346, "differential pressure");
    assert_eq!(at(339), 1223, "outlet pressure");
    for address in [305, 306, 309, 310, 313, 315, 316, 317, 318, 319, 320, 322, 325, 330, 337, 351, 355] {
        assert_eq!(at(address), 0xFFFF, "no such value in this pump: {address}");
    }
}

#[test]
fn the_status_block_has_the_documents_scales() {
    let pump = remote();
    assert_eq!(words::<6>(&pump, 200), [status::ROTATION | status::REMOTE | status::ON, 6200, 0, 0, 0, 0]);
    assert_eq!(words::<5>(&pump, 212), [500, 2500, 10_000, 2500, 10_000]);
    assert_eq!(words::<4>(&pump, 208), [0xFFFF; 4]);
}

#[test]
fn counters_count_plant_time_high_word_first() {
    let mut pump = pump(PumpReadings { power_watts: 100_000.0, ..seen() });
    pump.tick(3_600_000 * 70_000);
    assert_eq!(words::<4>(&pump, 326), [1, 4464, 1, 4464], "hours run and hours powered");
    assert_eq!(words::<2>(&pump, 331), [106, 53_184], "7 000 000 kWh");
    assert_eq!(words::<2>(&pump, 333), [0, 1], "starts");
}

#[test]
fn what_is_not_measured_is_0xffff() {
    let mut pump = remote();
    pump.blind();
    for address in [201, 300, 301, 302, 303, 304, 308, 311, 312, 314, 321, 338, 339] {
        assert_eq!(pump.register(address), Some(0xFFFF), "register {address}");
    }
    assert_eq!(pump.register(307), Some(4500), "its own set-point it knows");
}

#[test]
fn registers_outside_the_blocks_do_not_exist() {
    let pump = pump(seen());
    for address in [28, 32, 99, 106, 199, 217, 299, 356, u16::MAX] {
        assert_eq!(pump.register(address), None, "register {address}");
    }
}

#[test]
fn out_of_the_box_it_runs_in_local() {
    let pump = pump(seen());
    assert_eq!(pump.register(200).unwrap() & (status::REMOTE | status::ON), status::ON);
    assert_eq!(ordered(&pump), Some(80));
}

#[test]
fn in_remote_it_follows_the_bus() {
    let mut pump = remote();
    assert_eq!(ordered(&pump), Some(45));
    write(&mut pump, 103, 100).unwrap();
    assert_eq!(ordered(&pump), Some(25), "not below its lowest speed");
    write(&mut pump, 102, OPEN_LOOP_MAX).unwrap();
    assert_eq!(ordered(&pump), Some(100));
    write(&mut pump, 102, OPEN_LOOP_MIN).unwrap();
    assert_eq!((ordered(&pump), pump.register(203)), (Some(25), Some(OPEN_LOOP_MIN)));
    write(&mut pump, 100, control::REMOTE).unwrap();
    assert_eq!(ordered(&pump), None);
}

#[test]
fn without_a_request_it_falls_to_local_and_a_new_remote_bit_brings_it_back() {
    let mut pump = remote();
    pump.tick(5_999);
    pump.heard();
    pump.tick(10_998);
    assert_eq!(pump.register(200).unwrap() & status::REMOTE, status::REMOTE, "a request winds it up");
    pump.tick(10_999);
    assert_eq!(pump.register(200).unwrap() & status::REMOTE, 0);
    assert_eq!(pump.register(100), Some(control::ON), "the request for remote is gone");
    assert_eq!((ordered(&pump), pump.register(307)), (Some(80), Some(8000)));

    pump.heard();
    assert_eq!(ordered(&pump), Some(80), "reading alone does not bring it back");
    write(&mut pump, 100, REMOTE_ON).unwrap();
    assert_eq!((ordered(&pump), pump.register(103)), (Some(45), Some(4500)), "set-point was kept");
}

#[test]
fn a_stopped_pump_that_falls_to_local_starts() {
    let mut pump = remote();
    write(&mut pump, 100, control::REMOTE).unwrap();
    let starts = pump.register(334);
    pump.tick(60_000);
    assert_eq!(ordered(&pump), Some(80));
    assert_eq!(pump.register(334), starts.map(|starts| starts + 1));
}

#[test]
fn copy_to_local_writes_the_eeprom_when_remote_ends() {
    let mut pump = remote();
    write(&mut pump, 100, REMOTE_ON | control::COPY_TO_LOCAL).unwrap();
    assert_eq!((pump.eeprom_writes(), pump.register(200).unwrap() & status::COPY_TO_LOCAL), (0, 2));
    pump.tick(60_000);
    assert_eq!((pump.eeprom_writes(), ordered(&pump)), (1, Some(45)));
}

#[test]
fn at_its_panel_it_can_be_forced_to_local() {
    let mut pump = remote();
    pump.sense(&Readings { pump: PumpReadings { forced_local: true, ..seen() }, ..Readings::default() });
    let bits = pump.register(200).unwrap();
    assert_eq!((bits & status::FORCED_LOCAL, bits & status::REMOTE), (status::FORCED_LOCAL, 0));
    write(&mut pump, 103, 9000).unwrap();
    assert_eq!((ordered(&pump), pump.register(103)), (Some(80), Some(9000)), "taken, without effect");
}

#[test]
fn an_alarm_stops_the_drive_until_its_cause_is_gone_and_reset_rises() {
    let mut pump = remote();
    let reset = REMOTE_ON | control::RESET_ALARM;
    pump.sense(&Readings { pump: PumpReadings { alarm_code: 57, ..seen() }, ..Readings::default() });
    assert_eq!(ordered(&pump), None);
    assert_eq!((pump.register(200).unwrap() & status::ALARM, pump.register(204)), (status::ALARM, Some(57)));

    write(&mut pump, 100, reset).unwrap();
    assert_eq!(ordered(&pump), None, "the cause is still there");
    pump.sense(&Readings { pump: seen(), ..Readings::default() });
    write(&mut pump, 100, reset).unwrap();
    assert_eq!(ordered(&pump), None, "the bit was high before");
    write(&mut pump, 100, REMOTE_ON).unwrap();
    write(&mut pump, 100, reset).unwrap();
    assert_eq!(ordered(&pump), Some(45));
    assert_eq!((pump.register(200).unwrap() & status::ALARM, pump.register(204)), (0, Some(0)));
}

#[test]
fn reset_at_the_panel_ends_an_alarm_whose_cause_is_gone() {
    let mut pump = remote();
    let pressed = PumpReadings { reset_pressed: true, ..seen() };
    pump.sense(&Readings { pump: PumpReadings { alarm_code: 51, ..pressed }, ..Readings::default() });
    assert_eq!(ordered(&pump), None, "the cause is still there");
    pump.sense(&Readings { pump: seen(), ..Readings::default() });
    assert_eq!(ordered(&pump), None, "nobody has reset it");
    pump.sense(&Readings { pump: pressed, ..Readings::default() });
    assert_eq!((ordered(&pump), pump.register(204)), (Some(45), Some(0)));
}

#[test]
fn a_warning_does_not_stop_the_drive() {
    let pump = pump(PumpReadings { warning_code: 88, ..seen() });
    assert_eq!((pump.register(205), ordered(&pump)), (Some(88), Some(80)));
    assert_ne!(pump.register(200).unwrap() & status::WARNING, 0);
}

#[test]
fn the_ends_of_the_speed_range_show_in_the_status() {
    let bits = |speed| pump(PumpReadings { speed, ..seen() }).register(200).unwrap();
    assert_eq!(bits(1.0) & (status::AT_MAX_SPEED | status::AT_MIN_SPEED), status::AT_MAX_SPEED);
    assert_eq!(bits(0.25) & (status::AT_MAX_SPEED | status::AT_MIN_SPEED), status::AT_MIN_SPEED);
    assert_eq!(bits(0.5) & (status::AT_MAX_SPEED | status::AT_MIN_SPEED), 0);
}

#[test]
fn a_value_outside_its_range_is_refused() {
    let mut pump = pump(seen());
    assert_eq!(write(&mut pump, 103, 10_001), Err(Exception::Value));
    assert_eq!(write(&mut pump, 101, 2), Err(Exception::Value));
    assert_eq!(write(&mut pump, 102, 1), Err(Exception::Value));
    assert_eq!(write(&mut pump, 200, 0), Err(Exception::Address));
}

#[test]
fn a_control_mode_it_cannot_run_leaves_the_old_one_in_force() {
    let mut pump = remote();
    write(&mut pump, 101, CONSTANT_FREQUENCY).unwrap();
    write(&mut pump, 101, 7).unwrap();
    assert_eq!((pump.register(101), pump.register(202)), (Some(7), Some(CONSTANT_FREQUENCY)));
}
