//! What the driver tells of its own accord: critical errors, memory errors, a GPU that is gone.

use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::gpu_link::EventKind;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings::{
    nvmlEventTypeDoubleBitEccError, nvmlEventTypeDramRetirementEvent, nvmlEventTypeDramRetirementFailure,
    nvmlEventTypeFatalPoisonError, nvmlEventTypeGpuRecoveryAction, nvmlEventTypeGpuUnavailableError,
    nvmlEventTypeNonFatalPoisonError, nvmlEventTypeSingleBitEccErrorStorm, nvmlEventTypeXidCriticalError,
};

use super::answer::fault;
use super::owner::Library;
use super::raw::EventSet;
use crate::gpu::server::driver::{DriverError, Events, Happening};

/// Every type that is listened for; drivers lack the younger ones.
const TYPES: [(u32, EventKind); 9] = [
    (nvmlEventTypeXidCriticalError, EventKind::Xid),
    (nvmlEventTypeDoubleBitEccError, EventKind::DoubleBitEcc),
    (nvmlEventTypeSingleBitEccErrorStorm, EventKind::SingleBitEccStorm),
    (nvmlEventTypeDramRetirementEvent, EventKind::RowRemap),
    (nvmlEventTypeDramRetirementFailure, EventKind::RowRemap),
    (nvmlEventTypeNonFatalPoisonError, EventKind::Poison),
    (nvmlEventTypeFatalPoisonError, EventKind::Poison),
    (nvmlEventTypeGpuUnavailableError, EventKind::Unavailable),
    (nvmlEventTypeGpuRecoveryAction, EventKind::RecoveryAction),
];

/// Listens to all GPUs of the node.
pub(super) struct NvmlEvents {
    set: EventSet,
}

impl NvmlEvents {
    /// Registers for every GPU that can be registered for.
    pub(super) fn listen(library: &Arc<Library>, gpus: u8) -> Result<Self, DriverError> {
        let error = |call| move |error: NvmlError| DriverError { call, fault: fault(&error) };
        let mut set = EventSet::new(library).map_err(error("nvmlEventSetCreate"))?;
        let types = TYPES.iter().fold(0, |all, (bit, _)| all | u64::from(*bit));
        for index in 0..gpus {
            let registered =
                library.device(index.into()).and_then(|device| set.register(index, device.get(), types));
            if let Err(error) = registered {
                tracing::warn!(gpu = index, %error, "errors of this GPU will not be told as they happen");
            }
        }
        Ok(Self { set })
    }
}

impl Events for NvmlEvents {
    fn wait(&mut self, limit: Duration) -> Result<Option<Happening>, DriverError> {
        let limit_ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let event = self
            .set
            .wait(limit_ms)
            .map_err(|error| DriverError { call: "nvmlEventSetWait_v2", fault: fault(&error) })?;
        Ok(event.map(|(gpu, bits, data)| {
            let known = TYPES.iter().find(|(bit, _)| bits & u64::from(*bit) != 0);
            Happening { gpu, kind: known.map_or(EventKind::Other, |(_, kind)| *kind), data }
        }))
    }
}
