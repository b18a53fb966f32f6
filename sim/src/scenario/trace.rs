//! A load that was recorded: what was asked of the GPUs, held from one line to the next.
//!
//! ```text
//!   # comment
//!   time_s,utilisation          or  time_s,gpu0,gpu1,…,gpu7
//!   0,0.31
//!   15,0.82
//! ```

use std::path::{Path, PathBuf};

use crate::plant::GPUS;

/// A load over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// From when, s, and what is asked of each GPU.
    rows: Vec<(f64, [f64; GPUS])>,
}

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read the trace {}: {source}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line says something else.
    #[error("{}:{line}: {why}", file.display())]
    Line {
        /// Which file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing in it.
    #[error("{}: the trace has no line with numbers", file.display())]
    Empty {
        /// Which file.
        file: PathBuf,
    },
}

impl Trace {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is no trace.
    pub fn read(file: &Path) -> Result<Self, TraceError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| TraceError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(&text, file)
    }

    /// Reads a text that came from `file`.
    ///
    /// # Errors
    /// Names the first line that is wrong.
    pub fn parse(text: &str, file: &Path) -> Result<Self, TraceError> {
        let mut rows: Vec<(f64, [f64; GPUS])> = Vec::new();
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            let wrong = |why: String| TraceError::Line { file: file.to_owned(), line, why };
            if rows.is_empty() && text.starts_with("time_s,") {
                continue;
            }
            let row = row(text).map_err(wrong)?;
            if rows.last().is_some_and(|(before, _)| *before >= row.0) {
                return Err(wrong(format!("the time {} is not after the one before", row.0)));
            }
            rows.push(row);
        }
        if rows.is_empty() { Err(TraceError::Empty { file: file.to_owned() }) } else { Ok(Self { rows }) }
    }

    /// What is asked of each GPU at a moment, s. Before its first line as there, after its last as there.
    #[must_use]
    pub fn at(&self, now_s: f64) -> [f64; GPUS] {
        // Half a step of slack, so that rounding does not decide.
        let begun = self.rows.partition_point(|(from, _)| *from <= now_s + 0.005);
        let row = self.rows.get(begun.saturating_sub(1));
        row.map_or([0.0; GPUS], |(_, asked)| *asked)
    }
}

fn row(text: &str) -> Result<(f64, [f64; GPUS]), String> {
    let numbers: Vec<f64> = text
        .split(',')
        .map(|word| word.trim().parse().map_err(|_| format!("\"{}\" is no number", word.trim())))
        .collect::<Result<_, _>>()?;
    let Some((time_s, asked)) = numbers.split_first() else { return Err("nothing in it".to_owned()) };
    if !time_s.is_finite() {
        return Err(format!("{time_s} is no time"));
    }
    if let Some(level) = asked.iter().find(|level| !(0.0..=1.0).contains(*level)) {
        return Err(format!("a utilisation is between 0 and 1, not {level}"));
    }
    match asked {
        [level] => Ok((*time_s, [*level; GPUS])),
        levels => <[f64; GPUS]>::try_from(levels)
            .map(|levels| (*time_s, levels))
            .map_err(|_| format!("a time and one utilisation, or {GPUS} of them, not {}", levels.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Trace, String> {
        Trace::parse(text, Path::new("load.csv")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_level_is_held_until_the_next_line() {
        let trace =
            parse("# a day\ntime_s,utilisation\n0,0.2\n15, 0.8\n\n30,0,0.1,0.2,0.3,0.4,0.5,0.6,0.7\n")
                .unwrap();
        let first = [-1.0, 0.0, 14.99, 15.0, 29.0].map(|now_s| trace.at(now_s)[0]);
        assert_eq!(first.map(f64::to_bits), [0.2, 0.2, 0.2, 0.8, 0.8].map(f64::to_bits));
        assert_eq!(trace.at(1e6)[7].to_bits(), 0.7_f64.to_bits());
    }

    #[test]
    fn a_wrong_line_is_told_by_file_and_number() {
        for (text, why) in [
            ("0,0.2\n15,x", "load.csv:2: \"x\" is no number"),
            ("0,0.2\n0,0.3", "load.csv:2: the time 0 is not after"),
            ("0,1.2", "load.csv:1: a utilisation is between 0 and 1"),
            ("0,NaN", "load.csv:1: a utilisation is between 0 and 1"),
            ("0,0.1,0.2", "load.csv:1: a time and one utilisation"),
            ("# nothing", "no line with numbers"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
