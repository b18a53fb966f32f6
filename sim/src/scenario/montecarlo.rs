//! A thousand nodes, none as the drawing says, through S1 to S8: no limit may be broken.
//!
//! ```text
//!   seed ─► mismatched node ─► settled once ─┬─► s01 ─┐
//!                                            ├─► …    ├─► smallest margins ─► histogram
//!                                            └─► s08 ─┘   broken limits ───► list, regressions
//! ```
//!
//! The cases are short forms of the scenarios (`scenarios/montecarlo.toml`): only what can break a limit.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::cli::{CommandError, say, verdict, write};
use super::criterion::Verdict;
use super::file::{Form, Scenario, ScenarioError};
use super::histogram::histograms;
use super::mismatch::mismatched;
use super::play::Play;
use super::protection::Harness;
use super::report::plain;
use super::suite::in_parallel;

const FILE: &str = "montecarlo.toml";
const CASES: &str = include_str!("../../scenarios/montecarlo.toml");

/// Runs nodes with mismatched parameters through the short forms of S1 to S8.
#[derive(Clone, Debug, Args)]
pub struct MonteCarloArguments {
    /// How many nodes.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first node's seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Write what was found here.
    #[arg(long, value_name = "JSON")]
    json: Option<PathBuf>,
    /// Draw the distributions here.
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
}

/// The cases as their file has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    start: Form,
    cases: Vec<Form>,
}

/// What every node goes through.
#[derive(Clone, Debug)]
pub struct Cases {
    start: Scenario,
    cases: Vec<Scenario>,
}

/// A limit that a node has broken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// The node.
    pub seed: u64,
    /// The case.
    pub case: String,
    /// The limit, and what was measured.
    pub verdict: Verdict,
}

/// The smallest margins of one case over all nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// The case.
    pub case: String,
    /// What it is.
    pub title: String,
    /// The limit, K.
    pub limit: f64,
    /// Least of all nodes, K.
    pub least: f64,
    /// One node in a hundred has less, K.
    pub one_percent: f64,
    /// Half of the nodes have less, K.
    pub median: f64,
    /// Greatest of all nodes, K.
    pub greatest: f64,
    /// Of every node, K.
    #[serde(skip)]
    pub values: Vec<f64>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// How many nodes.
    pub seeds: u64,
    /// Limits broken.
    pub broken: Vec<Broken>,
    /// Margins of each case.
    pub margins: Vec<Distribution>,
}

impl Cases {
    /// The cases that are built in.
    ///
    /// # Errors
    /// If their file does not read, which a test rules out.
    pub fn built_in() -> Result<Self, ScenarioError> {
        let file = Path::new(FILE);
        let read: CaseFile = toml::from_str(CASES)
            .map_err(|source| ScenarioError::Form { file: file.to_owned(), source: Box::new(source) })?;
        let scenario = |form| Scenario::of(form, file);
        let cases = read.cases.into_iter().map(scenario).collect::<Result<_, _>>()?;
        Ok(Self { start: scenario(read.start)?, cases })
    }

    /// Takes the node of a seed through every case; the verdicts of each.
    #[must_use]
    pub fn play(&self, seed: u64) -> Vec<Vec<Verdict>> {
        let (params, tuning) = mismatched(&self.start.params, self.start.tuning, seed);
        let place = |scenario: &Scenario| scenario.with_node(&params, tuning, seed);
        let start = place(&self.start);
        let settled = Play::new(&start, Harness::whole());
        self.cases.iter().map(|case| settled.branch(&place(case)).judged()).collect()
    }
}

/// Runs so many nodes from the first one on.
#[must_use]
pub fn monte_carlo(cases: &Cases, first: u64, seeds: u64) -> Findings {
    let nodes: Vec<u64> = (first..first.saturating_add(seeds)).collect();
    let played = in_parallel(&nodes, |_| 0, |seed| cases.play(*seed));
    let mut broken = Vec::new();
    let mut values: Vec<Vec<f64>> = vec![Vec::new(); cases.cases.len()];
    for (seed, verdicts) in nodes.iter().zip(&played) {
        for ((case, verdicts), values) in cases.cases.iter().zip(verdicts).zip(&mut values) {
            // The margin comes first in every case, which a test checks.
            values.extend(verdicts.first().and_then(|margin| margin.value));
            let bad = verdicts.iter().filter(|verdict| !verdict.passed);
            broken.extend(bad.map(|verdict| Broken {
                seed: *seed,
                case: case.form.id.clone(),
                verdict: verdict.clone(),
            }));
        }
    }
    let margins = cases.cases.iter().zip(values).map(|(case, values)| distribution(case, values)).collect();
    Findings { seeds, broken, margins }
}

fn distribution(case: &Scenario, values: Vec<f64>) -> Distribution {
    let mut sorted = values.clone();
    sorted.sort_by(f64::total_cmp);
    let at =
        |percent: usize| sorted.get((sorted.len().saturating_sub(1)) * percent / 100).copied().unwrap_or(0.0);
    Distribution {
        case: case.form.id.clone(),
        title: case.form.title.clone(),
        limit: case.form.criteria.first().map_or(0.0, |margin| margin.limit),
        least: at(0),
        one_percent: at(1),
        median: at(50),
        greatest: at(100),
        values,
    }
}

/// Runs nodes and tells what was found. Fails where a limit was broken.
///
/// # Errors
/// If results cannot be written.
pub fn command(arguments: &MonteCarloArguments) -> Result<ExitCode, CommandError> {
    let found = monte_carlo(&Cases::built_in()?, arguments.first, arguments.seeds);
    if let Some(file) = &arguments.json {
        let unusable =
            |error: serde_json::Error| CommandError::Unusable { file: file.clone(), why: error.to_string() };
        let text = serde_json::to_string_pretty(&found).map_err(unusable)?;
        write(file, &format!("{text}\n"))?;
    }
    if let Some(file) = &arguments.plot {
        write(file, &histograms(&found))?;
    }
    say(&table(&found));
    Ok(verdict(found.broken.is_empty()))
}

fn table(found: &Findings) -> String {
    let mut text = format!(
        "{} nodes: hottest core below slowdown, K\n{:5} {:>8} {:>8} {:>8} {:>8} {:>8}  case\n",
        found.seeds, "", "limit", "least", "1 %", "median", "greatest"
    );
    for margins in &found.margins {
        let number = |value: f64| plain(Some((value * 10.0).round() / 10.0));
        let Distribution { case, title, .. } = margins;
        let _infallible = writeln!(
            text,
            "{case:5} {:>8} {:>8} {:>8} {:>8} {:>8}  {title}",
            number(margins.limit),
            number(margins.least),
            number(margins.one_percent),
            number(margins.median),
            number(margins.greatest)
        );
    }
    let _infallible = writeln!(text, "{} limits broken", found.broken.len());
    for Broken { seed, case, verdict } in &found.broken {
        let (value, limit) = (plain(verdict.value), plain(Some(verdict.limit)));
        let _infallible = writeln!(text, "  seed {seed} {case}: {}  {value}  limit {limit}", verdict.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scenario::Kind;

    /// Nodes that have broken a limit once, and may not again.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Regressions {
        seeds: Vec<u64>,
    }

    #[test]
    fn a_few_nodes_that_are_not_as_drawn_break_no_limit_and_neither_do_those_that_once_did() {
        let kept: Regressions = toml::from_str(include_str!("../../scenarios/regressions.toml")).unwrap();
        let cases = Cases::built_in().unwrap();
        let seeds: BTreeSet<u64> = [1, 2, 3].into_iter().chain(kept.seeds).collect();
        for seed in seeds {
            let found = monte_carlo(&cases, seed, 1);
            assert_eq!(found.broken, [], "seed {seed}");
        }
    }

    #[test]
    fn the_margin_comes_first_in_every_case() {
        let cases = Cases::built_in().unwrap();
        let first = |case: &Scenario| case.form.criteria.first().map(|criterion| criterion.kind);
        assert!(cases.cases.iter().all(|case| first(case) == Some(Kind::Margin)));
        assert_eq!(cases.cases.len(), 8);
    }
}
