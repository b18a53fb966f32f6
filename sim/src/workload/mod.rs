//! What the GPUs are asked to do: a seeded generator for each kind of work.
//!
//! ```text
//!  training   ▔▔▁▔▔▁▔▔▁▔▔▁▁▁▁▁▔▔▁   all GPUs as one, 0.4 to 5 s an iteration, checkpoints
//!  inference  ∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿∿   each GPU on its own way, loosely coupled
//!  step       ▁▁▁▁▁▁▁▁▔▔▔▔▔▔▔▔▔▔▔
//!  square     ▁▁▁▔▔▔▁▁▁▔▔▔▁▁▁▔▔▔▁
//!  idle, full, constant, or what was recorded: a trace
//! ```

mod inference;
mod source;
mod trace;
mod training;

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use source::Source;
pub use trace::{Between, Trace, TraceError};

use self::inference::Inference;
use self::training::Training;
use crate::plant::{DT, GPUS};
use crate::rng::Noise;

/// A kind of work. As text: `training`, `failing-training`, `inference`, `inference-day`, `idle`, `full`, `step`,
/// `step:LOW:HIGH:AT_S`, `square`, `square:LOW:HIGH:EACH_S`, `constant:LEVEL`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Workload {
    /// One large model on all GPUs, in step.
    Training,
    /// The same, but now and then a part fails: the job stops for minutes and starts again with all GPUs at once.
    FailingTraining,
    /// Requests from many users.
    Inference,
    /// The same with day and night, from midnight on.
    InferenceDay,
    /// Nothing.
    Idle,
    /// Everything, all the time.
    Full,
    /// One level, then another.
    Step {
        /// Utilisation at first, 0 to 1.
        low: f64,
        /// Utilisation afterwards, 0 to 1.
        high: f64,
        /// When it changes, s.
        at_s: f64,
    },
    /// One level and another, in turns.
    Square {
        /// Utilisation at first, 0 to 1.
        low: f64,
        /// Utilisation in every other turn, 0 to 1.
        high: f64,
        /// How long each turn is, s.
        each_s: f64,
    },
    /// One level.
    Constant {
        /// Utilisation, 0 to 1.
        level: f64,
    },
}

/// A text that names no workload.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "'{text}' is no workload; use training, failing-training, inference, inference-day, idle, full, step, \
     step:LOW:HIGH:AT_S, square, square:LOW:HIGH:EACH_S or constant:LEVEL, levels from 0 to 1"
)]
pub struct UnknownWorkload {
    /// The text as given.
    pub text: String,
}

impl Workload {
    /// From a tenth to everything after a minute.
    pub const STEP: Self = Self::Step { low: 0.1, high: 1.0, at_s: 60.0 };
    /// A tenth and everything, in turns of ten minutes.
    pub const SQUARE: Self = Self::Square { low: 0.1, high: 1.0, each_s: 600.0 };

    /// Utilisation on the long average, to settle a world with; of a step, what it begins with.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        match *self {
            Self::Training => training::MEAN,
            Self::FailingTraining => training::MEAN_FAILING,
            Self::Inference | Self::InferenceDay => inference::MEAN,
            Self::Idle => 0.0,
            Self::Full => 1.0,
            Self::Step { low, .. } => low,
            Self::Square { low, high, .. } => low.midpoint(high),
            Self::Constant { level } => level,
        }
    }
}

impl FromStr for Workload {
    type Err = UnknownWorkload;

    fn from_str(text: &str) -> Result<Self, UnknownWorkload> {
        let unknown = || UnknownWorkload { text: text.to_owned() };
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default();
        let numbers: Vec<f64> = parts.map(str::parse).collect::<Result<_, _>>().map_err(|_| unknown())?;
        let share = |level: f64| (0.0..=1.0).contains(&level);
        match (name, numbers.as_slice()) {
            ("training", []) => Ok(Self::Training),
            ("failing-training", []) => Ok(Self::FailingTraining),
            ("inference", []) => Ok(Self::Inference),
            ("inference-day", []) => Ok(Self::InferenceDay),
            ("idle", []) => Ok(Self::Idle),
            ("full", []) => Ok(Self::Full),
            ("step", []) => Ok(Self::STEP),
            ("step", &[low, high, at_s]) if share(low) && share(high) && (0.0..1e9).contains(&at_s) => {
                Ok(Self::Step { low, high, at_s })
            }
            ("square", []) => Ok(Self::SQUARE),
            ("square", &[low, high, each_s]) if share(low) && share(high) && (DT..1e9).contains(&each_s) => {
                Ok(Self::Square { low, high, each_s })
            }
            ("constant", &[level]) if share(level) => Ok(Self::Constant { level }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training => f.pad("training"),
            Self::FailingTraining => f.pad("failing-training"),
            Self::Inference => f.pad("inference"),
            Self::InferenceDay => f.pad("inference-day"),
            Self::Idle => f.pad("idle"),
            Self::Full => f.pad("full"),
            Self::Step { low, high, at_s } => write!(f, "step:{low}:{high}:{at_s}"),
            Self::Square { low, high, each_s } => write!(f, "square:{low}:{high}:{each_s}"),
            Self::Constant { level } => write!(f, "constant:{level}"),
        }
    }
}

impl TryFrom<String> for Workload {
    type Error = UnknownWorkload;

    fn try_from(text: String) -> Result<Self, UnknownWorkload> {
        text.parse()
    }
}

impl From<Workload> for String {
    fn from(workload: Workload) -> Self {
        workload.to_string()
    }
}

/// A workload under way.
#[derive(Clone, Debug)]
pub struct Load {
    noise: Noise,
    generator: Generator,
}

#[derive(Clone, Debug)]
enum Generator {
    Training(Training),
    Inference(Inference),
    Step { low: f64, high: f64, left_s: f64 },
    Square { now: f64, then: f64, each_s: f64, left_s: f64 },
    Constant(f64),
    Trace { trace: Arc<Trace>, steps: u64 },
}

impl Load {
    /// A workload from its beginning. The seed decides everything that is random in it.
    #[must_use]
    pub fn new(workload: Workload, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let generator = match workload {
            Workload::Training => Generator::Training(Training::new(&mut noise)),
            Workload::FailingTraining => Generator::Training(Training::failing(&mut noise)),
            Workload::Inference => Generator::Inference(Inference::new(&mut noise)),
            Workload::InferenceDay => Generator::Inference(Inference::new(&mut noise).by_day()),
            Workload::Idle => Generator::Constant(0.0),
            Workload::Full => Generator::Constant(1.0),
            Workload::Step { low, high, at_s } => Generator::Step { low, high, left_s: at_s },
            Workload::Square { low, high, each_s } => {
                Generator::Square { now: low, then: high, each_s, left_s: each_s }
            }
            Workload::Constant { level } => Generator::Constant(level),
        };
        Self { noise, generator }
    }

    /// A recorded load from its beginning.
    #[must_use]
    pub fn from_trace(trace: Arc<Trace>) -> Self {
        Self { noise: Noise::new(0), generator: Generator::Trace { trace, steps: 0 } }
    }

    /// Utilisation of each GPU for the next step of the world ([`DT`]).
    pub fn step(&mut self) -> [f64; GPUS] {
        match &mut self.generator {
            Generator::Training(training) => [training.step(&mut self.noise); GPUS],
            Generator::Inference(inference) => inference.step(&mut self.noise),
            Generator::Step { low, high, left_s } => {
                // Half a step of slack, so that rounding does not decide.
                let level = if *left_s > DT / 2.0 { *low } else { *high };
                *left_s -= DT;
                [level; GPUS]
            }
            Generator::Square { now, then, each_s, left_s } => {
                if *left_s <= DT / 2.0 {
                    core::mem::swap(now, then);
                    *left_s += *each_s;
                }
                *left_s -= DT;
                [*now; GPUS]
            }
            Generator::Constant(level) => [*level; GPUS],
            Generator::Trace { trace, steps } => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "exact for more than a million years of steps"
                )]
                let now_s = *steps as f64 * DT;
                *steps += 1;
                trace.at(now_s)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Workload; 9] = [
        Workload::Training,
        Workload::FailingTraining,
        Workload::Inference,
        Workload::InferenceDay,
        Workload::Idle,
        Workload::Full,
        Workload::Step { low: 0.2, high: 0.9, at_s: 3.0 },
        Workload::Square { low: 0.1, high: 1.0, each_s: 2.0 },
        Workload::Constant { level: 0.5 },
    ];

    fn run(workload: Workload, seed: u64, seconds: usize) -> Vec<[f64; GPUS]> {
        let mut load = Load::new(workload, seed);
        (0..seconds * 100).map(|_| load.step()).collect()
    }

    #[test]
    fn every_workload_reads_back_from_its_text() {
        for workload in ALL {
            assert_eq!(workload.to_string().parse(), Ok(workload));
            let json = serde_json::to_string(&workload).unwrap();
            assert_eq!(serde_json::from_str::<Workload>(&json).unwrap(), workload);
        }
        assert_eq!("step".parse(), Ok(Workload::STEP));
        assert_eq!("square".parse(), Ok(Workload::SQUARE));
    }

    #[test]
    fn a_text_that_names_no_workload_is_told_what_would() {
        for text in ["", "mining", "step:0.1", "step:0.1:2:60", "constant:NaN", "full:1", "square:0:1:0"] {
            let error = text.parse::<Workload>().unwrap_err().to_string();
            assert!(error.contains("constant:LEVEL"), "{error}");
        }
    }

    #[test]
    fn the_same_seed_asks_the_same_work_bit_for_bit() {
        for workload in ALL {
            assert_eq!(run(workload, 5, 60), run(workload, 5, 60), "{workload}");
        }
        assert_ne!(run(Workload::Training, 5, 60), run(Workload::Training, 6, 60));
    }

    #[test]
    fn utilisation_is_always_a_share() {
        for workload in ALL {
            assert!(
                run(workload, 9, 300).iter().flatten().all(|share| (0.0..=1.0).contains(share)),
                "{workload}"
            );
        }
    }

    #[test]
    fn a_step_comes_on_time() {
        let levels = run(Workload::Step { low: 0.2, high: 0.9, at_s: 3.0 }, 1, 5);
        let low = levels.iter().take_while(|level| level.iter().all(|share| *share < 0.5)).count();
        assert_eq!(low, 300);
        assert!(levels.iter().skip(300).flatten().all(|share| *share > 0.5));
    }

    #[test]
    fn a_square_changes_sides_every_turn() {
        let levels = run(Workload::Square { low: 0.1, high: 1.0, each_s: 2.0 }, 1, 3600);
        for (turn, levels) in levels.chunks(200).enumerate() {
            let expected = if turn % 2 == 0 { 0.1 } else { 1.0 };
            assert!(levels.iter().flatten().all(|level| (level - expected).abs() < 1e-12), "turn {turn}");
        }
    }

    #[test]
    fn the_long_average_is_as_stated() {
        for workload in [Workload::Training, Workload::Inference] {
            let means: Vec<f64> = (0..20)
                .map(|seed| run(workload, seed, 200).iter().flatten().sum::<f64>() / (20_000.0 * 8.0))
                .collect();
            let mean = means.iter().sum::<f64>() / 20.0;
            assert!((mean - workload.mean()).abs() < 0.03, "{workload}: {mean}");
        }
    }
}
