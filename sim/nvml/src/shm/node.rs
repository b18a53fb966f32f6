//! The node as a whole: its time, its driver, and who may do what.
//!
//! ```text
//!              unload                                 replace
//!   Loaded ◄──────────► NotLoaded          Loaded r ─────────► Loaded r + 1
//!              load: limits are forgotten             libraries loaded before say "version mismatch"
//! ```

use std::sync::atomic::Ordering;

use super::SharedState;
use super::cell::GpuCell;
use super::faults::Features;
use super::values::Driver;

impl SharedState {
    /// Time in the plant, in ms since it was started.
    #[must_use]
    pub fn plant_time_ms(&self) -> u64 {
        self.layout().header.plant_time_ms.load(Ordering::Acquire)
    }

    /// Moves the plant's time on.
    pub fn set_plant_time_ms(&self, now_ms: u64) {
        self.layout().header.plant_time_ms.store(now_ms, Ordering::Release);
    }

    /// State of the driver.
    #[must_use]
    pub fn driver(&self) -> Driver {
        match self.layout().header.driver.load(Ordering::Acquire) {
            0 => Driver::Loaded,
            1 => Driver::NotLoaded,
            _ => Driver::VersionMismatch,
        }
    }

    /// Changes the state of the driver. It takes effect on the next call of every consumer.
    pub fn set_driver(&self, driver: Driver) {
        let code = match driver {
            Driver::Loaded => 0,
            Driver::NotLoaded => 1,
            Driver::VersionMismatch => 2,
        };
        self.layout().header.driver.store(code, Ordering::Release);
    }

    /// Loses all limits and locks, as unloading and loading the driver does.
    pub fn reload_driver(&self) {
        self.gpus().iter().for_each(GpuCell::forget_requests);
    }

    /// Whether setters are allowed; otherwise they are answered with `NVML_ERROR_NO_PERMISSION`.
    #[must_use]
    pub fn privileged(&self) -> bool {
        self.layout().header.privileged.load()
    }

    /// Allows or forbids setters; they are allowed at first.
    pub fn set_privileged(&self, privileged: bool) {
        self.layout().header.privileged.store(privileged);
    }

    /// Whether `nvmlInit` does not come back.
    #[must_use]
    pub fn init_hangs(&self) -> bool {
        self.layout().header.init_hangs.load()
    }

    /// Makes `nvmlInit` block until this is cleared.
    pub fn set_init_hangs(&self, hangs: bool) {
        self.layout().header.init_hangs.store(hangs);
    }

    /// Whether calls that CUDA 13 deprecates are gone.
    #[must_use]
    pub fn deprecated_calls_removed(&self) -> bool {
        self.layout().header.deprecated_calls_removed.load()
    }

    /// Answers calls that CUDA 13 deprecates with `NVML_ERROR_DEPRECATED`, as NVIDIA announces for CUDA 14.
    pub fn set_deprecated_calls_removed(&self, removed: bool) {
        self.layout().header.deprecated_calls_removed.store(removed);
    }

    /// Puts a newer driver in the place of the old one, with limits and locks lost. Each process whose library
    /// was loaded before gets `NVML_ERROR_LIB_RM_VERSION_MISMATCH` until it loads it anew.
    pub fn replace_driver(&self) {
        self.reload_driver();
        self.layout().header.driver_release.fetch_add(1, Ordering::AcqRel);
    }

    /// How often the driver has been replaced.
    #[must_use]
    pub fn driver_release(&self) -> u32 {
        self.layout().header.driver_release.load(Ordering::Acquire)
    }

    /// Calls that the library is said not to have.
    #[must_use]
    pub fn missing_calls(&self) -> Features {
        Features(self.layout().header.missing_calls.load(Ordering::Acquire))
    }

    /// Takes calls away, as an older library does not have them.
    ///
    /// A library cannot take back a symbol that it exports. So this is not quite an old library: the symbol is
    /// found, and the call answers `NVML_ERROR_FUNCTION_NOT_FOUND`. Only features that are calls of their own
    /// can be missing; the others have no effect here and are for [`super::Faults::unsupported`].
    pub fn set_missing_calls(&self, missing: Features) {
        self.layout().header.missing_calls.store(missing.0, Ordering::Release);
    }
}
