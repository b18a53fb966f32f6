//! Results, for people and for programs.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::criterion::Verdict;
use super::docs::Bare;

/// What came of one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The scenario.
    pub id: String,
    /// Every criterion holds.
    pub passed: bool,
    /// The criteria.
    pub criteria: Vec<Verdict>,
}

impl Report {
    /// The report of a scenario with these verdicts.
    #[must_use]
    pub fn new(id: &str, criteria: Vec<Verdict>) -> Self {
        Self { id: id.to_owned(), passed: criteria.iter().all(|verdict| verdict.passed), criteria }
    }
}

/// A number as people read it: three digits after the point at most.
pub(super) fn plain(value: Option<f64>) -> String {
    value.map_or_else(
        || "never".to_owned(),
        |value| {
            let text = format!("{value:.3}");
            let short = text.trim_end_matches('0').trim_end_matches('.');
            if short == "-0" { "0".to_owned() } else { short.to_owned() }
        },
    )
}

/// One line for each criterion, under its scenario's title.
#[must_use]
pub fn table(title: &str, report: &Report) -> String {
    let word = |passed: bool| if passed { "ok  " } else { "FAIL" };
    let width = report.criteria.iter().map(|verdict| verdict.name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{} {}  {title}\n", word(report.passed), report.id);
    for verdict in &report.criteria {
        let _infallible = writeln!(
            text,
            "  {}  {:width$}  {:>9}  limit {}",
            word(verdict.passed),
            verdict.name,
            plain(verdict.value),
            plain(Some(verdict.limit)),
        );
    }
    text
}

/// What no longer holds without a protection.
#[must_use]
pub fn bare_table(case: &Bare) -> String {
    let mut text = format!("{}  {}\n", case.id, case.without);
    if case.broken.is_empty() {
        text.push_str("  STILL HOLDS: this proves nothing\n");
    }
    for verdict in &case.broken {
        let (value, limit) = (plain(verdict.value), plain(Some(verdict.limit)));
        let _infallible = writeln!(text, "  fails  {}  {value}  limit {limit}", verdict.name);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_exactly_what_was_agreed() {
        let verdict = Verdict { name: "margin, K".to_owned(), value: Some(2.5), limit: 2.0, passed: true };
        let never = Verdict { value: None, passed: false, ..verdict.clone() };
        let json = serde_json::to_string(&[Report::new("s01", vec![verdict, never])]).unwrap();
        assert_eq!(
            json,
            r#"[{"id":"s01","passed":false,"criteria":[{"name":"margin, K","value":2.5,"limit":2.0,"passed":true},{"name":"margin, K","value":null,"limit":2.0,"passed":false}]}]"#
        );
    }

    #[test]
    fn people_get_short_numbers() {
        assert_eq!([Some(2.5), Some(-0.00001), Some(12.0), None].map(plain), ["2.5", "0", "12", "never"]);
    }
}
