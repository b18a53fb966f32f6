//! A PI loop as found in pump drives and building controllers.
//!
//! ```text
//!   error ─► gain · (error + ∫error/Ti) ─► held between low and high
//!                             └── stands still while the output is at its end and the error pushes outward
//! ```

use serde::{Deserialize, Serialize};

/// Gain and integral time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gains {
    /// % of output per unit of error.
    pub gain: f64,
    /// Integral time, s.
    pub integral_s: f64,
}

/// The loop's memory.
#[derive(Clone, Debug)]
pub(super) struct Pi {
    gains: Gains,
    low: f64,
    high: f64,
    /// Integral, %; `None` until seeded.
    integral: Option<f64>,
}

impl Pi {
    pub(super) const fn new(gains: Gains, low: f64, high: f64) -> Self {
        Self { gains, low, high, integral: None }
    }

    /// The output for `error` after `dt` s. Its first output is near `present`, so that taking over is no bump.
    pub(super) fn step(&mut self, error: f64, present: f64, dt: f64) -> f64 {
        let proportional = self.gains.gain * error;
        let before = self.integral.unwrap_or(present - proportional);
        let moved = before + proportional * dt / self.gains.integral_s;
        let output = proportional + moved;
        let outward = (output > self.high && error > 0.0) || (output < self.low && error < 0.0);
        let integral = if outward { before } else { moved };
        self.integral = Some(integral);
        (proportional + integral).clamp(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAINS: Gains = Gains { gain: 2.0, integral_s: 10.0 };

    #[test]
    fn the_first_output_is_where_the_actuator_stands() {
        let mut pi = Pi::new(GAINS, 0.0, 100.0);
        assert!((pi.step(3.0, 50.0, 1.0) - 50.6).abs() < 1e-9);
    }

    #[test]
    fn an_error_that_stays_drives_the_output_to_its_end_and_the_integral_does_not_wind_up() {
        let mut pi = Pi::new(GAINS, 0.0, 100.0);
        for _ in 0..1000 {
            pi.step(5.0, 50.0, 1.0);
        }
        assert!((pi.step(5.0, 50.0, 1.0) - 100.0).abs() < 1e-9);
        // Two seconds after the error turned it has left its end.
        pi.step(-5.0, 50.0, 1.0);
        assert!(pi.step(-5.0, 50.0, 1.0) < 100.0);
    }
}
