//! The budgets' file over killed runs, broken disks and broken files.

use super::*;
use eisbach_protocol::units::Millis;
use std::fs;

const TODAY: Today = Today { day: 20_000, now: Millis::ZERO };
const PATIENCE: Duration = Duration::from_secs(20);

/// One run of the agent, killed when dropped.
struct Run {
    _tasks: JoinSet<()>,
    budgets: Budgets,
}

impl Run {
    fn start(folder: &Path) -> Self {
        let mut tasks = JoinSet::new();
        let budgets = Budgets::start(&mut tasks, folder, CancellationToken::new());
        Self { _tasks: tasks, budgets }
    }

    fn pump(&self) -> Purse {
        self.budgets.open("pump", 103, Some(100), TODAY)
    }
}

/// Writes as often as it may, at most `most` times.
async fn write(purse: &mut Purse, most: u32) -> u32 {
    let mut made = 0;
    while made < most {
        let allowed = async {
            loop {
                match purse.judge(TODAY, 1, true) {
                    Allowance::Soon => tokio::time::sleep(Duration::from_millis(1)).await,
                    Allowance::Yes => return true,
                    Allowance::Spent => return false,
                }
            }
        };
        if !timeout(PATIENCE, allowed).await.unwrap() {
            break;
        }
        purse.spend();
        made += 1;
    }
    made
}

#[tokio::test]
async fn i09_what_a_killed_run_has_written_is_never_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (mut made, mut runs) = (0, 0);
    while runs < 40 {
        let run = Run::start(folder.path());
        made += write(&mut run.pump(), 3).await;
        runs += 1;
    }
    assert!(made <= 100, "{made}");
    assert!(made >= 60, "a killed run loses two of its writes at most: {made}");
    let run = Run::start(folder.path());
    assert_eq!(write(&mut run.budgets.open("valve", 0, Some(10), TODAY), 20).await, 10);
    assert_eq!(write(&mut run.pump(), 20).await, 0);
}

#[tokio::test]
async fn i09_a_file_that_cannot_be_understood_counts_as_half_spent_even_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "{", "[1]", "{\"registers\":[{\"device\":\"pump\"}]}", "\u{0}\u{0}"] {
        fs::write(folder.path().join(FILE), text).unwrap();
        let run = Run::start(folder.path());
        let mut purse = run.pump();
        assert_eq!(write(&mut purse, 10).await, 10, "{text:?}");
        drop(run);
        let run = Run::start(folder.path());
        assert!(write(&mut run.pump(), 100).await <= 40, "{text:?}");
    }
}

#[tokio::test]
async fn i12_a_disk_that_fails_costs_the_count_and_not_the_cooling() {
    let run = Run::start(Path::new("/proc/nowhere"));
    assert_eq!(write(&mut run.pump(), 200).await, 100, "counted in memory");
}

#[tokio::test]
async fn i13_the_file_stays_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    let entry = |number: u16| ((format!("a device with a long name {number}"), number), number);
    let many = (0..2_000).map(entry);
    let many = many.map(|(key, number)| (key, Reserved { day: number.into(), writes: u32::MAX })).collect();
    super::write(&path, &many).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < LONGEST_FILE);
    let kept = read(&path).unwrap();
    assert_eq!((kept.len(), kept.values().map(|kept| kept.day).min()), (MOST_REGISTERS, Some(1_744)));
}

#[test]
fn without_a_folder_a_budget_holds_for_the_run() {
    let mut purse = Budgets::in_memory().open("pump", 103, Some(2), TODAY);
    for _ in 0..2 {
        assert_eq!(purse.judge(TODAY, 1, true), Allowance::Yes);
        purse.spend();
    }
    assert_eq!(purse.judge(TODAY, 1, true), Allowance::Spent);
}
