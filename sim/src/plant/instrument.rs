//! One sensor: it lags, it is off by a little, it flickers, it is read now and then, and it shows whole
//! steps.
//!
//! ```text
//!  truth ─► lag ─► bias ─► noise ─► quantum ─► shown (held until the next refresh)
//! ```

use crate::rng::Noise;

/// What is wrong with a sensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstrumentSpec {
    /// Time constant, s. Zero: none.
    pub lag_s: f64,
    /// Standard deviation of the noise, in the unit measured.
    pub noise: f64,
    /// Standard deviation of the noise, share of the value.
    pub noise_share: f64,
    /// Constant error, in the unit measured.
    pub bias: f64,
    /// Step of the value shown: zero for none, else a whole number or a whole part of one.
    pub quantum: f64,
    /// Steps of the world (10 ms) between two values.
    pub refresh_steps: u32,
}

/// A sensor at work.
#[derive(Clone, Debug)]
pub(super) struct Instrument {
    spec: InstrumentSpec,
    /// Share of the way to the truth that is gone in one step.
    step_share: f64,
    lagged: f64,
    until_refresh: u32,
    shown: Option<f64>,
}

impl Instrument {
    pub(super) fn new(spec: InstrumentSpec, dt: f64) -> Self {
        let step_share = if spec.lag_s > 0.0 { 1.0 - (-dt / spec.lag_s).exp() } else { 1.0 };
        Self { spec, step_share, lagged: 0.0, until_refresh: 0, shown: None }
    }

    /// What it shows after one step of `truth`. The first time it has been looking at the truth for long.
    pub(super) fn read(&mut self, truth: f64, noise: &mut Noise) -> f64 {
        self.read_rough(truth, 1.0, noise)
    }

    /// The same where the truth itself flickers: with `rough` times the noise.
    pub(super) fn read_rough(&mut self, truth: f64, rough: f64, noise: &mut Noise) -> f64 {
        let share = if self.shown.is_some() { self.step_share } else { 1.0 };
        self.lagged += share * (truth - self.lagged);
        match self.shown {
            Some(shown) if self.until_refresh > 0 => {
                self.until_refresh -= 1;
                shown
            }
            Some(_) | None => {
                self.until_refresh = self.spec.refresh_steps.saturating_sub(1);
                let shown = self.measure(rough, noise);
                self.shown = Some(shown);
                shown
            }
        }
    }

    fn measure(&self, rough: f64, noise: &mut Noise) -> f64 {
        let spread = rough * (self.spec.noise + self.spec.noise_share * self.lagged.abs());
        let flicker = if spread > 0.0 { spread * noise.normal() } else { 0.0 };
        quantised(self.lagged + self.spec.bias + flicker, self.spec.quantum)
    }
}

/// The nearest whole multiple of `quantum`, as the decimal number it is.
pub(super) fn quantised(value: f64, quantum: f64) -> f64 {
    if quantum <= 0.0 {
        value
    } else if quantum < 1.0 {
        let steps = (1.0 / quantum).round();
        (value * steps).round() / steps
    } else {
        (value / quantum).round() * quantum
    }
}

/// The mean over the last second, as the driver's power reading has it.
#[derive(Clone, Debug, Default)]
pub(super) struct SecondMean {
    tenths: [f64; 10],
    /// Sum of the tenth of a second under way.
    sum: f64,
    steps: u32,
    started: bool,
}

impl SecondMean {
    /// Steps in a tenth of a second.
    const STEPS: u32 = 10;

    /// The mean after one more step of `value`. The first time the value has been the same for long.
    pub(super) fn read(&mut self, value: f64) -> f64 {
        if !self.started {
            self.started = true;
            self.tenths = [value; 10];
        }
        self.sum += value;
        self.steps += 1;
        if self.steps == Self::STEPS {
            self.tenths.rotate_left(1);
            if let Some(last) = self.tenths.last_mut() {
                *last = self.sum / f64::from(Self::STEPS);
            }
            (self.sum, self.steps) = (0.0, 0);
        }
        self.tenths.iter().sum::<f64>() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: InstrumentSpec = InstrumentSpec {
        lag_s: 0.0,
        noise: 0.0,
        noise_share: 0.0,
        bias: 0.0,
        quantum: 0.0,
        refresh_steps: 1,
    };

    fn readings(spec: InstrumentSpec, truths: impl IntoIterator<Item = f64>) -> Vec<f64> {
        let mut noise = Noise::new(1);
        let mut instrument = Instrument::new(spec, 0.01);
        truths.into_iter().map(|truth| instrument.read(truth, &mut noise)).collect()
    }

    #[test]
    fn a_step_is_seen_to_two_thirds_after_one_lag() {
        let step = std::iter::once(0.0).chain(std::iter::repeat_n(10.0, 500));
        let seen = readings(InstrumentSpec { lag_s: 5.0, ..PLAIN }, step);
        assert!((seen[500] - 6.32).abs() < 0.01, "{}", seen[500]);
    }

    #[test]
    fn values_come_in_whole_steps_with_their_bias() {
        let seen = readings(InstrumentSpec { quantum: 0.5, bias: 1.0, ..PLAIN }, [20.1, 20.3]);
        assert_eq!(seen, [21.0, 21.5]);
    }

    #[test]
    fn a_value_stays_until_the_next_refresh() {
        let seen = readings(InstrumentSpec { refresh_steps: 3, ..PLAIN }, [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(seen, [1.0, 1.0, 1.0, 4.0, 4.0]);
    }

    #[test]
    fn noise_has_the_deviation_it_is_given() {
        let seen = readings(InstrumentSpec { noise_share: 0.005, ..PLAIN }, vec![10.0; 10_000]);
        let variance = seen.iter().map(|value| (value - 10.0).powi(2)).sum::<f64>() / 1e4;
        assert!((variance.sqrt() - 0.05).abs() < 0.002, "{}", variance.sqrt());
    }

    #[test]
    fn the_mean_forgets_after_a_second() {
        let mut mean = SecondMean::default();
        mean.read(100.0);
        let seen: Vec<f64> = (0..199).map(|_| mean.read(700.0)).collect();
        assert!((350.0..450.0).contains(&seen[50]), "{}", seen[50]);
        assert!((seen[198] - 700.0).abs() < 1e-9);
    }
}
