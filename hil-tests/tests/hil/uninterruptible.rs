//! One GPU whose call sleeps in the kernel, where not even SIGKILL ends it.

use std::fs;

use eisbach_hil_tests::{Disk, MINUTE, Process, Rig, RigOptions, until};
use nix::sys::signal::Signal;

/// States of a process's threads, as the kernel tells.
fn thread_states(process: &Process) -> String {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.filter_map(|stat| stat.rsplit_once(") ")?.1.chars().next()).collect()
}

fn sleeps_in_the_kernel(process: &Process) {
    until("a thread is in state D", MINUTE, || thread_states(process), |states| states.contains('D'));
}

#[test]
fn a_gpu_whose_call_cannot_be_ended_costs_neither_the_others_nor_the_next_gpu_process() {
    // Kept longest: it is unmounted when nobody sleeps in it any more.
    let disk = match Disk::mount() {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!(
                "SKIPPED: a call that cannot be ended is NOT tested, no disk can be frozen here: {why}"
            );
            return;
        }
    };
    let mut rig = Rig::start_without_waiting(&RigOptions {
        workload: "idle",
        gpu_environment: vec![("EISBACH_NVML_BLOCK_FILE", disk.path().join("blocks"))],
        ..RigOptions::default()
    });
    rig.reaches("running", MINUTE);
    let thaw = disk.freeze();
    rig.event("nvml-block-3");
    sleeps_in_the_kernel(&rig.gpu);
    rig.gpu_tells(3, "Health", "hung");
    rig.alarm_is("gpu_unavailable", true, MINUTE);
    rig.others_go_on(&[3]);

    rig.gpu.signal(Signal::SIGTERM);
    rig.alarm_is("gpu_link_down", true, MINUTE);
    let before = rig.replace_gpu();
    rig.alarm_is("gpu_link_down", false, MINUTE);
    rig.gpu_tells(3, "Health", "hung");
    rig.others_go_on(&[3]);
    sleeps_in_the_kernel(&rig.gpu);
    assert!(thread_states(&before).contains('D'), "the one before has still not ended");
    before.signal(Signal::SIGKILL);
    rig.others_go_on(&[3]);
    assert!(thread_states(&before).contains('D'), "and nothing ends it");

    rig.event("nvml-ok");
    drop(thaw);
    drop(before);
    rig.gpu_tells(3, "Health", "ok");
    rig.alarm_is("gpu_unavailable", false, MINUTE);
    rig.others_go_on(&[]);
}
