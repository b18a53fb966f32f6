//! Training: all GPUs compute together, then wait for each other's gradients, and now and then save the
//! model.
//!
//! ```text
//!  0.9-1.0  ┌──────┐  ┌──────┐            ┌───
//!           │      │  │      │            │
//!  0.25-0.5 ┘      └──┘      └──┐         │
//!  0.2-0.35                     └─────────┘
//!           compute  exchange   checkpoint
//!
//!  failing:  … ┐ something broke                    ┌▔ all at once, within a second
//!              └── idle 2-10 min ──┘ loading 0.12 ──┘
//! ```
//!
//! Bands, shares and times: the swings reported for large training jobs (0.2 to 3 Hz between TDP and near
//! idle; arXiv 2508.14318), the rest estimates.

use crate::plant::DT;
use crate::rng::Noise;

/// Utilisation on the long average, checkpoints included.
pub(super) const MEAN: f64 = 0.76;
/// The same of a job that fails now and then.
pub(super) const MEAN_FAILING: f64 = 0.66;
/// Rise and fall of an edge, s.
const EDGE_S: f64 = 0.02;
/// Rise of a job that starts again, s.
const START_EDGE_S: f64 = 0.25;
/// A started job is back in step after this, s.
const START_S: f64 = 1.0;
/// Level while the model is loaded, and how long that takes, s.
const LOADING: f64 = 0.12;
const LOADING_S: (f64, f64) = (20.0, 60.0);
/// How long a job runs until something breaks, s.
const UNTIL_FAILURE_S: (f64, f64) = (1200.0, 3600.0);
/// How long it stands still then, s.
const REPAIR_S: (f64, f64) = (120.0, 600.0);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Compute,
    Exchange,
    Checkpoint,
    Failed,
    Loading,
    Start,
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
    /// Infinite for a job that never fails.
    until_failure_s: f64,
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
            until_failure_s: f64::INFINITY,
        };
        training.begin(Phase::Compute, noise);
        training.shown = training.level;
        training
    }

    /// A job that fails now and then.
    pub(super) fn failing(noise: &mut Noise) -> Self {
        let sound = Self::new(noise);
        Self { until_failure_s: noise.between(UNTIL_FAILURE_S.0, UNTIL_FAILURE_S.1), ..sound }
    }

    pub(super) fn step(&mut self, noise: &mut Noise) -> f64 {
        self.until_checkpoint_s -= DT;
        self.until_failure_s -= DT;
        self.left_s -= DT;
        if self.until_failure_s <= 0.0 {
            self.until_failure_s = noise.between(UNTIL_FAILURE_S.0, UNTIL_FAILURE_S.1);
            self.begin(Phase::Failed, noise);
        } else if self.left_s <= 0.0 {
            let next = match self.phase {
                Phase::Compute => Phase::Exchange,
                Phase::Exchange if self.until_checkpoint_s <= 0.0 => Phase::Checkpoint,
                Phase::Exchange | Phase::Checkpoint | Phase::Start => Phase::Compute,
                Phase::Failed => Phase::Loading,
                Phase::Loading => Phase::Start,
            };
            self.begin(next, noise);
        }
        let edge_s = if self.phase == Phase::Start { START_EDGE_S } else { EDGE_S };
        self.shown += (self.level - self.shown) * DT / edge_s;
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
            Phase::Failed => (0.0, noise.between(REPAIR_S.0, REPAIR_S.1)),
            Phase::Loading => (LOADING, noise.between(LOADING_S.0, LOADING_S.1)),
            Phase::Start => (1.0, START_S),
        };
        self.phase = phase;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, seconds: usize) -> Vec<(Phase, f64)> {
        play(Training::new, seed, seconds)
    }

    fn play(job: fn(&mut Noise) -> Training, seed: u64, seconds: usize) -> Vec<(Phase, f64)> {
        let mut noise = Noise::new(seed);
        let mut training = job(&mut noise);
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

    #[test]
    fn a_failed_job_stands_still_for_minutes_and_comes_back_within_a_second() {
        let run = play(Training::failing, 1, 7200);
        let count = |phase| run.iter().filter(|(now, _)| *now == phase).count();
        let failures =
            run.windows(2).filter(|pair| pair[0].0 != Phase::Failed && pair[1].0 == Phase::Failed).count();
        assert!((1..=6).contains(&failures), "{failures}");
        assert!((12_000 * failures..=60_000 * failures + 100).contains(&count(Phase::Failed)));
        let idle = run.iter().filter(|(phase, shown)| *phase == Phase::Failed && *shown < 0.01).count();
        assert!(idle > count(Phase::Failed) - 100 * failures);
        let started = run.windows(2).filter(|pair| pair[0].0 == Phase::Start && pair[1].0 == Phase::Compute);
        assert!(started.clone().count() >= 1 && started.clone().all(|pair| pair[0].1 > 0.95));
    }

    #[test]
    fn a_failing_job_does_less_on_the_long_average() {
        let mean = |seed| {
            let run = play(Training::failing, seed, 14_400);
            run.iter().map(|(_, shown)| shown).sum::<f64>() / 1_440_000.0
        };
        let mean = (0..10).map(mean).sum::<f64>() / 10.0;
        assert!((mean - MEAN_FAILING).abs() < 0.04, "{mean}");
    }
}
