//! The thread's side: from steps to bytes to the ring, and what to do when the disk will not.
//!
//! ```text
//!            a step that begins a segment
//!   idle ──────────────────────────────────► writing ── a write fails ──► idle: one warning; after ten seconds
//!    ▲                                                                          │   a new state is asked for
//!    └──────────────────────────────────────────────────────────────────────────┘
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use eisbach_control::record::{LONGEST_OPENING, Opening, RecordError, Why, Writer};
use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::ring::{Bound, Ring};
use super::store::Store;
use super::{Begin, Job, Shared};

/// After a failure the next try is so much later.
const TRY_AGAIN: Millis = Millis::from_secs(10);

/// Why a step is not in the record.
#[derive(Debug, thiserror::Error)]
enum PenError {
    #[error(transparent)]
    Disk(#[from] io::Error),
    #[error(transparent)]
    Encoding(#[from] RecordError),
}

/// Writes steps into the ring.
pub(super) struct Pen<S> {
    ring: Ring<S>,
    place: PathBuf,
    writer: Box<Writer>,
    out: Vec<u8>,
    shared: Arc<Shared>,
    writing: bool,
    /// Steps lost since the last one that was written.
    missing: u64,
    try_at: Millis,
}

impl<S: Store> Pen<S> {
    pub(super) fn new(store: S, place: PathBuf, bound: Bound, shared: Arc<Shared>) -> Self {
        Self {
            ring: Ring::new(store, bound),
            place,
            writer: Box::default(),
            out: vec![0; LONGEST_OPENING],
            shared,
            writing: false,
            missing: 0,
            try_at: Millis::ZERO,
        }
    }

    /// Writes one step, or counts it as lost.
    pub(super) fn write(&mut self, job: Job) {
        let now = job.moment.at;
        if job.begin.is_none() && !self.writing {
            self.lose(now);
            return;
        }
        if let Err(error) = self.try_write(job) {
            self.writing = false;
            self.try_at = now + TRY_AGAIN;
            self.lose(now);
            if !self.shared.failing.swap(true, Ordering::Relaxed) {
                let place = self.place.display();
                warn!(%error, %place, "the flight record cannot be written, control goes on without it; look at the disk's room and at the rights of that folder");
            }
        }
    }

    fn try_write(&mut self, job: Job) -> Result<(), PenError> {
        let Job { begin, moment, snapshot, decision } = job;
        if let Some(Begin { why, controller, unsent }) = begin.map(|begin| *begin) {
            self.missing += unsent;
            if unsent > 0 {
                warn!(
                    steps = unsent,
                    "the disk was too slow for the flight record; these steps are missing in it"
                );
            }
            let why = if self.missing > 0 { Why::AfterGap { missing: self.missing } } else { why };
            let opening = Opening::new(why, moment.at, moment.wall_ms, env!("CARGO_PKG_VERSION"));
            let length = self.writer.open(&opening, &controller, &mut self.out)?;
            let bytes = self.out.get(..length).unwrap_or_default();
            self.ring.begin(bytes)?;
            self.writing = true;
        }
        let length = self.writer.step(moment.at, &snapshot, &decision, &mut self.out)?;
        let bytes = self.out.get(..length).unwrap_or_default();
        self.ring.append(bytes)?;
        self.missing = 0;
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            info!("the flight record is written again");
        }
        Ok(())
    }

    fn lose(&mut self, now: Millis) {
        self.missing += 1;
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
        if now >= self.try_at {
            self.shared.wants_state.store(true, Ordering::Relaxed);
        }
    }
}
