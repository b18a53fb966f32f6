//! What passes through the state file, as plain values: telemetry, requests, the driver.

use crate::power_profile;

/// What the plant makes of one GPU, for the library to report.
///
/// Fields are published one by one: as with real hardware, two values read together may stem from two
/// neighbouring instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Telemetry {
    /// Core temperature. NVML reports whole degrees, rounded down. A NaN reads as a sensor that cannot be
    /// read.
    pub core_celsius: f32,
    /// Memory temperature, reported like the core's.
    pub hbm_celsius: f32,
    /// Power now.
    pub power_instant_watts: f32,
    /// Power averaged over one second.
    pub power_average_watts: f32,
    /// Energy since the driver was loaded.
    pub energy_joules: f64,
    /// Share of time in which a kernel ran, 0 to 100.
    pub utilisation_percent: u32,
    /// Share of time in which memory was read or written, 0 to 100.
    pub memory_utilisation_percent: u32,
    /// SM clock now.
    pub sm_clock_mhz: u32,
    /// Why the clock is not higher: bits from [`throttle`].
    pub throttle_reasons: u64,
    /// Performance state, 0 (fastest) to 15.
    pub pstate: u32,
    /// ECC errors mended.
    pub ecc_corrected: u64,
    /// ECC errors not mended.
    pub ecc_uncorrected: u64,
    /// Frame buffer in use.
    pub memory_used_mib: u32,
    /// Process that computes on this GPU; 0 for none.
    pub workload_pid: u32,
    /// Limit set from outside the host, for example by a BMC; it holds beside the requested one. 0 for none.
    pub out_of_band_limit_milliwatts: u32,
}

impl Default for Telemetry {
    /// An H200 at rest, as an `nvidia-smi -q` dump shows it: 28 °C, memory 42 °C, 75 W.
    fn default() -> Self {
        Self {
            core_celsius: 28.0,
            hbm_celsius: 42.0,
            power_instant_watts: 75.0,
            power_average_watts: 75.0,
            energy_joules: 0.0,
            utilisation_percent: 0,
            memory_utilisation_percent: 0,
            sm_clock_mhz: 345,
            throttle_reasons: throttle::GPU_IDLE,
            pstate: 0,
            ecc_corrected: 0,
            ecc_uncorrected: 0,
            memory_used_mib: 0,
            workload_pid: 0,
            out_of_band_limit_milliwatts: 0,
        }
    }
}

/// Bits of [`Telemetry::throttle_reasons`].
pub mod throttle {
    use nvml_wrapper_sys::bindings as nvml;

    /// Nothing to do.
    pub const GPU_IDLE: u64 = nvml::nvmlClocksEventReasonGpuIdle as u64;
    /// The power limit holds the clock down.
    pub const SW_POWER_CAP: u64 = nvml::nvmlClocksEventReasonSwPowerCap as u64;
    /// The hardware has cut the clock by half or more.
    pub const HW_SLOWDOWN: u64 = nvml::nvmlClocksThrottleReasonHwSlowdown as u64;
    /// The driver holds the clock down because the thermal margin is gone.
    pub const SW_THERMAL: u64 = nvml::nvmlClocksEventReasonSwThermalSlowdown as u64;
    /// The hardware has cut the clock because it is too hot.
    pub const HW_THERMAL: u64 = nvml::nvmlClocksThrottleReasonHwThermalSlowdown as u64;
    /// The board's power brake has cut the clock.
    pub const HW_POWER_BRAKE: u64 = nvml::nvmlClocksThrottleReasonHwPowerBrakeSlowdown as u64;
}

/// What NVML callers have asked of one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Power limit in force from this host.
    pub power_limit_milliwatts: u32,
    /// Plant time of the last power limit write; `None` if there was none.
    pub power_limit_written_ms: Option<u64>,
    /// Range the SM clock is locked to.
    pub sm_clock_lock: Option<ClockRange>,
    /// Range the memory clock is locked to.
    pub memory_clock_lock: Option<ClockRange>,
    /// Plant time of the last clock lock or clock reset; `None` if there was none.
    pub clock_written_ms: Option<u64>,
    /// Persistence mode.
    pub persistence: bool,
    /// Workload power profiles that were asked for: bit N is profile N.
    pub power_profiles: u32,
    /// Plant time of the last change of them; `None` if there was none.
    pub power_profiles_written_ms: Option<u64>,
    /// Power smoothing is on.
    pub smoothing: bool,
    /// The power smoothing preset in use.
    pub smoothing_preset: u32,
    /// Goes up by one with every change that was accepted.
    pub sequence: u64,
    /// Setters that reached the GPU, refused ones too.
    pub setter_calls: u64,
}

impl Request {
    /// Whether the Max-Q profile holds.
    #[must_use]
    pub const fn max_q(&self) -> bool {
        power_profile::enforced(self.power_profiles) & 1 << power_profile::MAX_Q != 0
    }
}

/// From `min_mhz` to `max_mhz`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRange {
    /// Lower end.
    pub min_mhz: u32,
    /// Upper end.
    pub max_mhz: u32,
}

/// State of the simulated kernel driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// Working.
    #[default]
    Loaded,
    /// Not there: everything is answered with `NVML_ERROR_DRIVER_NOT_LOADED`.
    NotLoaded,
    /// Replaced by another version under a running consumer: `NVML_ERROR_LIB_RM_VERSION_MISMATCH`.
    VersionMismatch,
}
