//! What the facility tells of the world outside: river, heat network, calendar.
//!
//! All of it is optional. Where nothing is told, nothing is assumed that would cool less.

use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Watts};
use serde::{Deserialize, Serialize};

/// The world outside at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Surroundings {
    /// River at the intake.
    pub river: Reading<Celsius>,
    /// Discharge of the river.
    pub river_flow: Reading<CubicMetersPerSecond>,
    /// This node's share of what the site may give to the river, 0 to 1. Where it is absent,
    /// the tuning's share counts.
    pub river_share: Option<f32>,
    /// Heat that the network takes from this node: recovered heat and compressor together.
    pub heat_demand: Reading<Watts>,
    /// Supply temperature that the network asks for.
    pub network_supply: Reading<Celsius>,
    /// Date and time of day at the site. The controller knows no clock but the one it is handed.
    pub calendar: Option<Calendar>,
}

/// A moment of the year, in local standard time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// 1 to 366.
    pub day_of_year: u16,
    /// 0 to 86,399.
    pub second_of_day: u32,
}
