//! A ring of segments: the newest are kept, within so many bytes and so many steps.
//!
//! ```text
//!   41 ─ 42 ─ 43 ─ … ─ 100 ◄── open, grows
//!   ▲
//!   goes, as soon as the bytes would be too many, or the steps are enough without it
//! ```
//!
//! Age is counted in recorded steps, not by a clock: what happened before a power cut of three days is as worth keeping
//! as if it had happened a minute ago, and a clock that is set does not empty the ring.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};

use eisbach_control::record::Survey;

use super::store::Store;

/// What the ring may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Never more bytes than this.
    pub(super) bytes: u64,
    /// No more whole segments than this many steps take.
    pub(super) steps: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    steps: u64,
}

/// The segments on a disk.
#[derive(Debug)]
pub(super) struct Ring<S> {
    store: S,
    bound: Bound,
    /// Oldest first; the last one is open once [`begin`](Self::begin) was called.
    segments: VecDeque<Segment>,
    /// What an earlier run left has been looked through.
    known: bool,
}

impl<S: Store> Ring<S> {
    /// The ring in this store. Nothing is looked at yet.
    pub(super) const fn new(store: S, bound: Bound) -> Self {
        Self { store, bound, segments: VecDeque::new(), known: false }
    }

    /// Begins a segment with these bytes.
    pub(super) fn begin(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.known {
            self.segments = survey(&mut self.store)?;
            self.known = true;
        }
        let number = self.segments.back().map_or(1, |last| last.number + 1);
        self.make_room(length(bytes), 0)?;
        if let Err(error) = self.store.create(number) {
            // Somebody else has made it: what lies there is looked through again before the next try.
            self.known = error.kind() != ErrorKind::AlreadyExists;
            return Err(error);
        }
        self.segments.push_back(Segment { number, bytes: 0, steps: 0 });
        self.grow(bytes, 0)
    }

    /// Adds a step to the open segment.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.make_room(length(bytes), 1)?;
        self.grow(bytes, 1)
    }

    fn grow(&mut self, bytes: &[u8], steps: u64) -> io::Result<()> {
        if let Some(open) = self.segments.back_mut() {
            // Whatever comes of it: a part may be on the disk.
            open.bytes += length(bytes);
            open.steps += steps;
        }
        self.store.append(bytes)
    }

    /// Removes the oldest until so much more fits. The last one stays.
    fn make_room(&mut self, more: u64, keep: usize) -> io::Result<()> {
        while let Some(oldest) = self.segments.front().copied() {
            let (bytes, steps) =
                self.segments.iter().fold((more, 0), |sum, one| (sum.0 + one.bytes, sum.1 + one.steps));
            let enough_without = steps - oldest.steps >= self.bound.steps;
            if bytes <= self.bound.bytes && !enough_without {
                return Ok(());
            }
            if self.segments.len() <= keep {
                return if bytes <= self.bound.bytes { Ok(()) } else { Err(io::Error::other(TOO_LONG)) };
            }
            self.store.remove(oldest.number)?;
            self.segments.pop_front();
        }
        Ok(())
    }
}

const TOO_LONG: &str = "one segment fills the whole ring; allow the recorder more megabytes";

fn survey(store: &mut impl Store) -> io::Result<VecDeque<Segment>> {
    let mut numbers = store.list()?;
    numbers.sort_unstable();
    let one = |number| match store.read(number) {
        // What another version wrote takes room all the same, until its turn comes.
        Ok(bytes) => {
            let steps = Survey::of(&bytes).map_or(0, |survey| survey.steps);
            Segment { number, bytes: length(&bytes), steps }
        }
        // So does a file on a bad spot of the disk: one old minute is no reason to record no new one.
        Err(_) => Segment { number, bytes: store.length(number).unwrap_or(0), steps: 0 },
    };
    Ok(numbers.into_iter().map(one).collect())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
