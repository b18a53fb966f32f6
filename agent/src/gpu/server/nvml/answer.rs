//! What an NVML answer means: errors sorted by what follows from them, numbers judged before they are numbers.

use std::ops::RangeInclusive;

use eisbach_protocol::units::{Celsius, Kelvin, Percent, Watts};
use nvml_wrapper::error::NvmlError;

use crate::gpu::server::driver::{ClockMhz, DriverError, Fault, Milliwatts};
use crate::gpu::server::watch::CallWatch;

/// No core is colder or hotter (estimate, far outside any data sheet).
const POSSIBLE_CELSIUS: RangeInclusive<i64> = -50..=200;
/// No single GPU draws or is allowed more (estimate); sentinels and overflows are above.
const MOST_MILLIWATTS: u32 = 10_000_000;

/// Makes a call in view of the watch.
pub(super) fn call<T>(
    watch: &CallWatch,
    name: &'static str,
    function: impl FnOnce() -> Result<T, NvmlError>,
) -> Result<T, DriverError> {
    let mut inside = watch.enter(name);
    function().map_err(|error| {
        inside.fail();
        DriverError { call: name, fault: fault(&error) }
    })
}

/// An answer that one can do without: only the loss of the whole GPU is an error.
pub(super) fn wanted<T>(answer: Result<T, DriverError>) -> Result<Option<T>, DriverError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fault.ends_handle() => Err(error),
        Err(_) => Ok(None),
    }
}

/// What follows from an NVML error. Codes above 22 are unknown to nvml-wrapper 0.13 and come as bare numbers.
pub(super) fn fault(error: &NvmlError) -> Fault {
    const FREQUENCY_NOT_SUPPORTED: u32 = 24;
    const VERSION_MISMATCH: u32 = 25;
    const DEPRECATED: u32 = 26;
    const GPU_NOT_FOUND: u32 = 28;
    match error {
        NvmlError::GpuLost | NvmlError::NotFound | NvmlError::UnexpectedVariant(GPU_NOT_FOUND) => Fault::Lost,
        NvmlError::ResetRequired => Fault::ResetRequired,
        NvmlError::LibRmVersionMismatch => Fault::Replaced,
        NvmlError::NoPermission => Fault::NotPermitted,
        NvmlError::InvalidArg | NvmlError::UnexpectedVariant(FREQUENCY_NOT_SUPPORTED) => Fault::OutOfRange,
        NvmlError::NotSupported
        | NvmlError::FunctionNotFound
        | NvmlError::FailedToLoadSymbol(_)
        | NvmlError::UnexpectedVariant(VERSION_MISMATCH | DEPRECATED) => Fault::NotSupported,
        NvmlError::DriverNotLoaded
        | NvmlError::LibraryNotFound
        | NvmlError::LibloadingError(_)
        | NvmlError::Uninitialized => Fault::Absent(error.to_string()),
        other => Fault::Other(other.to_string()),
    }
}

/// A temperature, if it can be one.
pub(super) fn celsius(raw: i64) -> Option<Celsius> {
    let possible = POSSIBLE_CELSIUS.contains(&raw).then_some(raw)?;
    Some(Celsius::new(f32::from(i16::try_from(possible).ok()?)))
}

/// A memory temperature, if it can be one. Parts without the sensor answer zero.
pub(super) fn memory_celsius(raw: i64) -> Option<Celsius> {
    celsius(raw).filter(|temperature| *temperature > Celsius::ZERO)
}

/// A margin, if it can be one. Zero and below are real: the GPU is at or past its limit.
pub(super) fn kelvin(raw: i32) -> Option<Kelvin> {
    let possible = POSSIBLE_CELSIUS.contains(&raw.into()).then_some(raw)?;
    Some(Kelvin::new(f32::from(i16::try_from(possible).ok()?)))
}

/// A power in milliwatts, if it can be one.
pub(super) fn watts(raw: u32) -> Option<Watts> {
    (raw <= MOST_MILLIWATTS).then(|| Milliwatts(raw).watts())
}

/// A power from a field, if it can be one.
pub(super) fn field_watts(raw: i64) -> Option<Watts> {
    watts(u32::try_from(raw).ok()?)
}

/// A power limit, if it can be one. There is no limit of zero.
pub(super) fn limit(raw: u32) -> Option<Milliwatts> {
    (1..=MOST_MILLIWATTS).contains(&raw).then_some(Milliwatts(raw))
}

/// A clock frequency, if it can be one.
pub(super) fn clock(raw: u32) -> Option<ClockMhz> {
    u16::try_from(raw).ok().map(ClockMhz)
}

/// A share, if it can be one.
pub(super) fn percent(raw: u32) -> Option<Percent> {
    let whole = u8::try_from(raw).ok().filter(|share| *share <= 100)?;
    Some(Percent::new(f32::from(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::gpu_link::{GpuHealth, Verdict};

    #[test]
    fn i01_sentinels_are_absent_and_never_numbers() {
        assert_eq!(celsius(9_223_372_036_854_775_794), None, "a sentinel that DCGM exporters have passed on");
        assert_eq!(memory_celsius(0), None);
        assert_eq!(field_watts(-1), None);
        assert_eq!(watts(u32::MAX), None);
        assert_eq!(limit(0), None);
        assert_eq!(percent(101), None);
    }

    #[test]
    fn a_margin_of_zero_and_below_is_real() {
        assert_eq!(kelvin(0), Some(Kelvin::ZERO));
        assert_eq!(kelvin(-5), Some(Kelvin::new(-5.0)));
    }

    #[test]
    fn codes_that_the_wrapper_does_not_know_are_sorted_too() {
        assert_eq!(fault(&NvmlError::UnexpectedVariant(26)), Fault::NotSupported);
        assert_eq!(fault(&NvmlError::UnexpectedVariant(24)), Fault::OutOfRange);
        assert_eq!(fault(&NvmlError::UnexpectedVariant(28)).health(), GpuHealth::Lost);
        assert_eq!(fault(&NvmlError::ResetRequired).health(), GpuHealth::ResetRequired);
        assert_eq!(fault(&NvmlError::NoPermission).verdict(), Verdict::NotPermitted);
    }
}
