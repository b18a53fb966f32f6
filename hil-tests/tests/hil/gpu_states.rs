//! What can be wrong with one GPU, or with what it tells: named, kept to itself, and over when it is mended.

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, until};
use serde_json::Value;

fn rig(workload: &'static str) -> Rig {
    let rig = Rig::start_without_waiting(&RigOptions { workload, ..RigOptions::default() });
    rig.reaches("running", MINUTE);
    rig
}

/// A node whose persistence mode is on and whose GPUs have no error tells that.
fn nothing_is_wrong(rig: &Rig) {
    let alarms = rig.alarms();
    assert!(alarms.iter().all(|alarm| !alarm.contains("gpu") && alarm != "persistence_off"), "{alarms:?}");
}

#[test]
fn i01_a_gpu_that_must_be_reset_is_slow_or_talks_nonsense_is_named_and_the_others_go_on() {
    let rig = rig("idle");
    nothing_is_wrong(&rig);

    rig.event("gpu-reset-required-2");
    rig.gpu_tells(2, "Health", "reset_required");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    rig.gpu_quality(2, "Temperature", "stale");
    rig.others_go_on(&[2]);
    rig.event("gpu-back");
    rig.gpu_tells(2, "Health", "ok");
    rig.gpu_quality(2, "Temperature", "good");
    rig.alarm_is("gpu_unavailable", false, MINUTE);

    rig.event("gpu-nan-7");
    rig.gpu_tells(7, "Health", "failed");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    for (point, possible) in [
        ("Temperature", 20.0..60.0),
        ("Margin", 20.0..80.0),
        ("Power", 10.0..300.0),
        ("MemoryTemperature", 20.0..60.0),
    ] {
        let shown = rig.gpu_quality(7, point, "stale");
        assert!(shown["value"].as_f64().is_some_and(|last| possible.contains(&last)), "{point}: {shown}");
    }
    rig.others_go_on(&[7]);
    rig.event("gpu-sensors-ok");
    rig.gpu_tells(7, "Health", "ok");
    rig.gpu_quality(7, "Temperature", "good");
    rig.alarm_is("gpu_unavailable", false, MINUTE);

    rig.event("nvml-slow-1");
    rig.gpu_tells(1, "Health", "hung");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    rig.gpu_quality(1, "Temperature", "stale");
    rig.others_go_on(&[1]);
    rig.event("nvml-ok");
    rig.gpu_tells(1, "Health", "ok");
    rig.gpu_quality(1, "Temperature", "good");
    rig.alarm_is("gpu_unavailable", false, MINUTE);
    rig.others_go_on(&[]);
    assert_eq!(rig.cycles().1, 0, "no cycle waited for any of them");
}

#[test]
fn errors_that_gpus_report_are_counted_whole_and_stand_until_they_are_mended() {
    let mut rig = rig("idle");
    nothing_is_wrong(&rig);

    rig.event("persistence-off");
    rig.alarm_is("persistence_off", true, MINUTE);
    rig.gpu_tells(0, "PersistenceMode", false);
    rig.event("persistence-on");
    rig.alarm_is("persistence_off", false, MINUTE);

    rig.event("mig-on-4");
    rig.gpu_tells(4, "Mig", true);
    rig.gpu_quality(4, "Utilization", "not_supported");
    for point in ["Temperature", "Margin", "Power", "SmClock", "PowerLimit", "ThrottleReasons"] {
        rig.gpu_quality(4, point, "good");
    }
    rig.gpu_tells(4, "Health", "ok");
    rig.event("mig-off");
    rig.gpu_tells(4, "Mig", false);

    // What must be done stands as an alarm even for an agent and a GPU process that were not there when it began.
    rig.event("gpu-recovery-5");
    rig.gpu_tells(5, "RecoveryAction", "drain_and_reset");
    rig.alarm_is("gpu_error", true, MINUTE);
    rig.agent.kill();
    rig.gpu.kill();
    rig.start_gpu();
    rig.start_agent();
    rig.alarm_is("gpu_error", true, MINUTE);
    rig.event("gpu-back");
    rig.gpu_tells(5, "RecoveryAction", "none");
    rig.alarm_is("gpu_error", false, MINUTE);

    rig.event("gpu-ecc-corrected-3");
    rig.gpu_tells(3, "EccCorrected", 1);
    rig.event("gpu-ecc-6");
    rig.alarm_is("gpu_error", true, MINUTE);
    rig.gpu_tells(6, "EccUncorrected", 1);
    rig.gpu_tells(6, "RemappedRows", 1);
    rig.gpu_tells(6, "RemapPending", true);
    rig.gpu_tells(6, "RecoveryAction", "reset");
    rig.gpu_tells(6, "XidErrors", 2);
    rig.gpu_tells(6, "XidLast", 63);
    rig.gpu_tells(6, "Health", "ok");
    rig.event("gpu-back");
    rig.gpu_tells(6, "RemapPending", false);
    rig.gpu_tells(6, "RecoveryAction", "none");

    // The driver keeps 64 for who is slow: so many are counted to the last one, more do no harm.
    rig.event("xid-storm-3-64");
    rig.gpu_tells(3, "XidErrors", 64);
    rig.gpu_tells(3, "XidLast", 13);
    rig.event("xid-storm-2-1000");
    rig.others_go_on(&[]);
    let count = until(
        "the storm is counted",
        MINUTE,
        || rig.number("gpu2", "XidErrors").unwrap_or_default(),
        |count| *count >= 64.0,
    );
    assert!(count <= 1000.0, "{count}");
    rig.gpu_tells(2, "Health", "ok");
    assert!(rig.alarms().contains(&"gpu_error".to_owned()));
    assert_eq!((rig.state().as_str(), rig.cycles().1), ("running", 0), "control is undisturbed");
    rig.gpu_quality(4, "Utilization", "good");
}

/// What the margin and the temperature of `gpu` add up to, from one look.
fn sum(status: &Value, gpu: &str) -> Option<f64> {
    let points = &status["objects"][gpu]["points"];
    Some(points["Temperature"]["value"].as_f64()? + points["Margin"]["value"].as_f64()?)
}

#[test]
fn i01_a_sensor_that_stands_still_is_doubted_and_the_smaller_margin_is_shown() {
    let rig = rig("idle");
    let whole = sum(&rig.status(), "gpu6").unwrap();
    // A margin that stands still counts as what the temperature leaves, with 3 K for timing.
    let smaller = |sum: &Option<f64>| sum.is_some_and(|sum| (sum - (whole + 3.0)).abs() < 1.5);
    let doubted = |frozen: &str, load: &str| {
        rig.event(frozen);
        rig.event(load);
        rig.alarm_is("gpu_margin_doubtful", true, MINUTE);
        rig.gpu_tells(6, "MarginDoubtful", true);
        until("the smaller margin is shown", MINUTE, || sum(&rig.status(), "gpu6"), smaller);
        rig.gpu_tells(6, "Health", "ok");
        rig.gpu_tells(5, "MarginDoubtful", false);
        rig.event("gpu-sensors-ok");
        rig.alarm_is("gpu_margin_doubtful", false, MINUTE);
        rig.gpu_tells(6, "MarginDoubtful", false);
    };
    doubted("margin-frozen-6", "load-full");
    until("the GPU is warm", MINUTE, || rig.number("gpu6", "Temperature"), |warm| *warm > Some(40.0));
    doubted("gpu-frozen-6", "load-idle");
    rig.others_go_on(&[]);
}
