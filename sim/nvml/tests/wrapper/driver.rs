//! Driver and library: gone, back, replaced, older than the caller, let go of.

use std::fs::File;
use std::path::PathBuf;

use eisbach_nvml_sim::{DRIVER_VERSION, Driver, Features, NEXT_DRIVER_VERSION, STATE_ENV};
use nvml_wrapper::bitmasks::InitFlags;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper_sys::bindings::{nvmlMarginTemperature_t, nvmlTemperature_t};

use crate::node::{SUCCESS, handle, load, nvml, on_a_node, raw};

const FUNCTION_NOT_FOUND: u32 = 13;
const VERSION_MISMATCH: u32 = 18;

fn state_file() -> PathBuf {
    std::env::var_os(STATE_ENV).unwrap().into()
}

/// Open file descriptors of this process that lead to the state file.
fn open_files() -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    files
        .filter(|file| std::fs::read_link(file.as_ref().unwrap().path()).is_ok_and(|to| to == state_file()))
        .count()
}

#[test]
fn the_device_file_is_held_open_from_init_to_shutdown() {
    on_a_node(|_| {
        assert_eq!(open_files(), 0);
        let nvml = nvml();
        assert_eq!(open_files(), 1);
        assert_eq!(raw!(nvml, nvmlInitWithFlags(InitFlags::empty().bits())), SUCCESS);
        assert_eq!(raw!(nvml, nvmlShutdown()), SUCCESS);
        assert_eq!(open_files(), 1, "one init is left");
        drop(nvml);
        assert_eq!(open_files(), 0);
    });
}

#[test]
fn a_replaced_driver_is_refused_until_the_library_is_loaded_anew() {
    on_a_node(|state| {
        let old = nvml();
        old.device_by_index(0).unwrap().set_power_management_limit(300_000).unwrap();
        assert_eq!(old.sys_driver_version().unwrap(), DRIVER_VERSION);
        state.replace_driver();
        assert!(matches!(old.device_by_index(0), Err(NvmlError::LibRmVersionMismatch)));
        assert_eq!(raw!(old, nvmlShutdown()), SUCCESS);
        assert_eq!(raw!(old, nvmlInit_v2()), VERSION_MISMATCH, "the library is still the old one");
        drop(old);

        let new = nvml();
        assert_eq!(new.sys_driver_version().unwrap(), NEXT_DRIVER_VERSION);
        assert_eq!(new.device_by_index(0).unwrap().power_management_limit().unwrap(), 700_000);
    });
}

#[test]
fn a_driver_that_was_gone_has_forgotten_every_limit() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(0).unwrap();
        device.set_power_management_limit(300_000).unwrap();
        state.set_driver(Driver::NotLoaded);
        assert!(matches!(device.power_usage(), Err(NvmlError::DriverNotLoaded)));
        state.reload_driver();
        state.set_driver(Driver::Loaded);
        assert_eq!(device.power_management_limit().unwrap(), 700_000);
    });
}

#[test]
fn without_persistence_the_last_client_takes_the_limits_along() {
    on_a_node(|state| {
        let limits = || [0, 1].map(|gpu| state.gpu(gpu).unwrap().request().power_limit_milliwatts);
        let nvml = nvml();
        for index in [0, 1] {
            nvml.device_by_index(index).unwrap().set_power_management_limit(300_000).unwrap();
        }
        nvml.device_by_index(0).unwrap().set_persistent(false).unwrap();
        let other_client = File::open(state_file()).unwrap();
        other_client.lock_shared().unwrap();
        drop(nvml);
        assert_eq!(limits(), [300_000, 300_000], "somebody is left");

        drop(other_client);
        drop(load().unwrap());
        assert_eq!(limits(), [700_000, 300_000]);
    });
}

#[test]
fn an_older_library_lacks_the_newer_calls_and_has_the_older_ones() {
    on_a_node(|state| {
        let nvml = nvml();
        let gpu = handle(&nvml, 0);
        let mut core = nvmlTemperature_t { version: 12 | 1 << 24, sensorType: 0, temperature: 0 };
        let mut margin = nvmlMarginTemperature_t { version: 8 | 1 << 24, marginTemperature: 0 };
        let mut reasons = 0;
        state.set_missing_calls(Features::NEWER_THAN_DRIVER_565);
        assert_eq!(raw!(nvml, nvmlDeviceGetTemperatureV(gpu, &raw mut core)), FUNCTION_NOT_FOUND);
        assert_eq!(raw!(nvml, nvmlDeviceGetMarginTemperature(gpu, &raw mut margin)), FUNCTION_NOT_FOUND);
        let event_reasons = raw!(nvml, nvmlDeviceGetCurrentClocksEventReasons(gpu, &raw mut reasons));
        assert_eq!(event_reasons, FUNCTION_NOT_FOUND);
        let device = nvml.device_by_index(0).unwrap();
        assert_eq!(device.temperature(TemperatureSensor::Gpu).unwrap(), 28);
        assert!(device.current_throttle_reasons().is_ok());

        state.set_missing_calls(Features::FIELD_VALUES);
        assert!(device.field_values_for(&[nvml_wrapper::structs::device::FieldId(82)]).is_err());
        assert_eq!(raw!(nvml, nvmlDeviceGetTemperatureV(gpu, &raw mut core)), SUCCESS);
    });
}
