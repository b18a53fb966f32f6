//! What came with Blackwell: workload power profiles and power smoothing.

use eisbach_nvml_sim::GpuModel;
use nvml_wrapper_sys::bindings::{
    nvmlMask255_t, nvmlPowerSmoothingProfile_t, nvmlPowerSmoothingState_t, nvmlReturn_t,
    nvmlWorkloadPowerProfileCurrentProfiles_t, nvmlWorkloadPowerProfileInfo_t,
    nvmlWorkloadPowerProfileProfilesInfo_t, nvmlWorkloadPowerProfileRequestedProfiles_t,
};

use nvml_wrapper::Nvml;
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE, NVML_FI_PWR_SMOOTHING_ENABLED,
};

use crate::node::{INVALID_ARGUMENT, NOT_SUPPORTED, SUCCESS, handle, nvml, on_a_node, on_a_node_of, raw};

const NO_PERMISSION: nvmlReturn_t = 4;
const VERSION_MISMATCH: nvmlReturn_t = 25;
const NONE: nvmlMask255_t = nvmlMask255_t { mask: [0; 8] };

fn version<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap() | 1 << 24
}

fn only(profiles: u32) -> nvmlWorkloadPowerProfileRequestedProfiles_t {
    nvmlWorkloadPowerProfileRequestedProfiles_t {
        version: version::<nvmlWorkloadPowerProfileRequestedProfiles_t>(),
        requestedProfilesMask: nvmlMask255_t { mask: [profiles, 0, 0, 0, 0, 0, 0, 0] },
    }
}

fn request(nvml: &Nvml, profiles: u32) -> nvmlReturn_t {
    let (gpu, mut wanted) = (handle(nvml, 1), only(profiles));
    raw!(nvml, nvmlDeviceWorkloadPowerProfileSetRequestedProfiles(gpu, &raw mut wanted))
}

fn current(nvml: &Nvml) -> (u32, u32) {
    let mut held = nvmlWorkloadPowerProfileCurrentProfiles_t {
        version: version::<nvmlWorkloadPowerProfileCurrentProfiles_t>(),
        perfProfilesMask: NONE,
        requestedProfilesMask: NONE,
        enforcedProfilesMask: NONE,
    };
    let gpu = handle(nvml, 1);
    let outcome = raw!(nvml, nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(gpu, &raw mut held));
    assert_eq!(outcome, SUCCESS);
    (held.requestedProfilesMask.mask[0], held.enforcedProfilesMask.mask[0])
}

#[test]
fn max_q_is_asked_for_reaches_the_plant_and_is_taken_back() {
    on_a_node_of(GpuModel::B200, |state| {
        let nvml = nvml();
        let cell = state.gpu(1).unwrap();
        state.set_plant_time_ms(70);
        assert_eq!(request(&nvml, 1 << 1), SUCCESS);
        assert_eq!(current(&nvml), (0b10, 0b10));
        assert!(cell.request().max_q() && cell.request().power_profiles_written_ms == Some(70));
        assert_eq!(request(&nvml, 1), SUCCESS);
        assert_eq!(current(&nvml), (0b11, 0b01), "they exclude each other");
        assert!(!cell.request().max_q());

        let mut unwanted = only(0b01);
        let gpu = handle(&nvml, 1);
        let outcome =
            raw!(nvml, nvmlDeviceWorkloadPowerProfileClearRequestedProfiles(gpu, &raw mut unwanted));
        assert_eq!((outcome, current(&nvml)), (SUCCESS, (0b10, 0b10)));
        assert_eq!(request(&nvml, 1 << 20), INVALID_ARGUMENT);
        state.set_privileged(false);
        assert_eq!(request(&nvml, 1 << 1), NO_PERMISSION);
    });
}

#[test]
fn the_profiles_say_which_exclude_each_other() {
    on_a_node_of(GpuModel::Gb200, |_| {
        let nvml = nvml();
        let blank =
            nvmlWorkloadPowerProfileInfo_t { version: 0, profileId: 0, priority: 0, conflictingMask: NONE };
        let mut known = nvmlWorkloadPowerProfileProfilesInfo_t {
            version: version::<nvmlWorkloadPowerProfileProfilesInfo_t>(),
            perfProfilesMask: NONE,
            perfProfile: [blank; 255],
        };
        let gpu = handle(&nvml, 1);
        let outcome = raw!(nvml, nvmlDeviceWorkloadPowerProfileGetProfilesInfo(gpu, &raw mut known));
        assert_eq!((outcome, known.perfProfilesMask.mask[0] & 0b11), (SUCCESS, 0b11));
        let max_q = known.perfProfile[1];
        assert_eq!((max_q.profileId, max_q.conflictingMask.mask[0]), (1, 1));
        known.version += 1;
        let outcome = raw!(nvml, nvmlDeviceWorkloadPowerProfileGetProfilesInfo(gpu, &raw mut known));
        assert_eq!(outcome, VERSION_MISMATCH);
    });
}

#[test]
fn smoothing_is_switched_chosen_and_tuned() {
    on_a_node_of(GpuModel::B200, |state| {
        let nvml = nvml();
        let (gpu, cell) = (handle(&nvml, 1), state.gpu(1).unwrap());
        let mut on = nvmlPowerSmoothingState_t { version: version::<nvmlPowerSmoothingState_t>(), state: 1 };
        assert_eq!(raw!(nvml, nvmlDevicePowerSmoothingSetState(gpu, &raw mut on)), SUCCESS);
        let mut preset = nvmlPowerSmoothingProfile_t {
            version: version::<nvmlPowerSmoothingProfile_t>(),
            profileId: 2,
            paramId: 1,
            value: 300.0,
        };
        let activate = |preset: &mut nvmlPowerSmoothingProfile_t| {
            raw!(nvml, nvmlDevicePowerSmoothingActivatePresetProfile(gpu, preset))
        };
        let tune = |preset: &mut nvmlPowerSmoothingProfile_t| {
            raw!(nvml, nvmlDevicePowerSmoothingUpdatePresetProfileParam(gpu, preset))
        };
        assert_eq!((activate(&mut preset), tune(&mut preset)), (SUCCESS, SUCCESS));
        let request = cell.request();
        assert_eq!((request.smoothing, request.smoothing_preset), (true, 2));
        assert_eq!(cell.smoothing_number(2, 1), Some(300.0));

        preset.value = f64::NAN;
        assert_eq!(tune(&mut preset), INVALID_ARGUMENT);
        preset.profileId = 5;
        assert_eq!(activate(&mut preset), INVALID_ARGUMENT);
        preset.version = 0;
        assert_eq!(activate(&mut preset), VERSION_MISMATCH);
    });
}

#[test]
fn smoothing_fields_have_the_numbers_of_the_driver_that_is_told() {
    on_a_node_of(GpuModel::B200, |state| {
        let nvml = nvml();
        let cell = state.gpu(1).unwrap();
        cell.request_smoothing(true);
        assert!(cell.request_smoothing_preset(3));
        // 251 and 264 in NVIDIA's header since 580.82; the wrapper knows 256 and 269, and which driver this is.
        let read = |field| {
            let device = nvml.device_by_index(1).unwrap();
            let answer = device.field_values_for(&[FieldId(field)]).unwrap().remove(0).unwrap();
            answer.value.unwrap()
        };
        assert_eq!(read(NVML_FI_PWR_SMOOTHING_ENABLED), SampleValue::U32(1));
        assert_eq!(read(NVML_FI_PWR_SMOOTHING_ACTIVE_PRESET_PROFILE), SampleValue::U32(3));
    });
}

#[test]
fn a_hopper_has_neither_profiles_nor_smoothing() {
    on_a_node(|state| {
        let nvml = nvml();
        let mut on = nvmlPowerSmoothingState_t { version: version::<nvmlPowerSmoothingState_t>(), state: 1 };
        let smoothing = raw!(nvml, nvmlDevicePowerSmoothingSetState(handle(&nvml, 1), &raw mut on));
        assert_eq!((smoothing, request(&nvml, 1 << 1)), (NOT_SUPPORTED, NOT_SUPPORTED));
        assert_eq!(state.gpu(1).unwrap().request().sequence, 0);
    });
}
