//! Limits of GPUs: held against a driver that refuses, goes or is replaced, and against everybody else who sets them.

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, until};

#[test]
fn i08_caps_are_asked_for_until_the_driver_takes_them_and_again_when_it_forgot_them() {
    let options = RigOptions {
        workload: "idle",
        settings: vec![
            ("control", "calm_for", 2000.into()),
            ("control", "release_watts_per_s", 500.0.into()),
        ],
        ..RigOptions::default()
    };
    let mut rig = Rig::start_without_waiting(&options);
    rig.reaches("running", MINUTE);
    let capped = |limits: &[f64]| limits.iter().all(|limit| *limit <= 200.0);
    let whole = |limits: &[f64]| limits.iter().all(|limit| *limit == 700.0);

    rig.event("nvml-denied");
    rig.others_go_on(&[]);
    assert!(!rig.alarms().contains(&"throttle_refused".to_owned()), "nothing was asked yet");
    rig.event("flow-loss");
    rig.alarm_is("throttle_refused", true, MINUTE);
    rig.all_cooling();
    until(
        "no permission is told",
        MINUTE,
        || rig.status(),
        |status| status["driver"]["may_throttle"] == false,
    );
    assert!(whole(&rig.limits()));
    rig.others_go_on(&[]);
    rig.event("nvml-ok");
    rig.limits_are("all are capped once that is permitted", capped);
    rig.alarm_is("throttle_refused", false, MINUTE);
    let raised = rig.agent.log().matches("alarm raised alarm=\"throttle_refused\"").count();
    assert_eq!(raised, 1, "one episode, however often it was asked again");
    until("permission is told", MINUTE, || rig.status(), |status| status["driver"]["may_throttle"] == true);

    rig.event("driver-gone");
    rig.driver_is("absent");
    rig.alarm_is("gpu_link_down", true, MINUTE);
    rig.all_cooling();
    rig.event("driver-back");
    rig.driver_is("ready");
    rig.limits_are("all are capped by the driver that came back", capped);
    rig.alarm_is("gpu_link_down", false, MINUTE);
    rig.others_go_on(&[]);

    rig.event("driver-replaced");
    let code = rig.gpu.ended(MINUTE).code();
    assert_eq!(code, Some(1), "only a new process can load the new library");
    rig.alarm_is("gpu_link_down", true, MINUTE);
    rig.gpu_quality(0, "Health", "stale");
    rig.start_gpu();
    // The old one's word may be good for a moment yet.
    until("it is the new one", MINUTE, || rig.status()["driver"]["version"].clone(), |v| v == "580.105.08");
    rig.driver_is("ready");
    rig.limits_are("all are capped by the driver that replaced it", capped);
    rig.alarm_is("gpu_link_down", false, MINUTE);

    rig.event("flow-ok");
    rig.limits_are("all limits are given back once cooling is proven", whole);
    rig.others_go_on(&[]);
}

/// A node at full load that is told to keep so wide a margin that it must cap its GPUs, and never gives back.
fn capped() -> Rig {
    let control = [
        ("cap_margin", 28.0),
        ("soft_margin", 29.0),
        ("hot_margin", 30.0),
        ("trim_margin", 30.0),
        ("recovery_none_margin", 30.0),
        ("recovery_full_margin", 35.0),
        ("calm_margin", 40.0),
        ("release_margin", 60.0),
        ("soft_leave_margin", 60.0),
        // No clock lock that would slow it down more than the cap does.
        ("soft_clock_share", 1.0),
    ];
    let rig = Rig::start_without_waiting(&RigOptions {
        settings: control.map(|(key, number)| ("control", key, number.into())).into(),
        ..RigOptions::default()
    });
    rig.limits_are("all are capped", |limits| limits.iter().all(|limit| *limit < 700.0));
    rig
}

#[test]
fn the_lower_of_two_limits_is_kept_and_what_slows_a_gpu_is_told() {
    let rig = capped();
    rig.gpu_tells(0, "SlowBy", "eisbach_power_cap");
    rig.gpu_tells(0, "Rung", 4);
    let why = until(
        "why it is capped is told",
        MINUTE,
        || rig.status()["objects"]["gpu0"]["why"].as_str().unwrap_or_default().to_owned(),
        |why| {
            why.contains("slowed by our power cap; on rung 4 for ")
                && why.contains("back when the margin is ")
        },
    );
    let shown = rig.ask(&["status"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.status.success() && text.contains("gpu0 slowed by our power cap; on rung 4 for "),
        "{why}\n{text}"
    );
    let json: serde_json::Value = serde_json::from_slice(&rig.ask(&["status", "--json"]).stdout).unwrap();
    assert!(json["objects"]["gpu0"]["why"].as_str().is_some_and(|why| why.contains("our power cap")));

    assert!(!rig.alarms().contains(&"foreign_limit".to_owned()));
    rig.event("foreign-limit-0-695");
    rig.alarm_is("foreign_limit", true, MINUTE);
    rig.gpu_tells(0, "ForeignLimitChanges", 1);
    rig.limits_are("a limit that was raised is ours again", |limits| limits[0] < 695.0);

    rig.event("foreign-limit-1-250");
    rig.gpu_tells(1, "PowerLimitRequested", 250.0);
    rig.gpu_tells(1, "ForeignLimitChanges", 1);
    rig.others_go_on(&[]);
    assert_eq!(rig.limits()[1], 250.0, "a limit that was lowered stays");

    rig.event("oob-limit-2-220");
    rig.gpu_tells(2, "PowerLimit", 220.0);
    rig.gpu_tells(2, "SlowBy", "outside_power_cap");
    assert!(rig.limits()[2] > 220.0, "it is not on this node");
    rig.gpu_tells(3, "SlowBy", "eisbach_power_cap");
    rig.event("oob-limit-2-0");
    rig.gpu_tells(2, "SlowBy", "eisbach_power_cap");
    rig.others_go_on(&[]);
}
