//! Workload power profiles: what a job is like, and what the GPU makes of it.
//!
//! ```text
//!   requested ── of those that exclude each other, the one of the highest priority ──► enforced
//! ```

use nvml_wrapper_sys::bindings as nvml;
use nvml_wrapper_sys::bindings::{
    nvmlDevice_t, nvmlMask255_t, nvmlWorkloadPowerProfileCurrentProfiles_t, nvmlWorkloadPowerProfileInfo_t,
    nvmlWorkloadPowerProfileProfilesInfo_t, nvmlWorkloadPowerProfileRequestedProfiles_t,
};

use super::edge::{expect_version, version_of};
use super::export;
use super::refusal::Refusal;
use super::session::{offers, on_gpu, set_on_gpu, supports};
use crate::power_profile::{OFFERED, enforced, excluded_by};
use crate::shm::Features;

export! {
    /// The profiles there are.
    fn nvmlDeviceWorkloadPowerProfileGetProfilesInfo(
        device: nvmlDevice_t,
        profiles: *mut nvmlWorkloadPowerProfileProfilesInfo_t,
    ) {
        offers(Features::POWER_PROFILES)?;
        // SAFETY: the caller fills in the version.
        let asked = unsafe { profiles.get() }?;
        expect_version::<nvmlWorkloadPowerProfileProfilesInfo_t>(asked.version, 1)?;
        on_gpu(&device, |gpu| supports(gpu, Features::POWER_PROFILES))?;
        let mut answer = asked;
        answer.perfProfilesMask = mask(OFFERED);
        for (id, profile) in (0_u32..).zip(&mut answer.perfProfile) {
            *profile = nvmlWorkloadPowerProfileInfo_t {
                version: version_of::<nvmlWorkloadPowerProfileInfo_t>(1),
                profileId: id,
                priority: id,
                conflictingMask: mask(excluded_by(id)),
            };
        }
        profiles.put(answer)
    }

    /// What was asked for, and what holds.
    fn nvmlDeviceWorkloadPowerProfileGetCurrentProfiles(
        device: nvmlDevice_t,
        profiles: *mut nvmlWorkloadPowerProfileCurrentProfiles_t,
    ) {
        offers(Features::POWER_PROFILES)?;
        // SAFETY: the caller fills in the version.
        let asked = unsafe { profiles.get() }?;
        expect_version::<nvmlWorkloadPowerProfileCurrentProfiles_t>(asked.version, 1)?;
        let requested = on_gpu(&device, |gpu| {
            supports(gpu, Features::POWER_PROFILES)?;
            Ok(gpu.request().power_profiles)
        })?;
        profiles.put(nvmlWorkloadPowerProfileCurrentProfiles_t {
            version: asked.version,
            perfProfilesMask: mask(OFFERED),
            requestedProfilesMask: mask(requested),
            enforcedProfilesMask: mask(enforced(requested)),
        })
    }

    /// Asks for profiles, beside those asked for before.
    fn nvmlDeviceWorkloadPowerProfileSetRequestedProfiles(
        device: nvmlDevice_t,
        profiles: *mut nvmlWorkloadPowerProfileRequestedProfiles_t,
    ) {
        offers(Features::POWER_PROFILES)?;
        // SAFETY: the caller fills it all in.
        let asked = unsafe { profiles.get() }?;
        expect_version::<nvmlWorkloadPowerProfileRequestedProfiles_t>(asked.version, 1)?;
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::POWER_PROFILES)?;
            let wanted = offered(&asked.requestedProfilesMask)?;
            gpu.request_power_profiles(gpu.request().power_profiles | wanted, now_ms);
            Ok(())
        })
    }

    /// Takes back profiles that were asked for.
    fn nvmlDeviceWorkloadPowerProfileClearRequestedProfiles(
        device: nvmlDevice_t,
        profiles: *mut nvmlWorkloadPowerProfileRequestedProfiles_t,
    ) {
        offers(Features::POWER_PROFILES)?;
        // SAFETY: the caller fills it all in.
        let asked = unsafe { profiles.get() }?;
        expect_version::<nvmlWorkloadPowerProfileRequestedProfiles_t>(asked.version, 1)?;
        set_on_gpu(&device, |gpu, now_ms| {
            supports(gpu, Features::POWER_PROFILES)?;
            let unwanted = offered(&asked.requestedProfilesMask)?;
            gpu.request_power_profiles(gpu.request().power_profiles & !unwanted, now_ms);
            Ok(())
        })
    }
}

/// A set of profiles in NVML's form: 32 to a word, lowest first.
const fn mask(profiles: u32) -> nvmlMask255_t {
    nvmlMask255_t { mask: [profiles, 0, 0, 0, 0, 0, 0, 0] }
}

/// The profiles of a mask, all of which must be there.
fn offered(mask: &nvmlMask255_t) -> Result<u32, Refusal> {
    let [low, beyond @ ..] = mask.mask;
    let known = low & !OFFERED == 0 && beyond.iter().all(|word| *word == 0);
    known.then_some(low).ok_or(Refusal::InvalidArgument)
}

const _: () = assert!(nvml::nvmlPowerProfileType_t_NVML_POWER_PROFILE_MAX_Q == crate::power_profile::MAX_Q);
