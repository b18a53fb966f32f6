//! What NVML callers set reaches the plant.

use eisbach_nvml_sim::ClockRange;
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::error::NvmlError;

use nvml_wrapper_sys::bindings::nvmlPowerValue_v2_t;

use crate::node::{NOT_SUPPORTED, SUCCESS, handle, nvml, on_a_node, publish, raw};

#[test]
fn a_power_limit_reaches_the_plant_with_the_plant_time_of_its_writing() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(5).unwrap();
        state.set_plant_time_ms(61_250);
        device.set_power_management_limit(400_000).unwrap();
        state.set_plant_time_ms(99_000);

        let request = state.gpu(5).unwrap().request();
        assert_eq!(request.power_limit_milliwatts, 400_000);
        assert_eq!(request.power_limit_written_ms, Some(61_250));
        assert_eq!((request.sequence, request.setter_calls), (1, 1));
        assert_eq!(device.power_management_limit().unwrap(), 400_000);
        assert_eq!(state.gpu(4).unwrap().request().power_limit_milliwatts, 700_000);
    });
}

#[test]
fn a_power_limit_outside_the_range_is_refused() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(0).unwrap();
        for milliwatts in [0, 199_999, 700_001, u32::MAX] {
            let refused = device.set_power_management_limit(milliwatts);
            assert!(matches!(refused, Err(NvmlError::InvalidArg)), "{milliwatts}");
        }
        let request = state.gpu(0).unwrap().request();
        assert_eq!((request.power_limit_milliwatts, request.power_limit_written_ms), (700_000, None));
        assert_eq!((request.sequence, request.setter_calls), (0, 4));
        device.set_power_management_limit(200_000).unwrap();
        device.set_power_management_limit(700_000).unwrap();
    });
}

#[test]
fn a_limit_with_a_scope_is_taken_for_the_gpu_alone() {
    on_a_node(|state| {
        let nvml = nvml();
        let set = |scope, version| {
            let mut limit = nvmlPowerValue_v2_t { version, powerScope: scope, powerValueMw: 450_000 };
            raw!(nvml, nvmlDeviceSetPowerManagementLimit_v2(handle(&nvml, 0), &raw mut limit))
        };
        assert_eq!([set(1, 12 | 2 << 24), set(0, 12 | 1 << 24)], [NOT_SUPPORTED, 25]);
        assert_eq!(state.gpu(0).unwrap().request().power_limit_milliwatts, 700_000);
        assert_eq!(set(0, 12 | 2 << 24), SUCCESS);
        assert_eq!(state.gpu(0).unwrap().request().power_limit_milliwatts, 450_000);
    });
}

#[test]
fn without_privilege_every_setter_is_refused() {
    on_a_node(|state| {
        let nvml = nvml();
        state.set_privileged(false);
        let mut device = nvml.device_by_index(0).unwrap();
        let lock = GpuLockedClocksSetting::Numeric { min_clock_mhz: 345, max_clock_mhz: 900 };
        let refused = [
            device.set_power_management_limit(400_000),
            device.set_gpu_locked_clocks(lock),
            device.reset_gpu_locked_clocks(),
            device.set_mem_locked_clocks(3201, 3201),
            device.reset_mem_locked_clocks(),
            device.set_persistent(false),
        ];
        for outcome in refused {
            assert!(matches!(outcome, Err(NvmlError::NoPermission)), "{outcome:?}");
        }
        let request = state.gpu(0).unwrap().request();
        assert_eq!((request.sequence, request.setter_calls), (0, 6));
        assert!(device.power_usage().is_ok(), "reading needs no privilege");
    });
}

#[test]
fn clock_locks_reach_the_plant_and_are_lifted_again() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(2).unwrap();
        let gpu = state.gpu(2).unwrap();
        let numeric =
            |min_clock_mhz, max_clock_mhz| GpuLockedClocksSetting::Numeric { min_clock_mhz, max_clock_mhz };
        state.set_plant_time_ms(500);
        device.set_gpu_locked_clocks(numeric(0, 1200)).unwrap();
        device.set_mem_locked_clocks(0, 5000).unwrap();
        let request = gpu.request();
        assert_eq!(request.sm_clock_lock, Some(ClockRange { min_mhz: 345, max_mhz: 1200 }));
        assert_eq!(request.memory_clock_lock, Some(ClockRange { min_mhz: 3201, max_mhz: 3201 }));
        assert_eq!(request.clock_written_ms, Some(500));
        assert!(matches!(device.set_gpu_locked_clocks(numeric(1200, 900)), Err(NvmlError::InvalidArg)));

        state.set_plant_time_ms(700);
        device.reset_gpu_locked_clocks().unwrap();
        device.reset_mem_locked_clocks().unwrap();
        let request = gpu.request();
        assert_eq!((request.sm_clock_lock, request.memory_clock_lock), (None, None));
        assert_eq!((request.clock_written_ms, request.sequence), (Some(700), 4));
    });
}

#[test]
fn a_limit_from_outside_lowers_the_enforced_one_and_not_the_requested_one() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(0).unwrap();
        device.set_power_management_limit(500_000).unwrap();
        publish(state.gpu(0).unwrap(), |plant| plant.out_of_band_limit_milliwatts = 300_000);
        assert_eq!(device.enforced_power_limit().unwrap(), 300_000);
        assert_eq!(device.power_management_limit().unwrap(), 500_000);
        device.set_power_management_limit(250_000).unwrap();
        assert_eq!(device.enforced_power_limit().unwrap(), 250_000);
    });
}

#[test]
fn persistence_mode_can_be_changed_and_read_back() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(0).unwrap();
        assert!(device.is_in_persistent_mode().unwrap());
        device.set_persistent(false).unwrap();
        assert!(!device.is_in_persistent_mode().unwrap());
        assert!(!state.gpu(0).unwrap().request().persistence);
    });
}

#[test]
fn a_limit_set_by_another_writer_is_read_back_like_our_own() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut device = nvml.device_by_index(0).unwrap();
        device.set_power_management_limit(300_000).unwrap();
        state.gpu(0).unwrap().request_power_limit(700_000, 5);
        assert_eq!(device.power_management_limit().unwrap(), 700_000);
    });
}
