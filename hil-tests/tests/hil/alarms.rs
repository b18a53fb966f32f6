//! Alarms as a person meets them: seen, put aside, explained, reset, and the same after a restart.

use std::process::Output;
use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, until};
use serde_json::Value;

/// A rig as soon as it controls.
fn running() -> Rig {
    let rig = Rig::start_without_waiting(&RigOptions::default());
    rig.reaches("running", MINUTE);
    rig
}

/// Waits until the alarm is in this state.
fn is_in(rig: &Rig, name: &str, state: &str) -> Value {
    let what = format!("{name} is {state}");
    until(&what, Duration::from_secs(30), || rig.alarm(name), |alarm| alarm["state"] == state)
}

/// What a refusal says.
fn refused(answer: &Output) -> String {
    assert!(!answer.status.success(), "{answer:?}");
    String::from_utf8(answer.stderr.clone()).unwrap()
}

fn done(answer: &Output) -> String {
    assert!(answer.status.success(), "{answer:?}");
    String::from_utf8(answer.stdout.clone()).unwrap()
}

/// Until the record on the disk says so: what is killed before may forget.
fn is_kept(rig: &Rig, words: &str) {
    let record = rig.folder().join("agent-state/alarms.json");
    let read = || std::fs::read_to_string(&record).unwrap_or_default();
    until("the record is kept", MINUTE, read, |text| text.contains(words));
}

#[test]
fn a_loss_of_flow_is_one_alarm_that_is_first_out_and_stays_acknowledged_over_a_restart() {
    let mut rig = running();
    rig.event("flow-loss");
    let flow = is_in(&rig, "loss_of_flow", "unacked");
    assert_eq!((&flow["shown"], &flow["first_out"]), (&true.into(), &true.into()));
    assert_eq!(rig.point("node", "FirstOut")["value"], "loss_of_flow");
    assert_eq!(rig.alarms(), ["loss_of_flow"], "one trouble, one alarm: {}", rig.status()["alarms"]);

    assert!(refused(&rig.ask(&["alarms", "shelve", "loss_of_flow", "30"])).contains("put aside"));
    assert!(refused(&rig.ask(&["alarms", "reset", "loss_of_flow"])).contains("not latched"));
    assert_eq!(done(&rig.ask(&["alarms", "ack", "all"])), "done\n");
    let table = done(&rig.ask(&["alarms"]));
    let line = table.lines().nth(1).unwrap();
    assert!(
        line.starts_with("loss_of_flow") && line.contains("acked") && line.contains("first-out"),
        "{table}"
    );
    is_kept(&rig, "\"state\":\"acked\"");

    rig.agent.kill();
    rig.start_agent();
    let flow = until("the agent is back", MINUTE, || rig.alarm("loss_of_flow"), |alarm| !alarm.is_null());
    assert_eq!((&flow["state"], &flow["first_out"]), (&"acked".into(), &true.into()));
    until("it sees the loop", MINUTE, || rig.state(), |state| state == "critical");
    assert_eq!(rig.alarm("loss_of_flow")["state"], "acked");

    rig.event("flow-ok");
    until("all is well", 2 * MINUTE, || rig.alarms(), Vec::is_empty);
    assert_eq!(rig.alarm("loss_of_flow"), Value::Null, "seen and gone");
}

#[test]
fn i02_a_leak_alarm_survives_a_restart_and_a_broken_rope_and_ends_by_a_reset_when_dry() {
    let mut rig = running();
    rig.event("leak");
    is_in(&rig, "leak", "unacked");
    assert!(refused(&rig.ask(&["alarms", "reset", "leak"])).contains("still there"));
    assert_eq!(rig.state(), "leak", "a reset while it is wet does nothing");
    done(&rig.ask(&["alarms", "ack", "leak"]));
    rig.event("leak-sensor-fault");
    rig.alarm_is("leak_sensor_fault", true, MINUTE);
    is_in(&rig, "leak", "latched_acked");
    is_kept(&rig, "latched_acked");

    rig.agent.kill();
    rig.start_agent();
    rig.reaches("leak", MINUTE);
    rig.alarm_is("leak_sensor_fault", true, MINUTE);
    let leak = rig.alarm("leak");
    assert_eq!((&leak["state"], &leak["shown"]), (&"latched_acked".into(), &true.into()));
    assert!(refused(&rig.ask(&["alarms", "reset", "leak"])).contains("wet or does not answer"));

    rig.event("leak-dry");
    rig.event("leak-sensor-ok");
    rig.alarm_is("leak_sensor_fault", false, MINUTE);
    assert_eq!(rig.state(), "leak", "dry is not mended");
    let json: Value = serde_json::from_str(&done(&rig.ask(&["alarms", "reset", "leak", "--json"]))).unwrap();
    assert_eq!(json["done"], true);
    rig.reaches("running", 2 * MINUTE);
    assert_eq!(rig.alarm("leak"), Value::Null);
}
