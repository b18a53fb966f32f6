//! The flight record: what really happened on a node is decided again elsewhere, bit for bit.

use std::process::Command;

use eisbach_hil_tests::{Binary, MINUTE, Rig, RigOptions, binary};

#[test]
fn a_loss_of_flow_and_a_kill_are_decided_again_bit_for_bit() {
    let mut rig = Rig::start_without_waiting(&RigOptions::default());
    rig.reaches("running", MINUTE);
    assert_eq!(rig.point("node", "Recorder")["value"], "recording");
    rig.event("flow-loss");
    rig.reaches("critical", MINUTE);
    rig.agent.kill();
    rig.start_agent();
    rig.reaches("critical", MINUTE);
    assert_eq!(rig.point("node", "RecorderLost")["value"], 0);

    let file = rig.folder().join("incident.eisrec");
    let exported = rig.ask(&["record", "export", "--last", "10m", file.to_str().unwrap()]);
    assert!(exported.status.success(), "{exported:?}");
    let replayed = Command::new(binary(Binary::Sim)).arg("replay").arg(&file).output().unwrap();
    let told = String::from_utf8(replayed.stdout).unwrap();
    assert!(replayed.status.success() && told.contains("identical: all "), "{told}");
    assert_eq!(told.matches("the controller starts").count(), 2, "{told}");
    assert!(told.contains("critical (flow_guard: ") && told.contains("alarm loss_of_flow holds"), "{told}");
}
