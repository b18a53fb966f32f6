//! A stand-in `libnvidia-ml.so.1` whose setters move the simulated plant.
//!
//! ```text
//!   plant (simulator)                 state file, mapped by both                   NVML consumer
//!   ─────────────────                 ──────────────────────────                   ─────────────
//!   GpuCell::publish    ─ Telemetry ─►┌────────┐─► nvmlDeviceGet… ───────────────► temperatures, power, …
//!   GpuCell::set_faults ─ Faults ────►│ atomics│─► lost, hung, slow, unsupported ─► return codes, silence
//!   GpuCell::request    ◄─ Request ───└────────┘◄─ nvmlDeviceSet…, …Reset… ◄────── limits, clock locks
//! ```
//!
//! The crate is two things. As a Rust library it is the shared state ([`SharedState`]) for the simulator and
//! for tests. As a C library (`libeisbach_nvml_sim.so`) it exports the NVML functions that a throttling agent
//! needs; the file it maps is named by the environment variable [`STATE_ENV`]. Without that file there is no
//! driver.
//!
//! Structures, constants and the signature of every exported function are checked against `nvml-wrapper-sys`
//! at compile time, so the C side cannot drift from NVIDIA's header.

mod ffi;
mod find;
mod model;
mod power_profile;
mod shm;
mod spec;

pub use find::library_path;
pub use model::{GpuModel, UnknownModel};
pub use shm::{
    ClockRange, Condition, Driver, Faults, Features, Frozen, GpuCell, GpuEvent, MAX_GPUS, Recovery,
    RemappedRows, Request, SharedState, ShmError, Telemetry, throttle,
};
pub use spec::{GpuSpec, Rating};

/// Environment variable that names the mapped state file, read at every `nvmlInit`.
pub const STATE_ENV: &str = "EISBACH_NVML_STATE";

/// Environment variable that names a file to which calls on a GPU with [`Faults::blocks`] write. A test lays it
/// on a frozen file system, so that the calling thread sleeps uninterruptibly, as in a wedged driver.
pub const BLOCK_FILE_ENV: &str = "EISBACH_NVML_BLOCK_FILE";

/// The driver version the library reports.
///
/// A release after 580.82, which renumbered the field ids 251 to 273, and late enough to have the thermal
/// margin.
pub const DRIVER_VERSION: &str = "580.95.05";

/// The driver version after [`SharedState::replace_driver`].
pub const NEXT_DRIVER_VERSION: &str = "580.105.08";
