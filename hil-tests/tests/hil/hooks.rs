//! Help from outside the node, with programs that a test can look at.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use eisbach_hil_tests::{Configuration, MINUTE, Rig, Simulator, until};

/// A hook that appends what it is told to `calls`, and fails while there is a file `broken`.
const HOOK: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 2
echo \"$EISBACH_HOOK $EISBACH_NODE $EISBACH_REASON\" >> calls
[ ! -e broken ] || { echo 'the broken one' >&2; exit 1; }
";

#[test]
fn a_lost_flow_drains_the_node_and_a_calm_one_is_undrained() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(folder.path(), &["--workload", "full", "--seed", "7"]);
    let (hook, broken) = (folder.path().join("hook"), folder.path().join("broken"));
    fs::write(&hook, HOOK).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&broken, "").unwrap();
    let mut configuration = Configuration::of(folder.path(), &simulator)
        .set("control", "drain_after_flow_loss", 1000)
        .set("control", "drain_calm_for", 1000)
        .set("control", "calm_for", 2000)
        .set("control", "release_watts_per_s", 500.0);
    for section in ["drain", "undrain"] {
        configuration = configuration.hook(section, &hook, 1000);
    }
    let calls = folder.path().join("calls");
    let calls = || fs::read_to_string(&calls).unwrap_or_default();
    let rig = Rig::assemble(folder, simulator, &configuration);
    rig.settle();
    assert_eq!(calls(), "");

    rig.event("flow-loss");
    until("the drain runs, fails and is tried again", MINUTE, calls, |calls| calls.lines().count() >= 2);
    rig.alarm_is("hook_failed", true, MINUTE);
    let reason = rig.point("node", "EscalationReason")["value"].as_str().unwrap().to_owned();
    assert!(calls().lines().all(|line| line == format!("drain node-0001 {reason}")), "{reason}: {}", calls());
    assert!(rig.agent.log().contains("the broken one"), "its last words are in the log");
    fs::remove_file(&broken).unwrap();
    rig.alarm_is("hook_failed", false, MINUTE);
    let drained = calls();
    rig.others_go_on(&[]);
    assert_eq!(calls(), drained, "a hook that went well does not run again while its cause lasts");

    rig.event("flow-ok");
    until("the undrain runs once it is calm", 2 * MINUTE, calls, |calls| {
        calls.lines().last() == Some("undrain node-0001 no_longer_wanted")
    });
    rig.others_go_on(&[]);
    assert_eq!(calls().matches("undrain").count(), 1);
}
