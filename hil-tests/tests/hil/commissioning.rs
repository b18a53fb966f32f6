//! What is found out before a node is trusted with pumps and valves.

use std::process::{Command, Output};
use std::time::Duration;

use eisbach_hil_tests::{Binary, Configuration, Rig, Simulator, binary};
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);

fn probe(configuration: &Configuration, words: &[&str]) -> Output {
    let mut command = Command::new(binary(Binary::Agent));
    command.args(["probe", "--config"]).arg(configuration.path()).args(words);
    command.output().unwrap()
}

fn found(configuration: &Configuration) -> Vec<Value> {
    let output = probe(configuration, &["--json"]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn device<'a>(found: &'a [Value], name: &str) -> &'a Value {
    found.iter().find(|device| device["name"] == name).unwrap_or_else(|| panic!("no {name} in {found:#?}"))
}

/// Writes that any device has taken so far.
fn writes(simulator: &Simulator) -> f64 {
    let truth = simulator.truth();
    ["pump", "valve", "meter", "room", "leak"]
        .iter()
        .map(|name| truth.number(&format!("/devices/{name}/writes")))
        .sum()
}

#[test]
fn probe_names_each_device_its_identity_and_its_watchdog_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
    let configuration = Configuration::of(folder.path(), &simulator);
    configuration.write();
    let found = found(&configuration);
    assert_eq!(found.len(), 5);
    for name in ["pump", "valve", "meter", "room", "leak"] {
        let device = device(&found, name);
        assert_eq!(device["reached"], true, "{device:#}");
        assert_ne!(device["identity_ok"], false, "{device:#}");
        assert_eq!(device["error"], Value::Null, "{device:#}");
    }
    assert_eq!(device(&found, "pump")["identity_ok"], true);
    let watchdog = device(&found, "valve")["watchdog"].as_array().unwrap().clone();
    let addresses: Vec<_> = watchdog.iter().filter_map(|register| register["address"].as_u64()).collect();
    assert_eq!(addresses, [109, 108], "time and action of the bus watchdog: {watchdog:#?}");
    assert_eq!(writes(&simulator), 0.0);

    let table = String::from_utf8(probe(&configuration, &[]).stdout).unwrap();
    for word in ["pump", "grundfos-cim", "valve", "belimo-energy-valve", "identity", "without the agent"] {
        assert!(table.contains(word), "{word} is not in\n{table}");
    }
}

#[test]
fn an_actuator_that_would_hold_its_last_set_point_is_found_by_probe_and_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle", "--as-shipped"]);
    let configuration = Configuration::of(folder.path(), &simulator);
    configuration.write();
    let output = probe(&configuration, &[]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && table.contains("UNPROTECTED"), "{table}");
    let protection = device(&found(&configuration), "valve")["protection"].clone();
    assert_eq!(protection["verdict"], "unprotected", "{protection}");
    assert!(protection["why"].as_str().is_some_and(|why| why.contains("109")), "{protection}");

    let rig = Rig::assemble(folder, simulator, &configuration);
    rig.settle();
    rig.alarm_is("unprotected_actuator", true, MINUTE);
    let protection = rig.point("valve", "Protection")["value"].clone();
    assert!(protection.as_str().is_some_and(|word| word.contains("unprotected")), "{protection}");
}

#[test]
fn another_device_than_the_profile_describes_is_named_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let simulator =
        Simulator::start(folder.path(), &["--workload", "idle", "--model", "valve=generic-valve"]);
    let configuration = Configuration::of(folder.path(), &simulator);
    configuration.write();
    let table = String::from_utf8(probe(&configuration, &[]).stdout).unwrap();
    assert!(table.contains("ANOTHER DEVICE"), "{table}");
    let rig = Rig::assemble(folder, simulator, &configuration);
    rig.alarm_is("wrong_device", true, MINUTE);
    assert_eq!(rig.truth().number("/devices/valve/writes"), 0.0);
}

#[test]
fn every_simulated_device_is_the_one_that_its_profile_describes() {
    // Those that cannot be commanded or are no pump, valve or meter of their own fill no such place in a node.
    let places = [
        ("pump", "grundfos-cim"),
        ("pump", "abb-acx580"),
        ("pump", "generic-pump"),
        ("pump", "orv3-rpu"),
        ("pump", "slot-plc"),
        ("valve", "belimo-energy-valve"),
        ("valve", "generic-valve"),
        ("meter", "calec-st"),
        ("meter", "kamstrup-multical"),
    ];
    let mut wrong = Vec::new();
    for (place, model) in places {
        let folder = tempfile::tempdir().unwrap();
        let choice = format!("{place}={model}");
        let simulator = Simulator::start(folder.path(), &["--workload", "idle", "--model", &choice]);
        let unit = simulator.unit(place);
        let mut configuration = Configuration::of(folder.path(), &simulator)
            .set(place, "profile", model)
            .set(place, "unit", i64::from(unit));
        if model == "slot-plc" {
            configuration = configuration.set(place, "slot", 0);
        }
        if model == "orv3-rpu" {
            // It stands in the places of the meter and the leak relay too.
            configuration =
                configuration.set("meter", "profile", model).set("meter", "unit", i64::from(unit));
            configuration = configuration.without("leak");
        }
        configuration.write();
        let found = found(&configuration);
        let device = device(&found, place);
        let points = device["points"].as_array().unwrap();
        let all_good = !points.is_empty() && points.iter().all(|point| point["quality"] == "good");
        if device["identity_ok"] == false || !device["error"].is_null() || !all_good {
            wrong.push(format!("{choice}: {device:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_device_that_is_not_there_does_not_keep_probe_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
    simulator.event("silence-meter");
    let configuration = Configuration::of(folder.path(), &simulator);
    configuration.write();
    let found = found(&configuration);
    assert!(device(&found, "meter")["error"].is_string(), "{:#}", device(&found, "meter"));
    assert_eq!(device(&found, "pump")["error"], Value::Null);
}
