//! Power smoothing: presets with ramps and floors, one of them in use. They are kept, and the plant does not
//! heed them.

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{nvmlDevice_t, nvmlPowerSmoothingProfile_t, nvmlPowerSmoothingState_t};

use super::edge::expect_version;
use super::export;
use super::refusal::Refusal;
use super::session::{offers, set_on_gpu, supports};
use crate::shm::Features;

export! {
    /// Uses a preset.
    fn nvmlDevicePowerSmoothingActivatePresetProfile(
        device: nvmlDevice_t,
        profile: *mut nvmlPowerSmoothingProfile_t,
    ) {
        offers(Features::POWER_SMOOTHING)?;
        // SAFETY: the caller fills in version and preset.
        let asked = unsafe { profile.get() }?;
        expect_version::<nvmlPowerSmoothingProfile_t>(asked.version, 1)?;
        set_on_gpu(&device, |gpu, _| {
            supports(gpu, Features::POWER_SMOOTHING)?;
            gpu.request_smoothing_preset(asked.profileId).then_some(()).ok_or(Refusal::InvalidArgument)
        })
    }

    /// Changes one number of a preset.
    fn nvmlDevicePowerSmoothingUpdatePresetProfileParam(
        device: nvmlDevice_t,
        profile: *mut nvmlPowerSmoothingProfile_t,
    ) {
        offers(Features::POWER_SMOOTHING)?;
        // SAFETY: the caller fills it all in.
        let asked = unsafe { profile.get() }?;
        expect_version::<nvmlPowerSmoothingProfile_t>(asked.version, 1)?;
        set_on_gpu(&device, |gpu, _| {
            supports(gpu, Features::POWER_SMOOTHING)?;
            let sound = asked.value.is_finite() && asked.value >= 0.0;
            let taken = sound && gpu.request_smoothing_number(asked.profileId, asked.paramId, asked.value);
            taken.then_some(()).ok_or(Refusal::InvalidArgument)
        })
    }

    /// Switches it.
    fn nvmlDevicePowerSmoothingSetState(device: nvmlDevice_t, state: *mut nvmlPowerSmoothingState_t) {
        offers(Features::POWER_SMOOTHING)?;
        // SAFETY: the caller fills it all in.
        let asked = unsafe { state.get() }?;
        expect_version::<nvmlPowerSmoothingState_t>(asked.version, 1)?;
        let on = match asked.state {
            nvml::nvmlEnableState_enum_NVML_FEATURE_DISABLED => false,
            nvml::nvmlEnableState_enum_NVML_FEATURE_ENABLED => true,
            _ => return Err(Refusal::InvalidArgument),
        };
        set_on_gpu(&device, |gpu, _| {
            supports(gpu, Features::POWER_SMOOTHING)?;
            gpu.request_smoothing(on);
            Ok(())
        })
    }
}
