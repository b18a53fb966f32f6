//! The scenarios that belong to the product, run together.
//!
//! ```text
//!   s01 … s16 ─► [two threads, longest first] ─► reports in their order ─► table, JSON, plots
//! ```

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::file::{Scenario, ScenarioError};

/// Threads that play at the same time.
const THREADS: usize = 2;

/// A scenario as it is built in: its file's name, its text, and the load that lies beside it.
struct BuiltIn {
    file: &'static str,
    text: &'static str,
    trace: Option<(&'static str, &'static str)>,
}

macro_rules! built_in {
    ($($file:literal $(with $trace:literal)?)+) => {
        const BUILT_IN: &[BuiltIn] = &[$(BuiltIn {
            file: $file,
            text: include_str!(concat!("../../scenarios/", $file)),
            trace: built_in!(@trace $($trace)?),
        }),+];
    };
    (@trace) => { None };
    (@trace $trace:literal) => { Some(($trace, include_str!(concat!("../../scenarios/", $trace)))) };
}

built_in! {
    "s01-load-step.toml"
    "s02-training.toml"
    "s03-inference.toml"
    "s04-restless.toml" with "s04-restless.csv"
    "s05-pump-trip.toml"
    "s06-loss-of-flow.toml"
    "s07-valve.toml"
    "s08-no-river.toml"
    "s09-heat-wave.toml"
    "s10-drained.toml"
    "s11-winter.toml"
    "s12-clogged.toml"
    "s13-leak.toml"
    "s14-sensors.toml"
    "s15-restart.toml"
    "s16-heat-network.toml"
}

/// The scenarios that belong to the product, in their order.
///
/// # Errors
/// If one of them does not read, which a test rules out.
pub fn built_in() -> Result<Vec<Scenario>, ScenarioError> {
    let read = |built: &BuiltIn| {
        let trace = built.trace.map(|(file, text)| (text, Path::new(file)));
        Scenario::parse(built.text, trace, Path::new(built.file))
    };
    BUILT_IN.iter().map(read).collect()
}

/// Does something with each item on a few threads, the costliest first. Results come in the items' order and do not
/// depend on who was faster.
pub(super) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    cost: impl Fn(&T) -> u64,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let mut order: Vec<(usize, &T)> = items.iter().enumerate().collect();
    order.sort_by_key(|(_, item)| std::cmp::Reverse(cost(item)));
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(items.len())));
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                while let Some((index, item)) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((*index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Report, run};

    #[test]
    fn every_scenario_that_is_built_in_reads_and_has_its_number() {
        let scenarios = built_in().unwrap();
        let ids: Vec<&str> = scenarios.iter().map(|scenario| scenario.form.id.as_str()).collect();
        let expected: Vec<String> = (1..=16).map(|number| format!("s{number:02}")).collect();
        assert_eq!(ids, expected);
        for (scenario, built) in scenarios.iter().zip(BUILT_IN) {
            assert!(built.file.starts_with(&scenario.form.id), "{}", built.file);
            assert!(!scenario.form.without.is_empty(), "{} says what it proves", built.file);
        }
    }

    #[test]
    fn results_come_in_order_whoever_is_faster() {
        let items: Vec<u64> = (0..100).collect();
        assert_eq!(
            in_parallel(&items, |item| item * 7919 % 100, |item| item * 2),
            items.iter().map(|item| item * 2).collect::<Vec<_>>()
        );
        assert!(in_parallel(&[0_u8; 0], |_| 0, |item| *item).is_empty());
    }

    /// The whole suite is compared by `eisbach-sim suite --expect`; these are quick.
    #[test]
    fn quick_scenarios_give_the_kept_results_bit_for_bit() {
        let kept: Vec<Report> = serde_json::from_str(include_str!("../../scenarios/results.json")).unwrap();
        for scenario in
            built_in().unwrap().iter().filter(|scenario| ["s06", "s13"].contains(&scenario.form.id.as_str()))
        {
            let report = Report::new(&scenario.form.id, run(scenario).verdicts);
            assert!(report.passed, "{report:?}");
            assert!(
                kept.contains(&report),
                "renew with: eisbach-sim suite --json sim/scenarios/results.json"
            );
        }
    }
}
