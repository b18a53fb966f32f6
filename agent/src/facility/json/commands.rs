//! What comes in on the plain face: envelopes, for the desk.

use crate::desk::{Desk, Kind, Submission};
use crate::facility::counters::Counters;
use crate::facility::face::Inbound;

/// Hands an envelope to the desk. What it becomes is an event; what is not even taken is counted.
pub(super) fn take(inbound: &Inbound, desk: Option<&Desk>, counters: &Counters) {
    let kind = Kind::Envelope(inbound.payload.clone());
    let submission = Submission { face: "json", retained: inbound.retained, kind };
    if !desk.is_some_and(|desk| desk.submit(submission)) {
        counters.commands_refused.count();
    }
}
