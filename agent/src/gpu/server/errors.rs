//! Errors that GPUs report: all of them counted, a bounded number told.

use std::sync::Mutex;

use eisbach_protocol::gpu_link::{EventKind, GpuEvent, MAX_GPUS};
use eisbach_protocol::units::Millis;

use super::driver::Happening;
use crate::gpu::lock;

/// A GPU's errors are told at most this often; the others are counted and told with the next.
const TELL_EVERY: Millis = Millis::from_secs(1);

/// The errors of every GPU since this process started.
#[derive(Debug, Default)]
pub(super) struct ErrorBoard {
    gpus: [Mutex<Errors>; MAX_GPUS],
}

/// The errors of one GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Errors {
    /// Critical errors.
    pub(super) xid_count: u32,
    /// Number of the last one; zero if there was none.
    pub(super) xid_last: u32,
    told_at: Option<Millis>,
    untold: u32,
}

impl ErrorBoard {
    /// The errors of one GPU.
    pub(super) fn of(&self, gpu: u8) -> Errors {
        self.gpus.get(usize::from(gpu)).map(|errors| *lock(errors)).unwrap_or_default()
    }

    /// Counts what happened. Returns what is to be told of it, if anything is.
    pub(super) fn count(&self, happening: Happening, now: Millis) -> Option<GpuEvent> {
        let gpu = happening.gpu?;
        let mut errors = lock(self.gpus.get(usize::from(gpu))?);
        if happening.kind == EventKind::Xid {
            errors.xid_count = errors.xid_count.saturating_add(1);
            errors.xid_last = u32::try_from(happening.data).unwrap_or(u32::MAX);
        }
        if errors.told_at.is_some_and(|told_at| now.since(told_at) < TELL_EVERY) {
            errors.untold = errors.untold.saturating_add(1);
            return None;
        }
        errors.told_at = Some(now);
        let untold = std::mem::take(&mut errors.untold);
        Some(GpuEvent { gpu, kind: happening.kind, data: happening.data, untold })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_a_storm_is_counted_whole_and_told_once_a_second() {
        let board = ErrorBoard::default();
        let xid = |data| Happening { gpu: Some(3), kind: EventKind::Xid, data };
        let told: Vec<_> = (0..5000).filter_map(|ms| board.count(xid(ms % 64), Millis::new(ms))).collect();
        assert_eq!(told.len(), 5);
        assert_eq!(told.iter().map(|event| event.untold).sum::<u32>(), 4 * 999);
        let Errors { xid_count, xid_last, .. } = board.of(3);
        assert_eq!((xid_count, xid_last), (5000, 4999 % 64));
        assert_eq!(board.of(2), Errors::default());
    }

    #[test]
    fn what_no_gpu_of_ours_reports_is_nobodys_error() {
        let board = ErrorBoard::default();
        for gpu in [None, Some(16), Some(u8::MAX)] {
            assert_eq!(board.count(Happening { gpu, kind: EventKind::Xid, data: 79 }, Millis::ZERO), None);
        }
    }
}
