//! The leash, with real processes.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const SIM: &str = env!("CARGO_BIN_EXE_eisbach-sim");

/// A process that is gone, or dead and not yet buried.
fn is_over(pid: &str) -> bool {
    let stat = PathBuf::from("/proc").join(pid).join("stat");
    std::fs::read_to_string(stat).map_or(true, |stat| stat.contains(") Z "))
}

fn until(condition: impl Fn() -> bool) -> bool {
    (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        condition()
    })
}

#[test]
fn a_child_dies_when_its_parent_is_killed() {
    let script = format!("'{SIM}' leash --parent $$ -- sleep 300 & echo $!; wait");
    let mut parent = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut child = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut child).unwrap();
    let child = child.trim().to_owned();
    let name = Path::new("/proc").join(&child).join("comm");
    assert!(
        until(|| std::fs::read_to_string(&name).is_ok_and(|name| name.trim() == "sleep")),
        "it has become sleep"
    );
    assert!(!is_over(&child));

    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(until(|| is_over(&child)), "process {child} outlived its parent");
}

#[test]
fn nothing_is_started_for_a_parent_that_is_gone() {
    let output =
        Command::new(SIM).args(["leash", "--parent", "1", "--", "echo", "started"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("process 1 is gone"));
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let own = std::process::id().to_string();
    let output =
        Command::new(SIM).args(["leash", "--parent", &own, "--", "/nowhere/agent"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot run /nowhere/agent"));
}
