//! What is wrong with the GPU, and what it tells those who wait: written by whoever plays fate.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::GpuCell;
use crate::shm::atoms::{AtomicF32, AtomicFlag};
use crate::shm::faults::{Condition, Faults, Features, Frozen, Recovery, RemappedRows};
use crate::shm::happenings::{EventQueue, GpuEvent};

#[derive(Debug)]
#[repr(C)]
pub(super) struct FaultsCell {
    events: EventQueue,
    ecc_corrected: AtomicU64,
    ecc_uncorrected: AtomicU64,
    condition: AtomicU32,
    hangs: AtomicFlag,
    blocks: AtomicFlag,
    slow_ms: AtomicU32,
    unsupported: AtomicU32,
    frozen: AtomicU32,
    /// Core temperature when something froze.
    held_celsius: AtomicF32,
    implausible: AtomicFlag,
    mig: AtomicFlag,
    remapped_corrected: AtomicU32,
    remapped_uncorrected: AtomicU32,
    remap_pending: AtomicFlag,
    remap_failed: AtomicFlag,
    recovery: AtomicU32,
}

impl GpuCell {
    /// Breaks or mends the GPU.
    pub fn set_faults(&self, faults: Faults) {
        let cell = &self.faults;
        if faults.frozen != self.faults().frozen {
            cell.held_celsius.store(self.telemetry().core_celsius);
        }
        let condition = match faults.condition {
            Condition::Present => 0,
            Condition::ResetRequired => 1,
            Condition::Lost => 2,
        };
        let frozen = match faults.frozen {
            Frozen::Nothing => 0,
            Frozen::Temperature => 1,
            Frozen::Margin => 2,
        };
        cell.ecc_corrected.store(faults.ecc_corrected, Ordering::Release);
        cell.ecc_uncorrected.store(faults.ecc_uncorrected, Ordering::Release);
        cell.remapped_corrected.store(faults.remapped.corrected, Ordering::Release);
        cell.remapped_uncorrected.store(faults.remapped.uncorrected, Ordering::Release);
        cell.remap_pending.store(faults.remapped.pending);
        cell.remap_failed.store(faults.remapped.failed);
        cell.recovery.store(faults.recovery.code(), Ordering::Release);
        cell.mig.store(faults.mig);
        cell.implausible.store(faults.implausible);
        cell.frozen.store(frozen, Ordering::Release);
        cell.condition.store(condition, Ordering::Release);
        cell.slow_ms.store(faults.slow_ms, Ordering::Release);
        cell.unsupported.store(faults.unsupported.0, Ordering::Release);
        cell.blocks.store(faults.blocks);
        cell.hangs.store(faults.hangs);
    }

    /// What is wrong with the GPU.
    #[must_use]
    pub fn faults(&self) -> Faults {
        let cell = &self.faults;
        Faults {
            hangs: cell.hangs.load(),
            blocks: cell.blocks.load(),
            condition: match cell.condition.load(Ordering::Acquire) {
                0 => Condition::Present,
                1 => Condition::ResetRequired,
                _ => Condition::Lost,
            },
            slow_ms: cell.slow_ms.load(Ordering::Acquire),
            unsupported: Features(cell.unsupported.load(Ordering::Acquire)),
            frozen: match cell.frozen.load(Ordering::Acquire) {
                0 => Frozen::Nothing,
                1 => Frozen::Temperature,
                _ => Frozen::Margin,
            },
            implausible: cell.implausible.load(),
            mig: cell.mig.load(),
            ecc_corrected: cell.ecc_corrected.load(Ordering::Acquire),
            ecc_uncorrected: cell.ecc_uncorrected.load(Ordering::Acquire),
            remapped: RemappedRows {
                corrected: cell.remapped_corrected.load(Ordering::Acquire),
                uncorrected: cell.remapped_uncorrected.load(Ordering::Acquire),
                pending: cell.remap_pending.load(),
                failed: cell.remap_failed.load(),
            },
            recovery: Recovery::of(cell.recovery.load(Ordering::Acquire)),
        }
    }

    /// Core temperature when a reading froze.
    pub(crate) fn held_celsius(&self) -> f32 {
        self.faults.held_celsius.load()
    }

    /// Reports a critical error, for example XID 79 (fallen off the bus), to everyone who waits for events.
    pub fn raise_xid(&self, xid: u32) {
        self.raise(GpuEvent::Xid(xid));
    }

    /// Tells everyone who waits for events. One thread at a time may do so.
    pub fn raise(&self, event: GpuEvent) {
        self.faults.events.raise(event);
    }

    /// How many events were raised so far.
    pub(crate) fn events_raised(&self) -> u32 {
        self.faults.events.raised()
    }

    /// The next event after `seen` as type and data, and how many have then been seen.
    pub(crate) fn event_after(&self, seen: u32) -> Option<(u32, u64)> {
        self.faults.events.after(seen)
    }
}
