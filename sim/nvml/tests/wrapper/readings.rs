//! What the plant publishes is what NVML callers read.

use std::collections::BTreeSet;
use std::ptr::null_mut;

use eisbach_nvml_sim::{DRIVER_VERSION, throttle};
use nvml_wrapper::FieldIdScheme;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, PerformanceState, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::enums::device::{DeviceArchitecture, SampleValue};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper_sys::bindings::{nvmlFieldValue_t, nvmlMarginTemperature_t, nvmlTemperature_t, nvmlValue_t};

use crate::node::{GPUS, INVALID_ARGUMENT, NOT_SUPPORTED, SUCCESS, handle, nvml, on_a_node, publish, raw};

#[test]
fn eight_gpus_answer_with_names_uuids_and_places_that_lead_back_to_them() {
    on_a_node(|state| {
        let nvml = nvml();
        assert_eq!(nvml.device_count().unwrap(), GPUS);
        assert_eq!(nvml.sys_driver_version().unwrap(), DRIVER_VERSION);
        assert_eq!(nvml.sys_nvml_version().unwrap(), format!("13.{DRIVER_VERSION}"));
        assert_eq!(nvml.sys_cuda_driver_version().unwrap(), 13_000);
        assert_eq!(nvml.field_id_scheme(), FieldIdScheme::V13Update1);

        let mut uuids = BTreeSet::new();
        for index in 0..GPUS {
            let device = nvml.device_by_index(index).unwrap();
            let uuid = device.uuid().unwrap();
            let bus_id = device.pci_info().unwrap().bus_id;
            assert_eq!(device.name().unwrap(), "NVIDIA H200");
            assert_eq!(uuid, state.gpu(index as usize).unwrap().uuid());
            assert_eq!(device.serial().unwrap(), state.gpu(index as usize).unwrap().serial());
            assert_eq!(device.architecture().unwrap(), DeviceArchitecture::Hopper);
            assert_eq!(device.minor_number().unwrap(), index);
            assert_eq!(nvml.device_by_uuid(uuid.as_str()).unwrap().index().unwrap(), index);
            assert_eq!(nvml.device_by_pci_bus_id(bus_id).unwrap().index().unwrap(), index);
            assert!(uuids.insert(uuid));
        }
        assert!(matches!(nvml.device_by_index(GPUS), Err(NvmlError::InvalidArg)));
        assert!(matches!(nvml.device_by_uuid("GPU-no-such"), Err(NvmlError::NotFound)));
        assert!(matches!(nvml.device_by_pci_bus_id("0000:FF:00.0"), Err(NvmlError::NotFound)));
    });
}

#[test]
fn readings_follow_the_plant() {
    on_a_node(|state| {
        let nvml = nvml();
        publish(state.gpu(3).unwrap(), |plant| {
            plant.core_celsius = 71.9;
            plant.hbm_celsius = 83.2;
            plant.power_average_watts = 655.25;
            plant.power_instant_watts = 690.5;
            plant.energy_joules = 1234.5;
            plant.utilisation_percent = 97;
            plant.memory_utilisation_percent = 41;
            plant.sm_clock_mhz = 1755;
            plant.throttle_reasons = throttle::SW_POWER_CAP | throttle::SW_THERMAL;
            plant.pstate = 2;
            plant.ecc_corrected = 5;
            plant.memory_used_mib = 1024;
            plant.workload_pid = 4242;
        });
        let device = nvml.device_by_index(3).unwrap();
        assert_eq!(device.temperature(TemperatureSensor::Gpu).unwrap(), 71);
        assert_eq!(device.power_usage().unwrap(), 655_250);
        assert_eq!(device.total_energy_consumption().unwrap(), 1_234_500);
        assert_eq!(device.utilization_rates().unwrap().gpu, 97);
        assert_eq!(device.utilization_rates().unwrap().memory, 41);
        assert_eq!(device.clock_info(Clock::SM).unwrap(), 1755);
        assert_eq!(device.performance_state().unwrap(), PerformanceState::Two);
        let reasons = device.current_throttle_reasons_strict().unwrap();
        assert_eq!(reasons, ThrottleReasons::SW_POWER_CAP | ThrottleReasons::SW_THERMAL_SLOWDOWN);
        assert!(device.supported_throttle_reasons_strict().unwrap().contains(reasons));
        assert_eq!(device.total_ecc_errors(MemoryError::Corrected, EccCounter::Volatile).unwrap(), 5);
        assert_eq!(device.memory_info().unwrap().used, 1 << 30);
        let running = device.running_compute_processes().unwrap();
        assert_eq!(running.iter().map(|process| process.pid).collect::<Vec<_>>(), [4242]);

        let neighbour = nvml.device_by_index(4).unwrap();
        assert_eq!(neighbour.temperature(TemperatureSensor::Gpu).unwrap(), 28);
        assert!(neighbour.running_compute_processes().unwrap().is_empty());
    });
}

#[test]
fn ratings_are_those_of_an_h200() {
    on_a_node(|_| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        let threshold = |kind| device.temperature_threshold(kind);
        assert_eq!(threshold(TemperatureThreshold::GpuMax).unwrap(), 87);
        assert_eq!(threshold(TemperatureThreshold::Slowdown).unwrap(), 89);
        assert_eq!(threshold(TemperatureThreshold::Shutdown).unwrap(), 95);
        assert_eq!(threshold(TemperatureThreshold::MemoryMax).unwrap(), 95);
        assert!(matches!(threshold(TemperatureThreshold::AcousticMin), Err(NvmlError::NotSupported)));

        let range = device.power_management_limit_constraints().unwrap();
        assert_eq!((range.min_limit, range.max_limit), (200_000, 700_000));
        assert_eq!(device.power_management_limit_default().unwrap(), 700_000);
        assert_eq!(device.max_clock_info(Clock::SM).unwrap(), 1980);
        assert_eq!(device.supported_memory_clocks().unwrap(), [3201]);
        let clocks = device.supported_graphics_clocks(3201).unwrap();
        assert_eq!((clocks.len(), clocks[0], clocks[109]), (110, 1980, 345));
        assert!(matches!(device.supported_graphics_clocks(1), Err(NvmlError::NotFound)));
    });
}

#[test]
fn temperature_and_margin_add_up_to_the_highest_operating_temperature() {
    on_a_node(|state| {
        let nvml = nvml();
        let gpu = handle(&nvml, 1);
        for celsius in [28.0, 86.99, 87.0, 95.5] {
            publish(state.gpu(1).unwrap(), |plant| plant.core_celsius = celsius);
            let mut margin = nvmlMarginTemperature_t { version: 8 | 1 << 24, marginTemperature: 0 };
            assert_eq!(raw!(nvml, nvmlDeviceGetMarginTemperature(gpu, &raw mut margin)), SUCCESS);
            let mut core = nvmlTemperature_t { version: 12 | 1 << 24, sensorType: 0, temperature: 0 };
            assert_eq!(raw!(nvml, nvmlDeviceGetTemperatureV(gpu, &raw mut core)), SUCCESS);
            assert_eq!(core.temperature + margin.marginTemperature, 87);
        }
    });
}

#[test]
fn a_structure_of_another_version_is_refused() {
    on_a_node(|_| {
        let nvml = nvml();
        let gpu = handle(&nvml, 0);
        for version in [0, 8, 8 | 2 << 24, 12 | 1 << 24] {
            let mut margin = nvmlMarginTemperature_t { version, marginTemperature: 0 };
            assert_eq!(raw!(nvml, nvmlDeviceGetMarginTemperature(gpu, &raw mut margin)), 25);
        }
        let mut core = nvmlTemperature_t { version: 8 | 1 << 24, sensorType: 0, temperature: 0 };
        assert_eq!(raw!(nvml, nvmlDeviceGetTemperatureV(gpu, &raw mut core)), 25);
    });
}

#[test]
fn each_field_has_its_own_type_and_return_code() {
    on_a_node(|state| {
        let nvml = nvml();
        state.set_plant_time_ms(12);
        publish(state.gpu(0).unwrap(), |plant| {
            plant.hbm_celsius = 66.6;
            plant.power_average_watts = 500.0;
            plant.power_instant_watts = 510.0;
            plant.out_of_band_limit_milliwatts = 450_000;
            plant.energy_joules = f64::NAN;
        });
        let read = |field: u32, scope: u32| {
            let mut value = nvmlFieldValue_t {
                fieldId: field,
                scopeId: scope,
                timestamp: 0,
                latencyUsec: 0,
                valueType: 0,
                nvmlReturn: 0,
                value: nvmlValue_t { ullVal: 0 },
            };
            assert_eq!(raw!(nvml, nvmlDeviceGetFieldValues(handle(&nvml, 0), 1, &raw mut value)), SUCCESS);
            assert_eq!((value.fieldId, value.timestamp), (field, 12_000));
            // SAFETY: every bit pattern is an integer.
            (value.nvmlReturn, value.valueType, unsafe { value.value.siVal })
        };
        for (field, tlimit) in [(193, -8), (194, -2), (195, 0), (196, 0)] {
            assert_eq!(read(field, 0), (SUCCESS, 5, tlimit), "field {field} is a signed int");
        }
        for (field, value) in
            [(82, 66), (185, 500_000), (186, 510_000), (187, 200_000), (190, 450_000), (192, 700_000)]
        {
            assert_eq!(read(field, 0), (SUCCESS, 1, value), "field {field} is an unsigned int");
        }
        assert_eq!(read(186, 1).0, NOT_SUPPORTED, "no module scope");
        assert_eq!(read(251, 0).0, NOT_SUPPORTED);
        assert_eq!(read(191, 0).0, 999, "a sensor that cannot be read");
    });
}

#[test]
fn one_batch_of_fields_reads_good_and_bad_ones_alike() {
    on_a_node(|_| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        let values = device.field_values_for(&[FieldId(82), FieldId(1), FieldId(186)]).unwrap();
        let value = |index: usize| values[index].as_ref().unwrap().value.as_ref();
        assert!(matches!(value(0), Ok(SampleValue::U32(42))));
        assert!(matches!(value(1), Err(NvmlError::NotSupported)));
        assert!(matches!(value(2), Ok(SampleValue::U32(75_000))));
    });
}

#[test]
fn a_null_pointer_or_a_strange_handle_is_an_invalid_argument() {
    on_a_node(|_| {
        let nvml = nvml();
        let (gpu, mut number) = (handle(&nvml, 0), 0);
        assert_eq!(raw!(nvml, nvmlDeviceGetPowerUsage(gpu, null_mut())), INVALID_ARGUMENT);
        assert_eq!(raw!(nvml, nvmlDeviceGetMarginTemperature(gpu, null_mut())), INVALID_ARGUMENT);
        assert_eq!(raw!(nvml, nvmlDeviceGetFieldValues(gpu, 1, null_mut())), INVALID_ARGUMENT);
        assert_eq!(raw!(nvml, nvmlDeviceGetName(gpu, null_mut(), 96)), INVALID_ARGUMENT);
        assert_eq!(raw!(nvml, nvmlDeviceGetCount_v2(null_mut())), INVALID_ARGUMENT);
        assert_eq!(raw!(nvml, nvmlDeviceGetPowerUsage(null_mut(), &raw mut number)), INVALID_ARGUMENT);
        let beyond = gpu.wrapping_byte_add(GPUS as usize);
        assert_eq!(raw!(nvml, nvmlDeviceGetPowerUsage(beyond, &raw mut number)), INVALID_ARGUMENT);
    });
}
