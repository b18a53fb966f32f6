//! The whole of it, with programs that write down when they were run.

use std::path::PathBuf;

use super::*;
use crate::config::HooksConfig;
use crate::hooks::{HookState, Hooks, Wanted};

const DRAIN: Wanted = Wanted { drain: Some("no_flow"), freeze: None, stop: None, well: false };
const ALL: Wanted =
    Wanted { drain: Some("no_flow"), freeze: Some("still_hot"), stop: Some("water"), well: false };

/// A node's hooks and their diary.
struct Node {
    folder: tempfile::TempDir,
    settings: HookSettings,
}

/// An agent's hooks, from start to stop.
struct Agent {
    hooks: Hooks,
    tasks: JoinSet<()>,
    token: CancellationToken,
}

impl Node {
    /// Every hook writes itself down; a hook fails while there is a file of its name.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().display();
        let text =
            format!("echo $EISBACH_HOOK $EISBACH_REASON >> {place}/diary; ! test -e {place}/$EISBACH_HOOK");
        let hook = HookConfig {
            command: vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
            timeout: Duration::from_secs(30),
            min_interval: Millis::new(10),
        };
        let hooks = HooksConfig {
            drain: Some(hook.clone()),
            undrain: Some(hook.clone()),
            freeze: Some(hook.clone()),
            thaw: Some(hook.clone()),
            stop: Some(hook),
        };
        let settings = HookSettings { hooks, node: "node-0001".to_owned(), state: folder.path().to_owned() };
        Self { folder, settings }
    }

    fn start(&self) -> Agent {
        let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
        let hooks = Hooks::start(&mut tasks, self.settings.clone(), Clock::start(), token.clone());
        Agent { hooks, tasks, token }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn diary(&self) -> String {
        std::fs::read_to_string(self.file("diary")).unwrap_or_default()
    }
}

impl Agent {
    fn of(&self, hook: Hook) -> HookStatus {
        let place = Hook::ALL.iter().position(|other| *other == hook).unwrap();
        self.hooks.status()[place]
    }

    async fn reaches(&self, hook: Hook, state: HookState) {
        for _ in 0..1000 {
            if self.of(hook).state == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{hook:?} is not {state:?}: {:?}", self.of(hook));
    }

    async fn stop(mut self) {
        self.token.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[tokio::test]
async fn each_hook_runs_once_when_its_wish_begins_and_its_pair_when_it_ends() {
    let node = Node::new();
    let agent = node.start();
    agent.hooks.want(ALL, Millis::new(1));
    for hook in [Hook::Drain, Hook::Freeze, Hook::Stop] {
        agent.reaches(hook, HookState::Done).await;
    }
    agent.hooks.want(ALL, Millis::new(2));
    agent.hooks.want(Wanted::default(), Millis::new(3));
    for hook in [Hook::Undrain, Hook::Thaw] {
        agent.reaches(hook, HookState::Done).await;
    }
    let diary = node.diary();
    let mut lines: Vec<&str> = diary.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "drain no_flow",
            "freeze still_hot",
            "stop water",
            "thaw no_longer_wanted",
            "undrain no_longer_wanted"
        ]
    );
    assert_eq!(agent.of(Hook::Drain).last_exit, Some(Ending::Success));
    agent.stop().await;
}

#[tokio::test]
async fn a_restart_while_drained_neither_drains_again_nor_forgets() {
    let node = Node::new();
    let agent = node.start();
    agent.hooks.want(DRAIN, Millis::new(1));
    agent.reaches(Hook::Drain, HookState::Done).await;
    agent.stop().await;
    assert_eq!(node.diary(), "drain no_flow\n", "a stop ends no drain");

    let agent = node.start();
    agent.hooks.want(Wanted { stop: Some("water"), ..DRAIN }, Millis::new(1));
    agent.reaches(Hook::Stop, HookState::Done).await;
    assert_eq!(node.diary(), "drain no_flow\nstop water\n");
    agent.hooks.want(Wanted::default(), Millis::new(2));
    agent.reaches(Hook::Undrain, HookState::Done).await;
    agent.stop().await;
    assert_eq!(record::load(node.folder.path()), Record::default());
}

#[tokio::test]
async fn a_failure_stands_until_the_hook_has_done_what_it_should() {
    let mut node = Node::new();
    // Long enough for a look at what stands, and to mend it.
    node.settings.hooks.drain.as_mut().unwrap().min_interval = Millis::new(500);
    std::fs::write(node.file("drain"), "").unwrap();
    let agent = node.start();
    agent.hooks.want(DRAIN, Millis::new(1));
    agent.reaches(Hook::Drain, HookState::Waiting).await;
    assert!(agent.hooks.failed());
    assert_eq!(agent.of(Hook::Drain).last_exit, Some(Ending::Code(1)));
    std::fs::remove_file(node.file("drain")).unwrap();
    agent.reaches(Hook::Drain, HookState::Done).await;
    assert!(!agent.hooks.failed());
    assert_eq!(agent.of(Hook::Drain).last_reason, Some("no_flow"));
    agent.stop().await;
}

#[tokio::test]
async fn i13_a_hook_that_always_fails_is_given_up() {
    let node = Node::new();
    std::fs::write(node.file("drain"), "").unwrap();
    let agent = node.start();
    agent.hooks.want(DRAIN, Millis::new(1));
    agent.reaches(Hook::Drain, HookState::Failed).await;
    let drain = agent.of(Hook::Drain);
    assert_eq!((drain.runs, drain.failures, drain.failing), (TRIES, TRIES, true));
    assert_eq!(node.diary().lines().count(), 5);
    agent.stop().await;
}

#[tokio::test]
async fn a_drain_is_on_disk_before_its_process_starts() {
    let mut node = Node::new();
    let copy = format!("cp {0}/hooks.json {0}/seen", node.folder.path().display());
    node.settings.hooks.drain.as_mut().unwrap().command[2] = copy;
    let agent = node.start();
    agent.hooks.want(DRAIN, Millis::new(1));
    agent.reaches(Hook::Drain, HookState::Done).await;
    assert_eq!(std::fs::read_to_string(node.file("seen")).unwrap(), r#"{"drain":"unsure","freeze":"none"}"#);
    agent.stop().await;
}
