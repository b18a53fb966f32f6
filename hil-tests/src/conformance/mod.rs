//! Sparkplug conformance: rules over a capture, one or more assertions of the specification each.
//!
//! ```text
//!   taps ──► capture ──► story: sessions, what each said and heard ──► rules ──► verdicts ──► docs/conformance.md
//!               ▲
//!               └── breach: a deliberate fault, which must break its own rules and no others
//! ```
//!
//! A rule is a pure function, so a fault can be put into a capture and seen to be found. A rule that nothing put to
//! the test is not kept: a scene is missing then.
//!
//! The ids are those of the edge node profile of the Sparkplug Technology Compatibility Kit 3.0.0, without those on
//! data sets and templates, which are not spoken here. What each asks for is said in our own words.

mod alter;
mod births;
mod breaches;
mod capture;
mod commands;
mod data;
mod deaths;
mod host;
mod ids;
mod payloads;
mod primary;
mod rule;
#[cfg(test)]
mod sample;
mod story;
mod table;
#[cfg(test)]
mod tests;
mod wire;

use rule::Rule;
use story::Story;

pub use breaches::{Breach, breaches};
pub use capture::{Capture, Cast, Record, What};
pub use table::table;

/// All rules, by theme.
const THEMES: [(&str, &[Rule]); 8] = [
    ("Births", births::RULES),
    ("Wills and deaths", deaths::RULES),
    ("Data", data::RULES),
    ("Commands", commands::RULES),
    ("Primary host and several brokers", primary::RULES),
    ("Topics and ids", ids::RULES),
    ("Payloads", payloads::RULES),
    ("The simulated host", host::RULES),
];

/// Assertions of the profile that do not apply, with the reason.
const NOT_APPLICABLE: [(&str, &str); 3] = [
    ("principles-persistence-clean-session-50", "the node speaks MQTT 3.1.1"),
    ("payloads-ndeath-will-message-publisher-disconnect-mqtt50", "the node speaks MQTT 3.1.1"),
    (
        "topic-structure-namespace-duplicate-device-id-across-edge-node",
        "a permission: device ids may be the same at other nodes, and are",
    ),
];

/// What became of one assertion.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its id, without the prefix `tck-id-`.
    pub id: &'static str,
    /// How often it was put to the test and kept, or how it was broken.
    pub outcome: Result<usize, String>,
}

impl Verdict {
    /// Whether it was put to the test and kept.
    pub fn is_kept(&self) -> bool {
        matches!(self.outcome, Ok(1..))
    }
}

/// The verdict on every assertion that applies.
pub fn judge(capture: &Capture) -> Vec<Verdict> {
    let story = Story::of(capture);
    let verdicts = |rule: &Rule| {
        let outcome = (rule.holds)(&story);
        rule.ids.iter().map(move |id| Verdict { id, outcome: outcome.clone() }).collect::<Vec<_>>()
    };
    THEMES.iter().flat_map(|(_, rules)| rules.iter()).flat_map(verdicts).collect()
}
