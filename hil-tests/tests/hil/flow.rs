//! Loss of flow: how fast it is answered, on the plant's clock, and how it ends.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, Truth, until};

const MINUTE: Duration = Duration::from_secs(60);
/// Lowest power limit of an H200.
const LOWEST_WATTS: f64 = 200.0;

fn all_gpus(truth: &Truth, path: &str, holds: impl Fn(f64) -> bool) -> bool {
    (0..8).all(|gpu| {
        truth
            .document()
            .pointer(&format!("/requests/{gpu}/{path}"))
            .and_then(serde_json::Value::as_f64)
            .is_some_and(&holds)
    })
}

/// Plant milliseconds from the fault to the last GPU's cap.
fn capped_within(rig: &Rig, fault: &str) -> f64 {
    let before = rig.truth().number("/time_ms");
    rig.event(fault);
    let capped = until(
        "every GPU is capped",
        MINUTE,
        || rig.truth(),
        |truth| all_gpus(truth, "limit_watts", |limit| limit <= LOWEST_WATTS),
    );
    (0..8).map(|gpu| capped.number(&format!("/requests/{gpu}/limit_written_ms")) - before).fold(0.0, f64::max)
}

#[test]
fn total_loss_of_flow_caps_every_gpu_within_a_second_and_brings_idle_power_within_ten() {
    let rig = Rig::start(&RigOptions::default());
    let began = rig.truth().number("/time_ms");
    let capped_ms = capped_within(&rig, "flow-loss");
    assert!(capped_ms <= 1000.0, "capped after {capped_ms} ms");
    let idle = until(
        "idle power",
        MINUTE,
        || rig.truth(),
        |truth| (0..8).all(|gpu| truth.number(&format!("/gpus/{gpu}/watts")) < 130.0),
    );
    assert!(idle.number("/time_ms") - began <= 10_000.0, "idle after {} ms", idle.number("/time_ms") - began);
    assert!(
        idle.number("/peak_gpu_celsius") < 92.0,
        "slowdown + 3 K, but {}",
        idle.number("/peak_gpu_celsius")
    );
    assert_eq!(rig.state(), "critical");
    assert!(rig.alarms().contains(&"loss_of_flow".into()));
}

#[test]
fn a_pump_trip_is_survived_and_everything_is_given_back_without_a_bump() {
    let rig = Rig::start(&RigOptions::default());
    let capped_ms = capped_within(&rig, "pump-trip");
    assert!(capped_ms <= 1000.0, "capped after {capped_ms} ms");
    rig.alarm_is("pump_fault", true, MINUTE);
    rig.event("pump-ok");
    rig.reaches("running", 2 * MINUTE);
    until(
        "limits are restored",
        MINUTE,
        || rig.truth(),
        |truth| all_gpus(truth, "limit_watts", |limit| limit >= 700.0),
    );
    let truth = rig.truth();
    assert!(truth.number("/peak_gpu_celsius") < 92.0, "{}", truth.number("/peak_gpu_celsius"));
    // At full flow while power comes back: no GPU gets warmer than it was in ordinary operation.
    assert!(
        (0..8).all(|gpu| truth.number(&format!("/gpus/{gpu}/core_celsius")) < 80.0),
        "{}",
        truth.document()
    );
}

#[test]
fn i02_a_leak_stops_the_loop_with_its_gpus_at_minimum_power_and_survives_a_restart() {
    let mut rig = Rig::start(&RigOptions::default());
    rig.event("leak");
    rig.reaches("leak", MINUTE);
    until(
        "the pump is off",
        MINUTE,
        || rig.truth(),
        |truth| truth.document().pointer("/orders/pump_run") == Some(&false.into()),
    );
    until(
        "minimum power",
        MINUTE,
        || rig.truth(),
        |truth| all_gpus(truth, "limit_watts", |limit| limit <= LOWEST_WATTS),
    );

    rig.event("leak-dry");
    rig.agent.kill();
    rig.start_agent();
    rig.reaches("leak", MINUTE);
    assert_eq!(
        rig.truth().document().pointer("/orders/pump_run"),
        Some(&false.into()),
        "water is not pumped onto the floor"
    );

    // A clean stop keeps the loop stopped too; only a person's word starts it again.
    assert!(rig.agent.stop(MINUTE).success());
    assert_eq!(rig.truth().document().pointer("/orders/pump_run"), Some(&false.into()));
    rig.start_agent();
    rig.reaches("leak", MINUTE);
    let reset = std::process::Command::new(eisbach_hil_tests::binary(eisbach_hil_tests::Binary::Agent))
        .args(["reset", "--config"])
        .arg(rig.config())
        .status()
        .unwrap();
    assert!(reset.success());
    rig.reaches("running", 2 * MINUTE);
}
