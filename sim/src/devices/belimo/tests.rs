//! The map and the behaviour of the Energy Valve.

use super::super::device::{words, write};
use super::*;

fn seen() -> ValveReadings {
    ValveReadings {
        position: 0.42,
        flow_lpm: 10.5,
        t1_celsius: 44.44,
        t2_celsius: -0.55,
        recovered_watts: 70_000.0,
        recovered_kwh: 131_073.0,
    }
}

fn valve_of(seen: ValveReadings) -> Valve {
    let mut valve = Valve::new(0.0);
    valve.sense(&Readings { valve: seen, ..Readings::default() });
    valve
}

/// Where the plant is told to bring the valve, in percent.
fn ordered(valve: &Valve) -> u16 {
    let mut orders = Orders { pump_run: false, pump_speed: f64::NAN, valve_position: f64::NAN };
    valve.order(&mut orders);
    unsigned(orders.valve_position, 0.01)
}

#[test]
fn the_map_has_the_vendors_scales() {
    let valve = valve_of(seen());
    let head: [u16; 9] = words(&valve, 0);
    assert_eq!(head[..4], [0, 0, 0, 4], "set-point, override, command, type");
    assert_eq!(head[4], 4200, "position, 0.01 %");
    assert_eq!(head[5], 3780, "position, 0.01°");
    assert_eq!(head[6], 5000, "relative flow, 0.01 %");
    assert_eq!(head[7], 175, "flow, 0.001 l/s");
    assert_eq!(head[8], 28, "flow, 0.1 gpm");
    assert_eq!(words::<1>(&valve, 13), [4444]);
    assert_eq!(words::<1>(&valve, 19), [4444], "T1, 0.01 °C");
    assert_eq!(valve.register(21).unwrap().cast_signed(), -55, "T2, 0.01 °C");
    assert_eq!(words::<1>(&valve, 25), [2500], "glycol, 0.01 %");
    assert_eq!(words::<1>(&valve, 103), [410], "firmware");
    assert_eq!(words::<2>(&valve, 105), [0, 10_000], "limits");
    assert_eq!(words::<2>(&valve, 108), [0, 0], "bus failure: no action, watchdog off");
    assert_eq!(words::<2>(&valve, 157), [0, 0], "status");
}

#[test]
fn it_holds_the_set_point_from_before() {
    let valve = Valve::new(0.625);
    assert_eq!((ordered(&valve), valve.register(0)), (63, Some(6250)));
}

#[test]
fn long_values_have_the_low_word_first() {
    let valve = valve_of(seen());
    assert_eq!(words::<2>(&valve, 33), [4464, 1], "heating power in W");
    assert_eq!(words::<2>(&valve, 27), [0, 0], "cooling power in W");
    assert_eq!(words::<2>(&valve, 71), [1, 2], "heating energy in kWh");
    assert_eq!(words::<2>(&valve, 65), [0, 0], "cooling energy in kWh");
    let taking = valve_of(ValveReadings { recovered_watts: -70_000.0, ..seen() });
    assert_eq!((words::<2>(&taking, 27), words::<2>(&taking, 33)), ([4464, 1], [0, 0]));
}

#[test]
fn a_failed_sensor_shows_in_the_status() {
    let mut valve = valve_of(seen());
    valve.blind();
    assert_eq!(words::<1>(&valve, 157), [status::FLOW_ERROR | status::T1_ERROR | status::T2_ERROR]);
    assert_eq!(
        (valve.register(8), valve.register(19), valve.register(33)),
        (Some(0xFFFF), Some(0x8000), Some(0xFFFF))
    );
}

#[test]
fn registers_outside_the_map_do_not_exist() {
    let valve = valve_of(seen());
    for address in [9, 12, 14, 18, 20, 22, 26, 29, 64, 102, 104, 107, 110, 156, 159] {
        assert_eq!(valve.register(address), None, "register {address}");
    }
}

#[test]
fn the_set_point_spans_the_range_between_the_limits() {
    let mut valve = valve_of(seen());
    write(&mut valve, 0, 5_000).unwrap();
    assert_eq!(ordered(&valve), 50);
    write(&mut valve, 105, 2_000).unwrap();
    write(&mut valve, 106, 8_000).unwrap();
    assert_eq!(ordered(&valve), 50);
    write(&mut valve, 0, 0).unwrap();
    assert_eq!((ordered(&valve), valve.register(158)), (20, Some(MIN_POSITION_APPLIED)));
    assert_eq!(valve.eeprom_writes(), 2, "limits are kept in EEPROM, set-points are not");
}

#[test]
fn an_override_goes_before_the_set_point() {
    let mut valve = valve_of(seen());
    write(&mut valve, 0, 7_000).unwrap();
    for (control, position) in [(1, 100), (2, 0), (3, 0), (4, 50), (5, 100), (6, 100), (10, 42), (0, 70)] {
        write(&mut valve, 1, control).unwrap();
        assert_eq!(ordered(&valve), position, "override {control}");
    }
    assert_eq!(write(&mut valve, 1, 7), Err(Exception::Value));
}

#[test]
fn a_silent_master_brings_the_bus_failure_action() {
    for (action, position) in [(0, 70), (1, 100), (2, 0), (3, 90), (4, 10), (5, 50), (6, 42)] {
        let mut valve = valve_of(seen());
        write(&mut valve, 105, 1_000).unwrap();
        write(&mut valve, 106, 9_000).unwrap();
        write(&mut valve, 108, action).unwrap();
        write(&mut valve, 109, 10).unwrap();
        write(&mut valve, 0, 7_500).unwrap();
        valve.tick(9_999);
        assert_eq!((ordered(&valve), valve.register(157).unwrap() & status::BUS_WATCHDOG), (70, 0));
        valve.tick(10_000);
        assert_eq!(ordered(&valve), position, "action {action}");
        assert_ne!(valve.register(157).unwrap() & status::BUS_WATCHDOG, 0, "action {action}");

        write(&mut valve, 0, 7_500).unwrap();
        assert_eq!((ordered(&valve), valve.register(157).unwrap() & status::BUS_WATCHDOG), (70, 0));
    }
}

#[test]
fn reading_does_not_wind_the_watchdog_up_but_an_override_does() {
    let mut valve = valve_of(seen());
    write(&mut valve, 109, 10).unwrap();
    valve.tick(6_000);
    valve.heard();
    write(&mut valve, 1, 0).unwrap();
    valve.tick(15_999);
    assert_eq!(valve.register(157).unwrap() & status::BUS_WATCHDOG, 0);
    valve.tick(16_000);
    assert_ne!(valve.register(157).unwrap() & status::BUS_WATCHDOG, 0);
}

#[test]
fn out_of_the_box_nothing_watches_the_master() {
    let mut valve = valve_of(seen());
    write(&mut valve, 0, 3_000).unwrap();
    valve.tick(u64::MAX);
    assert_eq!((ordered(&valve), valve.register(157).unwrap() & status::BUS_WATCHDOG), (30, 0));
}

#[test]
fn an_actuator_that_does_not_move_is_blocked() {
    let mut valve = valve_of(seen());
    write(&mut valve, 0, 10_000).unwrap();
    let bits = |valve: &Valve| valve.register(157).unwrap();
    valve.tick(1_000);
    valve.tick(5_999);
    assert_eq!(bits(&valve), 0);
    valve.tick(6_000);
    assert_eq!(bits(&valve), status::BLOCKED);
    valve.sense(&Readings { valve: ValveReadings { position: 0.43, ..seen() }, ..Readings::default() });
    valve.tick(7_000);
    assert_eq!(bits(&valve), 0, "it moves again");
    valve.tick(91_000);
    assert_eq!(bits(&valve), status::BLOCKED | status::SETPOINT_NOT_REACHED);
    valve.sense(&Readings { valve: ValveReadings { position: 0.99, ..seen() }, ..Readings::default() });
    valve.tick(92_000);
    assert_eq!(bits(&valve), 0, "there");
}

#[test]
fn a_command_register_returns_to_zero() {
    let mut valve = valve_of(seen());
    write(&mut valve, 2, 1).unwrap();
    assert_eq!(valve.register(2), Some(0));
}

#[test]
fn a_value_outside_its_range_is_refused() {
    let mut valve = valve_of(seen());
    assert_eq!(write(&mut valve, 0, 10_001), Err(Exception::Value));
    assert_eq!(write(&mut valve, 108, 7), Err(Exception::Value));
    assert_eq!(write(&mut valve, 106, 10_001), Err(Exception::Value));
    assert_eq!(write(&mut valve, 4, 0), Err(Exception::Address));
}
