//! What a GPU tells those who wait for events: a short queue.
//!
//! ```text
//!   raise ─► slot [n mod 64] ─► n + 1         every reader keeps the n that it has come to;
//!                                             who is more than 64 behind has lost the oldest
//! ```

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nvml_wrapper_sys::bindings as nvml;

/// Events that are kept. Estimate: more than any burst that a consumer can be slow for.
const KEPT: u32 = 64;

/// One thing that a GPU tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GpuEvent {
    /// A critical error, with NVIDIA's number.
    Xid(u32),
    /// A memory error that was mended.
    SingleBitEcc,
    /// A memory error that could not be mended.
    DoubleBitEcc,
    /// Mended memory errors without end.
    SingleBitEccStorm,
    /// Memory is to be taken out of use.
    DramRetirement,
    /// Memory could not be taken out of use.
    DramRetirementFailure,
    /// Spoiled data were met, and only those who use them suffer.
    NonFatalPoison,
    /// Spoiled data were met, and the GPU suffers.
    FatalPoison,
    /// The GPU was split into instances, or is whole again.
    MigConfigChange,
    /// The GPU can no longer be used.
    Unavailable,
    /// The recovery action has changed.
    RecoveryAction,
}

impl GpuEvent {
    /// NVML's bit for its type.
    pub(crate) const fn kind(self) -> u32 {
        match self {
            Self::Xid(_) => nvml::nvmlEventTypeXidCriticalError,
            Self::SingleBitEcc => nvml::nvmlEventTypeSingleBitEccError,
            Self::DoubleBitEcc => nvml::nvmlEventTypeDoubleBitEccError,
            Self::SingleBitEccStorm => nvml::nvmlEventTypeSingleBitEccErrorStorm,
            Self::DramRetirement => nvml::nvmlEventTypeDramRetirementEvent,
            Self::DramRetirementFailure => nvml::nvmlEventTypeDramRetirementFailure,
            Self::NonFatalPoison => nvml::nvmlEventTypeNonFatalPoisonError,
            Self::FatalPoison => nvml::nvmlEventTypeFatalPoisonError,
            Self::MigConfigChange => nvml::nvmlEventMigConfigChange,
            Self::Unavailable => nvml::nvmlEventTypeGpuUnavailableError,
            Self::RecoveryAction => nvml::nvmlEventTypeGpuRecoveryAction,
        }
    }

    /// All types there are.
    pub(crate) const KINDS: u32 = Self::Xid(0).kind()
        | Self::SingleBitEcc.kind()
        | Self::DoubleBitEcc.kind()
        | Self::SingleBitEccStorm.kind()
        | Self::DramRetirement.kind()
        | Self::DramRetirementFailure.kind()
        | Self::NonFatalPoison.kind()
        | Self::FatalPoison.kind()
        | Self::MigConfigChange.kind()
        | Self::Unavailable.kind()
        | Self::RecoveryAction.kind();

    /// Data that come with it: only an XID has any.
    const fn data(self) -> u32 {
        match self {
            Self::Xid(number) => number,
            Self::SingleBitEcc
            | Self::DoubleBitEcc
            | Self::SingleBitEccStorm
            | Self::DramRetirement
            | Self::DramRetirementFailure
            | Self::NonFatalPoison
            | Self::FatalPoison
            | Self::MigConfigChange
            | Self::Unavailable
            | Self::RecoveryAction => 0,
        }
    }
}

/// The queue. It has one writer at a time, and any number of readers.
#[derive(Debug)]
#[repr(C)]
pub(super) struct EventQueue {
    /// Type in the high half, data in the low half.
    slots: [AtomicU64; KEPT as usize],
    raised: AtomicU32,
}

impl EventQueue {
    pub(super) fn raise(&self, event: GpuEvent) {
        let number = self.raised.load(Ordering::Acquire);
        if let Some(slot) = self.slot(number) {
            slot.store(u64::from(event.kind()) << 32 | u64::from(event.data()), Ordering::Release);
        }
        self.raised.store(number.wrapping_add(1), Ordering::Release);
    }

    /// How many were raised so far.
    pub(super) fn raised(&self) -> u32 {
        self.raised.load(Ordering::Acquire)
    }

    /// The next after `seen` as type and data, and how many have then been seen.
    pub(super) fn after(&self, seen: u32) -> Option<(u32, u64)> {
        let raised = self.raised();
        let behind = raised.wrapping_sub(seen);
        if behind == 0 {
            return None;
        }
        let number = if behind > KEPT { raised.wrapping_sub(KEPT) } else { seen };
        self.slot(number).map(|slot| (number.wrapping_add(1), slot.load(Ordering::Acquire)))
    }

    fn slot(&self, number: u32) -> Option<&AtomicU64> {
        self.slots.get(usize::try_from(number % KEPT).ok()?)
    }
}
