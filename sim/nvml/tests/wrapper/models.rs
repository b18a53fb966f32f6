//! Each model has its own limits, and lacks what the real one lacks.

use eisbach_nvml_sim::GpuModel;
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureThreshold};
use nvml_wrapper::enums::device::DeviceArchitecture;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings::{nvmlFieldValue_t, nvmlMarginTemperature_t, nvmlValue_t};

use crate::node::{NOT_SUPPORTED, SUCCESS, handle, nvml, on_a_node_of, publish, raw};

/// Return code, and the value as a signed number.
fn field(nvml: &Nvml, id: u32, scope: u32) -> (u32, i32) {
    let mut value = nvmlFieldValue_t {
        fieldId: id,
        scopeId: scope,
        timestamp: 0,
        latencyUsec: 0,
        valueType: 0,
        nvmlReturn: 0,
        value: nvmlValue_t { ullVal: 0 },
    };
    assert_eq!(raw!(nvml, nvmlDeviceGetFieldValues(handle(nvml, 0), 1, &raw mut value)), SUCCESS);
    // SAFETY: every bit pattern is an integer.
    (value.nvmlReturn, unsafe { value.value.siVal })
}

fn margin(nvml: &Nvml) -> (u32, i32) {
    let mut margin = nvmlMarginTemperature_t { version: 8 | 1 << 24, marginTemperature: 0 };
    let outcome = raw!(nvml, nvmlDeviceGetMarginTemperature(handle(nvml, 0), &raw mut margin));
    (outcome, margin.marginTemperature)
}

#[test]
fn an_a100_knows_absolute_limits_only_and_tells_power_as_it_is_now() {
    on_a_node_of(GpuModel::A100, |state| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(device.architecture().unwrap(), DeviceArchitecture::Ampere);
        assert_eq!(device.temperature_threshold(TemperatureThreshold::Slowdown).unwrap(), 89);
        assert_eq!((margin(&nvml).0, field(&nvml, 194, 0).0), (NOT_SUPPORTED, NOT_SUPPORTED));
        assert_eq!(device.power_management_limit_default().unwrap(), 400_000);

        publish(state.gpu(0).unwrap(), |plant| {
            plant.power_average_watts = 300.0;
            plant.power_instant_watts = 350.0;
        });
        assert_eq!(device.power_usage().unwrap(), 350_000);
        assert_eq!((field(&nvml, 185, 0).0, field(&nvml, 186, 0)), (NOT_SUPPORTED, (SUCCESS, 350_000)));
    });
}

#[test]
fn a_b200_slows_three_kelvin_beyond_its_margin_and_has_one_memory_clock() {
    on_a_node_of(GpuModel::B200, |_| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(device.architecture().unwrap(), DeviceArchitecture::Blackwell);
        assert_eq!((field(&nvml, 193, 0), field(&nvml, 194, 0)), ((SUCCESS, -5), (SUCCESS, -3)));
        assert_eq!(margin(&nvml), (SUCCESS, 88 - 28));
        assert_eq!(device.temperature_threshold(TemperatureThreshold::Slowdown).unwrap(), 91);
        let range = device.power_management_limit_constraints().unwrap();
        assert_eq!((range.min_limit, range.max_limit), (200_000, 1_000_000));
        assert_eq!(device.supported_memory_clocks().unwrap(), [3996]);
        assert_eq!(device.max_clock_info(Clock::SM).unwrap(), 1965);
    });
}

#[test]
fn a_gb200_tells_no_absolute_limit_and_the_power_of_its_module() {
    on_a_node_of(GpuModel::Gb200, |state| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        let slowdown = device.temperature_threshold(TemperatureThreshold::Slowdown);
        assert!(matches!(slowdown, Err(NvmlError::NotSupported)));
        assert_eq!((field(&nvml, 194, 0), margin(&nvml).0), ((SUCCESS, -2), SUCCESS));
        publish(state.gpu(0).unwrap(), |plant| plant.power_instant_watts = 900.0);
        assert_eq!(field(&nvml, 186, 0), (SUCCESS, 900_000));
        assert_eq!(field(&nvml, 186, 1), (SUCCESS, 1_000_000), "with the processor");
        assert_eq!(device.power_management_limit_default().unwrap(), 1_200_000);
    });
}

#[test]
fn an_h100_is_an_h200_with_less_memory() {
    on_a_node_of(GpuModel::H100, |_| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(device.name().unwrap(), "NVIDIA H100 80GB HBM3");
        assert_eq!(device.memory_info().unwrap().total, 81_559 << 20);
        assert_eq!((field(&nvml, 193, 0), field(&nvml, 194, 0)), ((SUCCESS, -8), (SUCCESS, -2)));
        assert_eq!(device.cuda_compute_capability().unwrap().major, 9);
    });
}
