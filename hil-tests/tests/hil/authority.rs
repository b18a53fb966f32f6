//! Who may move an actuator, and how often.

use std::path::Path;
use std::time::Duration;

use eisbach_hil_tests::{Configuration, Poll, Rig, RigOptions, Simulator, mbpoll, until};

const MINUTE: Duration = Duration::from_secs(60);
const PUMP: u8 = 1;
const SET_POINT: &str = "103";

fn set(rig: &Rig, words: &str) {
    let output = mbpoll(Poll::Tcp(rig.simulator.at("pump")), PUMP, &["-t", "4", "-r", SET_POINT], &[words]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn ordered(rig: &Rig) -> f64 {
    rig.truth().number("/orders/pump_speed") * 100.0
}

#[test]
fn i05_another_master_is_yielded_to_and_from_then_on_the_agent_only_raises() {
    let rig = Rig::start(&RigOptions { workload: "idle", ..RigOptions::default() });
    // The other one wants less than the agent: it insists until the agent has given way.
    until(
        "the agent gives way",
        MINUTE,
        || {
            if (ordered(&rig) - 95.0).abs() > 1.0 {
                set(&rig, "9500");
            }
            rig.alarms()
        },
        |alarms| alarms.iter().any(|alarm| alarm == "foreign_writer"),
    );
    set(&rig, "9500");
    let cycles = rig.cycles().0;
    until("time passes", MINUTE, || rig.cycles().0, |now| *now > cycles + 80);
    assert!(
        (ordered(&rig) - 95.0).abs() < 1.0,
        "the agent lowered what another master wants: {}",
        ordered(&rig)
    );
    assert!(rig.number("pump", "ForeignWrites").is_some_and(|times| times >= 3.0));

    set(&rig, "2000");
    until("less than the agent needs is raised", MINUTE, || ordered(&rig), |speed| *speed > 25.0);
}

#[test]
fn i05_nothing_is_written_to_a_pump_that_someone_has_put_into_local() {
    let rig = Rig::start(&RigOptions { workload: "idle", ..RigOptions::default() });
    rig.event("panel-local");
    rig.alarm_is("pump_local", true, MINUTE);
    let (before, cycles) = (rig.truth().number("/devices/pump/writes"), rig.cycles().0);
    until("time passes", MINUTE, || rig.cycles().0, |now| *now > cycles + 100);
    assert_eq!(rig.truth().number("/devices/pump/writes"), before);

    rig.event("panel-remote");
    rig.alarm_is("pump_local", false, MINUTE);
    let writes = || rig.truth().number("/devices/pump/writes");
    until("it is commanded again", MINUTE, writes, |writes| *writes > before);
}

/// The shipped pump's profile, with a speed register that wears out, and nothing that is written twice.
fn write_scarce_profile(folder: &Path, budget: u32) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/profiles/grundfos-cim.toml");
    let mut profile: toml::Table = std::fs::read_to_string(shipped).unwrap().parse().unwrap();
    for command in
        profile["commands"].as_array_mut().unwrap().iter_mut().filter_map(toml::Value::as_table_mut)
    {
        command.insert("refresh_ms".into(), 86_400_000.into());
        if command["control"].as_str() == Some("pump_speed") {
            command.insert("persistence".into(), "eeprom".into());
            command.insert("daily_budget".into(), i64::from(budget).into());
        }
    }
    std::fs::write(folder.join("grundfos-cim.toml"), profile.to_string()).unwrap();
}

#[test]
fn i09_a_spent_budget_is_an_alarm_and_a_restart_does_not_fill_it() {
    const BUDGET: u32 = 10;
    /// The word to run, once a start.
    const STARTS: f64 = 2.0;
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "idle"]);
    write_scarce_profile(folder.path(), BUDGET);
    let profiles = folder.path().display().to_string();
    let configuration = Configuration::of(folder.path(), &simulator).set("paths", "profiles", profiles);
    let mut rig = Rig::assemble(folder, simulator, &configuration);
    let writes = |rig: &Rig| rig.truth().number("/devices/pump/writes");
    // In an idle node the pump slows down, a little each second.
    rig.alarm_is("write_budget_spent", true, MINUTE);
    let spent = writes(&rig);
    assert!((5.0..=f64::from(BUDGET) + STARTS).contains(&spent), "{spent} writes");
    let file = rig.folder().join("agent-state/writes.json");
    until(
        "it is kept",
        MINUTE,
        || std::fs::read_to_string(&file).unwrap_or_default(),
        |text| text.contains("pump"),
    );

    rig.agent.kill();
    rig.start_agent();
    // The alarm is remembered too: what was written is looked at when the pump is known again.
    rig.reaches("running", MINUTE);
    rig.alarm_is("write_budget_spent", true, MINUTE);
    assert!(writes(&rig) <= f64::from(BUDGET) + STARTS, "{} writes after the restart", writes(&rig));
    assert!(rig.number("pump", "WritesToday").is_some_and(|today| today >= f64::from(BUDGET - 1)));
}

#[test]
fn a_frozen_meter_is_uncertain_and_not_good() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "full", "--proxy"]);
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/profiles/calec-st.toml");
    let profile = std::fs::read_to_string(shipped)
        .unwrap()
        .replace("frozen_after_ms = 600000", "frozen_after_ms = 3000");
    std::fs::write(folder.path().join("calec-st.toml"), profile).unwrap();
    let profiles = folder.path().display().to_string();
    let configuration = Configuration::of(folder.path(), &simulator).set("paths", "profiles", profiles);
    let rig = Rig::assemble(folder, simulator, &configuration);
    let flow = || rig.point("meter", "Flow");
    until("the flow is read", MINUTE, flow, |flow| flow["quality"] == "good");
    assert_eq!(rig.fault("meter", "frozen"), "ok");
    until("it is doubted", MINUTE, flow, |flow| flow["quality"] == "uncertain");
    assert_eq!(rig.fault("meter", "clear"), "ok");
    until("it is good again", MINUTE, flow, |flow| flow["quality"] == "good");
}
