//! How this node takes part in the BMS event bus.

use eisbach_protocol::units::Celsius;

use super::board::Points;
use super::identity::Identity;
use super::rails::Rails;

/// The face's settings. All names fit into topics; see [`fits`](super::fits).
#[derive(Clone, Debug, PartialEq)]
pub struct DsxSettings {
    /// The rack, for people.
    pub rack_name: String,
    /// The rack, as agreed with those who look at it from the other side.
    pub rack_id: String,
    /// What every tag begins with.
    pub tag_path: String,
    /// How much is told.
    pub points: Points,
    /// Whether the power of this node's GPUs is the rack's.
    pub rack_power: bool,
    /// Whose requests are heard, if anybody's.
    pub requests: Option<RequestSettings>,
}

/// Whose requests are heard, and how far they go.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestSettings {
    /// The integration that may ask.
    pub integration: String,
    /// Who describes the points that it writes.
    pub described: Described,
    /// Coldest supply that can be asked for.
    pub supply_min: Celsius,
    /// Warmest.
    pub supply_max: Celsius,
    /// How fast it moves, K/min.
    pub kelvin_per_min: f32,
    /// Our own supply temperature, without anybody's wish.
    pub supply_own: Celsius,
    /// Whether the loop is stopped if the integration asks for it.
    pub isolation: bool,
}

/// Who describes the points that an integration writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Described {
    /// We do, below our own tag.
    ByUs,
    /// Another BMS; the points are found by the rack's identity.
    ByMetadata,
}

impl DsxSettings {
    pub(super) fn identity(&self, node: &str) -> Identity {
        Identity {
            node: node.to_owned(),
            rack_name: self.rack_name.clone(),
            rack_id: self.rack_id.clone(),
            tag_path: self.tag_path.clone(),
        }
    }
}

impl RequestSettings {
    pub(super) const fn rails(&self) -> Rails {
        Rails {
            min: self.supply_min,
            max: self.supply_max,
            kelvin_per_min: self.kelvin_per_min,
            own: self.supply_own,
            isolation: self.isolation,
        }
    }
}
