//! What an NVML answer means: errors sorted by what follows from them, numbers judged before they are numbers.

use std::ops::RangeInclusive;

use eisbach_protocol::units::{Celsius, Kelvin, Millis, Percent, Watts};
use heapless::String;
use nvml_wrapper::error::NvmlError;

use super::driver::{CallWatch, ClockMhz, DriverError, Fault, Milliwatts};

/// What a device did not support is asked for again this often: not every driver says so for good.
const RECHECK: Millis = Millis::from_secs(60);
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
    let _inside = watch.enter(name);
    function().map_err(|error| DriverError { call: name, fault: fault(error) })
}

/// An answer that one can do without: only the loss of the whole GPU is an error.
pub(super) fn wanted<T>(answer: Result<T, DriverError>) -> Result<Option<T>, DriverError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.fault.ends_handle() => Err(error),
        Err(_) => Ok(None),
    }
}

/// A value, or else the answer of an older call.
pub(super) fn or_ask<T>(
    value: Option<T>,
    ask: impl FnOnce() -> Result<Option<T>, DriverError>,
) -> Result<Option<T>, DriverError> {
    if value.is_some() { Ok(value) } else { ask() }
}

/// Keeps a call that is not supported from being made each time.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_until: Millis,
}

impl Gate {
    /// [`call`], if the gate is open, for an answer that is [`wanted`].
    pub(super) fn ask<T>(
        &mut self,
        now: Millis,
        watch: &CallWatch,
        name: &'static str,
        function: impl FnOnce() -> Result<T, NvmlError>,
    ) -> Result<Option<T>, DriverError> {
        if now < self.closed_until {
            return Ok(None);
        }
        let answer = call(watch, name, function);
        if let Err(DriverError { fault: Fault::NotSupported | Fault::NotPermitted, .. }) = answer {
            self.closed_until = now + RECHECK;
        }
        wanted(answer)
    }
}

/// What follows from an NVML error. Codes above 22 are unknown to nvml-wrapper 0.13 and come as bare numbers.
fn fault(error: NvmlError) -> Fault {
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

/// As much of a text as fits.
pub(super) fn fitted<const N: usize>(text: &str) -> String<N> {
    let mut fitted = String::new();
    // Stops at the first character that does not fit.
    let _cut = text.chars().try_for_each(|character| fitted.push(character));
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use eisbach_protocol::gpu_link::{GpuHealth, Verdict};
    use proptest::prelude::*;

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
        assert_eq!(fault(NvmlError::UnexpectedVariant(26)), Fault::NotSupported);
        assert_eq!(fault(NvmlError::UnexpectedVariant(24)), Fault::OutOfRange);
        assert_eq!(fault(NvmlError::UnexpectedVariant(28)).health(), GpuHealth::Lost);
        assert_eq!(fault(NvmlError::ResetRequired).health(), GpuHealth::ResetRequired);
        assert_eq!(fault(NvmlError::NoPermission).verdict(), Verdict::NotPermitted);
    }

    #[test]
    fn what_is_not_supported_is_asked_again_only_after_a_while() {
        let watch = CallWatch::new(Clock::start());
        let mut gate = Gate::default();
        let asked = std::cell::Cell::new(0);
        let mut ask = |now| {
            gate.ask(now, &watch, "nvmlDeviceGetUtilizationRates", || {
                asked.set(asked.get() + 1);
                Err::<u32, _>(NvmlError::NotSupported)
            })
        };
        for now in [0, 1, 59_999] {
            assert_eq!(ask(Millis::new(now)), Ok(None));
        }
        assert_eq!(asked.get(), 1);
        assert_eq!(ask(Millis::new(60_000)), Ok(None));
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn a_lost_gpu_is_never_a_missing_field() {
        let watch = CallWatch::new(Clock::start());
        let lost = Gate::default().ask(Millis::ZERO, &watch, "any", || Err::<u32, _>(NvmlError::GpuLost));
        assert_eq!(lost, Err(DriverError { call: "any", fault: Fault::Lost }));
    }

    proptest! {
        #[test]
        fn a_text_is_cut_between_characters(text in ".{0,60}") {
            let cut: String<32> = fitted(&text);
            prop_assert!(text.starts_with(cut.as_str()));
            prop_assert!(cut.len() + 4 > 32 || cut.as_str() == text);
        }
    }
}
