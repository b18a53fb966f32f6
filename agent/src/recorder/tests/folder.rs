//! A real folder: what the recorder leaves there, and what `record` makes of it.

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use super::super::command::{Span, export, info};
use super::*;

fn on_disk(folder: &Path) -> Recorder {
    // Ticks follow each other here as fast as they can.
    Recorder::writing_to(Folder::new(folder.to_owned()), folder.to_owned(), WIDE, 4096)
}

#[tokio::test]
async fn an_incident_with_new_numbers_and_a_restart_is_decided_again_bit_for_bit() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(650);
    bench.recorder.retuned();
    bench.mind.retune(Tuning { trim_margin: Kelvin::new(30.0), ..Tuning::default() });
    bench.run(50);
    bench.recorder.end().await;
    let mut again = Bench::new(on_disk(folder.path()));
    again.mind = Controller::with_latched_leak(Tuning::default());
    again.run(10);
    assert_eq!(again.recorder.status(), RecorderStatus { recording: Recording::On, lost: 0 });
    again.recorder.end().await;

    let file = folder.path().join("incident.eisrec");
    let told = export(folder.path(), Span::Between(None, None), &file).unwrap();
    assert!(told.contains(": 710 steps in 4 segments, 2026-"), "{told}");
    let whys = vec![Why::Started, Why::Continued, Why::Retuned, Why::Started];
    assert_eq!(replay(&fs::read(&file).unwrap()), (710, whys));
    let list = info(folder.path()).unwrap();
    assert!(list.contains("650 steps  start of version") && list.contains("50 steps  new numbers"), "{list}");
}

#[tokio::test]
async fn only_the_segments_of_the_time_asked_for_are_handed_out() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(1810);
    bench.recorder.end().await;
    let out = |name: &str, span| export(folder.path(), span, &folder.path().join(name));
    let last = out("last", Span::Last(Duration::from_secs(30))).unwrap();
    assert!(last.contains(": 610 steps in 2 segments"), "{last}");
    let first = out("first", Span::Between(None, Some(WALL + 1000))).unwrap();
    assert!(first.contains(": 600 steps in 1 segments"), "{first}");
    let never = out("never", Span::Between(Some(WALL * 2), None)).unwrap_err().to_string();
    assert!(never.starts_with("nothing was recorded in that time; the record goes from 2026-"), "{never}");
    let twice = out("last", Span::Between(None, None)).unwrap_err().to_string();
    assert!(twice.contains("name a file that does not exist yet"), "{twice}");
}

#[tokio::test]
async fn a_torn_end_is_cut_off_and_said() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(20);
    bench.recorder.end().await;
    let segment = folder.path().join("0000000001.rec");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    let file = folder.path().join("out");
    let told = export(folder.path(), Span::Between(None, None), &file).unwrap();
    assert!(told.contains(": 19 steps") && told.ends_with("bytes of torn steps were left out"), "{told}");
    assert_eq!(replay(&fs::read(&file).unwrap()).0, 19);
}

#[tokio::test]
async fn what_another_version_wrote_is_told_in_one_line() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(20);
    bench.recorder.end().await;
    let segment = folder.path().join("0000000001.rec");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    fs::write(&segment, bytes).unwrap();
    let list = info(folder.path()).unwrap();
    assert!(list.contains("1 segments cannot be read: record format 9, and this program reads 1"), "{list}");
    let error = export(folder.path(), Span::Between(None, None), &folder.path().join("out")).unwrap_err();
    assert!(error.to_string().contains("nothing is recorded here that this version can read"), "{error}");
}

#[test]
fn an_empty_record_says_where_to_look() {
    let folder = tempdir().unwrap();
    let error = info(&folder.path().join("record")).unwrap_err().to_string();
    assert!(error.contains("nothing is recorded here") && error.contains("[recorder]"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_switched_off_writes_nothing() {
    let folder = tempdir().unwrap();
    let directory = folder.path().join("record");
    let config = RecorderConfig { enabled: false, directory: directory.clone(), bytes: 1, hours: 1 };
    let mut bench = Bench::new(Recorder::start(&config));
    bench.run(10);
    assert_eq!(bench.recorder.status(), RecorderStatus::default());
    bench.recorder.end().await;
    assert!(!directory.exists());
}

/// Writes some seconds, one segment a call.
async fn recorded(folder: &Path, ticks: u64) {
    let mut bench = Bench::new(on_disk(folder));
    bench.run(ticks);
    bench.recorder.end().await;
}

#[tokio::test]
async fn what_a_power_cut_leaves_is_cut_off_and_a_restart_goes_on_behind_it() {
    let folder = tempdir().unwrap();
    for _ in 0..4 {
        recorded(folder.path(), 20).await;
    }
    let segment = |number: u32| folder.path().join(format!("{number:010}.rec"));
    // A length that came to the disk without its bytes; one without its beginning; one that never got any.
    let mut zeros = fs::read(segment(1)).unwrap();
    let (whole, length) = (zeros.len(), zeros.len() + 4096);
    zeros.resize(length, 0);
    fs::write(segment(1), &zeros).unwrap();
    fs::write(segment(2), [0; 512]).unwrap();
    fs::write(segment(3), []).unwrap();
    recorded(folder.path(), 10).await;
    assert!(segment(5).exists());

    let list = info(folder.path()).unwrap();
    assert!(
        list.contains(": 50 steps") && list.contains("2 segments cannot be read: no segment begins there"),
        "{list}"
    );
    let file = folder.path().join("out");
    let told = export(folder.path(), Span::Between(None, None), &file).unwrap();
    assert!(told.contains(&format!("; {} bytes of torn steps", length - whole)), "{told}");
    assert!(told.ends_with("; 2 segments cannot be read: see `record info`"), "{told}");
    assert_eq!(replay(&fs::read(&file).unwrap()).0, 50);
}

#[tokio::test]
async fn a_hurt_step_in_the_middle_costs_the_rest_of_its_minute_only() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(1200);
    bench.recorder.end().await;
    let first = folder.path().join("0000000001.rec");
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&first, bytes).unwrap();
    let file = folder.path().join("out");
    export(folder.path(), Span::Between(None, None), &file).unwrap();
    let (steps, whys) = replay(&fs::read(&file).unwrap());
    assert!((601..1199).contains(&steps), "{steps}");
    assert_eq!(whys, [Why::Started, Why::Continued]);
}

#[tokio::test]
async fn a_clock_that_is_set_hides_nothing_of_the_last_minutes() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    // Without a battery it begins in 1970; then the time is found; then somebody sets it a day back.
    for wall in [5000, WALL, WALL - 86_400_000] {
        bench.wall = wall;
        bench.run(600);
    }
    bench.recorder.end().await;
    let list = info(folder.path()).unwrap();
    assert_eq!(list.matches("the node's clock was set").count(), 2, "{list}");
    let out = |name: &str, span| export(folder.path(), span, &folder.path().join(name));
    let last = out("last", Span::Last(Duration::from_secs(90))).unwrap();
    assert!(last.contains(": 1200 steps in 2 segments"), "{last}");
    let all = out("all", Span::Last(Duration::from_secs(150))).unwrap();
    assert!(all.contains(": 1800 steps in 3 segments, 1970-01-01T"), "{all}");
    let then = out("then", Span::Between(Some(WALL), None)).unwrap();
    assert!(then.contains(": 600 steps in 1 segments"), "{then}");
}

#[tokio::test]
async fn i12_a_place_that_is_no_folder_costs_no_cycle_and_is_told() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("record");
    fs::write(&place, "somebody's notes").unwrap();
    let mut bench = Bench::new(on_disk(&place));
    bench.run(50);
    let shared = Arc::clone(&bench.recorder.shared);
    bench.recorder.end().await;
    assert!(shared.failing.load(Ordering::Relaxed));
    assert_eq!(shared.lost.load(Ordering::Relaxed), 50);
    assert_eq!(fs::read(&place).unwrap(), b"somebody's notes");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_whole_is_not_left_behind() {
    let folder = tempdir().unwrap();
    recorded(folder.path(), 20).await;
    let nowhere = folder.path().join("not/there");
    let error = export(folder.path(), Span::Between(None, None), &nowhere).unwrap_err().to_string();
    assert!(error.contains("cannot be written") && !nowhere.exists(), "{error}");
}
