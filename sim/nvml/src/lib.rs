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
mod shm;
mod spec;

pub use find::library_path;
pub use shm::{
    ClockRange, Condition, Driver, Faults, Features, GpuCell, MAX_GPUS, Request, SharedState, ShmError,
    Telemetry, throttle,
};
pub use spec::{GpuSpec, Rating};

/// Environment variable that names the mapped state file, read at every `nvmlInit`.
pub const STATE_ENV: &str = "EISBACH_NVML_STATE";

/// The driver version the library reports.
///
/// A release after 580.82, which renumbered the field ids 251 to 273, and late enough to have the thermal
/// margin.
pub const DRIVER_VERSION: &str = "580.95.05";
