//! The set-point layer: each minute, which supply temperature and which rise over the plates.
//!
//! ```text
//!   heat demand, network ─┐
//!   what the minute was  ─┼─► model: pump + heat pump + leakage − heat ─► best within bounds ─► worth it? ─► ramp
//!   prices, bounds       ─┘
//! ```
//!
//! Where the facility does not tell what its network wants, supply and rise stay as they are tuned.

use eisbach_protocol::units::{Celsius, Kelvin};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Reason};
use crate::tuning::Tuning;

/// What the layer is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// Supply and rise as tuned.
    #[default]
    Tuned,
    /// Little flow and a hot return, for a network that wants heat.
    Heat,
    /// Least power of pump and leakage.
    Cool,
}

impl Mode {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tuned => "tuned",
            Self::Heat => "heat",
            Self::Cool => "cool",
        }
    }
}

/// The set-points in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetPoints {
    /// What they are about.
    pub mode: Mode,
    /// Supply temperature, before condensation limit and orders have their say.
    pub supply: Celsius,
    /// Rise over the cold plates.
    pub rise: Kelvin,
    /// What dictates them.
    pub leader: Leader,
    /// Why.
    pub reason: Reason,
}

impl SetPoints {
    /// As tuned.
    #[must_use]
    pub const fn tuned(tuning: &Tuning) -> Self {
        Self {
            mode: Mode::Tuned,
            supply: tuning.supply_target,
            rise: tuning.loop_rise,
            leader: Leader::SupplyLoop,
            reason: Reason::HoldSupply,
        }
    }

    /// Return temperature that they aim at.
    #[must_use]
    pub fn return_(&self) -> Celsius {
        self.supply + self.rise
    }
}
