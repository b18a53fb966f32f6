//! What the library holds open of the driver, and the disk that it may hang on.
//!
//! ```text
//!   nvmlInit      open, ─► alone? ─► without persistence mode the driver was gone: limits are forgotten
//!                          lock, shared
//!   nvmlShutdown  alone? ─► without persistence mode the driver goes: limits are forgotten
//! ```
//!
//! A process that is killed lets go of the lock, so nobody has to count processes. Its limits are then
//! forgotten at the next init, not at once.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use super::refusal::Refusal;
use crate::BLOCK_FILE_ENV;
use crate::shm::SharedState;

/// The state file, opened a second time to be seen and locked.
pub(super) struct DeviceFile(File);

impl DeviceFile {
    pub(super) fn open(path: &Path, state: &SharedState) -> Result<Self, Refusal> {
        let file = File::open(path).map_err(|_| Refusal::DriverNotLoaded)?;
        let device = Self(file);
        device.forget_if_alone(state);
        device.0.lock_shared().map_err(|_| Refusal::Unknown)?;
        Ok(device)
    }

    pub(super) fn close(self, state: &SharedState) {
        self.forget_if_alone(state);
    }

    fn forget_if_alone(&self, state: &SharedState) {
        if self.0.try_lock().is_ok() {
            let unkept = state.gpus().iter().filter(|gpu| !gpu.request().persistence);
            unkept.for_each(crate::shm::GpuCell::forget_limits);
        }
    }
}

/// Writes to the file that the environment names, and waits until its disk has it. What the disk says makes
/// no difference: only the waiting does.
pub(super) fn write_to_the_blocked_disk() {
    let Some(path) = std::env::var_os(BLOCK_FILE_ENV) else { return };
    let written = File::options().create(true).append(true).open(path).and_then(|mut file| {
        file.write_all(b"call\n")?;
        file.sync_all()
    });
    let _either_way = written;
}
