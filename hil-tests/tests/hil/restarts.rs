//! Kill, stop and start again: nothing moves that should not, and nothing is forgotten.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, until};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_killed_agent_controls_again_without_a_bump() {
    let mut rig = Rig::start(&RigOptions::default());
    until(
        "the loop has settled",
        MINUTE,
        || (rig.number("meter", "Flow"), rig.number("node", "FlowDemand")),
        |(flow, demand)| flow.zip(*demand).is_some_and(|(flow, demand)| (flow / demand - 1.0).abs() < 0.05),
    );
    let before = rig.truth();
    let setters = |truth: &eisbach_hil_tests::Truth| truth.number("/requests/0/setter_calls");
    rig.agent.kill();
    rig.start_agent();
    rig.settle();
    let after = rig.truth();
    let moved = (after.number("/orders/pump_speed") - before.number("/orders/pump_speed")).abs();
    assert!(moved < 0.12, "the pump's set-point moved by {moved}");
    let moved = (after.number("/orders/valve_position") - before.number("/orders/valve_position")).abs();
    assert!(moved < 0.12, "the valve's set-point moved by {moved}");
    assert_eq!(setters(&after), setters(&before), "no limit is touched");
}

#[test]
fn a_clean_stop_leaves_devices_safe_and_limits_as_they_were() {
    let mut rig = Rig::start(&RigOptions::default());
    assert!(rig.agent.stop(Duration::from_secs(15)).success());
    let truth = rig.truth();
    assert!(truth.number("/orders/pump_speed") > 0.99, "{}", truth.document());
    assert_eq!(truth.document().pointer("/orders/pump_run"), Some(&true.into()));
    assert!(truth.number("/orders/valve_position") < 0.01);
    assert!(rig.gpu.stop(Duration::from_secs(15)).success());
    let truth = rig.truth();
    for gpu in 0..8 {
        assert_eq!(truth.number(&format!("/requests/{gpu}/limit_watts")), 700.0);
    }
}

#[test]
fn i08_caps_outlive_a_killed_gpu_process_and_are_given_back_only_after_cooling_is_proven() {
    let mut rig = Rig::start(&RigOptions::default());
    let limits = |rig: &Rig| -> Vec<f64> {
        let truth = rig.truth();
        (0..8).map(|gpu| truth.number(&format!("/requests/{gpu}/limit_watts"))).collect()
    };
    rig.event("pump-trip");
    until("all are capped", MINUTE, || limits(&rig), |limits| limits.iter().all(|limit| *limit <= 200.0));
    rig.gpu.kill();
    assert!(limits(&rig).iter().all(|limit| *limit <= 200.0), "a crash raises nothing");
    rig.start_gpu();
    until(
        "GPUs are seen again",
        MINUTE,
        || rig.point("gpu0", "Temperature"),
        |point| point["quality"] == "good",
    );
    assert!(
        limits(&rig).iter().all(|limit| *limit <= 200.0),
        "a restart raises nothing while there is no flow"
    );
    rig.event("pump-ok");
    until(
        "limits are restored",
        3 * MINUTE,
        || limits(&rig),
        |limits| limits.iter().all(|limit| *limit >= 700.0),
    );
}

#[test]
fn i14_a_bad_configuration_changes_nothing_in_a_running_agent_and_a_starting_one_takes_the_last_good() {
    let mut rig = Rig::start(&RigOptions::default());
    let good = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::write(rig.config(), good.replace("[pump]", "[pmup]")).unwrap();
    rig.agent.signal(nix::sys::signal::Signal::SIGHUP);
    rig.alarm_is("config_refused", true, MINUTE);
    assert_eq!(rig.state(), "running");

    rig.agent.kill();
    rig.start_agent();
    rig.settle();
    assert!(rig.alarms().contains(&"config_refused".into()));

    std::fs::write(rig.config(), good).unwrap();
    rig.agent.signal(nix::sys::signal::Signal::SIGHUP);
    rig.alarm_is("config_refused", false, MINUTE);
}

#[test]
fn i14_without_any_good_configuration_the_safe_state_is_driven_with_what_can_be_read() {
    let mut rig = Rig::start(&RigOptions::default());
    rig.agent.kill();
    let good = std::fs::read_to_string(rig.config()).unwrap();
    std::fs::remove_file(rig.folder().join("agent-state/agent.toml.good")).unwrap();
    std::fs::write(rig.config(), good.replace("[node]", "[node")).unwrap();
    rig.start_agent();
    until(
        "the safe state is driven",
        MINUTE,
        || rig.truth(),
        |truth| truth.number("/orders/pump_speed") > 0.99 && truth.number("/orders/valve_position") < 0.01,
    );
    std::fs::write(rig.config(), good).unwrap();
    rig.agent.signal(nix::sys::signal::Signal::SIGHUP);
    rig.settle();
}
