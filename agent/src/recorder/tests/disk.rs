//! A made-up disk: full, slow, hurt, or shared with somebody else.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use eisbach_control::record::Survey;

use super::super::ring::Ring;
use super::*;

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

    fn numbers(&self) -> Vec<u64> {
        self.with(|segments, _| segments.keys().copied().collect())
    }

    /// What an export would hand out.
    fn whole(&self) -> Vec<u8> {
        let whole = |bytes: &Vec<u8>| Survey::of(bytes).map_or(0, |survey| survey.whole);
        self.with(|segments, _| segments.values().flat_map(|bytes| bytes[..whole(bytes)].to_vec()).collect())
    }
}

impl Store for Memory {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        Ok(self.with(|segments, _| segments.keys().copied().collect()))
    }

    fn read(&mut self, number: u64) -> io::Result<Vec<u8>> {
        Ok(self.with(|segments, _| segments[&number].clone()))
    }

    fn length(&mut self, number: u64) -> io::Result<u64> {
        Ok(self.with(|segments, _| segments[&number].len().try_into().unwrap()))
    }

    fn create(&mut self, number: u64) -> io::Result<()> {
        self.with(|segments, _| match segments.insert(number, Vec::new()) {
            Some(theirs) => {
                segments.insert(number, theirs);
                Err(io::ErrorKind::AlreadyExists.into())
            }
            None => Ok(()),
        })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.with(|segments, full| {
            // The last bytes of room are filled before anything is said.
            let fits = if *full { bytes.len() / 2 } else { bytes.len() };
            segments.last_entry().unwrap().get_mut().extend_from_slice(&bytes[..fits]);
            if *full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
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
    assert_eq!(disk.numbers(), [294, 295, 296, 297, 298, 299, 300]);
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
    assert_eq!(disk.numbers(), [1, 2]);
    next.append(b"more").unwrap();
    assert_eq!(disk.numbers(), [2]);
    next.append(&[0; 24]).unwrap_err();
}

#[test]
fn a_number_that_somebody_else_took_is_left_to_him() {
    let disk = Memory::default();
    let mut ring = Ring::new(disk.clone(), WIDE);
    ring.begin(b"ours").unwrap();
    // Another agent on the same folder, started by hand.
    Ring::new(disk.clone(), WIDE).begin(b"theirs").unwrap();
    ring.begin(b"ours").unwrap_err();
    ring.begin(b"ours").unwrap();
    assert_eq!(disk.numbers(), [1, 2, 3]);
    assert_eq!(disk.with(|segments, _| segments[&2].clone()), b"theirs");
}

/// A disk with a bad spot under every old segment, or one on which nothing can be removed.
#[derive(Debug)]
struct Hurt {
    inner: Memory,
    keeps: bool,
}

impl Store for Hurt {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        self.inner.list()
    }

    fn read(&mut self, _number: u64) -> io::Result<Vec<u8>> {
        Err(io::Error::other("input/output error"))
    }

    fn length(&mut self, number: u64) -> io::Result<u64> {
        self.inner.length(number)
    }

    fn create(&mut self, number: u64) -> io::Result<()> {
        self.inner.create(number)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.append(bytes)
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        if self.keeps { Err(io::ErrorKind::PermissionDenied.into()) } else { self.inner.remove(number) }
    }
}

#[test]
fn i13_a_segment_that_cannot_be_read_counts_with_its_length_and_goes_in_its_turn() {
    let disk = Memory::default();
    Ring::new(disk.clone(), WIDE).begin(&[0; 500]).unwrap();
    let mut ring = Ring::new(Hurt { inner: disk.clone(), keeps: false }, Bound { bytes: 1000, ..WIDE });
    ring.begin(&[0; 400]).unwrap();
    assert_eq!(disk.numbers(), [1, 2]);
    ring.append(&[0; 200]).unwrap();
    assert_eq!(disk.numbers(), [2]);
}

#[test]
fn i13_where_nothing_can_be_removed_nothing_more_is_written() {
    let disk = Memory::default();
    Ring::new(disk.clone(), WIDE).begin(&[0; 500]).unwrap();
    let mut ring = Ring::new(Hurt { inner: disk.clone(), keeps: true }, Bound { bytes: 1000, ..WIDE });
    ring.begin(&[0; 400]).unwrap();
    ring.append(&[0; 200]).unwrap_err();
    ring.begin(&[0; 200]).unwrap_err();
    assert_eq!(disk.bytes(), 900);
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
    // Where it broke off half a frame was left.
    assert!(disk.whole().len() < disk.bytes());
    assert_eq!(replay(&disk.whole()), (4, vec![Why::Continued, Why::AfterGap { missing: 101 }]));
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

    fn length(&mut self, number: u64) -> io::Result<u64> {
        self.inner.length(number)
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
    let all = disk.whole();
    assert_eq!(replay(&all), (220 - lost, vec![Why::Started, Why::AfterGap { missing: lost }]));
    assert_eq!(Survey::of(&all).unwrap().opening.wall_ms, WALL);
}

/// A disk on which our own program fails.
#[derive(Debug)]
struct Fatal;

impl Store for Fatal {
    fn list(&mut self) -> io::Result<Vec<u64>> {
        panic!("a fault of our own")
    }

    fn read(&mut self, _number: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn length(&mut self, _number: u64) -> io::Result<u64> {
        Ok(0)
    }

    fn create(&mut self, _number: u64) -> io::Result<()> {
        Ok(())
    }

    fn append(&mut self, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, _number: u64) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn i12_a_thread_that_dies_costs_no_cycle_and_is_told() {
    let mut bench = Bench::new(Recorder::writing_to(Fatal, "/x".into(), WIDE, 4));
    bench.run(300);
    let status = bench.recorder.status();
    assert!(status.recording == Recording::Failing && status.lost > 290, "{status:?}");
    bench.recorder.end().await;
}
