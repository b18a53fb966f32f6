//! The site that a node stands for: its river and permit are shared by many like it.

use crate::outside::{Discharge, RiverState};
use crate::plant::PlantParams;

/// Nodes that share river, permit and heat network.
pub(super) const NODES: f64 = 1250.0;
/// Heat capacity of water, J/(m³ K).
const WATER: f64 = 4.18e6;

/// Water that the site draws, m³/s: its exchangers' design flow, as far as the river gives it.
pub(super) fn intake_m3_s(params: &PlantParams, river: &RiverState) -> f64 {
    NODES * params.river.cold_design / WATER * river.intake_share()
}

/// What the site gives to the river while every node gives `watts`.
pub(super) fn discharge(params: &PlantParams, river: &RiverState, watts: f64) -> Discharge {
    Discharge { heat_watts: NODES * watts, intake_m3_s: intake_m3_s(params, river) }
}
