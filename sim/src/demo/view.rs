//! What there is to see at one moment: the plant's truth beside what the facility knows.

use super::facility::{Board, NODE};
use super::keys::Keys;
use super::summary::FaultSummary;
use crate::world::Truth;

/// One moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// What is so.
    pub(crate) truth: &'a Truth,
    /// What the facility sees.
    pub(crate) board: &'a Board,
    /// Which keys are down.
    pub(crate) keys: &'a Keys,
    /// When the demo ends, ms of plant time.
    pub(crate) ends_ms: Option<u64>,
}

impl View<'_> {
    /// The node's state, or why it is not known.
    #[must_use]
    pub(crate) fn state(&self) -> &str {
        match (self.board.connected(), self.board.state()) {
            (_, Some(state)) => state,
            (true, None) => "offline",
            (false, None) => "no broker",
        }
    }

    /// What dictates the state.
    #[must_use]
    pub(crate) fn leader(&self) -> &str {
        self.board.text(NODE, "Leader").unwrap_or("-")
    }

    /// Why.
    #[must_use]
    pub(crate) fn reason(&self) -> &str {
        self.board.text(NODE, "Reason").unwrap_or("-")
    }

    /// Hottest core, °C.
    #[must_use]
    pub(crate) fn hottest_celsius(&self) -> f64 {
        self.truth.plant.gpus.iter().map(|gpu| gpu.core_celsius).fold(f64::MIN, f64::max)
    }

    /// Lowest power limit, W.
    #[must_use]
    pub(crate) fn lowest_limit_watts(&self) -> f64 {
        self.truth.requests.iter().map(|request| request.limit_watts).fold(f64::MAX, f64::min)
    }

    /// Plant time, s.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a demo does not last for 285 000 years")]
    pub(crate) fn seconds(&self) -> f64 {
        self.truth.time_ms as f64 / 1000.0
    }

    /// The faults so far, oldest first.
    pub(crate) fn faults(&self) -> impl DoubleEndedIterator<Item = FaultSummary> {
        self.truth.faults.iter().map(|fault| FaultSummary::of(fault, self.board.notices()))
    }
}
