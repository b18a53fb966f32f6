//! Masters that are not ours read the simulated devices: what they see is what is the case in the plant.

use std::path::Path;
use std::time::Duration;

use eisbach_hil_tests::{Collectd, Collected, Poll, Simulator, Truth, mbpoll, mbpoll_read, until_some};

const MINUTE: Duration = Duration::from_secs(60);
const PUMP: u8 = 1;
const VALVE: u8 = 2;
/// What the registers of unit 1 and 2 mean: unit, mbpoll's type, register, factor, offset, path in the plant's truth,
/// largest difference. The plant moves between the two looks.
const MEANINGS: [(u8, &str, u16, f64, f64, &str, f64); 6] = [
    (PUMP, "4", 302, 0.0001, 0.0, "/pump/speed", 0.02),
    (PUMP, "4", 300, 0.1, 0.0, "/pump/head_kpa", 5.0),
    (PUMP, "4:int", 311, 1.0, 0.0, "/power/pump", 3.0),
    (VALVE, "4", 4, 0.0001, 0.0, "/valve/position", 0.02),
    (VALVE, "4", 19, 0.01, 0.0, "/valve/inlet_celsius", 1.0),
    (VALVE, "4", 21, 0.01, 0.0, "/valve/outlet_celsius", 1.0),
];

fn simulator(folder: &Path) -> Simulator {
    Simulator::start(folder, &["--workload", "idle", "--rtu", "pump,valve"])
}

fn pump_runs(truth: &Truth) -> bool {
    truth.number("/pump/impeller") > 0.5 && truth.number("/time_ms") > 5000.0
}

fn reads_what_is_the_case<'a>(simulator: &'a Simulator, poll: impl Fn(u8) -> Poll<'a>) {
    until_some("the pump runs", MINUTE, || pump_runs(&simulator.truth()).then_some(()));
    for (unit, kind, register, factor, offset, path, tolerance) in MEANINGS {
        let looks = || {
            let read = mbpoll_read(poll(unit), unit, kind, register)
                .unwrap_or_else(|error| panic!("{path}: {error}"));
            let (told, real) = (read * factor + offset, simulator.truth().number(path));
            ((told - real).abs() <= tolerance).then_some(())
        };
        until_some(&format!("mbpoll reads {path}"), Duration::from_secs(10), looks);
    }
}

#[test]
fn mbpoll_reads_pump_and_valve_over_tcp_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    reads_what_is_the_case(&simulator, |unit| {
        Poll::Tcp(simulator.at(if unit == PUMP { "pump" } else { "valve" }))
    });
}

#[test]
fn mbpoll_reads_pump_and_valve_on_one_serial_line_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    reads_what_is_the_case(&simulator, |_unit| Poll::Rtu(simulator.at("/serial/path")));
}

#[test]
fn mbpoll_gets_the_standard_exception_for_a_register_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    for poll in [Poll::Tcp(simulator.at("pump")), Poll::Rtu(simulator.at("/serial/path"))] {
        let complaint = mbpoll_read(poll, PUMP, "4", 9999).unwrap_err();
        assert!(complaint.contains("Illegal data address"), "{poll:?}: {complaint}");
    }
}

#[test]
fn mbpoll_commands_the_pump_and_reads_its_set_point_back() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    for (poll, set_point) in
        [(Poll::Tcp(simulator.at("pump")), "6000"), (Poll::Rtu(simulator.at("/serial/path")), "7000")]
    {
        for (register, value) in [("100", "3"), ("103", set_point)] {
            let output = mbpoll(poll, PUMP, &["-t", "4", "-r", register], &[value]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(mbpoll_read(poll, PUMP, "4", 103), Ok(set_point.parse().unwrap()));
        let wanted = set_point.parse::<f64>().unwrap() / 10_000.0;
        let ordered = || (simulator.truth().number("/orders/pump_speed") - wanted).abs() < 0.001;
        until_some("the plant's pump is told", MINUTE, || ordered().then_some(()));
    }
}

#[test]
fn collectd_collects_set_point_power_and_liquid_temperature_of_the_pump() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = simulator(folder.path());
    until_some("the pump runs", MINUTE, || pump_runs(&simulator.truth()).then_some(()));
    let set = mbpoll(Poll::Tcp(simulator.at("pump")), PUMP, &["-t", "4", "-r", "103"], &["5500"]);
    assert!(set.status.success());
    let of = |kind, name, register, encoding, scale, shift| Collected {
        kind,
        name,
        register,
        encoding,
        scale,
        shift,
    };
    let set_point = of("percent", "setpoint", 103, "Uint16", 0.01, 0.0);
    let power = of("power", "power", 311, "Uint32", 1.0, 0.0);
    let liquid = of("temperature", "liquid", 321, "Uint16", 0.01, -273.15);
    let collectd = Collectd::start(folder.path(), simulator.at("pump"), PUMP, &[set_point, power, liquid]);
    let comes = |wanted: &Collected, real: &dyn Fn() -> f64, tolerance: f64| {
        let close = || collectd.newest(wanted).filter(|told| (told - real()).abs() <= tolerance);
        until_some(&format!("collectd has the pump's {}", wanted.name), MINUTE, close)
    };
    comes(&set_point, &|| 55.0, 0.001);
    comes(&power, &|| simulator.truth().number("/power/pump"), 3.0);
    // The pump stands in the supply, behind the exchanger.
    comes(&liquid, &|| simulator.truth().number("/node_loop/supply_celsius"), 1.5);
}
