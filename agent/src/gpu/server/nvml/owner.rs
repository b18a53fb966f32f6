//! NVML, loaded once and let go of when its last user is gone.
//!
//! ```text
//!   loader ──► Arc<Library> ◄── worker 0: OwnedDevice
//!                   ▲  ▲─────── worker n: OwnedDevice
//!                   └── event thread
//!   last one dropped ──► nvmlShutdown, dlclose: no device file is open any more
//! ```
//!
//! A thread that hangs in the driver keeps its share, so the library is never unloaded under it.

#![expect(unsafe_code, reason = "a device borrows the library that it keeps alive itself")]

use std::mem::ManuallyDrop;
use std::sync::Arc;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

/// The loaded library.
#[derive(Debug)]
pub(super) struct Library(ManuallyDrop<Box<Nvml>>);

impl Library {
    pub(super) fn new(nvml: Nvml) -> Arc<Self> {
        Arc::new(Self(ManuallyDrop::new(Box::new(nvml))))
    }

    pub(super) fn nvml(&self) -> &Nvml {
        &self.0
    }

    /// A fresh handle of one GPU.
    pub(super) fn device(self: &Arc<Self>, index: u32) -> Result<OwnedDevice, NvmlError> {
        let device = self.nvml().device_by_index(index)?;
        // SAFETY: the box does not move, and lives until the last `Arc` is dropped; `OwnedDevice` holds one and drops
        // its device before it. Only the lifetime changes.
        let device = unsafe { std::mem::transmute::<Device<'_>, Device<'static>>(device) };
        Ok(OwnedDevice { device, library: Arc::clone(self) })
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: taken once, here, and not used afterwards.
        let nvml = unsafe { ManuallyDrop::take(&mut self.0) };
        if let Err(error) = nvml.shutdown() {
            tracing::warn!(%error, "NVML was not let go of in good order; its files may stay open until this process ends");
        }
    }
}

/// A device that keeps its library alive. Fields are dropped in this order.
#[derive(Debug)]
pub(super) struct OwnedDevice {
    device: Device<'static>,
    #[expect(dead_code, reason = "held for its life, not for its use")]
    library: Arc<Library>,
}

impl OwnedDevice {
    /// Not for longer than this: a device, and the library that it refers to, are gone with their owner.
    pub(super) const fn get(&self) -> &Device<'_> {
        &self.device
    }

    pub(super) const fn get_mut(&mut self) -> &mut Device<'static> {
        &mut self.device
    }
}
