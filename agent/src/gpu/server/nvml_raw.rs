//! The NVML calls that nvml-wrapper 0.13 lacks or gets wrong. The only unsafe code of the agent.
//!
//! | Call                                    | Why raw                                                          |
//! |-----------------------------------------|------------------------------------------------------------------|
//! | `nvmlDeviceGetTemperatureV`             | not wrapped; the wrapped one is gone with CUDA 14                |
//! | `nvmlDeviceGetMarginTemperature`        | not wrapped (driver R570 and later)                              |
//! | `nvmlDeviceGetCurrentClocksEventReasons`| not wrapped; the wrapped `…ThrottleReasons` is gone with CUDA 14 |
//! | `nvmlDeviceGetFieldValues`              | the wrapper refuses signed 32-bit values, such as T.Limit        |

#![expect(unsafe_code, reason = "C functions through nvml-wrapper's symbol table")]

use nvml_wrapper::Device;
use nvml_wrapper::error::{NvmlError, nvml_sym, nvml_try};
use nvml_wrapper_sys::bindings::{
    nvmlFieldValue_t, nvmlMarginTemperature_v1_t, nvmlTemperature_v1_t,
    nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU, nvmlValue_t, nvmlValueType_enum_NVML_VALUE_TYPE_DOUBLE,
    nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_INT, nvmlValueType_enum_NVML_VALUE_TYPE_SIGNED_LONG_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_INT, nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG,
    nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_LONG_LONG, nvmlValueType_enum_NVML_VALUE_TYPE_UNSIGNED_SHORT,
};

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

/// Values of several fields in one call; absent where the device does not have the field.
pub(super) fn fields<const N: usize>(
    device: &Device<'_>,
    ids: [u32; N],
) -> Result<[Option<i64>; N], NvmlError> {
    let call = nvml_sym(device.nvml().lib().nvmlDeviceGetFieldValues.as_ref())?;
    let mut values = ids.map(|id| nvmlFieldValue_t {
        fieldId: id,
        scopeId: 0,
        timestamp: 0,
        latencyUsec: 0,
        valueType: 0,
        nvmlReturn: 0,
        value: nvmlValue_t { ullVal: 0 },
    });
    let count = i32::try_from(N).map_err(|_| NvmlError::InvalidArg)?;
    // SAFETY: as in `temperature`; `values` holds exactly `count` structures for the call to fill in.
    nvml_try(unsafe { call(device.handle(), count, values.as_mut_ptr()) })?;
    Ok(values.map(|field| nvml_try(field.nvmlReturn).ok().and_then(|()| integer(&field))))
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
