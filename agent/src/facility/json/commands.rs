//! What comes in on the plain face.

use crate::facility::counters::Counters;
use crate::facility::face::Inbound;

/// Nobody here carries out commands yet: each is refused and counted.
pub(super) fn take(_inbound: &Inbound, counters: &Counters) {
    counters.commands_refused.count();
}
