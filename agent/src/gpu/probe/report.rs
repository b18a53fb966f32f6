//! What the probe has found, as it leaves as JSON.

use serde::Serialize;

/// Everything.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) library: Library,
    pub(super) user: User,
    /// Every function of the tables, and whether the library has it.
    pub(super) symbols: Vec<SymbolFound>,
    pub(super) gpus: Vec<GpuFound>,
}

/// The library and the driver behind it.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Library {
    pub(super) path: String,
    pub(super) nvml_version: Option<String>,
    pub(super) driver_version: Option<String>,
    pub(super) cuda_version: Option<String>,
    /// Whether the driver counts the fields 251 to 273 in the newer way.
    pub(super) fields_renumbered: bool,
    pub(super) init_us: u64,
}

/// Who asked. Whether limits may be set is read here, and not tried.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) cap_sys_admin: Option<bool>,
}

/// One row of the symbol matrix.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct SymbolFound {
    pub(super) name: &'static str,
    pub(super) present: bool,
}

/// One GPU, as far as it answered.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct GpuFound {
    pub(super) index: u32,
    /// Temperature and power were told, and every call came back.
    pub(super) answered: bool,
    /// The call that did not come back.
    pub(super) hangs_in: Option<&'static str>,
    /// All there was to ask has been asked.
    pub(super) complete: bool,
    pub(super) getters: Vec<GetterFound>,
    pub(super) fields: Vec<FieldFound>,
    pub(super) margin: MarginFound,
    pub(super) batch: BatchFound,
    pub(super) freshness: Vec<FreshnessFound>,
}

/// One call: how it answered first, and how long it took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GetterFound {
    pub(super) name: &'static str,
    pub(super) of: &'static str,
    pub(super) rc: u32,
    pub(super) meaning: &'static str,
    pub(super) value: Option<Value>,
    pub(super) latency: Latency,
}

/// One field value.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct FieldFound {
    pub(super) id: u32,
    pub(super) name: &'static str,
    pub(super) scope: u32,
    pub(super) rc: u32,
    pub(super) meaning: &'static str,
    pub(super) value_type: u32,
    pub(super) value: Option<i64>,
}

/// Temperature and margin, which should have a constant sum, and the limits both ways.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct MarginFound {
    pub(super) rounds: u32,
    pub(super) sum_min_celsius: Option<i64>,
    pub(super) sum_max_celsius: Option<i64>,
    pub(super) slowdown_celsius: Option<i64>,
    pub(super) shutdown_celsius: Option<i64>,
    /// The same from the sum and the fields 194 and 193.
    pub(super) slowdown_by_margin_celsius: Option<i64>,
    pub(super) shutdown_by_margin_celsius: Option<i64>,
}

/// One field call for what several calls tell.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct BatchFound {
    pub(super) fields: usize,
    pub(super) together: Latency,
    pub(super) one_by_one: Latency,
}

/// How often a value changes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct FreshnessFound {
    pub(super) what: &'static str,
    pub(super) samples: u32,
    pub(super) changes: u32,
    /// From change to change.
    pub(super) shortest_ms: Option<u64>,
    pub(super) median_ms: Option<u64>,
    pub(super) longest_ms: Option<u64>,
}

/// Time that calls took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Latency {
    pub(super) rounds: usize,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
}

impl Latency {
    /// From each call's time.
    pub(super) fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let rounds = times.len();
        // The nearest rank, so that a percentile is a time that was measured.
        let rank = |percent: usize| times.get((rounds * percent).div_ceil(100).saturating_sub(1)).copied();
        Self {
            rounds,
            p50_us: rank(50).unwrap_or(0),
            p99_us: rank(99).unwrap_or(0),
            max_us: rank(100).unwrap_or(0),
        }
    }
}

/// What a call told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Number(i64),
    Numbers(Vec<i64>),
    Text(String),
}

impl Value {
    /// The number, if it is one.
    pub(super) const fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Numbers(_) | Self::Text(_) => None,
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<Vec<u32>> for Value {
    fn from(numbers: Vec<u32>) -> Self {
        Self::Numbers(numbers.into_iter().map(i64::from).collect())
    }
}

impl<const N: usize> From<[u32; N]> for Value {
    fn from(numbers: [u32; N]) -> Self {
        Self::Numbers(numbers.map(i64::from).to_vec())
    }
}

impl From<[u64; 2]> for Value {
    fn from(numbers: [u64; 2]) -> Self {
        Self::Numbers(numbers.map(|number| i64::try_from(number).unwrap_or(i64::MAX)).to_vec())
    }
}

/// What a return code means, in the words of the header.
pub(super) const fn meaning(rc: u32) -> &'static str {
    match rc {
        0 => "success",
        1 => "uninitialised",
        2 => "invalid argument",
        3 => "not supported",
        4 => "no permission",
        6 => "not found",
        7 => "insufficient size",
        9 => "driver not loaded",
        10 => "timeout",
        12 => "library not found",
        13 => "function not found",
        15 => "GPU is lost",
        16 => "GPU must be reset",
        17 => "operating system",
        18 => "library and driver differ",
        19 => "in use",
        20 => "memory",
        21 => "no data",
        24 => "frequency not supported",
        25 => "argument version mismatch",
        26 => "deprecated",
        27 => "not ready",
        28 => "GPU not found",
        29 => "invalid state",
        999 => "unknown",
        _ => "another error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        assert_eq!(
            Latency::of((1..=20).rev().collect()),
            Latency { rounds: 20, p50_us: 10, p99_us: 20, max_us: 20 }
        );
        assert_eq!(Latency::of(vec![7]), Latency { rounds: 1, p50_us: 7, p99_us: 7, max_us: 7 });
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
