//! A driver that hangs, lacks calls, or is not there at all.

use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, until};

fn idle(settings: Vec<(&'static str, &'static str, toml::Value)>) -> Rig {
    Rig::start_without_waiting(&RigOptions { workload: "idle", settings, ..RigOptions::default() })
}

/// Calls of that name so far, on GPU 0.
fn calls(rig: &Rig, name: &str) -> u64 {
    let status = rig.status();
    let stats = status["driver"]["calls"].as_array().into_iter().flatten();
    let mut ours = stats.filter(|stat| stat["gpu"] == 0 && stat["name"] == name);
    ours.next().and_then(|stat| stat["calls"].as_u64()).unwrap_or_default()
}

#[test]
fn calls_that_a_driver_lacks_are_answered_by_the_newer_or_older_ones() {
    let mut rig = idle(Vec::new());
    rig.reaches("running", MINUTE);
    let instead = [
        ("nvml-deprecated", "nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"),
        ("nvml-missing", "nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV"),
    ];
    for (event, answers, lacks) in instead {
        assert!(rig.gpu.stop(Duration::from_secs(5)).success());
        rig.event("nvml-ok");
        rig.event(event);
        rig.start_gpu();
        until("it is asked", MINUTE, || calls(&rig, answers), |calls| *calls > 0);
        for gpu in 0..8 {
            rig.gpu_tells(gpu, "Health", "ok");
            for point in [
                "Temperature",
                "MemoryTemperature",
                "Margin",
                "Power",
                "SmClock",
                "PowerLimit",
                "ThrottleReasons",
            ] {
                rig.gpu_quality(gpu, point, "good");
            }
        }
        let others = rig.alarms();
        assert!(!others.iter().any(|alarm| alarm.contains("gpu")), "{lacks}: {others:?}");
    }
    rig.event("nvml-ok");
    rig.others_go_on(&[]);
}

#[test]
fn a_driver_that_hangs_when_it_is_loaded_is_named_cooled_for_and_taken_when_it_comes_back() {
    let mut rig = idle(Vec::new());
    rig.reaches("running", MINUTE);
    assert!(rig.gpu.stop(Duration::from_secs(5)).success());
    rig.event("nvml-init-hang");
    rig.start_gpu();
    rig.driver_is("hanging");
    rig.alarm_is("gpu_link_down", true, MINUTE);
    rig.reaches("hot", MINUTE);
    rig.all_cooling();
    assert!(rig.gpu.stop(Duration::from_secs(5)).success(), "it stops at once all the same");

    rig.start_gpu();
    rig.driver_is("hanging");
    rig.event("nvml-ok");
    rig.driver_is("ready");
    rig.alarm_is("gpu_link_down", false, MINUTE);
    rig.others_go_on(&[]);
}

#[test]
fn i01_without_the_library_the_loop_is_cooled_and_that_is_said() {
    let rig = idle(vec![("gpu", "library", "/nonexistent/libnvidia-ml.so.1".into())]);
    rig.driver_is("absent");
    rig.alarm_is("gpu_link_down", true, MINUTE);
    rig.reaches("hot", MINUTE);
    rig.all_cooling();
    let log = rig.gpu.log();
    assert_eq!(log.matches("looking for it again").count(), 1, "once an episode: {log}");
}

#[test]
fn a_node_without_gpus_needs_no_driver() {
    let rig =
        idle(vec![("gpu", "library", "/nonexistent/libnvidia-ml.so.1".into()), ("node", "gpus", 0.into())]);
    rig.driver_is("absent");
    rig.reaches("running", MINUTE);
    until("the loop is cooled", MINUTE, || rig.truth(), |truth| truth.number("/orders/pump_speed") >= 0.29);
    assert!(!rig.alarms().iter().any(|alarm| alarm.starts_with("gpu")), "{:?}", rig.alarms());
}
