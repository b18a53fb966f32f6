//! A year of inference: day and night, week and weekend, and each GPU on its own way around them.

use core::f64::consts::TAU;

use crate::outside::DAY_S;
use crate::plant::GPUS;
use crate::rng::Noise;

/// Mean work, what the day adds and takes, and what the weekend takes (estimates).
const MEAN: f64 = 0.57;
const BY_DAY: f64 = 0.18;
const WEEKEND: f64 = 0.10;
/// Hour of most work (estimate).
const BUSIEST_HOUR: f64 = 15.0;
/// Deviation of a GPU, how much of it all have in common, and how long it lasts, s: as in the simulator's inference.
const SPREAD: f64 = 0.12;
const COMMON: f64 = 0.3;
const MEMORY_S: f64 = 20.0;

/// Work under way, second by second.
#[derive(Clone, Debug)]
pub(super) struct YearWork {
    noise: Noise,
    tide: f64,
    ripples: [f64; GPUS],
    keep: f64,
}

impl YearWork {
    pub(super) fn new(seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        Self {
            tide: noise.normal(),
            ripples: [(); GPUS].map(|()| noise.normal()),
            keep: (-1.0 / MEMORY_S).exp(),
            noise,
        }
    }

    /// Work of each GPU in the second that begins `t_s` after the first of January.
    pub(super) fn second(&mut self, t_s: f64) -> [f64; GPUS] {
        let fresh = (1.0 - self.keep * self.keep).sqrt();
        for state in self.ripples.iter_mut().chain([&mut self.tide]) {
            *state = self.keep * *state + fresh * self.noise.normal();
        }
        let (level, tide) = (level(t_s), COMMON.sqrt() * self.tide);
        self.ripples.map(|ripple| (level + SPREAD * (tide + (1.0 - COMMON).sqrt() * ripple)).clamp(0.0, 1.0))
    }
}

/// What is expected at this time of day and week. The year begins on a Monday.
fn level(t_s: f64) -> f64 {
    let weekend = if (t_s / DAY_S).rem_euclid(7.0) >= 5.0 { WEEKEND } else { 0.0 };
    MEAN + BY_DAY * (TAU * (t_s / DAY_S - BUSIEST_HOUR / 24.0)).cos() - weekend
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afternoons_are_busy_and_nights_and_weekends_are_not() {
        let at = |day: f64, hour: f64| level(day * DAY_S + hour * 3600.0);
        assert!(at(0.0, 15.0) > at(0.0, 3.0) + 0.3 && at(5.0, 15.0) < at(0.0, 15.0));
    }

    #[test]
    fn gpus_wander_about_the_level_with_their_spread() {
        let mut work = YearWork::new(4);
        let all: Vec<f64> = (0..100_000).map(|_| work.second(0.0)[3] - level(0.0)).collect();
        let mean = all.iter().sum::<f64>() / 1e5;
        let spread = (all.iter().map(|way| way * way).sum::<f64>() / 1e5).sqrt();
        assert!(mean.abs() < 0.02 && (spread - SPREAD).abs() < 0.01, "{mean} {spread}");
    }
}
