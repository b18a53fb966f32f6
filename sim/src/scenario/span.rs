//! Lengths and moments of plant time, as people write them.

use core::fmt;
use core::str::FromStr;

use serde::Deserialize;

use crate::closed_loop::CYCLE_MS;

/// Longest time a scenario may speak of, ms: a year.
const LONGEST_MS: f64 = 366.0 * 86_400_000.0;

/// A time in whole control cycles. As text: `500ms`, `20s`, `1.5m`, `6h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Span {
    cycles: u64,
}

/// A text that is no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no time; write 500ms, 20s, 1.5m or 6h, in steps of {CYCLE_MS} ms, a year at most")]
pub struct SpanError {
    text: String,
}

impl Span {
    /// So many whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self { cycles: seconds * 1000 / CYCLE_MS }
    }

    /// In control cycles.
    #[must_use]
    pub const fn cycles(self) -> u64 {
        self.cycles
    }

    /// In seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        seconds(self.cycles)
    }
}

/// So many control cycles in seconds.
#[expect(clippy::cast_precision_loss, reason = "a year of cycles is exact in an f64")]
pub(super) fn seconds(cycles: u64) -> f64 {
    (cycles * CYCLE_MS) as f64 / 1000.0
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let error = || SpanError { text: text.to_owned() };
        let unit_at = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(error)?;
        let (number, unit) = text.split_at(unit_at);
        let ms_per_unit = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return Err(error()),
        };
        let ms = number.parse::<f64>().map_err(|_| error())? * ms_per_unit;
        #[expect(clippy::cast_precision_loss, reason = "it is a hundred")]
        let cycles = ms / CYCLE_MS as f64;
        if !(0.0..=LONGEST_MS).contains(&ms) || (cycles - cycles.round()).abs() > 1e-6 {
            return Err(error());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "within a year, not negative"
        )]
        let cycles = cycles.round() as u64;
        Ok(Self { cycles })
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.seconds();
        if self.cycles > 0 && self.cycles.is_multiple_of(Self::from_secs(3600).cycles) {
            write!(f, "{} h", seconds / 3600.0)
        } else if self.cycles > 0 && self.cycles.is_multiple_of(Self::from_secs(60).cycles) {
            write!(f, "{} min", seconds / 60.0)
        } else {
            write!(f, "{seconds} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_in_every_unit() {
        let cycles = |text: &str| text.parse::<Span>().map(Span::cycles).unwrap();
        assert_eq!([cycles("300ms"), cycles("1.5s"), cycles("2m"), cycles("0.5h")], [3, 15, 1200, 18_000]);
    }

    #[test]
    fn what_is_no_time_is_told_what_would_be_one() {
        for text in ["", "20", "-5s", "5d", "50ms", "9000h", "1.2.3s"] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.contains(&format!("\"{text}\"")) && error.contains("6h"), "{error}");
        }
    }

    #[test]
    fn a_time_is_told_in_the_unit_that_fits() {
        let told = |text: &str| text.parse::<Span>().unwrap().to_string();
        assert_eq!([told("90s"), told("120s"), told("2h"), told("0s")], ["90 s", "2 min", "2 h", "0 s"]);
    }
}
