//! Modbus/TCP Security: the pump is spoken to within TLS, and each side proves who it is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use eisbach_hil_tests::{Binary, Configuration, Rig, Simulator, binary, until};

const MINUTE: Duration = Duration::from_secs(60);

fn certificates(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    let made = Command::new(binary(Binary::Sim)).arg("certificates").arg(&folder).status().unwrap();
    assert!(made.success());
    folder
}

/// A node that shows its pump the certificate `who` of the folder `ours`; the pump has those of the folder `theirs`.
fn node(theirs: &str, ours: &str, who: &str) -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let theirs = certificates(folder.path(), theirs);
    let ours = if theirs.ends_with(ours) { theirs.clone() } else { certificates(folder.path(), ours) };
    let words = ["--workload", "idle", "--tls", "pump", "--certificates", theirs.to_str().unwrap()];
    let simulator = Simulator::start(folder.path(), &words);
    let file = |name: String| ours.join(name).display().to_string();
    let configuration = Configuration::of(folder.path(), &simulator)
        .set("pump", "address", format!("tls:{}", simulator.at("/tls/pump")))
        // What the device is called is checked against its own authority, whoever we are.
        .set("tls", "ca", theirs.join("ca.pem").display().to_string())
        .set("tls", "certificate", file(format!("{who}.pem")))
        .set("tls", "key", file(format!("{who}.key")));
    Rig::assemble(folder, simulator, &configuration)
}

#[test]
fn an_operator_s_certificate_controls_the_pump_within_tls() {
    let rig = node("plant", "plant", "operator");
    rig.settle();
    rig.event("load-full");
    let look = || (rig.number("pump", "SpeedSetpoint"), rig.truth().number("/orders/pump_speed") * 100.0);
    until("the pump runs at what is asked", MINUTE, look, |(asked, real)| {
        asked.is_some_and(|asked| asked > 52.0 && (asked - real).abs() < 2.0)
    });
    assert!(!rig.alarms().contains(&"pump_silent".into()));
}

#[test]
fn a_certificate_of_another_authority_is_refused_with_one_clear_line() {
    let rig = node("plant", "elsewhere", "operator");
    rig.alarm_is("pump_silent", true, MINUTE);
    let about = || {
        rig.agent
            .log()
            .lines()
            .filter(|line| line.contains("certificate"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    until("the log says why", MINUTE, about, |lines| !lines.is_empty());
    let cycles = rig.cycles().0;
    until("time passes", MINUTE, || rig.cycles().0, |now| *now > cycles + 50);
    assert_eq!(about().len(), 1, "{:#?}", about());
    assert_eq!(rig.truth().number("/devices/pump/writes"), 0.0);
}

#[test]
fn an_observer_s_certificate_reads_the_pump_and_cannot_command_it() {
    let rig = node("plant", "plant", "observer");
    let speed = || rig.point("pump", "Speed")["quality"] == "good";
    until("the pump is read", MINUTE, speed, |good| *good);
    rig.alarm_is("set_point_ignored", true, MINUTE);
    assert_eq!(rig.truth().number("/devices/pump/writes"), 0.0);
}
