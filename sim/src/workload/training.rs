//! Training: all GPUs compute together, then wait for each other's gradients, and now and then save the
//! model.
//!
//! ```text
//!  0.9-1.0  ┌──────┐  ┌──────┐            ┌───
//!           │      │  │      │            │
//!  0.25-0.5 ┘      └──┘      └──┐         │
//!  0.2-0.35                     └─────────┘
//!           compute  exchange   checkpoint
//! ```
//!
//! Bands, shares and times: the swings reported for large training jobs (0.2 to 3 Hz between TDP and near
//! idle; arXiv 2508.14318), the rest estimates.

use crate::plant::DT;
use crate::rng::Noise;

/// Utilisation on the long average, checkpoints included.
pub(super) const MEAN: f64 = 0.76;
/// Rise and fall of an edge, s.
const EDGE_S: f64 = 0.02;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Compute,
    Exchange,
    Checkpoint,
}

/// One job.
#[derive(Clone, Debug)]
pub(super) struct Training {
    iteration_s: f64,
    compute_share: f64,
    phase: Phase,
    level: f64,
    shown: f64,
    left_s: f64,
    until_checkpoint_s: f64,
}

impl Training {
    /// A job whose iterations are of their own length, as each model has.
    pub(super) fn new(noise: &mut Noise) -> Self {
        let mut training = Self {
            iteration_s: noise.between(0.4_f64.ln(), 5.0_f64.ln()).exp(),
            compute_share: noise.between(0.55, 0.80),
            phase: Phase::Exchange,
            level: 0.0,
            shown: 0.0,
            left_s: 0.0,
            until_checkpoint_s: noise.between(600.0, 1800.0),
        };
        training.begin(Phase::Compute, noise);
        training.shown = training.level;
        training
    }

    pub(super) fn step(&mut self, noise: &mut Noise) -> f64 {
        self.until_checkpoint_s -= DT;
        self.left_s -= DT;
        if self.left_s <= 0.0 {
            let next = match self.phase {
                Phase::Compute => Phase::Exchange,
                Phase::Exchange if self.until_checkpoint_s <= 0.0 => Phase::Checkpoint,
                Phase::Exchange | Phase::Checkpoint => Phase::Compute,
            };
            self.begin(next, noise);
        }
        self.shown += (self.level - self.shown) * DT / EDGE_S;
        self.shown
    }

    fn begin(&mut self, phase: Phase, noise: &mut Noise) {
        let jitter = noise.between(0.95, 1.05);
        let iteration_s = self.iteration_s * jitter;
        (self.level, self.left_s) = match phase {
            Phase::Compute => (noise.between(0.9, 1.0), iteration_s * self.compute_share),
            Phase::Exchange => (noise.between(0.25, 0.5), iteration_s * (1.0 - self.compute_share)),
            Phase::Checkpoint => {
                self.until_checkpoint_s = noise.between(600.0, 1800.0);
                (noise.between(0.2, 0.35), noise.between(10.0, 60.0))
            }
        };
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, seconds: usize) -> Vec<(Phase, f64)> {
        let mut noise = Noise::new(seed);
        let mut training = Training::new(&mut noise);
        let mut step = || {
            let shown = training.step(&mut noise);
            (training.phase, shown)
        };
        (0..seconds * 100).map(|_| step()).collect()
    }

    #[test]
    fn training_swings_between_its_bands() {
        for seed in 0..20 {
            let levels: Vec<f64> = run(seed, 60).into_iter().map(|(_, shown)| shown).collect();
            assert!(levels.iter().all(|level| (0.25..=1.0).contains(level)), "seed {seed}");
            let rises = levels.windows(2).filter(|pair| pair[0] <= 0.7 && pair[1] > 0.7).count();
            assert!((10..=160).contains(&rises), "seed {seed}: {rises} iterations a minute");
            let high = levels.iter().filter(|level| **level >= 0.9).count();
            let low = levels.iter().filter(|level| **level <= 0.5).count();
            assert!(high > low && low > 0, "seed {seed}: {high} high, {low} low");
        }
    }

    #[test]
    fn checkpoints_come_within_half_an_hour_and_last_ten_to_sixty_seconds() {
        let run = run(3, 3600);
        let saving = run.iter().filter(|(phase, _)| *phase == Phase::Checkpoint).count();
        let begins = run
            .windows(2)
            .filter(|pair| pair[0].0 != Phase::Checkpoint && pair[1].0 == Phase::Checkpoint)
            .count();
        assert!((1..=6).contains(&begins), "{begins}");
        assert!((10 * 100 * begins..=60 * 100 * begins + 100).contains(&saving), "{saving} steps");
    }
}
