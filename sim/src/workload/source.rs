//! Where work comes from: a generator by its name, or a recorded trace by its file.
//!
//! ```text
//!   "training"               ─► Workload ─┐
//!   "trace:load.csv"         ─► Trace ────┼─► Load
//!   "trace:load.csv:linear"  ─► Trace ────┘
//! ```

use core::str::FromStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Between, Load, Trace, TraceError, UnknownWorkload, Workload};
use crate::plant::GpuParams;

/// A generator or a trace, as given on a command line. Nothing is read yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A generator.
    Generator(Workload),
    /// A CSV file.
    Trace {
        /// Its path.
        file: PathBuf,
        /// What is between its lines.
        between: Between,
    },
}

impl Source {
    /// The load, from its beginning.
    ///
    /// # Errors
    /// If it is a trace that cannot be read.
    pub fn load(&self, gpu: &GpuParams, seed: u64) -> Result<Load, TraceError> {
        match self {
            Self::Generator(workload) => Ok(Load::new(*workload, seed)),
            Self::Trace { file, between } => {
                Ok(Load::from_trace(Arc::new(Trace::read(Path::new(file), *between, gpu)?)))
            }
        }
    }
}

impl FromStr for Source {
    type Err = UnknownWorkload;

    fn from_str(text: &str) -> Result<Self, UnknownWorkload> {
        match text.strip_prefix("trace:") {
            None => text.parse().map(Self::Generator),
            Some("" | ":linear") => Err(UnknownWorkload { text: text.to_owned() }),
            Some(file) => Ok(match file.strip_suffix(":linear") {
                Some(file) => Self::Trace { file: file.into(), between: Between::Linear },
                None => Self::Trace { file: file.into(), between: Between::Hold },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_names_a_generator_or_a_file() {
        assert_eq!("full".parse(), Ok(Source::Generator(Workload::Full)));
        let trace = |between| Source::Trace { file: "a/b.csv".into(), between };
        assert_eq!("trace:a/b.csv".parse(), Ok(trace(Between::Hold)));
        assert_eq!("trace:a/b.csv:linear".parse(), Ok(trace(Between::Linear)));
        assert!("trace:".parse::<Source>().is_err() && "mining".parse::<Source>().is_err());
    }

    #[test]
    fn a_trace_plays_from_its_beginning_and_stays_at_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0,0.1\n2,0.9\n").unwrap();
        let source = Source::Trace { file: file.path().into(), between: Between::Hold };
        let mut load = source.load(&GpuParams::H200, 1).unwrap();
        let levels: Vec<f64> = (0..500).map(|_| load.step()[3]).collect();
        assert!(levels[..200].iter().all(|level| (level - 0.1).abs() < 1e-12));
        assert!(levels[200..].iter().all(|level| (level - 0.9).abs() < 1e-12));
    }
}
