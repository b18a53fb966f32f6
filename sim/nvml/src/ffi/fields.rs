//! Field values: many readings in one call, each with its own return code and type.

use std::ffi::{c_int, c_longlong, c_uint};

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    field_id as id, nvmlDevice_t, nvmlFieldValue_t, nvmlValue_t, nvmlValueType_t,
};

use super::export;
use super::power::enforced_limit_milliwatts;
use super::refusal::Refusal;
use super::session::{on_gpu_of_node, supports};
use super::units::{millijoules, milliwatts, whole_celsius};
use crate::shm::{Features, GpuCell};

export! {
    /// Reads the fields named in `values`, in place.
    fn nvmlDeviceGetFieldValues(device: nvmlDevice_t, count: c_int, values: *mut nvmlFieldValue_t) {
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
    if scope != nvml::NVML_POWER_SCOPE_GPU {
        return Err(Refusal::NotSupported);
    }
    let (telemetry, rating) = (gpu.telemetry(), gpu.rating());
    let below_max = |celsius: i32| {
        supports(gpu, Features::TEMPERATURE_LIMIT_FIELDS)?;
        Ok(Value::Signed(rating.max_operating_celsius.saturating_sub(celsius)))
    };
    match field {
        id::NVML_FI_DEV_MEMORY_TEMP => {
            supports(gpu, Features::HBM_TEMPERATURE)?;
            Ok(Value::Unsigned(whole_celsius(telemetry.hbm_celsius)?.max(0).cast_unsigned()))
        }
        id::NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION | id::NVML_FI_DEV_ENERGY => {
            millijoules(telemetry.energy_joules).map(Value::Counter)
        }
        id::NVML_FI_DEV_POWER_AVERAGE => {
            supports(gpu, Features::POWER_FIELDS)?;
            milliwatts(telemetry.power_average_watts).map(Value::Unsigned)
        }
        id::NVML_FI_DEV_POWER_INSTANT => {
            supports(gpu, Features::POWER_FIELDS)?;
            milliwatts(telemetry.power_instant_watts).map(Value::Unsigned)
        }
        id::NVML_FI_DEV_POWER_MIN_LIMIT => Ok(Value::Unsigned(*rating.power_range_milliwatts().start())),
        id::NVML_FI_DEV_POWER_MAX_LIMIT => Ok(Value::Unsigned(*rating.power_range_milliwatts().end())),
        id::NVML_FI_DEV_POWER_DEFAULT_LIMIT => Ok(Value::Unsigned(rating.power_default_milliwatts())),
        id::NVML_FI_DEV_POWER_CURRENT_LIMIT => Ok(Value::Unsigned(enforced_limit_milliwatts(gpu))),
        id::NVML_FI_DEV_POWER_REQUESTED_LIMIT => Ok(Value::Unsigned(gpu.request().power_limit_milliwatts)),
        id::NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT => below_max(rating.shutdown_celsius),
        id::NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT => below_max(rating.slowdown_celsius),
        // The memory counts from its own limit, the core from its own: both are where the margin is zero.
        id::NVML_FI_DEV_TEMPERATURE_MEM_MAX_TLIMIT | id::NVML_FI_DEV_TEMPERATURE_GPU_MAX_TLIMIT => {
            below_max(rating.max_operating_celsius)
        }
        _ => Err(Refusal::NotSupported),
    }
}
