//! Power drawn, and the limit on it.

use std::ffi::{c_uint, c_ulonglong};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlEnableState_t, nvmlPowerValue_v2_t};

use super::edge::expect_version;
use super::export;
use super::refusal::Refusal;
use super::sensors::power_milliwatts;
use super::session::{on_gpu, set_on_gpu, supports};
use super::units::millijoules;
use crate::shm::{Features, GpuCell};

export! {
    /// Power averaged over one second, as the driver does since Ampere, in mW; on a GA100 the power now.
    fn nvmlDeviceGetPowerUsage(device: nvmlDevice_t, power: *mut c_uint) {
        power.put(on_gpu(&device, |gpu| {
            let averages = supports(gpu, Features::POWER_AVERAGE).is_ok();
            power_milliwatts(gpu, |seen| {
                if averages { seen.power_average_watts } else { seen.power_instant_watts }
            })
        })?)
    }

    /// Power limits can be set.
    fn nvmlDeviceGetPowerManagementMode(device: nvmlDevice_t, mode: *mut nvmlEnableState_t) {
        mode.put(on_gpu(&device, |_| Ok(nvml::nvmlEnableState_enum_NVML_FEATURE_ENABLED))?)
    }

    /// Energy since the driver was loaded, in mJ.
    fn nvmlDeviceGetTotalEnergyConsumption(device: nvmlDevice_t, energy: *mut c_ulonglong) {
        energy.put(on_gpu(&device, |gpu| millijoules(gpu.telemetry().energy_joules))?)
    }

    /// The limit this host asked for, in mW.
    fn nvmlDeviceGetPowerManagementLimit(device: nvmlDevice_t, limit: *mut c_uint) {
        limit.put(on_gpu(&device, |gpu| Ok(gpu.request().power_limit_milliwatts))?)
    }

    /// The limit after a driver load, in mW.
    fn nvmlDeviceGetPowerManagementDefaultLimit(device: nvmlDevice_t, limit: *mut c_uint) {
        limit.put(on_gpu(&device, |gpu| Ok(gpu.rating().power_default_milliwatts()))?)
    }

    /// Lowest and highest limit that may be set, in mW.
    fn nvmlDeviceGetPowerManagementLimitConstraints(
        device: nvmlDevice_t,
        min: *mut c_uint,
        max: *mut c_uint,
    ) {
        let range = on_gpu(&device, |gpu| Ok(gpu.rating().power_range_milliwatts()))?;
        min.put(*range.start())?;
        max.put(*range.end())
    }

    /// The limit that holds: the lower of this host's and one from outside, in mW.
    fn nvmlDeviceGetEnforcedPowerLimit(device: nvmlDevice_t, limit: *mut c_uint) {
        limit.put(on_gpu(&device, |gpu| Ok(enforced_limit_milliwatts(gpu)))?)
    }

    /// Asks for a limit, in mW.
    fn nvmlDeviceSetPowerManagementLimit(device: nvmlDevice_t, limit: c_uint) {
        set_on_gpu(&device, |gpu, now_ms| set_limit(gpu, limit, now_ms))
    }

    /// Asks for a limit, in mW, of the GPU; limits of its module or its memory cannot be set here.
    fn nvmlDeviceSetPowerManagementLimit_v2(device: nvmlDevice_t, limit: *mut nvmlPowerValue_v2_t) {
        // SAFETY: the caller fills it all in.
        let asked = unsafe { limit.get() }?;
        expect_version::<nvmlPowerValue_v2_t>(asked.version, 2)?;
        set_on_gpu(&device, |gpu, now_ms| match asked.powerScope {
            scope if u32::from(scope) == nvml::NVML_POWER_SCOPE_GPU => set_limit(gpu, asked.powerValueMw, now_ms),
            _ => Err(Refusal::NotSupported),
        })
    }
}

fn set_limit(gpu: &GpuCell, milliwatts: c_uint, now_ms: u64) -> Result<(), Refusal> {
    supports(gpu, Features::POWER_LIMIT)?;
    if !gpu.rating().power_range_milliwatts().contains(&milliwatts) {
        return Err(Refusal::InvalidArgument);
    }
    gpu.request_power_limit(milliwatts, now_ms);
    Ok(())
}

pub(super) fn enforced_limit_milliwatts(gpu: &GpuCell) -> c_uint {
    let requested = gpu.request().power_limit_milliwatts;
    match gpu.telemetry().out_of_band_limit_milliwatts {
        0 => requested,
        from_outside => requested.min(from_outside),
    }
}
