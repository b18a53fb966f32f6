//! The loop closes: what the agent does moves the plant, and what the plant does moves the agent.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, until};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn the_loop_closes_and_settles() {
    let rig = Rig::start(&RigOptions::default());
    until(
        "flow follows the demand",
        MINUTE,
        || (rig.number("meter", "Flow"), rig.number("node", "FlowDemand")),
        |(flow, demand)| flow.zip(*demand).is_some_and(|(flow, demand)| (flow / demand - 1.0).abs() < 0.1),
    );
    let truth = rig.truth();
    for gpu in 0..8 {
        let told = rig.number(&format!("gpu{gpu}"), "Temperature").expect("every GPU tells its temperature");
        let real = truth.number(&format!("/gpus/{gpu}/core_celsius"));
        assert!((told - real).abs() < 4.0, "gpu{gpu}: told {told}, really {real}");
        assert!(real < 80.0, "gpu{gpu} at {real}");
    }
    assert_eq!(truth.number("/throttled_gpu_seconds"), 0.0);
    assert_eq!(rig.alarms(), Vec::<String>::new());
}

#[test]
fn a_load_step_is_answered_with_flow_before_anything_is_throttled() {
    let rig = Rig::start(&RigOptions { workload: "idle", ..RigOptions::default() });
    let idle = until(
        "the pump idles down",
        2 * MINUTE,
        || rig.number("pump", "Speed"),
        |speed| speed.is_some_and(|speed| speed < 45.0),
    );
    rig.event("load-full");
    until(
        "the pump answers",
        MINUTE,
        || rig.number("pump", "Speed"),
        |speed| speed.zip(idle).is_some_and(|(now, idle)| now > idle + 22.0),
    );
    until(
        "all GPUs work",
        MINUTE,
        || rig.number("node", "GpuPower"),
        |power| power.is_some_and(|power| power > 4500.0),
    );
    let truth = rig.truth();
    assert_eq!(truth.number("/throttled_gpu_seconds"), 0.0);
    assert!(truth.number("/peak_gpu_celsius") < 85.0, "{}", truth.document());
    assert_eq!(rig.state(), "running");
}
