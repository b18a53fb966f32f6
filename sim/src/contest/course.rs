//! What the GPUs are asked to do in the contest.
//!
//! ```text
//!  training   ▔▁▔▁▔▁▔▁▔▁▔▁▂▂▂▔▁▔▁   in step, 0.4 to 5 s an iteration, checkpoints
//!  inference  ∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿   each GPU on its own way, loosely coupled
//!  square     ▁▁▁▁▁▔▔▔▔▔▁▁▁▁▁▔▔▔▔▔   10 % and 100 %, ten minutes each
//!  restless   ▃▃▃▅▅▂▂▂▂▇▇▇▁▁▄▄▄▄▆▆   15 s samples that jump, half of them unchanged (synthetic)
//! ```

use std::path::Path;
use std::sync::Arc;

use super::bout::Ground;
use crate::plant::{DT, GPUS};
use crate::scenario::restless;
use crate::workload::{Between, Load, Trace, TraceError, Workload};

/// Seconds that a sample of the restless trace holds.
const SAMPLE_S: f64 = 15.0;

/// A workload of the contest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// One large model on all GPUs.
    Training,
    /// Requests of many users.
    Inference,
    /// A tenth and everything in turn.
    Square,
    /// A synthetic trace with the statistics published of a large machine's cooling units.
    Restless,
}

impl Course {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Training, Self::Inference, Self::Square, Self::Restless];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Inference => "inference",
            Self::Square => "square",
            Self::Restless => "restless",
        }
    }

    /// The work of a bout on this ground, from its beginning.
    ///
    /// # Errors
    ///
    /// A trace that is none.
    pub fn load(self, ground: &Ground) -> Result<Load, TraceError> {
        let of = |workload| Ok(Load::new(workload, ground.seed));
        match self {
            Self::Training => of(Workload::Training),
            Self::Inference => of(Workload::Inference),
            Self::Square => of(Workload::SQUARE),
            Self::Restless => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "weeks at most")]
                let samples = ((ground.settling_s + ground.seconds) / SAMPLE_S).ceil() as u32;
                let text = restless(samples, ground.seed);
                let trace = Trace::parse(&text, Path::new("restless"), Between::Hold, &ground.params.gpu)?;
                Ok(Load::from_trace(Arc::new(trace)))
            }
        }
    }
}

/// Mean work of each GPU over the next `seconds` of a load.
pub(super) fn mean_load(load: &mut Load, seconds: f64) -> [f64; GPUS] {
    let mut sum = [0.0; GPUS];
    let mut left = seconds;
    while left > DT / 2.0 {
        sum.iter_mut().zip(load.step()).for_each(|(sum, work)| *sum += work);
        left -= DT;
    }
    sum.map(|sum| sum * DT / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_is_the_same_course_bit_for_bit() {
        for course in Course::ALL {
            let run = |seed| {
                let mut load = course.load(&Ground::new(600.0, seed)).unwrap();
                (0..120).map(|_| mean_load(&mut load, 10.0)).collect::<Vec<_>>()
            };
            assert_eq!(run(3), run(3), "{}", course.word());
        }
    }

    #[test]
    fn the_square_is_low_for_ten_minutes_and_high_for_ten() {
        let mut load = Course::Square.load(&Ground::new(600.0, 1)).unwrap();
        let means = [0; 4].map(|_| mean_load(&mut load, 600.0)[0]);
        let expected = [0.1, 1.0, 0.1, 1.0];
        assert!(means.iter().zip(expected).all(|(mean, level)| (mean - level).abs() < 1e-9), "{means:?}");
    }
}
