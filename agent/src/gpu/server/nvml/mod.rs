//! NVML as a [`Driver`]. Every call is named to the watch; every number is judged before it is one.
//!
//! ```text
//!   owner   the library, unloaded when its last user is gone
//!   card    asked once a handle        fast    every batch        slow    one a batch, in turn
//!   asked   what is known of one reading      answer  what an answer means     raw  what the wrapper lacks
//! ```

mod answer;
mod asked;
mod card;
mod events;
mod fast;
mod gpu;
mod owner;
mod raw;
mod slow;

use std::path::PathBuf;
use std::sync::Arc;

use nvml_wrapper::Nvml;

use self::answer::{call, wanted};
use self::events::NvmlEvents;
use self::gpu::NvmlGpu;
use self::owner::Library;
use super::driver::{Driver, DriverError, Events, Gpu, Load};
use super::watch::CallWatch;
use crate::gpu::fitted;

/// Capability that the driver demands for setting limits, as a bit of `/proc/self/status`.
const CAP_SYS_ADMIN: u32 = 21;

/// Loads the library.
pub(super) struct NvmlLoader {
    library: Option<PathBuf>,
}

impl NvmlLoader {
    pub(super) const fn new(library: Option<PathBuf>) -> Self {
        Self { library }
    }
}

impl Load for NvmlLoader {
    fn load(&self, watch: &CallWatch) -> Result<(Arc<dyn Driver>, u32), DriverError> {
        let mut builder = Nvml::builder();
        if let Some(library) = &self.library {
            builder.lib_path(library.as_os_str());
        }
        let library = Library::new(call(watch, "nvmlInit_v2", || builder.init())?);
        let gpus = call(watch, "nvmlDeviceGetCount_v2", || library.nvml().device_count())?;
        let version =
            wanted(call(watch, "nvmlSystemGetDriverVersion", || library.nvml().sys_driver_version()))?;
        if has_capability(CAP_SYS_ADMIN) == Some(false) {
            tracing::warn!("no CAP_SYS_ADMIN: the NVIDIA driver will refuse to set limits");
        }
        let version = fitted(&version.unwrap_or_default());
        Ok((Arc::new(NvmlDriver { library, version }), gpus))
    }
}

struct NvmlDriver {
    library: Arc<Library>,
    version: heapless::String<32>,
}

impl Driver for NvmlDriver {
    fn version(&self) -> heapless::String<32> {
        self.version.clone()
    }

    fn open(&self, index: u8, watch: Arc<CallWatch>) -> Result<Box<dyn Gpu>, DriverError> {
        let device = call(&watch, "nvmlDeviceGetHandleByIndex_v2", || self.library.device(index.into()))?;
        Ok(Box::new(NvmlGpu::new(device, watch)?))
    }

    fn events(&self, gpus: u8) -> Result<Box<dyn Events>, DriverError> {
        Ok(Box::new(NvmlEvents::listen(&self.library, gpus)?))
    }
}

/// Whether this process has a capability, if that can be told.
fn has_capability(bit: u32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let bits = u64::from_str_radix(effective.trim(), 16).ok()?;
    Some(bits >> bit & 1 == 1)
}
