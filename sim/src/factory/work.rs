//! What the GPUs of a factory are asked to do: the kinds of [`workload`](crate::workload), a second or a tenth of one
//! at a time.
//!
//! ```text
//!   training   a node's GPUs as one: compute, exchange, now and then a checkpoint
//!   inference  each GPU on its own way, once a second
//!   constant
//! ```
//!
//! Swings shorter than a step come out as their mean.

use crate::plant::GPUS;
use crate::rng::Noise;

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Work {
    /// One large model on all GPUs of a node, in step.
    Training,
    /// Requests from many users.
    Inference,
    /// Always the same.
    Constant {
        /// Utilisation, 0 to 1.
        level: f64,
    },
}

/// Mean utilisation of inference, and the spread of one GPU around it. Estimates, as in the detailed workload.
const INFERENCE: (f64, f64) = (0.53, 0.15);
/// Inference forgets in this time, s. Estimate.
const MEMORY_S: f64 = 20.0;
/// Standard deviation of an even distribution from -1 to 1.
const EVEN: f64 = 0.577_350_269_189_625_8;

/// Work of one node under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    work: Work,
    noise: Noise,
    left_s: f64,
    until_checkpoint_s: f64,
    iteration_s: f64,
    compute_share: f64,
    computes: bool,
    levels: [f64; GPUS],
}

impl Task {
    pub(super) fn new(work: Work, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let iteration_s = noise.between(0.4_f64.ln(), 5.0_f64.ln()).exp();
        let level = match work {
            Work::Training => 0.9,
            Work::Inference => INFERENCE.0,
            Work::Constant { level } => level,
        };
        Self {
            work,
            left_s: 0.0,
            until_checkpoint_s: noise.between(600.0, 1800.0),
            iteration_s,
            compute_share: noise.between(0.55, 0.80),
            computes: false,
            levels: [level; GPUS],
            noise,
        }
    }

    /// Utilisation of each GPU in the next `dt`, if it is another than before.
    pub(super) fn step(&mut self, dt: f64) -> Option<[f64; GPUS]> {
        match self.work {
            Work::Constant { .. } => {
                let first = !self.computes;
                self.computes = true;
                first.then_some(self.levels)
            }
            Work::Training => self.train(dt),
            Work::Inference => self.infer(dt),
        }
    }

    fn train(&mut self, dt: f64) -> Option<[f64; GPUS]> {
        self.until_checkpoint_s -= dt;
        self.left_s -= dt;
        if self.left_s > 0.0 {
            return None;
        }
        let swings_within = self.iteration_s < 2.0 * dt;
        let noise = &mut self.noise;
        let (high, low) = (noise.between(0.9, 1.0), noise.between(0.25, 0.5));
        let (level, lasts) = if self.until_checkpoint_s <= 0.0 {
            self.until_checkpoint_s = noise.between(600.0, 1800.0);
            self.computes = false;
            (noise.between(0.2, 0.35), noise.between(10.0, 60.0))
        } else if swings_within {
            (self.compute_share * high + (1.0 - self.compute_share) * low, 5.0 * self.iteration_s)
        } else {
            self.computes = !self.computes;
            let share = if self.computes { self.compute_share } else { 1.0 - self.compute_share };
            (if self.computes { high } else { low }, self.iteration_s * share)
        };
        // What a phase was too long or too short for whole steps the next one gets.
        self.left_s += lasts;
        self.levels = [level; GPUS];
        Some(self.levels)
    }

    fn infer(&mut self, dt: f64) -> Option<[f64; GPUS]> {
        /// Levels hold for this long, s.
        const HOLD_S: f64 = 1.0;
        self.left_s -= dt;
        if self.left_s > 0.0 {
            return None;
        }
        self.left_s += HOLD_S;
        let keep = 1.0 - HOLD_S / MEMORY_S;
        let fresh = INFERENCE.1 / EVEN * (1.0 - keep * keep).sqrt();
        for level in &mut self.levels {
            let push = fresh * (2.0 * self.noise.unit() - 1.0);
            *level = (INFERENCE.0 + keep * (*level - INFERENCE.0) + push).clamp(0.0, 1.0);
        }
        Some(self.levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(work: Work, per_s: u32, seconds: u32) -> Vec<f64> {
        let mut task = Task::new(work, 5);
        let mut now = 0.0;
        let mut level = || {
            now = task.step(1.0 / f64::from(per_s)).map_or(now, |levels| levels[3]);
            now
        };
        (0..seconds * per_s).map(|_| level()).collect()
    }

    #[test]
    fn the_long_average_of_training_does_not_know_the_step() {
        let mean =
            |per_s: u32| levels(Work::Training, per_s, 7200).iter().sum::<f64>() / f64::from(7200 * per_s);
        assert!((mean(10) - mean(1)).abs() < 0.04, "{} {}", mean(10), mean(1));
        assert!((0.65..0.85).contains(&mean(10)), "{}", mean(10));
    }

    #[test]
    fn inference_wanders_about_its_mean() {
        let all = levels(Work::Inference, 1, 36_000);
        let mean = all.iter().sum::<f64>() / 36_000.0;
        let spread = (all.iter().map(|level| (level - mean).powi(2)).sum::<f64>() / 36_000.0).sqrt();
        assert!((mean - INFERENCE.0).abs() < 0.02 && (spread - INFERENCE.1).abs() < 0.03, "{mean} {spread}");
        assert!(all.iter().all(|level| (0.0..=1.0).contains(level)));
    }

    #[test]
    fn what_is_constant_is_told_once() {
        let mut task = Task::new(Work::Constant { level: 0.4 }, 1);
        assert_eq!(task.step(1.0), Some([0.4; GPUS]));
        assert_eq!(task.step(1.0), None);
    }
}
