//! One GPU in the state file.
//!
//! Each group of fields has one writer: ratings are written once, telemetry by the plant, faults by whoever
//! plays fate, requests by NVML callers.

mod fate;
mod requests;

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use super::ShmError;
use super::atoms::{AtomicF32, AtomicF64, AtomicText};
use super::faults::{Faults, Features};
use super::values::Telemetry;
use crate::spec::{GpuSpec, Rating};
use fate::FaultsCell;
use requests::RequestCell;

/// One GPU as both sides see it.
#[derive(Debug)]
#[repr(C)]
pub struct GpuCell {
    identity: IdentityCell,
    rating: RatingCell,
    telemetry: TelemetryCell,
    faults: FaultsCell,
    request: RequestCell,
}

#[derive(Debug)]
#[repr(C)]
struct IdentityCell {
    name: AtomicText<64>,
    uuid: AtomicText<48>,
    serial: AtomicText<16>,
}

#[derive(Debug)]
#[repr(C)]
struct RatingCell {
    architecture: AtomicU32,
    compute_capability: AtomicU32,
    pci_device_id: AtomicU32,
    power_min_watts: AtomicU32,
    power_default_watts: AtomicU32,
    power_max_watts: AtomicU32,
    module_watts: AtomicU32,
    sm_clock_min_mhz: AtomicU32,
    sm_clock_max_mhz: AtomicU32,
    memory_clock_mhz: AtomicU32,
    max_operating_celsius: AtomicI32,
    slowdown_celsius: AtomicI32,
    shutdown_celsius: AtomicI32,
    hbm_max_celsius: AtomicI32,
    memory_mib: AtomicU32,
    lacks: AtomicFeatures,
}

#[derive(Debug)]
#[repr(C)]
struct TelemetryCell {
    energy_joules: AtomicF64,
    throttle_reasons: AtomicU64,
    ecc_corrected: AtomicU64,
    ecc_uncorrected: AtomicU64,
    core_celsius: AtomicF32,
    hbm_celsius: AtomicF32,
    power_instant_watts: AtomicF32,
    power_average_watts: AtomicF32,
    utilisation_percent: AtomicU32,
    memory_utilisation_percent: AtomicU32,
    sm_clock_mhz: AtomicU32,
    pstate: AtomicU32,
    memory_used_mib: AtomicU32,
    workload_pid: AtomicU32,
    out_of_band_limit_milliwatts: AtomicU32,
}

/// Set-up, by the creator of the file.
impl GpuCell {
    pub(super) fn furnish(&self, spec: &GpuSpec, index: usize) -> Result<(), ShmError> {
        if !self.identity.name.store(&spec.name) {
            return Err(ShmError::NameTooLong { index, name: spec.name.clone() });
        }
        let fits =
            self.identity.uuid.store(&spec.uuid(index)) && self.identity.serial.store(&spec.serial(index));
        debug_assert!(fits, "UUID and serial number have a fixed length");
        self.rating.store(&spec.rating);
        self.publish(&Telemetry::default());
        self.set_faults(Faults::default());
        self.forget_requests();
        Ok(())
    }
}

/// Who the GPU is.
impl GpuCell {
    /// Product name.
    #[must_use]
    pub fn name(&self) -> String {
        self.identity.name.load()
    }

    /// UUID in NVML's form.
    #[must_use]
    pub fn uuid(&self) -> String {
        self.identity.uuid.load()
    }

    /// Board serial number.
    #[must_use]
    pub fn serial(&self) -> String {
        self.identity.serial.load()
    }

    /// Limits and clocks.
    #[must_use]
    pub fn rating(&self) -> Rating {
        self.rating.load()
    }
}

/// Plant to library.
impl GpuCell {
    /// Replaces what NVML callers see.
    pub fn publish(&self, telemetry: &Telemetry) {
        self.telemetry.store(telemetry);
    }

    /// What was last published.
    #[must_use]
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry.load()
    }
}

/// A set of features as its bits.
#[derive(Debug)]
#[repr(transparent)]
struct AtomicFeatures(AtomicU32);

impl AtomicFeatures {
    fn store(&self, features: Features) {
        self.0.store(features.0, Ordering::Release);
    }

    fn load(&self) -> Features {
        Features(self.0.load(Ordering::Acquire))
    }
}

/// Copies a plain struct to and from atomics of the same field names.
macro_rules! mirror {
    ($cell:ident as $plain:ident { atomic: $($atomic:ident),*; own: $($own:ident),* }) => {
        impl $cell {
            fn store(&self, plain: &$plain) {
                $(self.$atomic.store(plain.$atomic, Ordering::Release);)*
                $(self.$own.store(plain.$own);)*
            }

            fn load(&self) -> $plain {
                $plain { $($atomic: self.$atomic.load(Ordering::Acquire),)* $($own: self.$own.load(),)* }
            }
        }
    };
}

mirror!(RatingCell as Rating {
    atomic: architecture, compute_capability, pci_device_id, power_min_watts, power_default_watts,
        power_max_watts, module_watts, sm_clock_min_mhz, sm_clock_max_mhz, memory_clock_mhz,
        max_operating_celsius, slowdown_celsius, shutdown_celsius, hbm_max_celsius, memory_mib;
    own: lacks
});

mirror!(TelemetryCell as Telemetry {
    atomic: throttle_reasons, ecc_corrected, ecc_uncorrected, utilisation_percent, memory_utilisation_percent,
        sm_clock_mhz, pstate, memory_used_mib, workload_pid, out_of_band_limit_milliwatts;
    own: core_celsius, hbm_celsius, power_instant_watts, power_average_watts, energy_joules
});
