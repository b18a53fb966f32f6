//! Clocks: what they are, what holds them down, and locking them.
//!
//! A lock cannot be read back, as with the real library.

use std::ffi::{c_uint, c_ulonglong};
use std::ops::RangeInclusive;

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{nvmlClockType_t, nvmlDevice_t};

use super::edge::put_list;
use super::export;
use super::refusal::Refusal;
use super::session::{offers, on_gpu, on_gpu_of_node, set_on_gpu, still_offered, supports};
use crate::shm::{ClockRange, Features, throttle};
use crate::spec::Rating;

/// SM clocks come in steps of this many MHz.
const CLOCK_STEP_MHZ: u32 = 15;

/// From here up, a clock is one of NVML's symbols, such as "TDP".
const FIRST_SYMBOLIC_CLOCK: u32 = nvml::nvmlClockLimitId_enum_NVML_CLOCK_LIMIT_ID_RANGE_START;

/// What the plant may give as a reason.
const REASONS: u64 = throttle::GPU_IDLE
    | throttle::SW_POWER_CAP
    | throttle::HW_SLOWDOWN
    | throttle::SW_THERMAL
    | throttle::HW_THERMAL
    | throttle::HW_POWER_BRAKE;

export! {
    /// Clock now, in MHz.
    fn nvmlDeviceGetClockInfo(device: nvmlDevice_t, kind: nvmlClockType_t, clock: *mut c_uint) {
        let (sm_mhz, memory_mhz) =
            on_gpu(&device, |gpu| Ok((gpu.telemetry().sm_clock_mhz, gpu.rating().memory_clock_mhz)))?;
        clock.put(pick(kind, sm_mhz, memory_mhz)?)
    }

    /// Highest clock, in MHz.
    fn nvmlDeviceGetMaxClockInfo(device: nvmlDevice_t, kind: nvmlClockType_t, clock: *mut c_uint) {
        let rating = on_gpu(&device, |gpu| Ok(gpu.rating()))?;
        clock.put(pick(kind, rating.sm_clock_max_mhz, rating.memory_clock_mhz)?)
    }

    /// SM clocks there are at a memory clock, highest first, in MHz.
    fn nvmlDeviceGetSupportedGraphicsClocks(
        device: nvmlDevice_t,
        memory_clock: c_uint,
        count: *mut c_uint,
        clocks: *mut c_uint,
    ) {
        let rating = on_gpu(&device, |gpu| Ok(gpu.rating()))?;
        if memory_clock != rating.memory_clock_mhz {
            return Err(Refusal::NotFound);
        }
        // SAFETY: the caller's own array and its length.
        unsafe { put_list(&count, &clocks, &sm_clocks(&rating)) }
    }

    /// Memory clocks, in MHz; there is one.
    fn nvmlDeviceGetSupportedMemoryClocks(device: nvmlDevice_t, count: *mut c_uint, clocks: *mut c_uint) {
        let only = on_gpu(&device, |gpu| Ok(gpu.rating().memory_clock_mhz))?;
        // SAFETY: the caller's own array and its length.
        unsafe { put_list(&count, &clocks, &[only]) }
    }

    /// Keeps the SM clock between two values, in MHz.
    fn nvmlDeviceSetGpuLockedClocks(device: nvmlDevice_t, min: c_uint, max: c_uint) {
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::CLOCK_LOCK)?;
            let rating = gpu.rating();
            let lock = lock_within(rating.sm_clock_min_mhz..=rating.sm_clock_max_mhz, min, max)?;
            gpu.request_sm_clock(Some(lock), now_ms);
            Ok(())
        })
    }

    /// Frees the SM clock.
    fn nvmlDeviceResetGpuLockedClocks(device: nvmlDevice_t) {
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::CLOCK_LOCK)?;
            gpu.request_sm_clock(None, now_ms);
            Ok(())
        })
    }

    /// Keeps the memory clock between two values, in MHz.
    fn nvmlDeviceSetMemoryLockedClocks(device: nvmlDevice_t, min: c_uint, max: c_uint) {
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::CLOCK_LOCK)?;
            let only = gpu.rating().memory_clock_mhz;
            gpu.request_memory_clock(Some(lock_within(only..=only, min, max)?), now_ms);
            Ok(())
        })
    }

    /// Frees the memory clock.
    fn nvmlDeviceResetMemoryLockedClocks(device: nvmlDevice_t) {
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::CLOCK_LOCK)?;
            gpu.request_memory_clock(None, now_ms);
            Ok(())
        })
    }

    /// Why the SM clock is not higher.
    fn nvmlDeviceGetCurrentClocksEventReasons(device: nvmlDevice_t, reasons: *mut c_ulonglong) {
        offers(Features::CLOCKS_EVENT_REASONS)?;
        reasons.put(on_gpu(&device, |gpu| Ok(gpu.telemetry().throttle_reasons))?)
    }

    /// The reasons that can occur.
    fn nvmlDeviceGetSupportedClocksEventReasons(device: nvmlDevice_t, reasons: *mut c_ulonglong) {
        offers(Features::CLOCKS_EVENT_REASONS)?;
        reasons.put(on_gpu(&device, |_| Ok(REASONS))?)
    }

    /// The older name of [`nvmlDeviceGetCurrentClocksEventReasons`].
    fn nvmlDeviceGetCurrentClocksThrottleReasons(device: nvmlDevice_t, reasons: *mut c_ulonglong) {
        reasons.put(on_gpu_of_node(&device, |gpu, state| {
            still_offered(state)?;
            Ok(gpu.telemetry().throttle_reasons)
        })?)
    }

    /// The older name of [`nvmlDeviceGetSupportedClocksEventReasons`].
    fn nvmlDeviceGetSupportedClocksThrottleReasons(device: nvmlDevice_t, reasons: *mut c_ulonglong) {
        reasons.put(on_gpu_of_node(&device, |_, state| still_offered(state).map(|()| REASONS))?)
    }
}

fn pick(kind: nvmlClockType_t, sm_mhz: u32, memory_mhz: u32) -> Result<c_uint, Refusal> {
    match kind {
        nvml::nvmlClockType_enum_NVML_CLOCK_GRAPHICS | nvml::nvmlClockType_enum_NVML_CLOCK_SM => Ok(sm_mhz),
        nvml::nvmlClockType_enum_NVML_CLOCK_MEM => Ok(memory_mhz),
        nvml::nvmlClockType_enum_NVML_CLOCK_VIDEO => Err(Refusal::NotSupported),
        _ => Err(Refusal::InvalidArgument),
    }
}

fn sm_clocks(rating: &Rating) -> Vec<c_uint> {
    let steps = (rating.sm_clock_max_mhz.saturating_sub(rating.sm_clock_min_mhz)) / CLOCK_STEP_MHZ;
    (0..=steps).map(|step| rating.sm_clock_max_mhz - step * CLOCK_STEP_MHZ).collect()
}

/// A lock with both ends drawn into what the GPU can do.
fn lock_within(able: RangeInclusive<u32>, min: u32, max: u32) -> Result<ClockRange, Refusal> {
    if min >= FIRST_SYMBOLIC_CLOCK || max >= FIRST_SYMBOLIC_CLOCK {
        return Err(Refusal::NotSupported);
    }
    if max == 0 || min > max {
        return Err(Refusal::InvalidArgument);
    }
    let held = |mhz: u32| mhz.clamp(*able.start(), *able.end());
    Ok(ClockRange { min_mhz: held(min), max_mhz: held(max) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_drawn_into_the_range_and_a_reversed_one_refused() {
        let lock = |min, max| lock_within(345..=1980, min, max);
        assert_eq!(lock(0, 1200), Ok(ClockRange { min_mhz: 345, max_mhz: 1200 }));
        assert_eq!(lock(900, 5000), Ok(ClockRange { min_mhz: 900, max_mhz: 1980 }));
        assert_eq!(lock(1200, 900), Err(Refusal::InvalidArgument));
        assert_eq!(lock(0, 0), Err(Refusal::InvalidArgument));
        assert_eq!(lock(0, u32::MAX), Err(Refusal::NotSupported));
    }

    #[test]
    fn sm_clocks_run_from_the_highest_to_the_lowest() {
        let clocks = sm_clocks(&Rating::H200);
        assert_eq!((clocks.first(), clocks.last()), (Some(&1980), Some(&345)));
        assert!(clocks.windows(2).all(|pair| pair[0] == pair[1] + 15));
    }
}
