//! Everything that a round leaves to chance, from one seed.

use std::time::Duration;

use rand_core::{RngCore as _, SeedableRng as _};
use rand_xoshiro::SplitMix64;

/// A seeded source of choices.
pub(super) struct Dice(SplitMix64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(SplitMix64::seed_from_u64(seed))
    }

    /// From `low` to below `high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.0.next_u32() % (high - low)
    }

    /// True once in `times`.
    pub(super) fn one_in(&mut self, times: u32) -> bool {
        self.between(0, times) == 0
    }

    /// Waits for a time between these, in µs.
    pub(super) fn pause(&mut self, low_us: u32, high_us: u32) {
        std::thread::sleep(Duration::from_micros(self.between(low_us, high_us).into()));
    }

    /// The eight GPUs in any order.
    pub(super) fn gpus(&mut self) -> Vec<u8> {
        let mut order: Vec<u8> = (0..8).collect();
        order.sort_by_cached_key(|_| self.0.next_u32());
        order
    }
}
