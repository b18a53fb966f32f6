//! NVIDIA's own Python bindings and the agent read the same GPUs.

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, nvml_reader, until};
use serde_json::{Value, json};

/// Whether two numbers are within `limit` of each other.
fn near(ours: &Value, theirs: f64, limit: f64) -> bool {
    ours["quality"] == "good" && ours["value"].as_f64().is_some_and(|ours| (ours - theirs).abs() <= limit)
}

/// What differs between the agent's and their view of one GPU.
fn differences(ours: &Value, theirs: &Value) -> Vec<String> {
    let points = &ours["points"];
    let number = |name: &str| theirs[name].as_f64().unwrap_or(f64::NAN);
    let watts = number("power_milliwatts") / 1000.0;
    let alike = [
        ("PersistenceMode", points["PersistenceMode"]["value"].as_bool() == Some(theirs["persistence"] == 1)),
        ("PowerLimit", near(&points["PowerLimit"], number("enforced_limit_milliwatts") / 1000.0, 0.0)),
        (
            "PowerLimitRequested",
            near(&points["PowerLimitRequested"], number("limit_milliwatts") / 1000.0, 0.0),
        ),
        ("Temperature", near(&points["Temperature"], number("temperature_celsius"), 1.0)),
        ("Margin", near(&points["Margin"], number("margin_kelvin"), 1.0)),
        ("MemoryTemperature", near(&points["MemoryTemperature"], number("memory_celsius"), 1.0)),
        ("PowerAverage", near(&points["PowerAverage"], watts, 0.03 * watts)),
        ("SmClock", near(&points["SmClock"], number("sm_clock_mhz"), 0.0)),
    ];
    alike.iter().filter(|(_, alike)| !alike).map(|(name, _)| format!("{name}: {}", points[name])).collect()
}

fn agrees(gpu_model: &'static str, name: &str) {
    let rig = Rig::start_without_waiting(&RigOptions {
        workload: "constant:0.5",
        gpu_model,
        ..RigOptions::default()
    });
    rig.reaches("running", MINUTE);
    let theirs = nvml_reader(&rig.simulator);
    let known_as = |gpu: &Value| json!({ "gpu": gpu["index"], "name": gpu["name"], "uuid": gpu["uuid"] });
    let named: Vec<Value> = theirs.iter().map(known_as).collect();
    assert!(
        named.len() == 8 && named.iter().all(|gpu| gpu["name"].as_str().is_some_and(|it| it.contains(name)))
    );
    until(
        "they name the GPUs alike",
        MINUTE,
        || rig.status()["driver"]["gpus"].take(),
        |ours| *ours == Value::from(named.clone()),
    );
    until(
        "they agree on every GPU",
        MINUTE,
        || {
            let (theirs, ours) = (nvml_reader(&rig.simulator), rig.status()["objects"].take());
            let found = theirs.iter().flat_map(|gpu| {
                let object = format!("gpu{}", gpu["index"]);
                differences(&ours[&object], gpu).into_iter().map(move |which| format!("{object} {which}"))
            });
            found.collect::<Vec<String>>()
        },
        Vec::is_empty,
    );
}

#[test]
fn nvidias_own_bindings_and_the_agent_read_the_same_of_an_h200() {
    agrees("h200", "H200");
}

#[test]
fn nvidias_own_bindings_and_the_agent_read_the_same_of_a_b200() {
    agrees("b200", "B200");
}
