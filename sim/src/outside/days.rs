//! Weather's memory: Gaussian noise, one value a day, of which each remembers the one before.
//!
//! ```text
//!   x(n) = φ · x(n−1) + √(1 − φ²) · ε(n)      φ = e^(−1 day / memory)
//! ```
//!
//! The year is a ring: the last of December leads over to the first of January. Between two days the value goes
//! straight.

use super::calendar::{DAY_S, in_year};
use crate::rng::Noise;

/// Days of the ring.
const DAYS: usize = 365;

/// A year of noise with mean 0 and deviation 1.
#[derive(Clone, Debug)]
pub(super) struct Days(Vec<f64>);

impl Days {
    /// Noise that remembers for `memory_days`.
    pub(super) fn new(seed: u64, memory_days: f64) -> Self {
        let keep = (-1.0 / memory_days).exp();
        let fresh = (1.0 - keep * keep).sqrt();
        let mut noise = Noise::new(seed);
        let news: Vec<f64> = (0..DAYS).map(|_| fresh * noise.normal()).collect();
        // What the year ends with is what it begins with: once round to find it, once more to keep it.
        let next = |state: &mut f64, news: &f64| {
            *state = keep * *state + news;
            Some(*state)
        };
        let end = news.iter().scan(0.0, next).last().unwrap_or_default();
        Self(news.iter().scan(end, next).collect())
    }

    /// A mix of two: `share` of the variance from `common`, the rest from `self`.
    pub(super) fn mixed(self, common: &Self, share: f64) -> Self {
        let (theirs, own) = (share.sqrt(), (1.0 - share).sqrt());
        Self(common.0.iter().zip(&self.0).map(|(common, each)| theirs * common + own * each).collect())
    }

    /// The value at a moment.
    pub(super) fn at(&self, t_s: f64) -> f64 {
        let days = in_year(t_s) / DAY_S;
        let (whole, part) = (days.floor(), days - days.floor());
        let (before, after) = (self.day(whole), self.day(whole + 1.0));
        before + (after - before) * part
    }

    fn day(&self, day: f64) -> f64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number from 0 to 364"
        )]
        let index = day.rem_euclid(365.0) as usize;
        self.0.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_remembers_the_one_before() {
        let (mut variance, mut covariance) = (0.0, 0.0);
        for seed in 0..50 {
            let days = Days::new(seed, 2.0);
            for day in 0..365 {
                let (today, tomorrow) = (days.day(f64::from(day)), days.day(f64::from(day + 1)));
                variance += today * today;
                covariance += today * tomorrow;
            }
        }
        variance /= 365.0 * 50.0;
        covariance /= 365.0 * 50.0;
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        assert!((covariance / variance - (-0.5_f64).exp()).abs() < 0.03, "{covariance}");
    }

    #[test]
    fn december_leads_over_to_january() {
        let turn = |seed| {
            let days = Days::new(seed, 2.0);
            days.day(364.0) * days.day(0.0)
        };
        let covariance = (0..2000).map(turn).sum::<f64>() / 2000.0;
        assert!((covariance - (-0.5_f64).exp()).abs() < 0.1, "{covariance}");
    }

    #[test]
    fn between_days_the_value_goes_straight() {
        let days = Days::new(1, 2.0);
        let middle = days.at(DAY_S * 10.5);
        assert!((middle - (days.day(10.0) + days.day(11.0)) / 2.0).abs() < 1e-12);
    }
}
