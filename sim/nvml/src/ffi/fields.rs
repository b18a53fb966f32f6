//! Field values: many readings in one call, each with its own return code and type.

use std::ffi::{c_int, c_longlong, c_uint};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    field_id as id, nvmlDevice_t, nvmlFieldValue_t, nvmlValue_t, nvmlValueType_t,
};

use super::export;
use super::power::enforced_limit_milliwatts;
use super::refusal::Refusal;
use super::sensors::power_milliwatts;
use super::session::{offers, on_gpu_of_node, supports};
use super::units::{millijoules, whole_celsius};
use crate::shm::{Condition, Features, GpuCell, Recovery, Telemetry};

export! {
    /// Reads the fields named in `values`, in place.
    fn nvmlDeviceGetFieldValues(device: nvmlDevice_t, count: c_int, values: *mut nvmlFieldValue_t) {
        offers(Features::FIELD_VALUES)?;
        let count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(Refusal::InvalidArgument)?;
        if values.is_null() {
            return Err(Refusal::InvalidArgument);
        }
        on_gpu_of_node(&device, |gpu, state| {
            let stamp = state.plant_time_ms().saturating_mul(1000);
            let stamp = c_longlong::try_from(stamp).unwrap_or(c_longlong::MAX);
            let latency = c_longlong::from(gpu.faults().slow_ms) * 1000;
            for index in 0..count {
                // SAFETY: `count` is the caller's own; not null; the caller fills in the field and the scope.
                let (sample, asked) = unsafe {
                    let sample = values.nth(index);
                    let asked = sample.get()?;
                    (sample, asked)
                };
                let answered = answer(gpu, asked);
                sample.put(nvmlFieldValue_t { timestamp: stamp, latencyUsec: latency, ..answered })?;
            }
            Ok(())
        })
    }
}

/// One reading in the type the driver gives it.
enum Value {
    Unsigned(c_uint),
    /// The T.Limit fields, which `nvml-wrapper` 0.13 cannot read.
    Signed(c_int),
    Counter(u64),
    /// What a sensor gives that makes no sense: some drivers name the type of field 82 so.
    Double(f64),
}

impl Value {
    fn into_c(self) -> (nvmlValueType_t, nvmlValue_t) {
        match self {
            Self::Unsigned(value) => {
                (nvml::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT, nvmlValue_t { uiVal: value })
            }
            Self::Signed(value) => {
                (nvml::nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT, nvmlValue_t { siVal: value })
            }
            Self::Double(value) => {
                (nvml::nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE, nvmlValue_t { dVal: value })
            }
            Self::Counter(value) => {
                (nvml::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, nvmlValue_t { ullVal: value })
            }
        }
    }
}

fn answer(gpu: &GpuCell, asked: nvmlFieldValue_t) -> nvmlFieldValue_t {
    match read(gpu, asked.fieldId, asked.scopeId) {
        Ok(value) => {
            let (value_type, value) = value.into_c();
            let success = nvml::nvmlReturn_enum_NVML_SUCCESS;
            nvmlFieldValue_t { valueType: value_type, nvmlReturn: success, value, ..asked }
        }
        Err(refusal) => nvmlFieldValue_t {
            valueType: nvml::nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT,
            nvmlReturn: refusal.code(),
            value: nvmlValue_t { ullVal: 0 },
            ..asked
        },
    }
}

fn read(gpu: &GpuCell, field: c_uint, scope: c_uint) -> Result<Value, Refusal> {
    let field = as_in_bindings(field);
    match field {
        id::NVML_FI_DEV_POWER_AVERAGE => {
            supports(gpu, Features::POWER_AVERAGE)?;
            power(gpu, scope, |seen| seen.power_average_watts)
        }
        id::NVML_FI_DEV_POWER_INSTANT => power(gpu, scope, |seen| seen.power_instant_watts),
        _ if scope != nvml::NVML_POWER_SCOPE_GPU => Err(Refusal::NotSupported),
        id::NVML_FI_DEV_MEMORY_TEMP => memory_temperature(gpu),
        id::NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION | id::NVML_FI_DEV_ENERGY => {
            millijoules(gpu.telemetry().energy_joules).map(Value::Counter)
        }
        id::NVML_FI_DEV_POWER_MIN_LIMIT
        | id::NVML_FI_DEV_POWER_MAX_LIMIT
        | id::NVML_FI_DEV_POWER_DEFAULT_LIMIT
        | id::NVML_FI_DEV_POWER_CURRENT_LIMIT
        | id::NVML_FI_DEV_POWER_REQUESTED_LIMIT => Ok(Value::Unsigned(limit(gpu, field))),
        id::NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT
        | id::NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT
        | id::NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT
        | id::NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT => temperature_limit(gpu, field),
        id::NVML_FI_PWR_SMOOTHING_ENABLED..=id::NVML_FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE => {
            smoothing(gpu, field)
        }
        _ => health(gpu, field),
    }
}

/// Driver 580.82 gave the fields from 251 to 273 other numbers; the bindings here have the older ones.
const fn as_in_bindings(field: c_uint) -> c_uint {
    match field {
        251..=268 => field + 5,
        269..=273 => field - 18,
        same => same,
    }
}

/// Power of the GPU, or of its module.
fn power(gpu: &GpuCell, scope: c_uint, pick: impl FnOnce(&Telemetry) -> f32) -> Result<Value, Refusal> {
    supports(gpu, Features::POWER_FIELDS)?;
    let beside = match scope {
        nvml::NVML_POWER_SCOPE_GPU => 0,
        nvml::NVML_POWER_SCOPE_MODULE => {
            supports(gpu, Features::MODULE_POWER)?;
            gpu.rating().module_watts.saturating_mul(1000)
        }
        _ => return Err(Refusal::NotSupported),
    };
    power_milliwatts(gpu, pick).map(|own| Value::Unsigned(own.saturating_add(beside)))
}

fn memory_temperature(gpu: &GpuCell) -> Result<Value, Refusal> {
    supports(gpu, Features::HBM_TEMPERATURE)?;
    if gpu.faults().implausible {
        return Ok(Value::Double(f64::NAN));
    }
    Ok(Value::Unsigned(whole_celsius(gpu.telemetry().hbm_celsius)?.max(0).cast_unsigned()))
}

fn limit(gpu: &GpuCell, field: c_uint) -> c_uint {
    match field {
        id::NVML_FI_DEV_POWER_MIN_LIMIT => *gpu.rating().power_range_milliwatts().start(),
        id::NVML_FI_DEV_POWER_MAX_LIMIT => *gpu.rating().power_range_milliwatts().end(),
        id::NVML_FI_DEV_POWER_DEFAULT_LIMIT => gpu.rating().power_default_milliwatts(),
        id::NVML_FI_DEV_POWER_CURRENT_LIMIT => enforced_limit_milliwatts(gpu),
        _ => gpu.request().power_limit_milliwatts,
    }
}

/// A limit as the margin that is left when it is reached.
fn temperature_limit(gpu: &GpuCell, field: c_uint) -> Result<Value, Refusal> {
    supports(gpu, Features::TEMPERATURE_LIMIT_FIELDS)?;
    let rating = gpu.rating();
    let celsius = match field {
        id::NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT => rating.shutdown_celsius,
        id::NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT => rating.slowdown_celsius,
        // The memory counts from its own limit, the core from its own: both are where the margin is zero.
        _ => rating.max_operating_celsius,
    };
    Ok(Value::Signed(rating.max_operating_celsius.saturating_sub(celsius)))
}

fn smoothing(gpu: &GpuCell, field: c_uint) -> Result<Value, Refusal> {
    supports(gpu, Features::POWER_SMOOTHING)?;
    let request = gpu.request();
    match field {
        id::NVML_FI_PWR_SMOOTHING_ENABLED => Ok(Value::Unsigned(request.smoothing.into())),
        id::NVML_FI_PWR_SMOOTHING_MAX_NUM_PRESET_PROFILES => {
            Ok(Value::Unsigned(nvml::NVML_POWER_SMOOTHING_MAX_NUM_PROFILES))
        }
        id::NVML_FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE => Ok(Value::Unsigned(request.smoothing_preset)),
        _ => Err(Refusal::NotSupported),
    }
}

fn health(gpu: &GpuCell, field: c_uint) -> Result<Value, Refusal> {
    let (faults, telemetry) = (gpu.faults(), gpu.telemetry());
    let reset = faults.condition == Condition::ResetRequired || faults.remapped.pending;
    Ok(match field {
        id::NVML_FI_DEV_ECC_SBE_VOL_TOTAL | id::NVML_FI_DEV_ECC_SBE_AGG_TOTAL => {
            Value::Counter(telemetry.ecc_corrected.saturating_add(faults.ecc_corrected))
        }
        id::NVML_FI_DEV_ECC_DBE_VOL_TOTAL | id::NVML_FI_DEV_ECC_DBE_AGG_TOTAL => {
            Value::Counter(telemetry.ecc_uncorrected.saturating_add(faults.ecc_uncorrected))
        }
        id::NVML_FI_DEV_REMAPPED_COR => Value::Unsigned(faults.remapped.corrected),
        id::NVML_FI_DEV_REMAPPED_UNC => Value::Unsigned(faults.remapped.uncorrected),
        id::NVML_FI_DEV_REMAPPED_PENDING => Value::Unsigned(faults.remapped.pending.into()),
        id::NVML_FI_DEV_REMAPPED_FAILURE => Value::Unsigned(faults.remapped.failed.into()),
        id::NVML_FI_DEV_RESET_STATUS => Value::Unsigned(reset.into()),
        id::NVML_FI_DEV_DRAIN_AND_RESET_STATUS => {
            Value::Unsigned((faults.recovery == Recovery::DrainAndReset).into())
        }
        id::NVML_FI_DEV_GET_GPU_RECOVERY_ACTION => Value::Unsigned(faults.recovery.code()),
        _ => return Err(Refusal::NotSupported),
    })
}
