//! Deliberate faults. Each must break its own rules, and no others.

mod births;
mod deaths;
mod talk;

use super::capture::Capture;
use super::wire::Metric;

/// A fault that can be put into a capture.
#[derive(Clone, Copy, Debug)]
pub struct Breach {
    /// What is wrong.
    pub name: &'static str,
    /// Puts it in; `None` if the capture has no place for it.
    pub commit: fn(&mut Capture) -> Option<()>,
    /// The assertions that it breaks.
    pub breaks: &'static [&'static str],
}

/// Beyond any alias in use.
const FREE_ALIAS: u64 = u64::MAX;

/// All of them.
pub fn breaches() -> impl Iterator<Item = &'static Breach> {
    [births::BREACHES, deaths::BREACHES, talk::BREACHES].into_iter().flatten()
}

fn is(metric: &Metric, name: &str) -> bool {
    metric.name.as_deref() == Some(name)
}

/// A metric that lost its value.
fn nothing(alias: Option<u64>, timestamp: Option<u64>) -> Metric {
    Metric { alias, timestamp, is_null: Some(true), ..Metric::default() }
}
