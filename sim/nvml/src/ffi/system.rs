//! Start, end, and the versions of everything.

use std::ffi::{c_char, c_int, c_uint};

use super::edge::put_text;
use super::{export, older_name, session};
use crate::{DRIVER_VERSION, NEXT_DRIVER_VERSION};

/// CUDA 13.0, as NVML writes it.
const CUDA_VERSION: c_int = 13_000;

export! {
    /// Maps the state file; blocks while the simulated driver hangs in init.
    fn nvmlInit_v2() {
        session::initialise()
    }

    /// As [`nvmlInit_v2`]. No flag changes anything here.
    fn nvmlInitWithFlags(flags: c_uint) {
        let _ = flags;
        session::initialise()
    }

    /// Takes back one init.
    fn nvmlShutdown() {
        session::shut_down()
    }

    /// Version of the kernel driver.
    fn nvmlSystemGetDriverVersion(version: *mut c_char, length: c_uint) {
        let replaced = session::state()?.driver_release() > 0;
        let release = if replaced { NEXT_DRIVER_VERSION } else { DRIVER_VERSION };
        // SAFETY: the caller's own buffer and length.
        unsafe { put_text(&version, length, release) }
    }

    /// Version of this library: CUDA's major version before the driver's.
    fn nvmlSystemGetNVMLVersion(version: *mut c_char, length: c_uint) {
        // SAFETY: the caller's own buffer and length.
        unsafe { put_text(&version, length, &format!("{}.{DRIVER_VERSION}", CUDA_VERSION / 1000)) }
    }

    /// CUDA version, 1000 times the major plus 10 times the minor number.
    fn nvmlSystemGetCudaDriverVersion(version: *mut c_int) {
        version.put(CUDA_VERSION)
    }

    /// As [`nvmlSystemGetCudaDriverVersion`].
    fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) {
        version.put(CUDA_VERSION)
    }
}

older_name! {
    nvmlInit = nvmlInit_v2();
}
