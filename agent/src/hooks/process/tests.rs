//! Real processes: what a hook is given, and that nothing of it is left.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use super::*;

fn order(command: &[&str], timeout_ms: u64) -> Order {
    Order {
        hook: Hook::Drain,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        timeout: Duration::from_millis(timeout_ms),
        node: "node-0001".to_owned(),
        reason: "no_flow",
    }
}

fn script(text: &str, timeout_ms: u64) -> Order {
    order(&["/bin/sh", "-c", text], timeout_ms)
}

async fn run_alone(order: Order) -> Ended {
    run(order, CancellationToken::new()).await
}

/// Waits until none of the processes named in `file` is there. A zombie of ours counts as there; one that is left to
/// whoever adopts orphans does not.
async fn none_is_left(file: &Path) {
    let named = std::fs::read_to_string(file).unwrap();
    let numbers: Vec<&str> = named.split_whitespace().collect();
    assert!(!numbers.is_empty());
    for _ in 0..500 {
        if !numbers.iter().any(|number| is_there(number)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("some of {numbers:?} are still there");
}

fn is_there(number: &str) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{number}/stat")) else { return false };
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[0] != "Z" || fields[1] == std::process::id().to_string()
}

#[tokio::test]
async fn a_hook_gets_its_arguments_as_they_are_and_no_more_environment_than_agreed() {
    let ended = run_alone(order(&["/usr/bin/env"], 5000)).await;
    let lines: BTreeSet<&str> = ended.output.lines().collect();
    let agreed =
        ["PATH=/usr/bin:/bin", "EISBACH_NODE=node-0001", "EISBACH_HOOK=drain", "EISBACH_REASON=no_flow"];
    assert_eq!(lines, BTreeSet::from(agreed));
    let ended = run_alone(order(&["/bin/echo", "$HOME; reboot", "*"], 5000)).await;
    assert_eq!((ended.ending, ended.output.as_str()), (Ending::Success, "$HOME; reboot *"));
}

#[tokio::test]
async fn an_exit_code_and_the_last_words_are_told() {
    let ended = run_alone(script("yes | head -c 1000000; echo refused >&2; exit 3", 30_000)).await;
    assert_eq!((ended.ending, ended.errors.as_str()), (Ending::Code(3), "refused"));
    assert!(ended.output.starts_with("(997952 bytes before) y"), "{}", ended.output);
}

#[tokio::test]
async fn what_cannot_be_started_is_told_as_such() {
    let ended = run_alone(order(&["/nonexistent/drain"], 5000)).await;
    assert_eq!(ended.ending, Ending::NotStarted(ErrorKind::NotFound));
}

#[tokio::test]
async fn i13_a_hook_that_is_not_over_in_time_ends_with_its_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    // Neither heeds SIGTERM.
    let text =
        format!("trap '' TERM; (trap '' TERM; sleep 1000) & echo $! $$ > {}; sleep 1000", file.display());
    let ended = run_alone(script(&text, 300)).await;
    assert_eq!(ended.ending, Ending::Timeout(Duration::from_millis(300)));
    none_is_left(&file).await;
}

#[tokio::test]
async fn what_a_hook_leaves_in_its_group_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let ended = run_alone(script(&format!("sleep 1000 & echo $! $$ > {}", file.display()), 30_000)).await;
    assert_eq!(ended.ending, Ending::Success);
    none_is_left(&file).await;
}

#[tokio::test]
async fn whoever_leaves_the_group_with_our_pipes_is_not_waited_for() {
    let ended = run_alone(script("setsid sleep 30 & echo started", 20_000)).await;
    assert_eq!((ended.ending, ended.output.as_str()), (Ending::Success, "started"));
}

#[tokio::test]
async fn a_hook_ends_with_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let token = CancellationToken::new();
    let text = format!("sleep 1000 & echo $! $$ > {}; wait", file.display());
    let stop = async {
        while !std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        token.cancel();
    };
    let (ended, ()) = tokio::join!(run(script(&text, 300_000), token.clone()), stop);
    assert_eq!(ended.ending, Ending::Stopped);
    none_is_left(&file).await;
}

#[tokio::test]
async fn a_hook_ends_even_when_the_task_that_watches_it_is_aborted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pids");
    let text = format!("sleep 1000 & echo $! $$ > {}; wait", file.display());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(run(script(&text, 300_000), CancellationToken::new()));
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tasks.shutdown().await;
    none_is_left(&file).await;
}
