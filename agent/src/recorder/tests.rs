use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use eisbach_control::record::{self, Found, Reader, Survey, bits};
use eisbach_control::{GpuInput, Tuning};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, LitersPerMinute, Percent, Watts};
use tempfile::tempdir;

use super::command::{Span, export, info};
use super::ring::Ring;
use super::*;

const WALL: u64 = 1_790_000_000_000;
const WIDE: Bound = Bound { bytes: 64_000_000, steps: STEPS_AN_HOUR };

/// A node of two GPUs whose flow is lost at 20 s.
fn snapshot(tick: u64) -> Snapshot {
    let mut snapshot = Snapshot { gpus_expected: 2, ..Snapshot::default() };
    let age = Millis::new(50 + tick * 37 % 100);
    for _ in 0..2 {
        let gpu = GpuInput {
            margin: Reading::measured(Kelvin::new(25.0), age),
            temperature: Reading::measured(Celsius::new(60.0), age),
            power: Reading::measured(Watts::new(600.0), age),
            ..GpuInput::default()
        };
        snapshot.gpus.push(gpu).unwrap();
    }
    let flow = if tick < 200 { 3.0 } else { 0.0 };
    snapshot.meter.flow = Reading::measured(LitersPerMinute::new(flow), age);
    snapshot.meter.supply = Reading::measured(Celsius::new(35.0), age);
    snapshot.pump.speed = Reading::measured(Percent::new(70.0), age);
    snapshot.valve.position = Reading::measured(Percent::new(40.0), age);
    snapshot
}

/// A controller under record.
struct Bench {
    recorder: Recorder,
    mind: Controller,
    tick: u64,
}

impl Bench {
    fn new(recorder: Recorder) -> Self {
        Self { recorder, mind: Controller::new(Tuning::default()), tick: 0 }
    }

    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let at = Millis::new(self.tick * 100);
            let snapshot = snapshot(self.tick);
            self.recorder.before(&self.mind, at);
            let decision = self.mind.step(&snapshot, at);
            self.recorder.after(&snapshot, &decision, Moment { at, wall_ms: WALL + at.get() });
            self.tick += 1;
        }
    }
}

fn on_disk(folder: &Path) -> Recorder {
    // Ticks follow each other here as fast as they can.
    Recorder::writing_to(Folder::new(folder.to_owned()), folder.to_owned(), WIDE, 4096)
}

/// Decides a record again: its steps, and how its segments begin.
fn replay(bytes: &[u8]) -> (u64, Vec<Why>) {
    let mut reader = Box::new(Reader::new(bytes).unwrap());
    let (mut mind, mut steps, mut whys) = (None, 0, Vec::new());
    let (mut a, mut b) = (vec![0; record::LONGEST], vec![0; record::LONGEST]);
    while let Some(found) = reader.next() {
        match found.unwrap() {
            Found::Opened(opening) => whys.push(opening.why),
            Found::State(state) => mind = Some(record::controller(state).unwrap()),
            Found::Step(bytes) => {
                let step = record::step(bytes).unwrap();
                let again = mind.as_mut().unwrap().step(&step.snapshot, step.now);
                assert_eq!(bits(&again, &mut a).unwrap(), bits(&step.decision, &mut b).unwrap());
                steps += 1;
            }
            Found::Damaged { at, length } => panic!("{length} damaged bytes at {at}"),
        }
    }
    (steps, whys)
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
    assert_eq!(replay(&std::fs::read(&file).unwrap()), (710, whys));
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
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() - 5]).unwrap();
    let file = folder.path().join("out");
    let told = export(folder.path(), Span::Between(None, None), &file).unwrap();
    assert!(told.contains(": 19 steps") && told.ends_with("bytes of torn steps were left out"), "{told}");
    assert_eq!(replay(&std::fs::read(&file).unwrap()).0, 19);
}

#[tokio::test]
async fn what_another_version_wrote_is_told_in_one_line() {
    let folder = tempdir().unwrap();
    let mut bench = Bench::new(on_disk(folder.path()));
    bench.run(20);
    bench.recorder.end().await;
    let segment = folder.path().join("0000000001.rec");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[8] = 9;
    std::fs::write(&segment, bytes).unwrap();
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

/// Segments, and whether there is no room for more.
type Held = (BTreeMap<u64, Vec<u8>>, bool);

/// A disk in memory, which can be full.
#[derive(Clone, Debug, Default)]
struct Memory(Arc<Mutex<Held>>);

impl Memory {
    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<u64, Vec<u8>>, &mut bool) -> T) -> T {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (segments, full) = &mut *inner;
        look(segments, full)
    }

    fn bytes(&self) -> usize {
        self.with(|segments, _| segments.values().map(Vec::len).sum())
    }
}

impl Store for Memory {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        Ok(self.with(|segments, _| segments.keys().copied().collect()))
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        Ok(self.with(|segments, _| segments[&number].clone()))
    }

    fn create(&mut self, number: u64) -> io::Result<()> {
        self.with(|segments, _| segments.insert(number, Vec::new()));
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|segments, full| {
            if *full {
                return Err(io::ErrorKind::StorageFull.into());
            }
            segments.last_entry().unwrap().get_mut().extend_from_slice(bytes);
            Ok(())
        })
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        self.with(|segments, _| segments.remove(&number));
        Ok(())
    }
}

#[test]
fn i13_the_ring_never_outgrows_its_bytes_and_keeps_the_newest() {
    let disk = Memory::default();
    let mut ring = Ring::new(disk.clone(), Bound { bytes: 1_000_000, steps: STEPS_AN_HOUR });
    for minute in 0..300 {
        ring.begin(&[0; 5000]).unwrap();
        for _ in 0..600 {
            ring.append(&[0; 220]).unwrap();
            assert!(disk.bytes() <= 1_000_000, "in minute {minute}");
        }
    }
    // Seven minutes fit, the open one among them.
    assert_eq!(
        disk.with(|segments, _| segments.keys().copied().collect::<Vec<_>>()),
        [294, 295, 296, 297, 298, 299, 300]
    );
}

#[test]
fn i13_the_ring_keeps_the_last_hour_and_no_more_than_a_minute_besides() {
    let disk = Memory::default();
    let mut ring = Ring::new(disk.clone(), WIDE);
    for _ in 0..180 {
        ring.begin(&[0; 5000]).unwrap();
        (0..600).for_each(|_| ring.append(&[0; 2]).unwrap());
    }
    assert_eq!(disk.with(|segments, _| segments.len()), 61);
}

#[test]
fn a_restart_goes_on_behind_what_is_there_and_counts_it() {
    let disk = Memory::default();
    let mut ring = Ring::new(disk.clone(), WIDE);
    ring.begin(b"what another version wrote").unwrap();
    let mut next = Ring::new(disk.clone(), Bound { bytes: 30, ..WIDE });
    next.begin(b"new").unwrap();
    assert_eq!(disk.with(|segments, _| segments.keys().copied().collect::<Vec<_>>()), [1, 2]);
    next.append(b"more").unwrap();
    assert_eq!(disk.with(|segments, _| segments.keys().copied().collect::<Vec<_>>()), [2]);
    next.append(&[0; 24]).unwrap_err();
}

/// The pen without its thread, and a controller.
struct Desk {
    pen: Pen<Memory>,
    shared: Arc<Shared>,
    mind: Controller,
    tick: u64,
}

impl Desk {
    fn write(&mut self, begins: bool) {
        let at = Millis::new(self.tick * 100);
        let snapshot = snapshot(self.tick);
        let controller = self.mind.clone();
        let begin = begins.then(|| Box::new(Begin { why: Why::Continued, controller, unsent: 0 }));
        let decision = self.mind.step(&snapshot, at);
        self.pen.write(Job { begin, moment: Moment { at, wall_ms: WALL }, snapshot, decision });
        self.tick += 1;
    }
}

#[test]
fn a_full_disk_is_tried_again_and_the_gap_is_in_the_record() {
    let (disk, shared) = (Memory::default(), Arc::<Shared>::default());
    let pen = Pen::new(disk.clone(), "/x".into(), WIDE, Arc::clone(&shared));
    let mut desk = Desk { pen, shared, mind: Controller::new(Tuning::default()), tick: 0 };
    desk.write(true);
    desk.write(false);
    disk.with(|_, full| *full = true);
    (0..100).for_each(|_| desk.write(false));
    assert!(desk.shared.failing.load(Ordering::Relaxed));
    assert!(!desk.shared.wants_state.load(Ordering::Relaxed), "ten seconds are not over");
    desk.write(false);
    assert!(desk.shared.wants_state.load(Ordering::Relaxed));
    disk.with(|_, full| *full = false);
    desk.write(true);
    desk.write(false);
    assert!(!desk.shared.failing.load(Ordering::Relaxed));
    assert_eq!(desk.shared.lost.load(Ordering::Relaxed), 101);
    let all: Vec<u8> = disk.with(|segments, _| segments.values().flatten().copied().collect());
    assert_eq!(replay(&all), (4, vec![Why::Continued, Why::AfterGap { missing: 101 }]));
}

/// A disk that hangs in every write until it is told to go on.
#[derive(Debug)]
struct Hanging {
    inner: Memory,
    go: Receiver<()>,
    gone: Sender<()>,
}

impl Store for Hanging {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        self.inner.list()
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        self.inner.read(number)
    }

    fn create(&mut self, number: u64) -> io::Result<()> {
        self.inner.create(number)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let _told_or_let_go = self.go.recv();
        let done = self.inner.append(bytes);
        let _nobody_looks = self.gone.send(());
        done
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        self.inner.remove(number)
    }
}

#[tokio::test]
async fn i12_a_disk_that_hangs_costs_no_cycle_and_what_is_lost_is_counted() {
    let disk = Memory::default();
    let ((let_go, go), (gone, written)) = (channel(), channel());
    let store = Hanging { inner: disk.clone(), go, gone };
    let mut bench = Bench::new(Recorder::writing_to(store, "/x".into(), WIDE, WAITING));
    // Every one of them comes back, with the disk in its first write.
    bench.run(150);
    let status = bench.recorder.status();
    assert_eq!(status.recording, Recording::Failing);
    let waiting = 150 - status.lost;
    assert!((64..=65).contains(&waiting), "{status:?}");

    // It goes on: a beginning and every step that waited is written, and what comes then says how many are missing.
    (0..=waiting).for_each(|_| let_go.send(()).unwrap());
    (0..=waiting).for_each(|_| written.recv().unwrap());
    drop(let_go);
    // A pause of ten seconds is over in between; what then comes finds room.
    bench.run(70);
    assert_eq!(bench.recorder.status().recording, Recording::On);
    let lost = bench.recorder.status().lost;
    bench.recorder.end().await;
    let all: Vec<u8> = disk.with(|segments, _| segments.values().flatten().copied().collect());
    assert_eq!(replay(&all), (220 - lost, vec![Why::Started, Why::AfterGap { missing: lost }]));
    assert_eq!(Survey::of(&all).unwrap().opening.wall_ms, WALL);
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
