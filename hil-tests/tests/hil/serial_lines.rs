//! Devices on one serial line, from end to end.

use std::time::Duration;

use eisbach_hil_tests::{Configuration, Rig, Simulator, until};

const MINUTE: Duration = Duration::from_secs(60);

/// A node whose pump and valve share a line: a serial port, or one behind a gateway.
fn node(door: &str, place: &str, scheme: &str, words: &[&str]) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec!["--workload", "full", door, "pump,valve"];
    all.extend(words);
    let simulator = Simulator::start(folder.path(), &all);
    let address = format!("{scheme}:{}", simulator.at(place));
    let mut configuration = Configuration::of(folder.path(), &simulator);
    for device in ["pump", "valve"] {
        configuration =
            configuration.set(device, "address", address.as_str()).set(device, "serial", "19200 8E1");
    }
    let rig = Rig::assemble(folder, simulator, &configuration);
    rig.settle();
    rig
}

fn the_loop_closes(rig: &Rig) {
    let flow = || (rig.number("meter", "Flow"), rig.number("node", "FlowDemand"));
    until("flow follows the demand", MINUTE, flow, |(flow, demand)| {
        flow.zip(*demand).is_some_and(|(flow, demand)| (flow / demand - 1.0).abs() < 0.1)
    });
    let valve =
        || (rig.number("valve", "PositionSetpoint"), rig.truth().number("/orders/valve_position") * 100.0);
    until("the valve is where it is asked to be", MINUTE, valve, |(asked, real)| {
        asked.is_some_and(|asked| (asked - real).abs() < 3.0)
    });
    assert_eq!(rig.truth().number("/throttled_gpu_seconds"), 0.0);
    assert_eq!(rig.alarms(), Vec::<String>::new());
}

#[test]
fn the_loop_closes_over_one_serial_line() {
    the_loop_closes(&node("--rtu", "/serial/path", "rtu", &[]));
}

#[test]
fn the_loop_closes_behind_an_rtu_gateway() {
    the_loop_closes(&node("--rtu-tcp", "/rtu_tcp/address", "rtu-tcp", &[]));
}

#[test]
fn i12_a_dead_valve_does_not_make_the_pump_on_the_same_line_stale() {
    let rig = node("--rtu", "/serial/path", "rtu", &["--proxy"]);
    assert_eq!(rig.fault("serial", "silent-unit 2"), "ok");
    rig.alarm_is("valve_silent", true, MINUTE);
    let (before, mut oldest) = (rig.cycles().0, 0);
    until(
        "two hundred cycles pass",
        MINUTE,
        || {
            let pump = rig.point("pump", "Speed");
            assert_eq!(pump["quality"], "good", "{pump}");
            oldest = oldest.max(pump["age_ms"].as_u64().unwrap_or(u64::MAX));
            rig.cycles().0
        },
        |now| *now > before + 200,
    );
    assert!(oldest < 2000, "the pump's speed was {oldest} ms old");
    assert!(!rig.alarms().contains(&"pump_silent".into()));

    assert_eq!(rig.fault("serial", "clear"), "ok");
    rig.alarm_is("valve_silent", false, MINUTE);
}
