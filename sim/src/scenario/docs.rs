//! The tables of `docs/scenarios.md`, made from kept results.
//!
//! ```text
//!   results.json ──► results table ──────► between its marks in the document
//!   without.json ──► protections' table ─► between its marks
//! ```

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::criterion::Verdict;
use super::file::Scenario;
use super::report::{Report, plain};

/// What came of a scenario without one of its protections, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bare {
    /// The scenario.
    pub id: String,
    /// What was taken away, and what stood in its place.
    pub without: String,
    /// The criteria that hold with it and not without.
    pub broken: Vec<Verdict>,
}

/// Every scenario with every criterion.
#[must_use]
pub fn results_table(scenarios: &[Scenario], reports: &[Report]) -> String {
    let mut text =
        String::from("| scenario | | criterion | measured | limit |\n| --- | --- | --- | ---: | ---: |\n");
    for (scenario, report) in scenarios.iter().zip(reports) {
        for (index, verdict) in report.criteria.iter().enumerate() {
            let (id, title) = if index == 0 {
                (
                    format!("**{}** {}", report.id, scenario.form.title),
                    if report.passed { "holds" } else { "**fails**" },
                )
            } else {
                (String::new(), "")
            };
            let _infallible = writeln!(
                text,
                "| {id} | {title} | {} | {}{} | {} |",
                verdict.name,
                plain(verdict.value),
                if verdict.passed { "" } else { " **✗**" },
                plain(Some(verdict.limit)),
            );
        }
    }
    text
}

/// What breaks when what is taken away.
#[must_use]
pub fn without_table(bare: &[Bare]) -> String {
    let mut text = String::from(
        "| scenario | taken away → in its place | what no longer holds | measured | limit |\n| --- | --- | --- | ---: | ---: |\n",
    );
    for case in bare {
        if case.broken.is_empty() {
            let _infallible = writeln!(text, "| {} | {} | **nothing** | | |", case.id, case.without);
        }
        for (index, verdict) in case.broken.iter().enumerate() {
            let (id, without) = if index == 0 { (case.id.as_str(), case.without.as_str()) } else { ("", "") };
            let (value, limit) = (plain(verdict.value), plain(Some(verdict.limit)));
            let _infallible = writeln!(text, "| {id} | {without} | {} | {value} | {limit} |", verdict.name);
        }
    }
    text
}

/// The document with other text between the marks of this name; none if the marks are not there.
#[must_use]
pub fn between_marks(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::built_in;

    #[test]
    fn the_document_shows_the_kept_results() {
        let scenarios = built_in().unwrap();
        let reports: Vec<Report> =
            serde_json::from_str(include_str!("../../scenarios/results.json")).unwrap();
        let bare: Vec<Bare> = serde_json::from_str(include_str!("../../scenarios/without.json")).unwrap();
        let document = include_str!("../../../docs/scenarios.md");
        let shown = between_marks(document, "results", &results_table(&scenarios, &reports)).unwrap();
        let shown = between_marks(&shown, "without", &without_table(&bare)).unwrap();
        assert!(shown == document, "renew with: eisbach-sim suite --docs docs/scenarios.md");
        assert!(reports.iter().all(|report| report.passed));
        assert!(
            bare.iter().all(|case| !case.broken.is_empty()),
            "a scenario that holds without what it is about proves nothing"
        );
        let proven: usize = scenarios.iter().map(|scenario| scenario.form.without.len()).sum();
        assert_eq!(
            bare.len(),
            proven,
            "renew with: eisbach-sim suite --without --json sim/scenarios/without.json"
        );
    }

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = "a\n<!-- x: begin -->\nold\n<!-- x: end -->\nb\n";
        let new = between_marks(document, "x", "new\n").unwrap();
        assert_eq!(new, "a\n<!-- x: begin -->\nnew\n<!-- x: end -->\nb\n");
        assert_eq!(between_marks(document, "y", "new"), None);
    }
}
