//! Inference: requests of many users, each GPU with its own queue, all under the same tide.
//!
//! Each GPU follows an Ornstein-Uhlenbeck process around the mean, made of a tide common to all and a ripple
//! of its own, so that any two GPUs correlate by [`COMMON`]. The process has an exact step, so its spread
//! does not depend on the step. With day and night the mean itself swings. Numbers: estimates.

use core::f64::consts::TAU;

use crate::plant::GPUS;
use crate::rng::Noise;

/// Utilisation on the long average.
pub(super) const MEAN: f64 = 0.55;
/// Correlation between two GPUs.
const COMMON: f64 = 0.3;
/// Standard deviation.
const SPREAD: f64 = 0.12;
/// How long a GPU remembers its level, s.
const MEMORY_S: f64 = 20.0;
/// Half the distance between the busiest hour of a day and the quietest.
const DAY_SWING: f64 = 0.25;
/// The busiest hour.
const BUSIEST_HOUR: f64 = 20.0;
const DAY_S: f64 = 86_400.0;
/// Steps of the world between two values: queues do not change faster than a tenth of a second.
const HOLD_STEPS: u32 = 10;
const HOLD_S: f64 = 0.1;

/// All queues.
#[derive(Clone, Debug)]
pub(super) struct Inference {
    tide: f64,
    ripples: [f64; GPUS],
    levels: [f64; GPUS],
    until_next: u32,
    /// Since midnight, s; counted only where day and night matter.
    since_midnight_s: Option<f64>,
}

impl Inference {
    /// Somewhere in its stationary state.
    pub(super) fn new(noise: &mut Noise) -> Self {
        Self {
            tide: noise.normal(),
            ripples: [(); GPUS].map(|()| noise.normal()),
            levels: [MEAN; GPUS],
            until_next: 0,
            since_midnight_s: None,
        }
    }

    /// The same with day and night. It begins at midnight.
    pub(super) fn by_day(self) -> Self {
        Self { since_midnight_s: Some(0.0), ..self }
    }

    pub(super) fn step(&mut self, noise: &mut Noise) -> [f64; GPUS] {
        if self.until_next == 0 {
            self.until_next = HOLD_STEPS;
            self.advance(noise);
        }
        self.until_next -= 1;
        self.levels
    }

    fn advance(&mut self, noise: &mut Noise) {
        let keep = (-HOLD_S / MEMORY_S).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        for state in self.ripples.iter_mut().chain([&mut self.tide]) {
            *state = keep * *state + fresh * noise.normal();
        }
        let mean = self.mean();
        let tide = COMMON.sqrt() * self.tide;
        self.levels = self.ripples.map(|ripple| {
            let deviation = tide + (1.0 - COMMON).sqrt() * ripple;
            (mean + SPREAD * deviation).clamp(0.0, 1.0)
        });
    }

    fn mean(&mut self) -> f64 {
        let Some(since_midnight_s) = &mut self.since_midnight_s else { return MEAN };
        let hour = *since_midnight_s / 3600.0;
        *since_midnight_s = (*since_midnight_s + HOLD_S).rem_euclid(DAY_S);
        MEAN + DAY_SWING * (TAU * (hour - BUSIEST_HOUR) / 24.0).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two GPUs once a second for ten hours.
    fn pair() -> Vec<(f64, f64)> {
        let mut noise = Noise::new(11);
        let mut inference = Inference::new(&mut noise);
        let mut second = || (0..100).map(|_| inference.step(&mut noise)).last().unwrap();
        (0..36_000).map(|_| second()).map(|levels| (levels[0] - MEAN, levels[5] - MEAN)).collect()
    }

    #[test]
    fn two_gpus_correlate_loosely_and_each_keeps_its_spread() {
        let pair = pair();
        let mean = |value: fn(&(f64, f64)) -> f64| pair.iter().map(value).sum::<f64>() / 36_000.0;
        let (first, second) = (mean(|p| p.0 * p.0).sqrt(), mean(|p| p.1 * p.1).sqrt());
        let correlation = mean(|p| p.0 * p.1) / (first * second);
        assert!((first - SPREAD).abs() < 0.012 && (second - SPREAD).abs() < 0.012, "{first} {second}");
        assert!((correlation - COMMON).abs() < 0.08, "{correlation}");
    }

    #[test]
    fn evenings_are_busier_than_nights() {
        let mut noise = Noise::new(2);
        let mut inference = Inference::new(&mut noise).by_day();
        let mut hour = || {
            let sum: f64 = (0..36_000).map(|_| (0..10).fold(0.0, |_, _| inference.step(&mut noise)[0])).sum();
            sum / 36_000.0
        };
        let hours: Vec<f64> = (0..24).map(|_| hour()).collect();
        assert!(hours[20] > 0.7 && hours[8] < 0.4, "{hours:?}");
    }
}
