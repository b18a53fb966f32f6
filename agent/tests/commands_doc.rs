//! docs/commands.md says what the code does: every action and every reason, with the same words, in the same order.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may be blunt")]

use eisbach_agent::desk::{ACTIONS, ActionDef, LONGEST_ENVELOPE, LONGEST_LIFE_MS, Refusal, SKEW_MS, decode};
use eisbach_protocol::sparkplug::MAX_STRING_BYTES;

const TEXT: &str = include_str!("../../docs/commands.md");

/// Where a line stands.
fn place(line: &str) -> usize {
    TEXT.lines().position(|other| other == line).unwrap_or_else(|| panic!("missing: {line}"))
}

#[test]
fn every_action_is_documented_as_it_is() {
    let line = |def: &ActionDef| format!("| `{}` | {} | {} | {} |", def.word, def.params, def.who, def.doc);
    let places: Vec<_> = ACTIONS.iter().map(|def| place(&line(def))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn every_reason_is_documented_in_the_order_in_which_it_is_looked_for() {
    let line = |refusal: &Refusal| format!("| `{}` | {} |", refusal.as_str(), refusal.text());
    let places: Vec<_> = Refusal::ALL.iter().map(|refusal| place(&line(refusal))).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn the_example_is_an_envelope_and_the_limits_are_those_of_the_code() {
    let example = TEXT.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let envelope = decode(example.as_bytes()).unwrap();
    assert_eq!((envelope.issuer.as_str(), envelope.for_s), ("scada-1", Some(600)));
    assert_eq!((LONGEST_ENVELOPE, LONGEST_LIFE_MS, SKEW_MS), (8 * 1024, 60_000, 5_000));
    assert_eq!(MAX_STRING_BYTES, LONGEST_ENVELOPE, "every envelope fits into a text of Sparkplug");
    assert!(TEXT.contains("At most 8 KiB") && TEXT.contains("60 s apart") && TEXT.contains("5 s ahead"));
}
