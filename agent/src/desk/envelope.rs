//! The envelope of a command: who asks for what, until when it counts, and the how-manieth it is.
//!
//! ```text
//!   {"id": "…", "issuer": "scada-1", "target": "node-01", "issued_at": ms, "expires_at": ms, "counter": 17,
//!    "action": "pump_at_least", "params": {"percent": 80, "for_s": 600}}
//!
//!   the same, signed:  base64url(header) . base64url(envelope) . base64url(signature)
//! ```
//!
//! Read strictly: an unknown field, a field said twice, a text too long or a number that is none refuses the whole.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::action::{self, Action, ActionName, BadParams};
use super::refusal::Refusal;
use crate::report::events::{SHORT, Short};

/// Longest envelope that is read, signed or not.
pub const LONGEST: usize = 8 * 1024;

/// A command as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Its own name, unique.
    pub id: Short,
    /// Who sends it.
    pub issuer: Short,
    /// The node it is for.
    pub target: Option<Short>,
    /// When it was made, in UTC milliseconds.
    pub issued_at: u64,
    /// Until when it may be taken up, in UTC milliseconds.
    pub expires_at: u64,
    /// Higher than that of the issuer's command before.
    pub counter: Option<u64>,
    /// What is asked for.
    pub action: Action,
    /// For how long.
    pub for_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<'a> {
    id: &'a str,
    issuer: &'a str,
    #[serde(borrow)]
    target: Option<&'a str>,
    issued_at: u64,
    expires_at: u64,
    counter: Option<u64>,
    action: &'a str,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// Reads an envelope.
///
/// # Errors
/// If it is none.
pub fn decode(text: &[u8]) -> Result<Envelope, Refusal> {
    if text.len() > LONGEST {
        return Err(Refusal::TooLarge);
    }
    let wire: Wire<'_> = serde_json::from_slice(text).map_err(|_| Refusal::Malformed)?;
    let name = |text| name(text).ok_or(Refusal::BadName);
    let action = ActionName::parse(wire.action).ok_or(Refusal::UnknownAction)?;
    let (action, for_s) = action::parse(action, wire.params).map_err(refusal)?;
    Ok(Envelope {
        id: name(wire.id)?,
        issuer: name(wire.issuer)?,
        target: wire.target.map(name).transpose()?,
        issued_at: wire.issued_at,
        expires_at: wire.expires_at,
        counter: wire.counter,
        action,
        for_s,
    })
}

/// Names go into logs, files and other people's screens: plain characters only, and not too many.
fn name(text: &str) -> Option<Short> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    (!text.is_empty() && text.len() <= SHORT && text.chars().all(plain)).then(|| Short::new(text))
}

/// What can be told of an envelope that is refused.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Glimpse {
    id: serde_json::Value,
    issuer: serde_json::Value,
    action: serde_json::Value,
}

/// Id, issuer and action, as far as they can be read and shown.
pub(super) fn glimpse(text: &[u8]) -> [Short; 3] {
    let short = text.len() <= LONGEST;
    let seen: Glimpse = short.then(|| serde_json::from_slice(text).ok()).flatten().unwrap_or_default();
    [seen.id, seen.issuer, seen.action].map(|value| value.as_str().and_then(name).unwrap_or_default())
}

const fn refusal(bad: BadParams) -> Refusal {
    match bad {
        BadParams::Shape => Refusal::BadParams,
        BadParams::NotANumber => Refusal::NotANumber,
        BadParams::UnknownAlarm => Refusal::UnknownAlarm,
        BadParams::UnknownAction => Refusal::UnknownAction,
    }
}
