//! Ours: the controller that the agent runs, as it is.

use eisbach_control::{Controller, Snapshot, Tuning};
use eisbach_protocol::units::Millis;

use super::{Move, Rival};
use crate::closed_loop::Node;
use crate::plant::PlantParams;

/// The controller with its default numbers, commissioned for the plant.
#[derive(Clone, Debug)]
pub struct Ours {
    controller: Controller,
}

impl Ours {
    /// Commissioned for this plant.
    #[must_use]
    pub fn new(params: &PlantParams) -> Self {
        Self { controller: Controller::new(Node::commissioned(params, Tuning::default())) }
    }
}

impl Rival for Ours {
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move {
        Move::Decided(Box::new(self.controller.step(snapshot, now)))
    }
}
