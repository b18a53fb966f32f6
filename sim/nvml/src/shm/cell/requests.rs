//! What NVML callers have asked of the GPU.
//!
//! A write time is stored before the value it belongs to, so whoever sees the value sees its time or a later
//! one.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::GpuCell;
use crate::shm::atoms::{AtomicF64, AtomicFlag};
use crate::shm::values::{ClockRange, Request};

/// Stands for "never" in a plant time.
const NEVER: u64 = u64::MAX;
/// Power smoothing presets (nvml.h).
const PRESETS: usize = 5;
/// Numbers of each: floor, ramp up, ramp down, hysteresis (nvml.h).
const PRESET_NUMBERS: usize = 4;

#[derive(Debug)]
#[repr(C)]
pub(super) struct RequestCell {
    power_limit_written_ms: AtomicU64,
    clock_written_ms: AtomicU64,
    power_profiles_written_ms: AtomicU64,
    /// Lower end in the high half, upper end in the low half, zero for no lock: a lock cannot be read half
    /// written.
    sm_clock_lock: AtomicU64,
    memory_clock_lock: AtomicU64,
    sequence: AtomicU64,
    setter_calls: AtomicU64,
    smoothing_presets: [[AtomicF64; PRESET_NUMBERS]; PRESETS],
    power_limit_milliwatts: AtomicU32,
    persistence: AtomicFlag,
    power_profiles: AtomicU32,
    smoothing: AtomicFlag,
    smoothing_preset: AtomicU32,
}

impl GpuCell {
    /// Back to what a freshly loaded driver has: default limit, no locks, profiles or smoothing, persistence
    /// on, no write times.
    ///
    /// The counters go on, so that a reader never sees them fall.
    pub fn forget_requests(&self) {
        self.forget_limits();
        self.request.persistence.store(true);
    }

    /// As [`GpuCell::forget_requests`], but for persistence mode, which decides over this.
    pub(crate) fn forget_limits(&self) {
        let request = &self.request;
        request.power_limit_written_ms.store(NEVER, Ordering::Release);
        request.clock_written_ms.store(NEVER, Ordering::Release);
        request.power_profiles_written_ms.store(NEVER, Ordering::Release);
        request.power_limit_milliwatts.store(self.rating().power_default_milliwatts(), Ordering::Release);
        request.sm_clock_lock.store(0, Ordering::Release);
        request.memory_clock_lock.store(0, Ordering::Release);
        request.power_profiles.store(0, Ordering::Release);
        request.smoothing.store(false);
        request.smoothing_preset.store(0, Ordering::Release);
        request.smoothing_presets.iter().flatten().for_each(|number| number.store(0.0));
    }

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
            power_profiles: request.power_profiles.load(Ordering::Acquire),
            power_profiles_written_ms: ever(&request.power_profiles_written_ms),
            smoothing: request.smoothing.load(),
            smoothing_preset: request.smoothing_preset.load(Ordering::Acquire),
        }
    }

    /// Sets the power limit at plant time `now_ms`. The caller has checked the range.
    pub fn request_power_limit(&self, milliwatts: u32, now_ms: u64) {
        self.request.power_limit_written_ms.store(now_ms, Ordering::Release);
        self.request.power_limit_milliwatts.store(milliwatts, Ordering::Release);
        self.accepted();
    }

    /// Locks the SM clock, or frees it, at plant time `now_ms`.
    pub fn request_sm_clock(&self, lock: Option<ClockRange>, now_ms: u64) {
        self.request.clock_written_ms.store(now_ms, Ordering::Release);
        self.request.sm_clock_lock.store(pack(lock), Ordering::Release);
        self.accepted();
    }

    /// Locks the memory clock, or frees it, at plant time `now_ms`.
    pub fn request_memory_clock(&self, lock: Option<ClockRange>, now_ms: u64) {
        self.request.clock_written_ms.store(now_ms, Ordering::Release);
        self.request.memory_clock_lock.store(pack(lock), Ordering::Release);
        self.accepted();
    }

    /// Sets persistence mode.
    pub fn request_persistence(&self, on: bool) {
        self.request.persistence.store(on);
        self.accepted();
    }

    /// Asks for these workload power profiles at plant time `now_ms`: bit N is profile N.
    pub fn request_power_profiles(&self, profiles: u32, now_ms: u64) {
        self.request.power_profiles_written_ms.store(now_ms, Ordering::Release);
        self.request.power_profiles.store(profiles, Ordering::Release);
        self.accepted();
    }

    /// Switches power smoothing.
    pub fn request_smoothing(&self, on: bool) {
        self.request.smoothing.store(on);
        self.accepted();
    }

    /// Chooses a power smoothing preset; false if there is no such preset.
    #[must_use]
    pub fn request_smoothing_preset(&self, preset: u32) -> bool {
        let known = usize::try_from(preset).is_ok_and(|preset| preset < PRESETS);
        if known {
            self.request.smoothing_preset.store(preset, Ordering::Release);
            self.accepted();
        }
        known
    }

    /// Changes one number of a power smoothing preset; false if there is no such number.
    #[must_use]
    pub fn request_smoothing_number(&self, preset: u32, number: u32, value: f64) -> bool {
        let known = self.preset_number(preset, number).inspect(|place| place.store(value));
        if known.is_some() {
            self.accepted();
        }
        known.is_some()
    }

    /// One number of a power smoothing preset: 0 floor, 1 ramp up, 2 ramp down, 3 hysteresis.
    #[must_use]
    pub fn smoothing_number(&self, preset: u32, number: u32) -> Option<f64> {
        self.preset_number(preset, number).map(AtomicF64::load)
    }

    pub(crate) fn count_setter_call(&self) {
        self.request.setter_calls.fetch_add(1, Ordering::AcqRel);
    }

    fn preset_number(&self, preset: u32, number: u32) -> Option<&AtomicF64> {
        let preset = self.request.smoothing_presets.get(usize::try_from(preset).ok()?)?;
        preset.get(usize::try_from(number).ok()?)
    }

    fn accepted(&self) {
        self.request.sequence.fetch_add(1, Ordering::AcqRel);
    }
}

fn pack(lock: Option<ClockRange>) -> u64 {
    lock.map_or(0, |range| u64::from(range.min_mhz) << 32 | u64::from(range.max_mhz))
}

fn unpack(packed: u64) -> Option<ClockRange> {
    let [a, b, c, d, e, f, g, h] = packed.to_be_bytes();
    let (min_mhz, max_mhz) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    (packed != 0).then_some(ClockRange { min_mhz, max_mhz })
}
