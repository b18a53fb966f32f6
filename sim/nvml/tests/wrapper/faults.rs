//! What goes wrong goes wrong as with the real library.

use std::ffi::CStr;
use std::sync::mpsc;
use std::thread;

use eisbach_nvml_sim::{Condition, Driver, Faults, Features, STATE_ENV, SharedState};
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper_sys::bindings::nvmlMarginTemperature_t;

use crate::node::{GPUS, NOT_SUPPORTED, SUCCESS, handle, load, nvml, on_a_node, raw};

fn break_gpu(state: &SharedState, index: usize, faults: Faults) {
    state.gpu(index).unwrap().set_faults(faults);
}

#[test]
fn a_lost_gpu_is_refused_on_lookup_and_on_calls_while_its_neighbours_answer() {
    on_a_node(|state| {
        let nvml = nvml();
        let known = nvml.device_by_index(3).unwrap();
        let uuid = known.uuid().unwrap();
        break_gpu(state, 3, Faults { condition: Condition::Lost, ..Faults::default() });

        assert!(matches!(nvml.device_by_index(3), Err(NvmlError::GpuLost)));
        assert!(matches!(nvml.device_by_uuid(uuid), Err(NvmlError::GpuLost)));
        assert!(matches!(known.power_usage(), Err(NvmlError::GpuLost)));
        assert!(matches!(known.field_values_for(&[FieldId(82)]), Err(NvmlError::GpuLost)));
        assert_eq!(nvml.device_count().unwrap(), GPUS, "a lost GPU still counts");
        for index in (0..GPUS).filter(|index| *index != 3) {
            assert!(nvml.device_by_index(index).unwrap().power_usage().is_ok());
        }
    });
}

#[test]
fn a_gpu_that_needs_a_reset_says_so_and_works_after_it() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(1).unwrap();
        break_gpu(state, 1, Faults { condition: Condition::ResetRequired, ..Faults::default() });
        assert!(matches!(device.power_usage(), Err(NvmlError::ResetRequired)));
        assert!(matches!(device.set_power_management_limit(400_000), Err(NvmlError::ResetRequired)));
        break_gpu(state, 1, Faults::default());
        assert!(device.power_usage().is_ok());
    });
}

#[test]
fn a_hung_gpu_blocks_only_the_thread_that_asks_it() {
    on_a_node(|state| {
        let nvml = nvml();
        break_gpu(state, 2, Faults { hangs: true, ..Faults::default() });
        thread::scope(|scope| {
            let (going, gone) = mpsc::channel();
            let nvml = &nvml;
            let asking = scope.spawn(move || {
                let device = nvml.device_by_index(2).unwrap();
                going.send(()).unwrap();
                device.temperature(TemperatureSensor::Gpu)
            });
            gone.recv().unwrap();
            for _ in 0..1000 {
                for index in (0..GPUS).filter(|index| *index != 2) {
                    assert!(nvml.device_by_index(index).unwrap().power_usage().is_ok());
                }
            }
            assert!(!asking.is_finished(), "the hung call must not have come back");

            break_gpu(state, 2, Faults::default());
            assert_eq!(asking.join().unwrap().unwrap(), 28);
        });
    });
}

#[test]
fn a_gpu_that_hung_and_then_fell_off_the_bus_is_lost() {
    on_a_node(|state| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        break_gpu(state, 0, Faults { hangs: true, ..Faults::default() });
        thread::scope(|scope| {
            let asking = scope.spawn(|| device.power_usage());
            break_gpu(state, 0, Faults { condition: Condition::Lost, ..Faults::default() });
            assert!(matches!(asking.join().unwrap(), Err(NvmlError::GpuLost)));
        });
    });
}

#[test]
fn a_slow_gpu_tells_its_latency() {
    on_a_node(|state| {
        let nvml = nvml();
        break_gpu(state, 0, Faults { slow_ms: 3, ..Faults::default() });
        let device = nvml.device_by_index(0).unwrap();
        let values = device.field_values_for(&[FieldId(82)]).unwrap();
        assert_eq!(values[0].as_ref().unwrap().latency, 3_000);
    });
}

#[test]
fn what_a_gpu_lacks_is_not_supported_and_the_rest_works() {
    on_a_node(|state| {
        let nvml = nvml();
        let unsupported = Features::HBM_TEMPERATURE | Features::MARGIN_TEMPERATURE | Features::CLOCK_LOCK;
        break_gpu(state, 0, Faults { unsupported, ..Faults::default() });
        let mut device = nvml.device_by_index(0).unwrap();
        let lock = GpuLockedClocksSetting::Numeric { min_clock_mhz: 345, max_clock_mhz: 900 };
        assert!(matches!(device.set_gpu_locked_clocks(lock), Err(NvmlError::NotSupported)));
        let values = device.field_values_for(&[FieldId(82)]).unwrap();
        assert!(matches!(values[0].as_ref().unwrap().value, Err(NvmlError::NotSupported)));
        let mut margin = nvmlMarginTemperature_t { version: 8 | 1 << 24, marginTemperature: 0 };
        let outcome = raw!(nvml, nvmlDeviceGetMarginTemperature(handle(&nvml, 0), &raw mut margin));
        assert_eq!(outcome, NOT_SUPPORTED);
        device.set_power_management_limit(400_000).unwrap();
    });
}

#[test]
fn deprecated_calls_fail_once_the_driver_has_removed_them() {
    on_a_node(|state| {
        let nvml = nvml();
        let device = nvml.device_by_index(0).unwrap();
        assert!(device.temperature(TemperatureSensor::Gpu).is_ok());
        state.set_deprecated_calls_removed(true);
        let temperature = device.temperature(TemperatureSensor::Gpu);
        assert!(matches!(temperature, Err(NvmlError::UnexpectedVariant(26))), "{temperature:?}");
        assert!(matches!(device.current_throttle_reasons(), Err(NvmlError::UnexpectedVariant(26))));
        let mut reasons = 0;
        let gpu = handle(&nvml, 0);
        assert_eq!(raw!(nvml, nvmlDeviceGetCurrentClocksEventReasons(gpu, &raw mut reasons)), SUCCESS);
    });
}

#[test]
fn without_a_driver_nothing_works_and_a_replaced_driver_is_noticed() {
    on_a_node(|state| {
        state.set_driver(Driver::NotLoaded);
        assert!(matches!(load(), Err(NvmlError::DriverNotLoaded)));
        state.set_driver(Driver::VersionMismatch);
        assert!(matches!(load(), Err(NvmlError::LibRmVersionMismatch)));
        state.set_driver(Driver::Loaded);
        let nvml = nvml();
        state.set_driver(Driver::VersionMismatch);
        assert!(matches!(nvml.device_by_index(0), Err(NvmlError::LibRmVersionMismatch)));
    });
}

#[test]
fn without_a_state_file_there_is_no_driver() {
    on_a_node(|_| {
        std::fs::remove_file(std::env::var_os(STATE_ENV).unwrap()).unwrap();
        assert!(matches!(load(), Err(NvmlError::DriverNotLoaded)));
    });
}

#[test]
fn an_init_that_hangs_comes_back_when_it_is_released() {
    on_a_node(|state| {
        state.set_init_hangs(true);
        thread::scope(|scope| {
            let (going, gone) = mpsc::channel();
            let loading = scope.spawn(move || {
                going.send(()).unwrap();
                load().unwrap().device_count().unwrap()
            });
            gone.recv().unwrap();
            assert!(!loading.is_finished());
            state.set_init_hangs(false);
            assert_eq!(loading.join().unwrap(), GPUS);
        });
    });
}

#[test]
fn nvml_works_until_the_last_of_its_inits_is_shut_down() {
    on_a_node(|_| {
        let nvml = nvml();
        let (mut count, uninitialized) = (0, 1);
        assert_eq!(raw!(nvml, nvmlInitWithFlags(1)), SUCCESS);
        assert_eq!(raw!(nvml, nvmlShutdown()), SUCCESS);
        assert_eq!(raw!(nvml, nvmlDeviceGetCount_v2(&raw mut count)), SUCCESS);
        assert_eq!(raw!(nvml, nvmlShutdown()), SUCCESS);
        assert_eq!(raw!(nvml, nvmlDeviceGetCount_v2(&raw mut count)), uninitialized);
        assert_eq!(raw!(nvml, nvmlShutdown()), uninitialized);
    });
}

#[test]
fn loading_and_dropping_the_library_leaves_nothing_mapped() {
    on_a_node(|_| {
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let count = |name: &str| maps().lines().filter(|line| line.contains(name)).count();
        let at_rest = count("nvml.state");
        for _ in 0..20 {
            let nvml = nvml();
            assert_eq!(nvml.device_count().unwrap(), GPUS);
            assert_eq!(count("nvml.state"), at_rest + 1);
        }
        assert_eq!((count("nvml.state"), count("libeisbach_nvml_sim")), (at_rest, 0));
    });
}

#[test]
fn every_return_code_has_words() {
    on_a_node(|_| {
        let nvml = nvml();
        let words = |code| {
            // SAFETY: a C string that lives as long as the library.
            unsafe { CStr::from_ptr(nvml.lib().nvmlErrorString(code)) }.to_str().unwrap()
        };
        assert_eq!(words(15), "GPU is lost");
        assert_eq!(words(12_345), "Unknown Error");
    });
}
