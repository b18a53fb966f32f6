//! One GPU in the state file.
//!
//! Each group of fields has one writer: ratings are written once, telemetry by the plant, faults by whoever
//! plays fate, requests by NVML callers. A write time is stored before the value it belongs to, so whoever
//! sees the value sees its time or a later one.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use super::ShmError;
use super::atoms::{AtomicF32, AtomicF64, AtomicFlag, AtomicText};
use super::values::{ClockRange, Condition, Faults, Features, Request, Telemetry};
use crate::spec::{GpuSpec, Rating};

/// Stands for "never" in a plant time.
const NEVER: u64 = u64::MAX;

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
    pci_device_id: AtomicU32,
    power_min_watts: AtomicU32,
    power_default_watts: AtomicU32,
    power_max_watts: AtomicU32,
    sm_clock_min_mhz: AtomicU32,
    sm_clock_max_mhz: AtomicU32,
    memory_clock_mhz: AtomicU32,
    max_operating_celsius: AtomicI32,
    slowdown_celsius: AtomicI32,
    shutdown_celsius: AtomicI32,
    hbm_max_celsius: AtomicI32,
    memory_mib: AtomicU32,
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

#[derive(Debug)]
#[repr(C)]
struct FaultsCell {
    /// Count of critical errors in the high half, the last error's number in the low half.
    xid: AtomicU64,
    condition: AtomicU32,
    hangs: AtomicFlag,
    slow_ms: AtomicU32,
    unsupported: AtomicU32,
}

#[derive(Debug)]
#[repr(C)]
struct RequestCell {
    power_limit_written_ms: AtomicU64,
    clock_written_ms: AtomicU64,
    /// Lower end in the high half, upper end in the low half, zero for no lock: a lock cannot be read half
    /// written.
    sm_clock_lock: AtomicU64,
    memory_clock_lock: AtomicU64,
    sequence: AtomicU64,
    setter_calls: AtomicU64,
    power_limit_milliwatts: AtomicU32,
    persistence: AtomicFlag,
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

    /// Back to what a freshly loaded driver has: default limit, no locks, persistence on, no write times.
    ///
    /// The counters go on, so that a reader never sees them fall.
    pub fn forget_requests(&self) {
        let request = &self.request;
        request.power_limit_written_ms.store(NEVER, Ordering::Release);
        request.clock_written_ms.store(NEVER, Ordering::Release);
        request.power_limit_milliwatts.store(self.rating().power_default_milliwatts(), Ordering::Release);
        request.sm_clock_lock.store(0, Ordering::Release);
        request.memory_clock_lock.store(0, Ordering::Release);
        request.persistence.store(true);
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

    /// Breaks or mends the GPU.
    pub fn set_faults(&self, faults: Faults) {
        let condition = match faults.condition {
            Condition::Present => 0,
            Condition::ResetRequired => 1,
            Condition::Lost => 2,
        };
        self.faults.condition.store(condition, Ordering::Release);
        self.faults.slow_ms.store(faults.slow_ms, Ordering::Release);
        self.faults.unsupported.store(faults.unsupported.0, Ordering::Release);
        self.faults.hangs.store(faults.hangs);
    }

    /// What is wrong with the GPU.
    #[must_use]
    pub fn faults(&self) -> Faults {
        Faults {
            hangs: self.faults.hangs.load(),
            condition: match self.faults.condition.load(Ordering::Acquire) {
                0 => Condition::Present,
                1 => Condition::ResetRequired,
                _ => Condition::Lost,
            },
            slow_ms: self.faults.slow_ms.load(Ordering::Acquire),
            unsupported: Features(self.faults.unsupported.load(Ordering::Acquire)),
        }
    }

    /// Reports a critical error, for example XID 79 (fallen off the bus), to everyone who waits for events.
    pub fn raise_xid(&self, xid: u32) {
        let count = self.last_xid().0.wrapping_add(1);
        self.faults.xid.store(u64::from(count) << 32 | u64::from(xid), Ordering::Release);
    }

    /// How many critical errors there were, and the number of the last.
    pub(crate) fn last_xid(&self) -> (u32, u32) {
        halves(self.faults.xid.load(Ordering::Acquire))
    }
}

/// Library to plant.
impl GpuCell {
    /// What NVML callers have asked for.
    #[must_use]
    pub fn request(&self) -> Request {
        let request = &self.request;
        let ever = |time: &AtomicU64| Some(time.load(Ordering::Acquire)).filter(|time| *time != NEVER);
        Request {
            sequence: request.sequence.load(Ordering::Acquire),
            setter_calls: request.setter_calls.load(Ordering::Acquire),
            power_limit_milliwatts: request.power_limit_milliwatts.load(Ordering::Acquire),
            power_limit_written_ms: ever(&request.power_limit_written_ms),
            sm_clock_lock: unpack(request.sm_clock_lock.load(Ordering::Acquire)),
            memory_clock_lock: unpack(request.memory_clock_lock.load(Ordering::Acquire)),
            clock_written_ms: ever(&request.clock_written_ms),
            persistence: request.persistence.load(),
        }
    }

    /// Sets the power limit at plant time `now_ms`. The caller has checked the range.
    pub fn request_power_limit(&self, milliwatts: u32, now_ms: u64) {
        self.request.power_limit_written_ms.store(now_ms, Ordering::Release);
        self.request.power_limit_milliwatts.store(milliwatts, Ordering::Release);
        self.request.sequence.fetch_add(1, Ordering::AcqRel);
    }

    /// Locks the SM clock, or frees it, at plant time `now_ms`.
    pub fn request_sm_clock(&self, lock: Option<ClockRange>, now_ms: u64) {
        self.request.clock_written_ms.store(now_ms, Ordering::Release);
        self.request.sm_clock_lock.store(pack(lock), Ordering::Release);
        self.request.sequence.fetch_add(1, Ordering::AcqRel);
    }

    /// Locks the memory clock, or frees it, at plant time `now_ms`.
    pub fn request_memory_clock(&self, lock: Option<ClockRange>, now_ms: u64) {
        self.request.clock_written_ms.store(now_ms, Ordering::Release);
        self.request.memory_clock_lock.store(pack(lock), Ordering::Release);
        self.request.sequence.fetch_add(1, Ordering::AcqRel);
    }

    /// Sets persistence mode.
    pub fn request_persistence(&self, on: bool) {
        self.request.persistence.store(on);
        self.request.sequence.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn count_setter_call(&self) {
        self.request.setter_calls.fetch_add(1, Ordering::AcqRel);
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
    atomic: architecture, pci_device_id, power_min_watts, power_default_watts, power_max_watts,
        sm_clock_min_mhz, sm_clock_max_mhz, memory_clock_mhz, max_operating_celsius, slowdown_celsius,
        shutdown_celsius, hbm_max_celsius, memory_mib;
    own:
});

mirror!(TelemetryCell as Telemetry {
    atomic: throttle_reasons, ecc_corrected, ecc_uncorrected, utilisation_percent, memory_utilisation_percent,
        sm_clock_mhz, pstate, memory_used_mib, workload_pid, out_of_band_limit_milliwatts;
    own: core_celsius, hbm_celsius, power_instant_watts, power_average_watts, energy_joules
});

fn pack(lock: Option<ClockRange>) -> u64 {
    lock.map_or(0, |range| u64::from(range.min_mhz) << 32 | u64::from(range.max_mhz))
}

fn unpack(packed: u64) -> Option<ClockRange> {
    let (min_mhz, max_mhz) = halves(packed);
    (packed != 0).then_some(ClockRange { min_mhz, max_mhz })
}

/// High half, low half.
fn halves(packed: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}
