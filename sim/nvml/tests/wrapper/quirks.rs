//! Sensors that freeze or talk nonsense, errors of memory, MIG, and a call that its disk holds.

use eisbach_nvml_sim::{BLOCK_FILE_ENV, Faults, Frozen, GpuCell, Recovery, RemappedRows};
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError, MemoryLocation, TemperatureSensor};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper_sys::bindings::nvmlMarginTemperature_t;

use crate::node::{SUCCESS, handle, nvml, on_a_node, publish, raw};

fn change(gpu: &GpuCell, change: impl FnOnce(&mut Faults)) {
    let mut faults = gpu.faults();
    change(&mut faults);
    gpu.set_faults(faults);
}

/// Temperature and margin.
fn shown(nvml: &Nvml) -> (u32, i32) {
    let mut margin = nvmlMarginTemperature_t { version: 8 | 1 << 24, marginTemperature: 0 };
    assert_eq!(raw!(nvml, nvmlDeviceGetMarginTemperature(handle(nvml, 0), &raw mut margin)), SUCCESS);
    let core = nvml.device_by_index(0).unwrap().temperature(TemperatureSensor::Gpu).unwrap();
    (core, margin.marginTemperature)
}

#[test]
fn one_reading_freezes_while_the_other_goes_on() {
    on_a_node(|state| {
        let nvml = nvml();
        let gpu = state.gpu(0).unwrap();
        let heat = |celsius| publish(gpu, |plant| plant.core_celsius = celsius);
        heat(50.0);
        change(gpu, |faults| faults.frozen = Frozen::Temperature);
        heat(70.0);
        change(gpu, |faults| faults.slow_ms = 0);
        assert_eq!(shown(&nvml), (50, 17), "another fault does not thaw it");
        change(gpu, |faults| faults.frozen = Frozen::Margin);
        heat(80.0);
        assert_eq!(shown(&nvml), (80, 17));
        change(gpu, |faults| faults.frozen = Frozen::Nothing);
        assert_eq!(shown(&nvml), (80, 7));
    });
}

#[test]
fn a_sensor_that_talks_nonsense_says_what_no_gpu_can_be() {
    on_a_node(|state| {
        let nvml = nvml();
        change(state.gpu(0).unwrap(), |faults| faults.implausible = true);
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(shown(&nvml), (255, i32::MAX));
        assert_eq!(device.power_usage().unwrap(), u32::MAX);
        let values = device.field_values_for(&[FieldId(82)]).unwrap();
        let memory = values[0].as_ref().unwrap().value.as_ref();
        assert!(matches!(memory, Ok(SampleValue::F64(celsius)) if celsius.is_nan()), "{memory:?}");
    });
}

#[test]
fn memory_errors_are_counted_and_ask_for_a_reset() {
    on_a_node(|state| {
        let nvml = nvml();
        let gpu = state.gpu(0).unwrap();
        publish(gpu, |plant| plant.ecc_uncorrected = 1);
        change(gpu, |faults| {
            faults.ecc_uncorrected = 2;
            faults.remapped = RemappedRows { corrected: 1, uncorrected: 4, pending: true, failed: false };
            faults.recovery = Recovery::DrainAndReset;
        });
        let device = nvml.device_by_index(0).unwrap();
        let (kind, since) = (MemoryError::Uncorrected, EccCounter::Volatile);
        assert_eq!(device.total_ecc_errors(kind, since).unwrap(), 3);
        let place = MemoryLocation::Device;
        assert_eq!(device.memory_error_counter(kind, since, place).unwrap(), 3);

        let (mut corrected, mut uncorrected, mut pending, mut failed) = (0, 0, 0, 0);
        let places = (&raw mut corrected, &raw mut uncorrected, &raw mut pending, &raw mut failed);
        let gpu = handle(&nvml, 0);
        let outcome = raw!(nvml, nvmlDeviceGetRemappedRows(gpu, places.0, places.1, places.2, places.3));
        assert_eq!((outcome, corrected, uncorrected, pending, failed), (SUCCESS, 1, 4, 1, 0));

        let asked = [226, 227, 230, 144].map(FieldId);
        let told = device.field_values_for(&asked).unwrap();
        let number = |index: usize| match told[index].as_ref().unwrap().value {
            Ok(SampleValue::U32(number)) => number,
            _ => panic!("{told:?}"),
        };
        assert_eq!([0, 1, 2, 3].map(number), [1, 1, 4, 1]);
    });
}

#[test]
fn with_mig_utilisation_is_not_told() {
    on_a_node(|state| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(device.mig_mode().unwrap().current, 0);
        change(state.gpu(0).unwrap(), |faults| faults.mig = true);
        assert_eq!(device.mig_mode().unwrap().current, 1);
        assert!(matches!(device.utilization_rates(), Err(NvmlError::NotSupported)));
        assert_eq!(device.mig_device_count().unwrap(), 7);
        assert!(device.power_usage().is_ok());
    });
}

#[test]
fn a_blocked_call_writes_to_the_named_file() {
    on_a_node(|state| {
        let nvml = nvml();
        let file = std::env::var_os(BLOCK_FILE_ENV).unwrap();
        let device = nvml.device_by_index(0).unwrap();
        assert!(device.power_usage().is_ok() && !std::path::Path::new(&file).exists());
        change(state.gpu(0).unwrap(), |faults| faults.blocks = true);
        assert!(device.power_usage().is_ok(), "its disk is not frozen");
        assert_eq!(std::fs::read(&file).unwrap(), b"call\n");
    });
}
