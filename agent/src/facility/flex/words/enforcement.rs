//! What became of the hints: applied, failed, skipped; and later reverted.

use eisbach_protocol::units::Watts;
use serde::Serialize;

use super::alert::{Action, Resource};
use super::power::PowerValue;
use super::rfc3339;
use super::uuid::Uuid;

/// The outcome of one breach on this node.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Enforcement {
    /// The breach.
    pub(in super::super) breach: Uuid,
    /// The feed that drew too much.
    pub(in super::super) feed: String,
    /// Whether it was enforced or given back.
    pub(in super::super) phase: Phase,
    /// One line for each hint that was ours.
    pub(in super::super) results: Vec<ResultLine>,
}

/// Which half of an enforcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Phase {
    Applied,
    Reverted,
}

/// What became of one hint.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct ResultLine {
    /// The resource, as the hint named it.
    pub(in super::super) resource: String,
    /// What it is.
    pub(in super::super) kind: Resource,
    /// What was asked.
    pub(in super::super) action: Action,
    /// What became of it.
    pub(in super::super) outcome: Outcome,
    /// One line for people.
    pub(in super::super) message: String,
    /// The cap that was asked for, where it was.
    pub(in super::super) asked: Option<Watts>,
    /// The cap in force over all GPUs of the node, if it is known.
    pub(in super::super) applied: Option<Watts>,
}

/// What became of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Outcome {
    Applied,
    Failed,
    Skipped,
}

/// What became of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Verdict {
    Success,
    Partial,
    Error,
}

#[derive(Serialize)]
struct Written<'a> {
    breach_id: Uuid,
    feed_tag: &'a str,
    action: Phase,
    code: Verdict,
    results: Vec<WrittenLine<'a>>,
    timestamp: String,
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    resource_id: &'a str,
    resource_type: Resource,
    requested_action: Action,
    code: Outcome,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    applied_power: Option<PowerValue>,
}

impl Enforcement {
    /// In one word.
    pub(in super::super) fn verdict(&self) -> Verdict {
        let applied = self.results.iter().filter(|line| line.outcome == Outcome::Applied).count();
        if applied == self.results.len() {
            Verdict::Success
        } else if applied > 0 {
            Verdict::Partial
        } else {
            Verdict::Error
        }
    }

    /// The words that are signed.
    pub(in super::super) fn write(&self, wall_ms: u64) -> Option<Vec<u8>> {
        let results = self.results.iter().map(|line| WrittenLine {
            resource_id: &line.resource,
            resource_type: line.kind,
            requested_action: line.action,
            code: line.outcome,
            message: &line.message,
            applied_power: line.applied.map(PowerValue::from_watts),
        });
        let written = Written {
            breach_id: self.breach,
            feed_tag: &self.feed,
            action: self.phase,
            code: self.verdict(),
            results: results.collect(),
            timestamp: rfc3339(wall_ms)?,
        };
        serde_json::to_vec(&written).ok()
    }
}
