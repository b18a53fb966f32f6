//! What the rest of the world does to the factory.

use eisbach_control::Calendar;

/// The world around the factory at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ambient {
    /// River at the intake, °C.
    pub river_celsius: f64,
    /// What the river exchangers get of the water that they are built for, 0 to 1: nothing when the river is closed.
    pub intake_share: f64,
    /// Discharge of the river, m³/s; for the mixing behind the outlet.
    pub river_flow_m3_s: f64,
    /// Heat that the district network takes from the whole site, W: recovered heat and compressor together.
    pub heat_demand_watts: f64,
    /// Supply temperature that the network asks for, °C: the heat pump lifts to it, and the controllers are told.
    pub network_celsius: f64,
    /// The site has a permit for the river, and each node is told its share of it.
    pub permitted: bool,
    /// Date and time of day, as the controllers are told.
    pub calendar: Option<Calendar>,
    /// Room temperature, °C.
    pub room_celsius: f64,
    /// Dew point of the room, °C.
    pub dew_point_celsius: f64,
    /// The facility pump turns.
    pub facility_pump: bool,
}

impl Ambient {
    /// A spring day: river at 12 °C and 25 m³/s, room at 24 °C and 50 %, and a network that takes 8 kW a node.
    #[must_use]
    pub fn spring(nodes: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "thousands of nodes")]
        let nodes = nodes as f64;
        Self {
            river_celsius: 12.0,
            intake_share: 1.0,
            river_flow_m3_s: 25.0,
            heat_demand_watts: 8000.0 * nodes,
            network_celsius: 60.0,
            permitted: false,
            calendar: None,
            room_celsius: 24.0,
            dew_point_celsius: 12.9,
            facility_pump: true,
        }
    }
}
