//! The map and the behaviour of the rack's pump unit.

use super::super::device::{ordered_speed, words, write};
use super::map::{leakage, sensor_alarm, status_alarm};
use super::*;

const MANUAL: u16 = control::MANUAL | control::MANUAL_PUMP_ON;

fn readings() -> Readings {
    Readings {
        pump: PumpReadings {
            speed_rpm: 2400.0,
            head_kpa: 81.26,
            inlet_kpa: -12.3,
            power_watts: 215.0,
            ..PumpReadings::default()
        },
        meter: MeterReadings {
            flow_lpm: 16.0,
            supply_celsius: -0.5,
            return_celsius: 44.4,
            ..MeterReadings::default()
        },
        air: AirReadings { temperature_celsius: 23.5, ..AirReadings::default() },
        ..Readings::default()
    }
}

fn rpu() -> Rpu {
    let mut rpu = Rpu::new(Make::Orv3, 0.8);
    rpu.sense(&readings());
    rpu
}

fn text(rpu: &Rpu, first: u16) -> String {
    let bytes: Vec<u8> = words::<8>(rpu, first).into_iter().flat_map(u16::to_be_bytes).collect();
    String::from_utf8(bytes).unwrap().trim_end_matches('\0').to_owned()
}

#[test]
fn the_map_has_the_places_and_scales_of_the_open_map() {
    let rpu = rpu();
    let block: [u16; 14] = words(&rpu, 36864);
    assert_eq!(block[0], 160, "flow, 0.1 L/min");
    assert_eq!(block[1].cast_signed(), -5, "outlet, 0.1 °C, below zero");
    assert_eq!(block[2], 444, "inlet, 0.1 °C");
    assert_eq!(block[3], 690, "outlet, 0.1 kPa");
    assert_eq!(block[4].cast_signed(), -123, "inlet, 0.1 kPa, below the air's");
    assert_eq!(block[5..=6], [2500, 2500], "power, 0.1 W");
    assert_eq!(block[7..=8], [480, 235], "48.0 V, 23.5 °C");
    assert_eq!(block[9..], [80, 2400, 2400, 0, 0], "duty in percent, and four tachometers");
    assert_eq!(words::<3>(&rpu, 37376), [0, 0, 0]);
    assert_eq!(words::<5>(&rpu, 37888), [160, 350, 168, 80, 60]);
    assert_eq!(words::<2>(&rpu, 37904), [control::FLOW_CONTROL, 0b1111]);
}

#[test]
fn each_make_names_itself() {
    assert_eq!(text(&Rpu::new(Make::DeltaRdf040, 0.8), 0x19CC), "RDF040DSS5193E0");
    assert_eq!(text(&rpu(), 0x19CC), "AALC-RPU-SIM");
}

#[test]
fn registers_outside_the_blocks_do_not_exist() {
    for address in [6560, 6573, 6603, 6624, 36863, 36890, 36911, 36920, 37374, 37380, 37893, 37903, 37906] {
        assert_eq!(rpu().register(address), None, "register {address}");
    }
}

#[test]
fn in_flow_control_it_holds_its_flow_by_itself() {
    let mut rpu = rpu();
    rpu.tick(10_000);
    assert_eq!(ordered_speed(&rpu), Some(80), "on target");
    write(&mut rpu, 37888, 200).unwrap();
    rpu.tick(15_000);
    assert_eq!(ordered_speed(&rpu), Some(90), "4 L/min missing for 5 s");
    write(&mut rpu, 37888, 0).unwrap();
    rpu.tick(1_000_000);
    assert_eq!(ordered_speed(&rpu), Some(25), "never below its lowest duty");
}

#[test]
fn without_a_flow_meter_it_keeps_its_duty() {
    let mut rpu = rpu();
    rpu.blind();
    rpu.tick(60_000);
    assert_eq!(ordered_speed(&rpu), Some(80));
    assert_eq!((rpu.register(36864), rpu.register(36866)), (Some(0xFFFF), Some(0x8000)));
    let failed = rpu.register(37376).unwrap();
    let inlet = sensor_alarm::INLET_THERMOMETER | sensor_alarm::INLET_GAUGE;
    assert_eq!(failed & (inlet | sensor_alarm::FLOW_METER), inlet | sensor_alarm::FLOW_METER);
}

#[test]
fn manual_control_takes_both_bits() {
    let mut rpu = rpu();
    write(&mut rpu, 37891, 45).unwrap();
    assert_eq!(ordered_speed(&rpu), Some(80), "the duty alone changes nothing");
    write(&mut rpu, 37904, control::MANUAL).unwrap();
    assert_eq!(ordered_speed(&rpu), None, "manual, and not on");
    write(&mut rpu, 37904, MANUAL).unwrap();
    assert_eq!((ordered_speed(&rpu), rpu.register(36873)), (Some(45), Some(45)));
    write(&mut rpu, 37904, 0).unwrap();
    assert_eq!(ordered_speed(&rpu), Some(45), "no mode: the last duty");
    write(&mut rpu, 37904, control::FLOW_CONTROL).unwrap();
    assert_eq!(ordered_speed(&rpu), Some(45), "back to its own loop without a bump");
}

#[test]
fn system_stop_wins_over_everything() {
    let mut rpu = rpu();
    write(&mut rpu, 37904, MANUAL | control::SYSTEM_STOP).unwrap();
    assert_eq!(ordered_speed(&rpu), None);
    assert_eq!((rpu.register(36873), rpu.register(36888)), (Some(0), Some(0)));
    assert_ne!(rpu.register(37377).unwrap() & status_alarm::NOT_READY, 0);
}

#[test]
fn nobody_on_the_bus_changes_nothing() {
    let mut rpu = rpu();
    write(&mut rpu, 37891, 30).unwrap();
    write(&mut rpu, 37904, MANUAL).unwrap();
    rpu.tick(86_400_000);
    assert_eq!(ordered_speed(&rpu), Some(30));
}

#[test]
fn a_leak_is_latched_until_it_is_dry_and_cleared() {
    let mut rpu = rpu();
    let with = |leak, rope_fault| Readings { leak: LeakReadings { leak, rope_fault }, ..readings() };
    rpu.sense(&with(true, false));
    assert_eq!((words::<1>(&rpu, 37378), words::<2>(&rpu, 6561)), ([leakage::CHASSIS_0], [1, 0]));
    write(&mut rpu, 37904, control::FLOW_CONTROL | control::CLEAR_LOG).unwrap();
    assert_eq!(words::<1>(&rpu, 6561), [1], "still wet");
    rpu.sense(&with(false, false));
    assert_eq!((words::<1>(&rpu, 37378), words::<1>(&rpu, 6561)), ([0], [1]), "dry, and remembered");
    write(&mut rpu, 37904, control::FLOW_CONTROL).unwrap();
    write(&mut rpu, 37904, control::FLOW_CONTROL | control::CLEAR_LOG).unwrap();
    assert_eq!(words::<1>(&rpu, 6561), [0]);
    rpu.sense(&with(false, true));
    assert_eq!((words::<1>(&rpu, 37378), words::<12>(&rpu, 6561)), ([leakage::FLOOR_ERROR], [0; 12]));
}

#[test]
fn a_tripped_pump_waits_for_a_rising_reset() {
    let mut rpu = rpu();
    let tripped = PumpReadings { alarm_code: 51, ..readings().pump };
    rpu.sense(&Readings { pump: tripped, ..readings() });
    assert_eq!((ordered_speed(&rpu), words::<2>(&rpu, 36882)), (None, [0, 0]));
    assert_ne!(rpu.register(37377).unwrap() & status_alarm::PUMP_ABNORMAL, 0);
    rpu.sense(&readings());
    assert_eq!(ordered_speed(&rpu), None);
    write(&mut rpu, 37904, control::FLOW_CONTROL | 1 << 12).unwrap();
    assert_eq!((ordered_speed(&rpu), words::<2>(&rpu, 36882)), (Some(80), [1, 1]));
}

#[test]
fn turning_pumps_without_flow_are_a_blocked_loop() {
    let mut rpu = rpu();
    rpu.sense(&Readings { meter: MeterReadings { flow_lpm: 0.2, ..readings().meter }, ..readings() });
    assert_eq!(words::<1>(&rpu, 37377), [status_alarm::LOOP_BLOCKED]);
}

#[test]
fn a_power_cycle_brings_back_what_was_commissioned() {
    let mut rpu = rpu();
    rpu.tick(7_200_000);
    write(&mut rpu, 37891, 30).unwrap();
    write(&mut rpu, 37904, MANUAL).unwrap();
    write(&mut rpu, 37904, MANUAL | control::POWER_CYCLE).unwrap();
    assert_eq!((rpu.register(37904), ordered_speed(&rpu)), (Some(control::FLOW_CONTROL), Some(80)));
    assert_eq!(words::<6>(&rpu, 36912), [0, 2, 0, 2, 0, 0], "hours run");
    write(&mut rpu, 37904, control::CLEAR_RUNTIME).unwrap();
    assert_eq!(words::<2>(&rpu, 36912), [0, 0]);
}

#[test]
fn a_value_outside_its_range_is_refused() {
    let mut rpu = rpu();
    assert_eq!(write(&mut rpu, 37891, 101), Err(Exception::Value));
    assert_eq!(write(&mut rpu, 36864, 0), Err(Exception::Address));
    assert_eq!(write(&mut rpu, 6561, 0), Err(Exception::Address));
}
