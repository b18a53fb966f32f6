//! GPUs that fall off the bus or hang in the driver.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, until};

const MINUTE: Duration = Duration::from_secs(60);

/// The other seven go on being sampled while `gpu` is away.
fn others_go_on(rig: &Rig, gpu: usize) {
    for other in (0..8).filter(|other| *other != gpu) {
        until(
            "a fresh sample",
            MINUTE,
            || rig.point(&format!("gpu{other}"), "Temperature"),
            |point| point["quality"] == "good" && point["age_ms"].as_u64().is_some_and(|age| age < 1000),
        );
    }
}

#[test]
fn i01_a_lost_gpu_is_named_cooled_for_and_comes_back() {
    let rig = Rig::start(&RigOptions::default());
    rig.event("gpu-lost-3");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    until("it is named", MINUTE, || rig.point("gpu3", "Health"), |health| health["value"] == "lost");
    rig.reaches("hot", MINUTE);
    others_go_on(&rig, 3);
    let truth = rig.truth();
    for other in (0..8).filter(|other| *other != 3) {
        assert!(
            truth.number(&format!("/requests/{other}/limit_watts")) >= 700.0,
            "gpu{other} is not throttled for it"
        );
    }
    rig.event("gpu-back");
    rig.alarm_is("gpu_unavailable", false, MINUTE);
    rig.reaches("running", 2 * MINUTE);
}

#[test]
fn a_gpu_that_hangs_in_the_driver_is_named_and_the_service_still_stops_at_once() {
    let mut rig = Rig::start(&RigOptions::default());
    rig.event("nvml-hang-5");
    until("it is named", MINUTE, || rig.point("gpu5", "Health"), |health| health["value"] == "hung");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    others_go_on(&rig, 5);
    assert!(rig.gpu.log().contains("GPU hangs in the driver"), "{}", rig.gpu.log());
    assert!(rig.gpu.stop(Duration::from_secs(5)).success());
}
