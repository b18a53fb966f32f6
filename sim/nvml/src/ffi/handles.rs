//! From an index, a UUID or a bus id to a device handle, and back.
//!
//! A handle is the index plus one, dressed as a pointer that nobody follows. Looking one up works on a hung
//! GPU (the real library has attached all GPUs at init), but not on a lost one.

use std::ffi::{c_char, c_uint};
use std::ptr;

use nvml_wrapper_sys::bindings::{nvmlDevice_st, nvmlDevice_t};

use super::device::PciAddress;
use super::edge::Ptr;
use super::refusal::Refusal;
use super::{export, older_name, session};
use crate::shm::{Condition, GpuCell};

/// The index behind a handle.
pub(super) fn index_of(device: &Ptr<nvmlDevice_st>) -> Option<usize> {
    device.address().checked_sub(1)
}

/// The handle for an index.
pub(super) fn handle_of(index: usize) -> nvmlDevice_t {
    ptr::without_provenance_mut(index + 1)
}

export! {
    /// Number of GPUs, lost ones too.
    fn nvmlDeviceGetCount_v2(count: *mut c_uint) {
        let gpus = session::state()?.gpus().len();
        count.put(c_uint::try_from(gpus).map_err(|_| Refusal::Unknown)?)
    }

    /// Handle by index.
    fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut nvmlDevice_t) {
        hand_out(&device, Refusal::InvalidArgument, |at, _| usize::try_from(index) == Ok(at))
    }

    /// Handle by UUID.
    fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, device: *mut nvmlDevice_t) {
        let uuid = uuid.read()?;
        hand_out(&device, Refusal::NotFound, |_, gpu| gpu.uuid() == uuid)
    }

    /// Handle by board serial.
    fn nvmlDeviceGetHandleBySerial(serial: *const c_char, device: *mut nvmlDevice_t) {
        let serial = serial.read()?;
        hand_out(&device, Refusal::NotFound, |_, gpu| gpu.serial() == serial)
    }

    /// Handle by bus id, `domain:bus:device.function` with a domain of four or eight digits.
    fn nvmlDeviceGetHandleByPciBusId_v2(bus_id: *const c_char, device: *mut nvmlDevice_t) {
        let wanted = PciAddress::parse(bus_id.read()?).ok_or(Refusal::InvalidArgument)?;
        hand_out(&device, Refusal::NotFound, |at, _| PciAddress::of(at) == Some(wanted))
    }
}

older_name! {
    nvmlDeviceGetCount = nvmlDeviceGetCount_v2(count: *mut c_uint);
    nvmlDeviceGetHandleByIndex = nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut nvmlDevice_t);
    nvmlDeviceGetHandleByPciBusId =
        nvmlDeviceGetHandleByPciBusId_v2(bus_id: *const c_char, device: *mut nvmlDevice_t);
}

/// Hands out the handle of the first GPU that is `wanted`; `absent` if there is none.
fn hand_out(
    device: &Ptr<nvmlDevice_t>,
    absent: Refusal,
    wanted: impl Fn(usize, &GpuCell) -> bool,
) -> Result<(), Refusal> {
    let state = session::state()?;
    let found = state.gpus().iter().enumerate().find(|(index, gpu)| wanted(*index, gpu));
    let (index, gpu) = found.ok_or(absent)?;
    match gpu.faults().condition {
        Condition::Present | Condition::ResetRequired => device.put(handle_of(index)),
        Condition::Lost => Err(Refusal::GpuIsLost),
    }
}
