//! Seeded randomness: the same seed gives the same world, bit for bit.

use core::f64::consts::TAU;

use rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// 2^-53: spreads 53 bits over 0 to 1.
const UNIT_PER_BIT: f64 = f64::EPSILON / 2.0;

/// A seeded source of random numbers.
#[derive(Clone, Debug)]
pub struct Noise {
    source: Xoshiro256PlusPlus,
    /// Box-Muller makes two at a time.
    spare: Option<f64>,
}

impl Noise {
    /// The source that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { source: Xoshiro256PlusPlus::seed_from_u64(seed), spare: None }
    }

    /// Even over 0 (included) to 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are exact in an f64")]
        let bits = (self.source.next_u64() >> 11) as f64;
        bits * UNIT_PER_BIT
    }

    /// Even over `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Gaussian with mean 0 and standard deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 − unit is never zero, so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (TAU * self.unit()).sin_cos();
        self.spare = Some(radius * sin);
        radius * cos
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaussian_has_mean_zero_and_deviation_one() {
        let mut noise = Noise::new(7);
        let samples: Vec<f64> = (0..100_000).map(|_| noise.normal()).collect();
        let mean = samples.iter().sum::<f64>() / 1e5;
        let variance = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn even_numbers_stay_inside_their_range() {
        let mut noise = Noise::new(8);
        assert!((0..10_000).all(|_| (0.4..5.0).contains(&noise.between(0.4, 5.0))));
    }

    #[test]
    fn another_seed_is_another_world() {
        let first = |seed| Noise::new(seed).normal().to_bits();
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }
}
