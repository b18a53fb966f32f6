//! Multi-instance GPU: whether it is on. There are no instances.

use std::ffi::c_uint;

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::nvmlDevice_t;

use super::export;
use super::refusal::Refusal;
use super::session::on_gpu;

/// Instances that a GPU of this kind can be split into (data sheets since A100).
const MOST_INSTANCES: c_uint = 7;

export! {
    /// Whether the GPU is split.
    fn nvmlDeviceGetMigMode(device: nvmlDevice_t, current: *mut c_uint, pending: *mut c_uint) {
        let on = on_gpu(&device, |gpu| Ok(gpu.faults().mig))?;
        let mode = if on { nvml::NVML_DEVICE_MIG_ENABLE } else { nvml::NVML_DEVICE_MIG_DISABLE };
        current.put(mode)?;
        pending.put(mode)
    }

    /// Instances there can be.
    fn nvmlDeviceGetMaxMigDeviceCount(device: nvmlDevice_t, count: *mut c_uint) {
        count.put(on_gpu(&device, |_| Ok(MOST_INSTANCES))?)
    }

    /// An instance; nobody has made any.
    fn nvmlDeviceGetMigDeviceHandleByIndex(
        device: nvmlDevice_t,
        index: c_uint,
        instance: *mut nvmlDevice_t,
    ) {
        let _ = (index, instance);
        on_gpu(&device, |_| Err(Refusal::NotFound))
    }

    /// No handle is that of an instance.
    fn nvmlDeviceIsMigDeviceHandle(device: nvmlDevice_t, is_instance: *mut c_uint) {
        is_instance.put(on_gpu(&device, |_| Ok(0))?)
    }
}
