//! The flight recorder: the last hour of what was known and decided, on disk.
//!
//! ```text
//!   cycle ── before a step: the controller's state, once a minute ─┐
//!         ── after it: time, snapshot, decision ───────────────────┤ try_send (never waits)
//!                                                                  ▼
//!                                            64 steps ──► thread: encode, append ──► 0000000041.rec
//!                                                           │                        0000000042.rec
//!                                                           └─ oldest away: bytes, hours
//! ```
//!
//! A disk can be full, slow, read-only or gone, and none of that is the cycle's business: it hands over what it has,
//! and what finds no room is counted. A segment begins with the controller's state, so that a replay can start there:
//! one a minute, and one whenever the record would not follow by itself, after a start, new numbers or a gap.

mod command;
mod pen;
mod ring;
mod store;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use eisbach_control::record::Why;
use eisbach_control::{Controller, Decision, Moment, Snapshot};
use eisbach_protocol::units::Millis;
use tokio::sync::oneshot;
use tracing::{error, warn};

pub use self::command::{RecordArguments, command};
use self::pen::Pen;
use self::ring::Bound;
use self::store::{Folder, Store};
use crate::config::RecorderConfig;

/// Steps that may wait for the disk: six seconds, half a megabyte.
const WAITING: usize = 64;
/// Length of a segment.
const SEGMENT: Millis = Millis::from_secs(60);
/// When the disk was too slow, nothing is handed over for this long.
const PAUSE: Millis = Millis::from_secs(10);
/// Longest time for the last steps to be written when the agent stops.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Steps an hour.
const STEPS_AN_HOUR: u64 = 36_000;

/// How the record goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// It is switched off.
    #[default]
    Off,
    /// Every step is written.
    On,
    /// The disk does not take it; control goes on without.
    Failing,
}

impl Recording {
    /// Stable text for faces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "recording",
            Self::Failing => "failing",
        }
    }
}

/// How the record goes, and what is missing in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecorderStatus {
    /// How it goes.
    pub recording: Recording,
    /// Steps since start that are not in it.
    pub lost: u64,
}

/// What cycle and thread tell each other besides the queue.
#[derive(Debug, Default)]
struct Shared {
    lost: AtomicU64,
    failing: AtomicBool,
    /// The thread can write again and needs a state to begin with.
    wants_state: AtomicBool,
}

/// One step on its way to the disk.
#[derive(Debug)]
struct Job {
    /// Apart, because most steps have none.
    begin: Option<Box<Begin>>,
    moment: Moment,
    snapshot: Snapshot,
    decision: Decision,
}

/// A segment is to begin before a step.
#[derive(Debug)]
struct Begin {
    why: Why,
    controller: Controller,
    /// Steps that found no room in the queue since the segment before.
    unsent: u64,
}

/// The cycle's side of the recorder.
#[derive(Debug)]
pub struct Recorder {
    queue: Option<SyncSender<Box<Job>>>,
    shared: Arc<Shared>,
    /// The next step begins a segment, for this reason.
    due: Option<Why>,
    begin: Option<Box<Begin>>,
    began: Millis,
    unsent: u64,
    paused_until: Option<Millis>,
    ended: Option<oneshot::Receiver<()>>,
}

impl Recorder {
    /// Starts the thread that writes, unless the record is switched off.
    #[must_use]
    pub fn start(config: &RecorderConfig) -> Self {
        if !config.enabled {
            return Self::off();
        }
        let bound = Bound { bytes: config.bytes, steps: u64::from(config.hours) * STEPS_AN_HOUR };
        Self::writing_to(Folder::new(config.directory.clone()), config.directory.clone(), bound, WAITING)
    }

    /// A recorder that writes nothing.
    #[must_use]
    pub fn off() -> Self {
        Self {
            queue: None,
            shared: Arc::default(),
            due: None,
            begin: None,
            began: Millis::ZERO,
            unsent: 0,
            paused_until: None,
            ended: None,
        }
    }

    fn writing_to(store: impl Store + 'static, place: PathBuf, bound: Bound, room: usize) -> Self {
        let (queue, waiting) = sync_channel::<Box<Job>>(room);
        let (done, ended) = oneshot::channel();
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let started = thread::Builder::new().name("recorder".into()).spawn(move || {
            let mut pen = Pen::new(store, place, bound, told);
            while let Ok(job) = waiting.recv() {
                pen.write(*job);
            }
            let _nobody_waits = done.send(());
        });
        if let Err(error) = started {
            error!(%error, "the flight recorder cannot start; check the limit on tasks");
            shared.failing.store(true, Ordering::Relaxed);
        }
        Self { queue: Some(queue), shared, due: Some(Why::Started), ended: Some(ended), ..Self::off() }
    }

    /// The controller has got new numbers.
    pub fn retuned(&mut self) {
        self.due = self.due.or(Some(Why::Retuned));
    }

    /// To be called right before a step at `now`: takes the controller's state if a segment is to begin.
    pub fn before(&mut self, controller: &Controller, now: Millis) {
        if self.queue.is_none() || self.is_paused(now) {
            return;
        }
        if self.shared.wants_state.swap(false, Ordering::Relaxed) || now.since(self.began) >= SEGMENT {
            self.due = self.due.or(Some(Why::Continued));
        }
        if let Some(why) = self.due.take() {
            self.began = now;
            let begin = Begin { why, controller: controller.clone(), unsent: self.unsent };
            self.begin = Some(Box::new(begin));
        }
    }

    /// To be called after that step, with what went into it and what came out. Never waits.
    pub fn after(&mut self, snapshot: &Snapshot, decision: &Decision, moment: Moment) {
        let Some(queue) = &self.queue else { return };
        if self.is_paused(moment.at) {
            self.lose(1);
            return;
        }
        let begins = self.begin.is_some();
        let job =
            Job { begin: self.begin.take(), moment, snapshot: snapshot.clone(), decision: decision.clone() };
        if queue.try_send(Box::new(job)).is_err() {
            self.lose(1);
            self.due = Some(Why::Continued);
            self.paused_until = Some(moment.at + PAUSE);
        } else {
            self.paused_until = None;
            if begins {
                self.unsent = 0;
            }
        }
    }

    fn is_paused(&self, now: Millis) -> bool {
        self.paused_until.is_some_and(|until| now < until)
    }

    fn lose(&mut self, steps: u64) {
        self.unsent += steps;
        self.shared.lost.fetch_add(steps, Ordering::Relaxed);
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> RecorderStatus {
        let failing = self.shared.failing.load(Ordering::Relaxed) || self.paused_until.is_some();
        let recording = match (&self.queue, failing) {
            (None, _) => Recording::Off,
            (Some(_), true) => Recording::Failing,
            (Some(_), false) => Recording::On,
        };
        RecorderStatus { recording, lost: self.shared.lost.load(Ordering::Relaxed) }
    }

    /// Lets the last steps be written, for as long as that may take.
    pub async fn end(mut self) {
        self.queue = None;
        let Some(ended) = self.ended.take() else { return };
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            warn!("the disk is too slow: the last steps may be missing in the flight record");
        }
    }
}
