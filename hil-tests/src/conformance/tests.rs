use std::collections::BTreeSet;

use super::sample::sample;
use super::{NOT_APPLICABLE, THEMES, breaches, judge, table};

/// The assertions of the edge node profile, without those on data sets and templates.
const PROFILE: &str = include_str!("profile.txt");

fn broken(verdicts: &[super::Verdict]) -> BTreeSet<&'static str> {
    verdicts.iter().filter(|verdict| verdict.outcome.is_err()).map(|verdict| verdict.id).collect()
}

#[test]
fn every_assertion_of_the_profile_is_judged_once_or_excused_with_a_reason() {
    let judged = THEMES.iter().flat_map(|(_, rules)| rules.iter()).flat_map(|rule| rule.ids.iter().copied());
    let excused = NOT_APPLICABLE.iter().map(|(id, _)| *id);
    let mut ids: Vec<&str> = judged.chain(excused).collect();
    ids.sort_unstable();
    let mut profile: Vec<&str> = PROFILE.lines().collect();
    profile.sort_unstable();
    assert_eq!(ids, profile);
    assert_eq!(ids.len(), 172);
}

#[test]
fn a_capture_without_fault_puts_every_rule_to_the_test_and_keeps_it() {
    let not_kept: Vec<_> = judge(&sample()).into_iter().filter(|verdict| !verdict.is_kept()).collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
}

#[test]
fn every_breach_breaks_its_own_rules_and_no_others() {
    for breach in breaches() {
        let mut capture = sample();
        assert!((breach.commit)(&mut capture).is_some(), "no place for: {}", breach.name);
        let verdicts = judge(&capture);
        let expected: BTreeSet<_> = breach.breaks.iter().copied().collect();
        let why: Vec<_> = verdicts.iter().filter(|verdict| verdict.outcome.is_err()).collect();
        assert_eq!(broken(&verdicts), expected, "{}: {why:#?}", breach.name);
    }
}

#[test]
fn every_theme_has_a_breach_that_it_finds() {
    let found: BTreeSet<_> = breaches().flat_map(|breach| breach.breaks.iter().copied()).collect();
    for (theme, rules) in THEMES {
        let mut ids = rules.iter().flat_map(|rule| rule.ids.iter());
        assert!(ids.any(|id| found.contains(id)), "{theme}");
    }
}

#[test]
fn what_was_not_seen_is_no_pass() {
    let verdicts = judge(&super::Capture::default());
    assert!(verdicts.iter().all(|verdict| !verdict.is_kept()));
    assert!(!table(&verdicts).contains("| pass |"));
}
