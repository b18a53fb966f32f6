//! Work that was recorded somewhere: a CSV file, replayed.
//!
//! ```text
//!   # comment                       hold    ▁▁▁▔▔▔▁▁   each line until the next
//!   time_s,utilisation              linear  ╱╲╱╲       straight from line to line
//!   0,0.31
//!   15,0.82                         before the first line as there, after the last as there
//! ```
//!
//! One column is for every GPU alike, eight are for each. A header that names `watts` gives power of a GPU instead of
//! utilisation.

use std::path::{Path, PathBuf};

use crate::plant::{GPUS, GpuParams};

/// Half a step of slack, so that rounding does not decide, s.
const SLACK_S: f64 = 0.005;
/// Chips are about this warm while they draw what a trace says, °C: for their leakage.
const WARM_CELSIUS: f64 = 55.0;

/// What is between two lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Between {
    /// The line before.
    #[default]
    Hold,
    /// A straight way from the one to the other.
    Linear,
}

/// A recorded load: utilisation of each GPU over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    rows: Vec<Row>,
    between: Between,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    time_s: f64,
    asked: [f64; GPUS],
}

/// Why a file is no trace.
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
    /// A line is wrong.
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
    #[error("{}: no line has numbers; a line is a time in seconds, a comma, and a utilisation from 0 to 1", file.display())]
    Empty {
        /// Which file.
        file: PathBuf,
    },
}

/// What the columns after the time mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Utilisation,
    Watts,
}

impl Trace {
    /// Reads a file, for GPUs of this kind.
    ///
    /// # Errors
    /// If it cannot be read, or is no trace.
    pub fn read(file: &Path, between: Between, gpu: &GpuParams) -> Result<Self, TraceError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| TraceError::Unreadable { file: file.to_owned(), source })?;
        Self::parse(&text, file, between, gpu)
    }

    /// Reads a text that came from `file`.
    ///
    /// # Errors
    /// Names the first line that is wrong.
    pub fn parse(text: &str, file: &Path, between: Between, gpu: &GpuParams) -> Result<Self, TraceError> {
        let (mut unit, mut rows) = (Unit::Utilisation, Vec::<Row>::new());
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        for (line, text) in lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')) {
            let wrong = |why: String| TraceError::Line { file: file.to_owned(), line, why };
            if let Some(columns) = text.strip_prefix("time_s,").filter(|_| rows.is_empty()) {
                unit = if columns.starts_with("watts") { Unit::Watts } else { Unit::Utilisation };
                continue;
            }
            let row = Row::parse(text, unit, gpu).map_err(wrong)?;
            if let Some(before) = rows.last().filter(|before| before.time_s >= row.time_s) {
                let why = format!(
                    "{} s does not come after {} s; put the lines in order",
                    row.time_s, before.time_s
                );
                return Err(wrong(why));
            }
            rows.push(row);
        }
        if rows.is_empty() {
            return Err(TraceError::Empty { file: file.to_owned() });
        }
        Ok(Self { rows, between })
    }

    /// What is asked of each GPU `now_s` after the beginning.
    #[must_use]
    pub fn at(&self, now_s: f64) -> [f64; GPUS] {
        let begun = self.rows.partition_point(|row| row.time_s <= now_s + SLACK_S);
        let before = self.rows.get(begun.saturating_sub(1));
        let after = self.rows.get(begun).filter(|_| begun > 0 && self.between == Between::Linear);
        match (before, after) {
            (Some(before), Some(after)) => before.towards(after, now_s),
            (Some(before), None) => before.asked,
            (None, _) => [0.0; GPUS],
        }
    }

    /// Time of its last line, s.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        self.rows.last().map_or(0.0, |row| row.time_s)
    }
}

impl Row {
    fn parse(text: &str, unit: Unit, gpu: &GpuParams) -> Result<Self, String> {
        let numbers: Vec<f64> = text
            .split(',')
            .map(|word| word.trim().parse().map_err(|_| format!("\"{}\" is no number", word.trim())))
            .collect::<Result<_, _>>()?;
        let (time_s, asked) = numbers.split_first().ok_or_else(|| "nothing in it".to_owned())?;
        if !time_s.is_finite() {
            return Err(format!("{time_s} is no time"));
        }
        let shares: Vec<f64> =
            asked.iter().map(|value| share(*value, unit, gpu)).collect::<Result<_, _>>()?;
        let asked = match shares.as_slice() {
            [each] => [*each; GPUS],
            each => each.try_into().map_err(|_| {
                format!("a time wants one number, or {GPUS}, one for each GPU; here are {}", each.len())
            })?,
        };
        Ok(Self { time_s: *time_s, asked })
    }

    fn towards(&self, after: &Self, now_s: f64) -> [f64; GPUS] {
        let part = ((now_s - self.time_s) / (after.time_s - self.time_s)).clamp(0.0, 1.0);
        let mut asked = self.asked;
        for (from, to) in asked.iter_mut().zip(after.asked) {
            *from += part * (to - *from);
        }
        asked
    }
}

/// Utilisation that a number of the file stands for.
fn share(value: f64, unit: Unit, gpu: &GpuParams) -> Result<f64, String> {
    match unit {
        Unit::Utilisation if (0.0..=1.0).contains(&value) => Ok(value),
        Unit::Utilisation => Err(format!("a utilisation is between 0 and 1, not {value}")),
        Unit::Watts if value >= 0.0 && value <= 2.0 * gpu.tdp_watts => {
            let leakage = gpu.leakage_watts * ((WARM_CELSIUS - 60.0) / gpu.leakage_kelvin).exp();
            Ok(((value - gpu.base_watts - leakage) / gpu.work_watts).clamp(0.0, 1.0))
        }
        Unit::Watts => {
            Err(format!("a GPU of {} W draws between 0 and twice that, not {value} W", gpu.tdp_watts))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, between: Between) -> Result<Trace, String> {
        let parsed = Trace::parse(text, Path::new("load.csv"), between, &GpuParams::H200);
        parsed.map_err(|error| error.to_string())
    }

    fn first(trace: &Trace, now_s: f64) -> f64 {
        trace.at(now_s)[0]
    }

    const DAY: &str = "# a day\ntime_s,utilisation\n0,0.2\n10, 0.8\n\n20,0,0.1,0.2,0.3,0.4,0.5,0.6,0.7\n";

    #[test]
    fn a_line_is_held_until_the_next() {
        let trace = parse(DAY, Between::Hold).unwrap();
        let seen = [-1.0, 0.0, 9.98, 10.0, 19.98].map(|now_s| first(&trace, now_s));
        assert_eq!(seen.map(f64::to_bits), [0.2, 0.2, 0.2, 0.8, 0.8].map(f64::to_bits));
        assert_eq!(trace.at(1e6)[7].to_bits(), 0.7_f64.to_bits());
    }

    #[test]
    fn or_it_goes_straight_to_the_next() {
        let trace = parse(DAY, Between::Linear).unwrap();
        for (now_s, expected) in [(-5.0, 0.2), (0.0, 0.2), (5.0, 0.5), (10.0, 0.8), (15.0, 0.4), (99.0, 0.0)]
        {
            assert!((first(&trace, now_s) - expected).abs() < 1e-9, "{now_s} s: {}", first(&trace, now_s));
        }
    }

    #[test]
    fn watts_become_the_utilisation_that_draws_them() {
        let trace = parse("time_s,watts\n0,75\n1,400\n2,700", Between::Hold).unwrap();
        let shares = [0.0, 1.0, 2.0].map(|now_s| first(&trace, now_s));
        assert!(shares[0].abs() < 0.01 && (shares[1] - 0.5).abs() < 0.03 && shares[2] > 0.97, "{shares:?}");
    }

    #[test]
    fn a_wrong_line_is_told_by_file_and_number() {
        for (text, why) in [
            ("0,0.2\n15,x", "load.csv:2: \"x\" is no number"),
            ("0,0.2\n0,0.3", "load.csv:2: 0 s does not come after 0 s"),
            ("0,1.2", "load.csv:1: a utilisation is between 0 and 1"),
            ("0,NaN", "load.csv:1: a utilisation is between 0 and 1"),
            ("time_s,watts\n0,9000", "load.csv:2: a GPU of 700 W"),
            ("0,0.1,0.2", "load.csv:1: a time wants one number, or 8"),
            ("0", "load.csv:1: a time wants one number"),
            ("# nothing", "no line has numbers"),
        ] {
            let error = parse(text, Between::Hold).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let missing = Trace::read(Path::new("/no/such/file"), Between::Hold, &GpuParams::H200);
        assert!(missing.unwrap_err().to_string().contains("/no/such/file"));
    }
}
