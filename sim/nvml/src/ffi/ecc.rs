//! Memory errors, and what was done about them.

use std::ffi::{c_uint, c_ulonglong};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlEccCounterType_t, nvmlEccSramErrorStatus_t, nvmlEnableState_t, nvmlMemoryErrorType_t,
    nvmlMemoryLocation_t,
};

use super::edge::expect_version;
use super::export;
use super::refusal::Refusal;
use super::session::on_gpu;
use crate::shm::GpuCell;

export! {
    /// Memory error correction is on.
    fn nvmlDeviceGetEccMode(
        device: nvmlDevice_t,
        current: *mut nvmlEnableState_t,
        pending: *mut nvmlEnableState_t,
    ) {
        let on = on_gpu(&device, |_| Ok(nvml::nvmlEnableState_enum_NVML_FEATURE_ENABLED))?;
        current.put(on)?;
        pending.put(on)
    }

    /// Memory errors. The simulated board is new: since the driver load and in its life are the same.
    fn nvmlDeviceGetTotalEccErrors(
        device: nvmlDevice_t,
        kind: nvmlMemoryErrorType_t,
        since: nvmlEccCounterType_t,
        count: *mut c_ulonglong,
    ) {
        known_period(since)?;
        count.put(on_gpu(&device, |gpu| errors(gpu, kind))?)
    }

    /// Memory errors by place: all of them are in the HBM.
    fn nvmlDeviceGetMemoryErrorCounter(
        device: nvmlDevice_t,
        kind: nvmlMemoryErrorType_t,
        since: nvmlEccCounterType_t,
        place: nvmlMemoryLocation_t,
        count: *mut c_ulonglong,
    ) {
        known_period(since)?;
        let all = on_gpu(&device, |gpu| errors(gpu, kind))?;
        count.put(match place {
            nvml::nvmlMemoryLocation_enum_NVML_MEMORY_LOCATION_DRAM => all,
            nvml::nvmlMemoryLocation_enum_NVML_MEMORY_LOCATION_SRAM => 0,
            known if known < nvml::nvmlMemoryLocation_enum_NVML_MEMORY_LOCATION_COUNT => {
                return Err(Refusal::NotSupported);
            }
            _ => return Err(Refusal::InvalidArgument),
        })
    }

    /// Rows of memory that were replaced by spare ones.
    fn nvmlDeviceGetRemappedRows(
        device: nvmlDevice_t,
        corrected: *mut c_uint,
        uncorrected: *mut c_uint,
        pending: *mut c_uint,
        failed: *mut c_uint,
    ) {
        let rows = on_gpu(&device, |gpu| Ok(gpu.faults().remapped))?;
        corrected.put(rows.corrected)?;
        uncorrected.put(rows.uncorrected)?;
        pending.put(rows.pending.into())?;
        failed.put(rows.failed.into())
    }

    /// Pages to be retired: since Ampere it is rows that are replaced, see [`nvmlDeviceGetRemappedRows`].
    fn nvmlDeviceGetRetiredPagesPendingStatus(device: nvmlDevice_t, pending: *mut nvmlEnableState_t) {
        let _ = pending;
        on_gpu(&device, |_| Err(Refusal::NotSupported))
    }

    /// Errors in the chip's own memory: none.
    fn nvmlDeviceGetSramEccErrorStatus(device: nvmlDevice_t, status: *mut nvmlEccSramErrorStatus_t) {
        // SAFETY: the caller fills in the version.
        let asked = unsafe { status.get() }?;
        expect_version::<nvmlEccSramErrorStatus_t>(asked.version, 1)?;
        on_gpu(&device, |_| Ok(()))?;
        status.put(nvmlEccSramErrorStatus_t {
            version: asked.version,
            aggregateUncParity: 0,
            aggregateUncSecDed: 0,
            aggregateCor: 0,
            volatileUncParity: 0,
            volatileUncSecDed: 0,
            volatileCor: 0,
            aggregateUncBucketL2: 0,
            aggregateUncBucketSm: 0,
            aggregateUncBucketPcie: 0,
            aggregateUncBucketMcu: 0,
            aggregateUncBucketOther: 0,
            bThresholdExceeded: 0,
        })
    }
}

fn known_period(since: nvmlEccCounterType_t) -> Result<(), Refusal> {
    let known = since < nvml::nvmlEccCounterType_enum_NVML_ECC_COUNTER_TYPE_COUNT;
    known.then_some(()).ok_or(Refusal::InvalidArgument)
}

fn errors(gpu: &GpuCell, kind: nvmlMemoryErrorType_t) -> Result<c_ulonglong, Refusal> {
    let (telemetry, faults) = (gpu.telemetry(), gpu.faults());
    match kind {
        nvml::nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_CORRECTED => {
            Ok(telemetry.ecc_corrected.saturating_add(faults.ecc_corrected))
        }
        nvml::nvmlMemoryErrorType_enum_NVML_MEMORY_ERROR_TYPE_UNCORRECTED => {
            Ok(telemetry.ecc_uncorrected.saturating_add(faults.ecc_uncorrected))
        }
        _ => Err(Refusal::InvalidArgument),
    }
}
