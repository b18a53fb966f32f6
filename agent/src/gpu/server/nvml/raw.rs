//! The NVML calls that nvml-wrapper 0.13 lacks or gets wrong. With [`owner`](super::owner) the only unsafe code of
//! this process.
//!
//! | Call                                    | Why raw                                                          |
//! |-----------------------------------------|------------------------------------------------------------------|
//! | `nvmlDeviceGetTemperatureV`             | not wrapped; the wrapped one is gone with CUDA 14                |
//! | `nvmlDeviceGetMarginTemperature`        | not wrapped (driver R570 and later)                              |
//! | `nvmlDeviceGetCurrentClocksEventReasons`| not wrapped; the wrapped `…ThrottleReasons` is gone with CUDA 14 |
//! | `nvmlDeviceGetFieldValues`              | the wrapper refuses signed 32-bit values, and knows no scope     |
//! | `nvmlDeviceGetRemappedRows`             | not wrapped                                                      |
//! | `nvmlDeviceWorkloadPowerProfile…`       | not wrapped (Blackwell and later)                                |
//! | `nvmlDevicePowerSmoothingSetState`      | not wrapped (Blackwell and later)                                |
//! | `nvmlEventSet…`                         | the wrapper frees the whole set when one GPU cannot be registered |

#![expect(unsafe_code, reason = "C functions through nvml-wrapper's symbol table")]

use std::sync::Arc;

use eisbach_protocol::gpu_link::RemappedRows;
use nvml_wrapper::Device;
use nvml_wrapper::error::{NvmlError, nvml_sym, nvml_try};
use nvml_wrapper_sys::bindings::{
    nvmlEnableState_enum_NVML_FEATURE_DISABLED, nvmlEnableState_enum_NVML_FEATURE_ENABLED, nvmlEventData_t,
    nvmlEventSet_t, nvmlFieldValue_t, nvmlMarginTemperature_v1_t, nvmlMask255_t,
    nvmlPowerProfileType_t_NVML_POWER_PROFILE_MAX_Q, nvmlPowerSmoothingState_v1_t, nvmlTemperature_v1_t,
    nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU, nvmlValue_t, nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT, nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT, nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT,
    nvmlWorkloadPowerProfileCurrentProfiles_v1_t, nvmlWorkloadPowerProfileRequestedProfiles_v1_t,
};

use super::owner::Library;

/// Core temperature in degrees Celsius.
pub(super) fn temperature(device: &Device<'_>) -> Result<i32, NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetTemperatureV.as_ref())?;
    let mut answer = nvmlTemperature_v1_t {
        version: version_1::<nvmlTemperature_v1_t>(),
        sensorType: nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU,
        temperature: 0,
    };
    // SAFETY: the symbol has this signature by the header, the handle belongs to the library that `device` keeps
    // loaded, and `answer` is the structure whose size and version it states, alive for the call.
    nvml_try(unsafe { call(device.handle(), &raw mut answer) })?;
    Ok(answer.temperature)
}

/// Distance in kelvin to where the driver starts to slow the GPU down.
pub(super) fn margin(device: &Device<'_>) -> Result<i32, NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetMarginTemperature.as_ref())?;
    let mut answer = nvmlMarginTemperature_v1_t {
        version: version_1::<nvmlMarginTemperature_v1_t>(),
        marginTemperature: 0,
    };
    // SAFETY: as in `temperature`.
    nvml_try(unsafe { call(device.handle(), &raw mut answer) })?;
    Ok(answer.marginTemperature)
}

/// Bit set of why the clocks are as they are.
pub(super) fn event_reasons(device: &Device<'_>) -> Result<u64, NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetCurrentClocksEventReasons.as_ref())?;
    let mut reasons = 0;
    // SAFETY: as in `temperature`; `reasons` is the 64-bit integer the call writes.
    nvml_try(unsafe { call(device.handle(), &raw mut reasons) })?;
    Ok(reasons)
}

/// A field and the part of the module that it is asked of.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldOf {
    /// `NVML_FI_…`.
    pub(super) id: u32,
    /// `NVML_POWER_SCOPE_…`; zero, the GPU itself, for everything but power.
    pub(super) scope: u32,
}

/// Values of several fields in one call, each with an answer of its own.
pub(super) fn fields<const N: usize>(
    device: &Device<'_>,
    asked: [FieldOf; N],
) -> Result<[Result<i64, NvmlError>; N], NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetFieldValues.as_ref())?;
    let mut values = asked.map(|field| nvmlFieldValue_t {
        fieldId: field.id,
        scopeId: field.scope,
        timestamp: 0,
        latencyUsec: 0,
        valueType: 0,
        nvmlReturn: 0,
        value: nvmlValue_t { ullVal: 0 },
    });
    let count = i32::try_from(N).map_err(|_| NvmlError::InvalidArg)?;
    // SAFETY: as in `temperature`; `values` holds exactly `count` structures for the call to fill in.
    nvml_try(unsafe { call(device.handle(), count, values.as_mut_ptr()) })?;
    Ok(values.map(|field| {
        nvml_try(field.nvmlReturn)?;
        integer(&field).ok_or(NvmlError::UnexpectedVariant(field.valueType))
    }))
}

/// Memory rows that were replaced.
pub(super) fn remapped_rows(device: &Device<'_>) -> Result<RemappedRows, NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetRemappedRows.as_ref())?;
    let (mut correctable, mut uncorrectable, mut pending, mut failed) = (0, 0, 0, 0);
    // SAFETY: as in `temperature`; four integers for the call to write.
    let code = unsafe {
        call(device.handle(), &raw mut correctable, &raw mut uncorrectable, &raw mut pending, &raw mut failed)
    };
    nvml_try(code)?;
    Ok(RemappedRows { correctable, uncorrectable, pending: pending != 0, failed: failed != 0 })
}

/// Whether somebody has asked for the low-power workload profile.
pub(super) fn low_power_profile(device: &Device<'_>) -> Result<bool, NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceWorkloadPowerProfileGetCurrentProfiles.as_ref())?;
    let mut answer = nvmlWorkloadPowerProfileCurrentProfiles_v1_t {
        version: version_1::<nvmlWorkloadPowerProfileCurrentProfiles_v1_t>(),
        perfProfilesMask: NO_PROFILE,
        requestedProfilesMask: NO_PROFILE,
        enforcedProfilesMask: NO_PROFILE,
    };
    // SAFETY: as in `temperature`.
    nvml_try(unsafe { call(device.handle(), &raw mut answer) })?;
    if holds(&answer.perfProfilesMask, LOW_POWER) {
        Ok(holds(&answer.requestedProfilesMask, LOW_POWER))
    } else {
        Err(NvmlError::NotSupported)
    }
}

/// Asks for the low-power workload profile, or takes that back.
pub(super) fn set_low_power_profile(device: &Device<'_>, on: bool) -> Result<(), NvmlError> {
    let lib = device.nvml().lib();
    let call = nvml_sym(if on {
        lib.nvmlDeviceWorkloadPowerProfileSetRequestedProfiles.as_ref()
    } else {
        lib.nvmlDeviceWorkloadPowerProfileClearRequestedProfiles.as_ref()
    })?;
    let mut request = nvmlWorkloadPowerProfileRequestedProfiles_v1_t {
        version: version_1::<nvmlWorkloadPowerProfileRequestedProfiles_v1_t>(),
        requestedProfilesMask: nvmlMask255_t { mask: [1 << LOW_POWER, 0, 0, 0, 0, 0, 0, 0] },
    };
    // SAFETY: as in `temperature`.
    nvml_try(unsafe { call(device.handle(), &raw mut request) })
}

/// Switches the smoothing of power steps.
pub(super) fn set_smoothing(device: &Device<'_>, on: bool) -> Result<(), NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDevicePowerSmoothingSetState.as_ref())?;
    let state = if on {
        nvmlEnableState_enum_NVML_FEATURE_ENABLED
    } else {
        nvmlEnableState_enum_NVML_FEATURE_DISABLED
    };
    let mut request =
        nvmlPowerSmoothingState_v1_t { version: version_1::<nvmlPowerSmoothingState_v1_t>(), state };
    // SAFETY: as in `temperature`.
    nvml_try(unsafe { call(device.handle(), &raw mut request) })
}

/// Number of the profile that favours little power over speed.
const LOW_POWER: u32 = nvmlPowerProfileType_t_NVML_POWER_PROFILE_MAX_Q;
const NO_PROFILE: nvmlMask255_t = nvmlMask255_t { mask: [0; 8] };

fn holds(mask: &nvmlMask255_t, profile: u32) -> bool {
    mask.mask.first().is_some_and(|word| word >> profile & 1 == 1)
}

/// A set of events, of as many GPUs as could be registered.
#[derive(Debug)]
pub(super) struct EventSet {
    library: Arc<Library>,
    set: nvmlEventSet_t,
    /// Address of each GPU's handle, with its index.
    handles: Vec<(usize, u8)>,
}

// SAFETY: NVML is documented as thread-safe, and the set is used by whoever owns it only.
unsafe impl Send for EventSet {}

impl EventSet {
    /// An empty set.
    pub(super) fn new(library: &Arc<Library>) -> Result<Self, NvmlError> {
        let call = nvml_sym(library.nvml().lib().nvmlEventSetCreate.as_ref())?;
        let mut set = std::ptr::null_mut();
        // SAFETY: the symbol has this signature by the header; `set` is the pointer it writes.
        nvml_try(unsafe { call(&raw mut set) })?;
        Ok(Self { library: Arc::clone(library), set, handles: Vec::new() })
    }

    /// Adds what a GPU can tell of `types`.
    pub(super) fn register(&mut self, index: u8, device: &Device<'_>, types: u64) -> Result<(), NvmlError> {
        let lib = self.library.nvml().lib();
        let supported = nvml_sym(lib.nvmlDeviceGetSupportedEventTypes.as_ref())?;
        let register = nvml_sym(lib.nvmlDeviceRegisterEvents.as_ref())?;
        let mut there = 0;
        // SAFETY: as in `temperature`; `there` is the 64-bit integer the first call writes, and the set is alive.
        unsafe {
            nvml_try(supported(device.handle(), &raw mut there))?;
            nvml_try(register(device.handle(), there & types, self.set))?;
        }
        // SAFETY: only the address is kept, to tell the GPUs apart.
        self.handles.push((unsafe { device.handle() }.addr(), index));
        Ok(())
    }

    /// The next event, as index, type and data; nothing within `limit_ms`. An event of a GPU that was not registered
    /// has no index.
    pub(super) fn wait(&self, limit_ms: u32) -> Result<Option<(Option<u8>, u64, u64)>, NvmlError> {
        let call = nvml_sym(self.library.nvml().lib().nvmlEventSetWait_v2.as_ref())?;
        let mut event = nvmlEventData_t {
            device: std::ptr::null_mut(),
            eventType: 0,
            eventData: 0,
            gpuInstanceId: 0,
            computeInstanceId: 0,
        };
        // SAFETY: as in `new`; `event` is the structure the call fills in, and the set is alive.
        match nvml_try(unsafe { call(self.set, &raw mut event, limit_ms) }) {
            Ok(()) => {
                let known = self.handles.iter().find(|(handle, _)| *handle == event.device.addr());
                Ok(Some((known.map(|(_, index)| *index), event.eventType, event.eventData)))
            }
            Err(NvmlError::Timeout) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for EventSet {
    fn drop(&mut self) {
        if let Ok(call) = &self.library.nvml().lib().nvmlEventSetFree {
            // SAFETY: as in `new`; the set is not used afterwards. What it answers changes nothing any more.
            let _code = unsafe { call(self.set) };
        }
    }
}

/// Structures say their own size and version, so that library and caller can differ in age.
#[expect(clippy::cast_possible_truncation, reason = "structures of the header have a few bytes")]
const fn version_1<T>() -> u32 {
    size_of::<T>() as u32 | 1 << 24
}

#[expect(non_upper_case_globals, reason = "names of the C header")]
fn integer(field: &nvmlFieldValue_t) -> Option<i64> {
    // SAFETY: every member of the union is plain numbers within its eight bytes, all of which are initialised
    // (by us with zero, by the driver with the member that `valueType` names).
    unsafe {
        match field.valueType {
            // Driver R545 labels the memory temperature a double but stores an integer. No field read here is a
            // true double.
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT | nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE => {
                Some(field.value.uiVal.into())
            }
            nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT => Some(field.value.siVal.into()),
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT => Some(field.value.usVal.into()),
            nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG => Some(field.value.sllVal),
            nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG
            | nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG => i64::try_from(field.value.ullVal).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value_type: u32, value: nvmlValue_t) -> nvmlFieldValue_t {
        nvmlFieldValue_t {
            fieldId: 82,
            scopeId: 0,
            timestamp: 0,
            latencyUsec: 0,
            valueType: value_type,
            nvmlReturn: 0,
            value,
        }
    }

    #[test]
    fn a_structure_states_its_size_and_version() {
        assert_eq!(version_1::<nvmlMarginTemperature_v1_t>(), 8 | 1 << 24);
        assert_eq!(version_1::<nvmlTemperature_v1_t>(), 12 | 1 << 24);
    }

    #[test]
    fn a_negative_limit_stays_negative() {
        let below = field(nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT, nvmlValue_t { siVal: -8 });
        assert_eq!(integer(&below), Some(-8));
    }

    #[test]
    fn a_temperature_mislabelled_as_a_double_is_still_read() {
        let mislabelled = field(nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE, nvmlValue_t { uiVal: 48 });
        assert_eq!(integer(&mislabelled), Some(48));
    }

    #[test]
    fn i01_a_value_of_unknown_type_is_no_number() {
        assert_eq!(integer(&field(99, nvmlValue_t { ullVal: 700 })), None);
    }
}
