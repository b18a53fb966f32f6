//! `eisbach-agent detach` and `attach`, as a person says them.

use std::path::Path;

use eisbach_hil_tests::{MINUTE, Rig, RigOptions, until};

/// What the person is told, and whether it was done.
fn said(rig: &Rig, words: &[&str]) -> (Option<i32>, String) {
    let output = rig.ask(words);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(text.lines().count(), 1, "one line: {text}");
    (output.status.code(), text)
}

/// Files of the driver that the GPU process has open or mapped.
fn held(rig: &Rig) -> Vec<String> {
    let process = Path::new("/proc").join(rig.gpu.id().to_string());
    let state = rig.nvml_state().display().to_string();
    let library = rig.simulator.at("nvml_library");
    let open = std::fs::read_dir(process.join("fd")).unwrap().flatten();
    let open =
        open.filter_map(|fd| std::fs::read_link(fd.path()).ok()).map(|path| path.display().to_string());
    let maps = std::fs::read_to_string(process.join("maps")).unwrap();
    let all = open.chain(maps.lines().map(str::to_owned));
    all.filter(|line| line.contains(&state) || line.contains(library)).collect()
}

fn detached(rig: &Rig) {
    rig.driver_is("detached");
    rig.alarm_is("gpu_detached", true, MINUTE);
    rig.reaches("hot", MINUTE);
    rig.all_cooling();
    assert_eq!(held(rig), Vec::<String>::new());
    assert!(!rig.alarms().contains(&"gpu_link_down".to_owned()), "they are away on purpose");
}

fn attached(rig: &Rig) {
    rig.driver_is("ready");
    rig.alarm_is("gpu_detached", false, MINUTE);
    rig.others_go_on(&[]);
    assert_ne!(held(rig), Vec::<String>::new());
}

#[test]
fn the_driver_is_let_go_while_all_gpus_are_cool_and_taken_again_by_itself_or_when_told() {
    let mut rig = Rig::start_without_waiting(&RigOptions::default());
    rig.reaches("running", MINUTE);
    until(
        "a GPU is warm",
        MINUTE,
        || rig.number("gpu0", "Margin"),
        |margin| margin.is_some_and(|it| it < 28.0),
    );
    let (code, text) = said(&rig, &["detach", "--for", "20s"]);
    assert!(code == Some(1) && text.contains("not detached: gpu") && text.contains("too warm"), "{text}");
    rig.driver_is("ready");

    rig.event("load-idle");
    let margins = || (0..8).map(|gpu| rig.number(&format!("gpu{gpu}"), "Margin").unwrap_or_default());
    until("all are cool", MINUTE, || margins().fold(100.0, f64::min), |least| *least > 32.0);
    assert_eq!(said(&rig, &["detach", "--for", "20s"]).0, Some(0));
    detached(&rig);
    let left = || rig.status()["driver"]["detached_left_ms"].as_u64().unwrap_or_default();
    assert!((1..=20_000).contains(&left()));

    let (code, text) = said(&rig, &["detach", "--for", "2h"]);
    assert!(code == Some(0), "a second one sets the time anew: {text}");
    until("the time is set anew", MINUTE, left, |left| *left > 3_600_000);
    detached(&rig);

    // Who is gone will not come back by himself; a process that is started meanwhile keeps away too.
    rig.gpu.kill();
    rig.alarm_is("gpu_link_down", true, MINUTE);
    rig.start_gpu();
    rig.alarm_is("gpu_link_down", false, MINUTE);
    detached(&rig);

    assert_eq!(said(&rig, &["attach"]).0, Some(0));
    attached(&rig);
    assert_eq!(said(&rig, &["attach"]).0, Some(0), "once more does no harm");

    assert_eq!(said(&rig, &["detach", "--for", "4s"]).0, Some(0));
    detached(&rig);
    attached(&rig);

    for words in [["detach", "--for=5h"], ["detach", "--for=0s"]] {
        let (code, text) = said(&rig, &words);
        assert!(code == Some(1) && text.contains("between 1 s and 4 h"), "{text}");
    }
    rig.agent.kill();
    let (code, text) = said(&rig, &["detach"]);
    assert!(
        code == Some(1) && text.contains("no agent answers") && text.contains("eisbach-agent.service"),
        "{text}"
    );
}
