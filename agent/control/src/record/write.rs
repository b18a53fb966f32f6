//! From steps to bytes. No allocation; the caller owns the bytes and the file.

use core::mem::swap;

use eisbach_protocol::units::Millis;
use serde::Serialize;

use super::frame::{Kind, put};
use super::{FORMAT, LONGEST, MAGIC, Opening, RecordError, delta};
use crate::controller::Controller;
use crate::decision::Decision;
use crate::snapshot::Snapshot;

/// Writes segments. It remembers the step before; 32 KiB, best on the heap.
#[derive(Clone, Debug)]
pub struct Writer {
    before: [u8; LONGEST],
    /// Length of the step before; zero at the begin of a segment.
    length: usize,
    now: [u8; LONGEST],
}

impl Default for Writer {
    fn default() -> Self {
        Self { before: [0; LONGEST], length: 0, now: [0; LONGEST] }
    }
}

impl Writer {
    /// Begins a segment. Its length in `out`, for which [`LONGEST_OPENING`](super::LONGEST_OPENING) bytes are enough.
    ///
    /// # Errors
    /// If it is too long; nothing has begun then.
    pub fn open(
        &mut self,
        opening: &Opening,
        controller: &Controller,
        out: &mut [u8],
    ) -> Result<usize, RecordError> {
        let length = begin(opening, controller, out).ok_or(RecordError::TooLong)?;
        self.length = 0;
        Ok(length)
    }

    /// Adds a step. Its length in `out`, for which [`LONGEST_FRAME`](super::LONGEST_FRAME) bytes are enough.
    ///
    /// # Errors
    /// If it is too long; the step is left out then.
    pub fn step(
        &mut self,
        now: Millis,
        snapshot: &Snapshot,
        decision: &Decision,
        out: &mut [u8],
    ) -> Result<usize, RecordError> {
        // As the fields of a `Step`.
        let length = whole(&(now, snapshot, decision), &mut self.now).ok_or(RecordError::TooLong)?;
        let fresh = self.now.get(..length).unwrap_or_default();
        let before = self.before.get(..self.length).unwrap_or_default();
        let room = length.min(out.len());
        let short = out.get_mut(..room).unwrap_or_default();
        let used = Some(before)
            .filter(|before| !before.is_empty())
            .and_then(|before| put(Kind::Delta, short, |body| delta::encode(before, fresh, body)))
            .or_else(|| put(Kind::Full, out, |body| copy(fresh, body)))
            .ok_or(RecordError::TooLong)?;
        swap(&mut self.before, &mut self.now);
        self.length = length;
        Ok(used)
    }
}

fn begin(opening: &Opening, controller: &Controller, out: &mut [u8]) -> Option<usize> {
    let mut used = copy(&MAGIC, out)?;
    used += copy(&FORMAT.to_le_bytes(), out.get_mut(used..)?)?;
    used += put(Kind::Opened, out.get_mut(used..)?, |body| whole(opening, body))?;
    used += put(Kind::State, out.get_mut(used..)?, |body| whole(controller, body))?;
    Some(used)
}

fn whole(value: &impl Serialize, out: &mut [u8]) -> Option<usize> {
    let room = out.len().min(LONGEST);
    postcard::to_slice(value, out.get_mut(..room)?).ok().map(|bytes| bytes.len())
}

fn copy(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(bytes.len())
}
