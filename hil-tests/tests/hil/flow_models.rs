//! Total loss of flow at full load on nodes of larger GPUs, with real processes. All models in virtual time:
//! `sim/tests/closed_loop/flow_loss.rs`.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, Truth, until};
use serde_json::Value;

const MINUTE: Duration = Duration::from_secs(60);

/// A node of this model, and what a loss of flow must come to.
struct Node {
    gpu_model: &'static str,
    gpus: usize,
    /// First stage: a quarter of the default limit, W.
    cap_watts: f64,
    /// Work at the lowest clock, with leakage, W.
    idle_watts: f64,
    /// Hardware slows the GPU down, °C.
    slowdown_celsius: f64,
}

/// What a truth says of each GPU; a JSON null is no number.
fn each(truth: &Truth, list: &str, name: &str) -> Vec<Option<f64>> {
    let gpus = truth.document()[list].as_array().into_iter().flatten();
    gpus.map(|gpu| gpu[name].as_f64()).collect()
}

fn caps_come_within_a_second(node: &Node) {
    let rig = Rig::start(&RigOptions { gpu_model: node.gpu_model, ..RigOptions::default() });
    let before = rig.truth();
    assert_eq!(each(&before, "requests", "limit_watts").len(), node.gpus);
    let began_ms = before.number("/time_ms");
    rig.event("flow-loss");
    let capped = until(
        "every GPU is capped",
        MINUTE,
        || rig.truth(),
        |truth| {
            let limits = each(truth, "requests", "limit_watts");
            limits.iter().all(|limit| limit.is_some_and(|limit| limit <= node.cap_watts))
        },
    );
    let written = each(&capped, "requests", "limit_written_ms");
    let capped_ms = written.into_iter().map(|at| at.unwrap() - began_ms).fold(0.0, f64::max);
    assert!(capped_ms <= 1000.0, "capped after {capped_ms} ms");
    let idle = until(
        "idle power",
        MINUTE,
        || rig.truth(),
        |truth| {
            let powers = each(truth, "gpus", "watts");
            powers.iter().take(node.gpus).all(|watts| watts.is_some_and(|watts| watts < node.idle_watts))
        },
    );
    let (idle_ms, peak) = (idle.number("/time_ms") - began_ms, idle.number("/peak_gpu_celsius"));
    assert!(idle_ms <= 10_000.0, "idle after {idle_ms} ms");
    assert!(peak < node.slowdown_celsius, "{peak} °C");
    assert_eq!(rig.state(), "critical");
    assert_eq!(
        rig.status()["objects"].get(format!("gpu{}", node.gpus)).unwrap_or(&Value::Null),
        &Value::Null
    );
    eprintln!("{}: capped after {capped_ms} ms, idle after {idle_ms} ms, peak {peak:.1} °C", node.gpu_model);
}

#[test]
fn total_loss_of_flow_caps_eight_b200_within_a_second() {
    caps_come_within_a_second(&Node {
        gpu_model: "b200",
        gpus: 8,
        cap_watts: 250.0,
        idle_watts: 290.0,
        slowdown_celsius: 91.0,
    });
}

#[test]
fn total_loss_of_flow_caps_four_gb200_within_a_second() {
    caps_come_within_a_second(&Node {
        gpu_model: "gb200",
        gpus: 4,
        cap_watts: 300.0,
        idle_watts: 260.0,
        slowdown_celsius: 89.0,
    });
}
