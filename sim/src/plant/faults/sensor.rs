//! A sensor that errs: between what it would show and what it shows.

use serde::{Deserialize, Serialize};

const SECONDS_PER_MINUTE: f64 = 60.0;

/// How a sensor errs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SensorError {
    /// It shows for ever what it showed at first.
    Stuck,
    /// It shows something that is not a number.
    NotANumber,
    /// It is off by this, in its own unit.
    Off(f64),
    /// It moves away from the truth by this in a minute, in its own unit.
    DriftPerMinute(f64),
}

impl SensorError {
    /// What it shows in place of `value`. `kept` is what it showed when the fault came.
    pub(super) fn shown(self, value: f64, kept: &mut Option<f64>, age_s: f64) -> f64 {
        match self {
            Self::Stuck => *kept.get_or_insert(value),
            Self::NotANumber => f64::NAN,
            Self::Off(by) => value + by,
            Self::DriftPerMinute(rate) => value + rate * age_s / SECONDS_PER_MINUTE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_shows_its_own_lie() {
        let mut kept = None;
        let mut show = |how: SensorError, value, age_s| how.shown(value, &mut kept, age_s);
        assert!((show(SensorError::Stuck, 30.0, 0.0) - 30.0).abs() < 1e-12);
        assert!((show(SensorError::Stuck, 40.0, 9.0) - 30.0).abs() < 1e-12);
        assert!(show(SensorError::NotANumber, 40.0, 9.0).is_nan());
        assert!((show(SensorError::Off(-2.0), 40.0, 9.0) - 38.0).abs() < 1e-12);
        assert!((show(SensorError::DriftPerMinute(3.0), 40.0, 20.0) - 41.0).abs() < 1e-12);
    }
}
