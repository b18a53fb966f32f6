//! Load, memory and who is computing.

use std::ffi::{c_uint, c_ulonglong};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    nvmlComputeMode_t, nvmlDevice_t, nvmlGpuVirtualizationMode_t, nvmlMemory_t, nvmlMemory_v2_t,
    nvmlProcessInfo_t, nvmlPstates_t, nvmlUtilization_t,
};

use super::edge::{expect_version, put_list};
use super::export;
use super::refusal::Refusal;
use super::session::{on_gpu, supports};
use crate::shm::{Features, GpuCell};

const BYTES_PER_MIB: c_ulonglong = 1 << 20;

/// No MIG instance.
const NO_INSTANCE: c_uint = c_uint::MAX;

export! {
    /// Share of time the GPU and its memory were busy, in percent.
    fn nvmlDeviceGetUtilizationRates(device: nvmlDevice_t, rates: *mut nvmlUtilization_t) {
        rates.put(on_gpu(&device, |gpu| {
            supports(gpu, Features::UTILISATION)?;
            if gpu.faults().mig {
                return Err(Refusal::NotSupported);
            }
            let telemetry = gpu.telemetry();
            Ok(nvmlUtilization_t {
                gpu: telemetry.utilisation_percent,
                memory: telemetry.memory_utilisation_percent,
            })
        })?)
    }

    /// Frame buffer, in bytes.
    fn nvmlDeviceGetMemoryInfo(device: nvmlDevice_t, memory: *mut nvmlMemory_t) {
        let (total, used) = on_gpu(&device, |gpu| Ok(memory_bytes(gpu)))?;
        memory.put(nvmlMemory_t { total, free: total.saturating_sub(used), used })
    }

    /// Frame buffer, in bytes; nothing is reserved here.
    fn nvmlDeviceGetMemoryInfo_v2(device: nvmlDevice_t, memory: *mut nvmlMemory_v2_t) {
        // SAFETY: the caller fills in the version.
        let asked = unsafe { memory.get() }?;
        expect_version::<nvmlMemory_v2_t>(asked.version, 2)?;
        let (total, used) = on_gpu(&device, |gpu| Ok(memory_bytes(gpu)))?;
        memory.put(nvmlMemory_v2_t { total, reserved: 0, free: total.saturating_sub(used), used, ..asked })
    }

    /// Performance state, 0 is the fastest.
    fn nvmlDeviceGetPerformanceState(device: nvmlDevice_t, state: *mut nvmlPstates_t) {
        state.put(on_gpu(&device, |gpu| Ok(gpu.telemetry().pstate))?)
    }

    /// Processes that compute on the GPU: one, or none.
    fn nvmlDeviceGetComputeRunningProcesses_v3(
        device: nvmlDevice_t,
        count: *mut c_uint,
        processes: *mut nvmlProcessInfo_t,
    ) {
        let running = on_gpu(&device, |gpu| Ok(running_processes(gpu)))?;
        // SAFETY: the caller's own array and its length.
        unsafe { put_list(&count, &processes, running.as_slice()) }
    }

    /// Processes that draw: none.
    fn nvmlDeviceGetGraphicsRunningProcesses_v3(
        device: nvmlDevice_t,
        count: *mut c_uint,
        processes: *mut nvmlProcessInfo_t,
    ) {
        on_gpu(&device, |_| Ok(()))?;
        // SAFETY: the caller's own array and its length.
        unsafe { put_list(&count, &processes, &[]) }
    }

    /// Fans: liquid-cooled boards have none.
    fn nvmlDeviceGetFanSpeed(device: nvmlDevice_t, percent: *mut c_uint) {
        let _ = percent;
        on_gpu(&device, |_| Err(Refusal::NotSupported))
    }

    /// How many fans: none.
    fn nvmlDeviceGetNumFans(device: nvmlDevice_t, fans: *mut c_uint) {
        fans.put(on_gpu(&device, |_| Ok(0))?)
    }

    /// The GPU belongs to this machine, whole.
    fn nvmlDeviceGetVirtualizationMode(device: nvmlDevice_t, mode: *mut nvmlGpuVirtualizationMode_t) {
        mode.put(on_gpu(&device, |_| Ok(nvml::nvmlGpuVirtualizationMode_NVML_GPU_VIRTUALIZATION_MODE_NONE))?)
    }

    /// Every process may compute.
    fn nvmlDeviceGetComputeMode(device: nvmlDevice_t, mode: *mut nvmlComputeMode_t) {
        mode.put(on_gpu(&device, |_| Ok(nvml::nvmlComputeMode_enum_NVML_COMPUTEMODE_DEFAULT))?)
    }
}

/// All and used.
fn memory_bytes(gpu: &GpuCell) -> (c_ulonglong, c_ulonglong) {
    let bytes = |mib: u32| c_ulonglong::from(mib) * BYTES_PER_MIB;
    (bytes(gpu.rating().memory_mib), bytes(gpu.telemetry().memory_used_mib))
}

fn running_processes(gpu: &GpuCell) -> Option<nvmlProcessInfo_t> {
    let pid = gpu.telemetry().workload_pid;
    (pid != 0).then(|| nvmlProcessInfo_t {
        pid,
        usedGpuMemory: memory_bytes(gpu).1,
        gpuInstanceId: NO_INSTANCE,
        computeInstanceId: NO_INSTANCE,
    })
}
