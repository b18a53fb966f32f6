//! Heat to the river: what the permit leaves to this node, and what the node gives.
//!
//! ```text
//!   river °C, m³/s ─► last word, or a careful guess ─► rules of the permit × share ─► permitted W ─┐
//!   meter, recovery ─► heat to the river, W ──────────────────────────────────────────────────────┴─► valve, supply, power
//! ```

use eisbach_protocol::units::{Celsius, KilowattHours, Watts};
use serde::{Deserialize, Serialize};

/// Whether the river may take this node's heat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PermitState {
    /// There is no permit to keep, or nothing is known that it could be kept by.
    #[default]
    Unlimited,
    /// All that the node can make.
    Open,
    /// Less than the node can make.
    Limited,
    /// No heat.
    Closed,
    /// No heat, because there is no water.
    Dry,
}

impl PermitState {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unlimited => "unlimited",
            Self::Open => "open",
            Self::Limited => "limited",
            Self::Closed => "closed",
            Self::Dry => "dry",
        }
    }
}

/// Heat to the river, and what the permit leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RiverView {
    /// Whether the river may take this node's heat.
    pub state: PermitState,
    /// Most heat that it may take from this node now; absent: not limited.
    pub permitted: Option<Watts>,
    /// Heat that it takes from this node, reckoned.
    pub heat: Watts,
    /// Heat that recovery takes from this node, metered or reckoned.
    pub recovered: Watts,
    /// River below the site, if every node gave what this one gives for its share; reckoned. Absent without a river.
    pub mixing: Option<Celsius>,
    /// What is left of this node's share for today; absent: not limited by the day.
    pub day_left: Option<KilowattHours>,
    /// What is known of the river is old: a careful guess counts.
    pub guessed: bool,
    /// More heat goes to the river than it may take, because GPUs need the cooling.
    pub broken: bool,
}
