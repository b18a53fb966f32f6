//! Modbus devices that fail in every way a wire can fail.

use std::time::Duration;

use eisbach_hil_tests::{Rig, RigOptions, until};

const MINUTE: Duration = Duration::from_secs(60);

fn requests(rig: &Rig, device: &str) -> f64 {
    rig.truth().number(&format!("/devices/{device}/requests"))
}

/// Breaks the wire of `device`, expects `alarm` and that nothing of it is shown as good; mends it, expects the way back.
fn survives(rig: &Rig, fault: &str, device: &str, point: &str, alarm: &str) {
    rig.event(&format!("{fault}-{device}"));
    rig.alarm_is(alarm, true, MINUTE);
    let shown = rig.point(device, point);
    assert_ne!(shown["quality"], "good", "{fault}-{device}: {shown}");
    let others = requests(rig, "valve");
    until("other devices are polled on", MINUTE, || requests(rig, "valve"), |now| *now > others + 20.0);
    rig.event(&format!("answer-{device}"));
    rig.alarm_is(alarm, false, MINUTE);
    until(
        "its values are good again",
        MINUTE,
        || rig.point(device, point),
        |shown| shown["quality"] == "good",
    );
}

#[test]
fn i01_a_meter_that_is_silent_refuses_resets_or_is_late_means_full_cooling_and_comes_back() {
    let rig = Rig::start(&RigOptions::default());
    for fault in ["silence", "refuse", "reset", "late"] {
        survives(&rig, fault, "meter", "Flow", "meter_silent");
    }
    rig.reaches("running", MINUTE);

    rig.event("silence-meter");
    rig.reaches("hot", MINUTE);
    until(
        "all heat goes to the river",
        MINUTE,
        || rig.truth().number("/orders/valve_position"),
        |valve| *valve < 0.01,
    );
    until(
        "the pump gives all it has",
        MINUTE,
        || rig.truth().number("/orders/pump_speed"),
        |speed| *speed > 0.99,
    );
    assert_eq!(
        rig.truth().number("/throttled_gpu_seconds"),
        0.0,
        "cooled GPUs are not throttled for a meter"
    );
    rig.event("answer-meter");
    rig.reaches("running", 2 * MINUTE);
}

#[test]
fn a_pump_that_does_not_answer_is_an_alarm_and_falls_back_to_its_own_local_mode() {
    let rig = Rig::start(&RigOptions::default());
    for fault in ["silence", "refuse", "reset", "late"] {
        survives(&rig, fault, "pump", "Speed", "pump_silent");
    }
    let truth = rig.truth();
    assert!(truth.number("/peak_gpu_celsius") < 89.0, "{}", truth.number("/peak_gpu_celsius"));
}

#[test]
fn i12_the_cycle_does_not_wait_for_a_dead_bus() {
    let rig = Rig::start(&RigOptions::default());
    let before = rig.cycles();
    for device in ["pump", "valve", "meter", "room", "leak"] {
        rig.event(&format!("silence-{device}"));
    }
    let cycles = until("a hundred cycles pass", MINUTE, || rig.cycles(), |now| now.0 >= before.0 + 100);
    // A cycle that waited would overrun every time; a busy machine makes it late now and then.
    assert!(cycles.1 - before.1 <= 10, "{} of 100 cycles overran", cycles.1 - before.1);
}
