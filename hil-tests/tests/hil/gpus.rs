//! GPUs that fall off the bus or hang in the driver.

use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Rig, RigOptions};

#[test]
fn i01_a_lost_gpu_is_named_cooled_for_and_comes_back() {
    let rig = Rig::start(&RigOptions::default());
    rig.event("gpu-lost-3");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    rig.gpu_tells(3, "Health", "lost");
    rig.reaches("hot", MINUTE);
    rig.others_go_on(&[3]);
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
fn a_gpu_that_hangs_in_the_driver_is_named_and_the_service_still_stops_and_starts_at_once() {
    let mut rig = Rig::start(&RigOptions::default());
    rig.event("nvml-hang-5");
    rig.gpu_tells(5, "Health", "hung");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    rig.others_go_on(&[5]);
    assert!(rig.gpu.log().contains("GPU hangs in the driver"), "{}", rig.gpu.log());
    assert!(rig.gpu.stop(Duration::from_secs(5)).success());

    rig.start_gpu();
    rig.gpu_tells(5, "Health", "hung");
    rig.others_go_on(&[5]);
    rig.event("nvml-ok");
    rig.gpu_tells(5, "Health", "ok");
    rig.alarm_is("gpu_unavailable", false, MINUTE);
    rig.others_go_on(&[]);
}
