//! Temperatures, thresholds and the thermal margin.

use std::ffi::c_uint;

use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlMarginTemperature_t, nvmlTemperature_t,
    nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU, nvmlTemperatureSensors_t,
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_COUNT as COUNT,
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_GPU_MAX as GPU_MAX,
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_MEM_MAX as MEM_MAX,
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SHUTDOWN as SHUTDOWN,
    nvmlTemperatureThresholds_enum_NVML_TEMPERATURE_THRESHOLD_SLOWDOWN as SLOWDOWN,
    nvmlTemperatureThresholds_t,
};

use super::edge::expect_version;
use super::export;
use super::refusal::Refusal;
use super::sensors::{core_celsius, margin_kelvin};
use super::session::{offers, on_gpu, on_gpu_of_node, still_offered, supports};
use crate::shm::Features;

export! {
    /// Core temperature in °C; deprecated in CUDA 13 for [`nvmlDeviceGetTemperatureV`].
    fn nvmlDeviceGetTemperature(
        device: nvmlDevice_t,
        sensor: nvmlTemperatureSensors_t,
        temperature: *mut c_uint,
    ) {
        core_sensor(sensor)?;
        temperature.put(on_gpu_of_node(&device, |gpu, state| {
            still_offered(state)?;
            Ok(core_celsius(gpu)?.max(0).cast_unsigned())
        })?)
    }

    /// Core temperature in °C.
    fn nvmlDeviceGetTemperatureV(device: nvmlDevice_t, temperature: *mut nvmlTemperature_t) {
        offers(Features::TEMPERATURE_V)?;
        // SAFETY: the caller fills in version and sensor.
        let asked = unsafe { temperature.get() }?;
        expect_version::<nvmlTemperature_t>(asked.version, 1)?;
        core_sensor(asked.sensorType)?;
        let celsius = on_gpu(&device, |gpu| {
            supports(gpu, Features::TEMPERATURE_V)?;
            core_celsius(gpu)
        })?;
        temperature.put(nvmlTemperature_t { temperature: celsius, ..asked })
    }

    /// A temperature limit in °C, as an absolute value.
    fn nvmlDeviceGetTemperatureThreshold(
        device: nvmlDevice_t,
        threshold: nvmlTemperatureThresholds_t,
        temperature: *mut c_uint,
    ) {
        let rating = on_gpu(&device, |gpu| {
            supports(gpu, Features::TEMPERATURE_THRESHOLDS)?;
            Ok(gpu.rating())
        })?;
        let celsius = match threshold {
            SHUTDOWN => rating.shutdown_celsius,
            SLOWDOWN => rating.slowdown_celsius,
            MEM_MAX => rating.hbm_max_celsius,
            GPU_MAX => rating.max_operating_celsius,
            known if known < COUNT => return Err(Refusal::NotSupported),
            _ => return Err(Refusal::InvalidArgument),
        };
        temperature.put(celsius.max(0).cast_unsigned())
    }

    /// Degrees left until the highest operating temperature; below zero the GPU throttles by itself.
    fn nvmlDeviceGetMarginTemperature(device: nvmlDevice_t, margin: *mut nvmlMarginTemperature_t) {
        offers(Features::MARGIN_TEMPERATURE)?;
        // SAFETY: the caller fills in the version.
        let asked = unsafe { margin.get() }?;
        expect_version::<nvmlMarginTemperature_t>(asked.version, 1)?;
        let left = on_gpu(&device, |gpu| {
            supports(gpu, Features::MARGIN_TEMPERATURE)?;
            margin_kelvin(gpu)
        })?;
        margin.put(nvmlMarginTemperature_t { marginTemperature: left, ..asked })
    }
}

/// NVML knows one sensor.
fn core_sensor(sensor: nvmlTemperatureSensors_t) -> Result<(), Refusal> {
    (sensor == nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU).then_some(()).ok_or(Refusal::InvalidArgument)
}
