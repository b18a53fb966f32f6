//! From the plant's numbers to NVML's: whole degrees, milliwatts, millijoules.

use std::ffi::{c_int, c_uint, c_ulonglong};

use super::refusal::Refusal;

/// Whole degrees, rounded down.
pub(super) fn whole_celsius(celsius: f32) -> Result<c_int, Refusal> {
    let celsius = finite(celsius.into())?.floor();
    #[expect(clippy::cast_possible_truncation, reason = "a whole number; beyond the range `as` saturates")]
    Ok(celsius as c_int)
}

/// Milliwatts, rounded; never below zero.
pub(super) fn milliwatts(watts: f32) -> Result<c_uint, Refusal> {
    let milliwatts = (finite(watts.into())? * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number; beyond the range `as` saturates"
    )]
    Ok(milliwatts as c_uint)
}

/// Millijoules, rounded; never below zero.
pub(super) fn millijoules(joules: f64) -> Result<c_ulonglong, Refusal> {
    let millijoules = (finite(joules)? * 1000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number; beyond the range `as` saturates"
    )]
    Ok(millijoules as c_ulonglong)
}

/// A NaN or an infinity stands for a sensor that cannot be read.
fn finite(value: f64) -> Result<f64, Refusal> {
    value.is_finite().then_some(value).ok_or(Refusal::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn degrees_are_rounded_down_and_power_to_the_nearest_milliwatt() {
        assert_eq!(whole_celsius(86.99), Ok(86));
        assert_eq!(whole_celsius(-0.5), Ok(-1));
        assert_eq!(milliwatts(699.999_9), Ok(700_000));
        assert_eq!(milliwatts(-3.0), Ok(0));
        assert_eq!(millijoules(12.345_6), Ok(12_346));
    }

    #[test]
    fn a_sensor_that_cannot_be_read_is_an_error_and_never_a_number() {
        for broken in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(whole_celsius(broken), Err(Refusal::Unknown));
            assert_eq!(milliwatts(broken), Err(Refusal::Unknown));
            assert_eq!(millijoules(broken.into()), Err(Refusal::Unknown));
        }
    }
}
