//! Within which supply and rise may be chosen.

use eisbach_protocol::units::Celsius;
use serde::{Deserialize, Serialize};

use super::Second;
use super::model::Choice;
use crate::tuning::Tuning;

/// Lowest and highest of both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounds {
    pub(super) supply: (f32, f32),
    pub(super) rise: (f32, f32),
}

impl Bounds {
    /// For this moment. Dry comes before cool, and an order before a choice.
    pub(super) fn of(second: &Second<'_>, tuning: &Tuning) -> Self {
        let set_points = &tuning.set_points;
        let highest = tuning.supply_target_max.larger(tuning.supply_target);
        let dry = second.floor + set_points.dew_reserve;
        let low = set_points.supply_low.larger(dry).smaller(highest.larger(dry));
        let supply = match second.ordered {
            Some(ordered) => {
                let ordered = ordered.held(second.floor, highest.larger(second.floor));
                (ordered, ordered)
            }
            None => (low, highest.larger(low)),
        };
        let most = set_points.rise_high.smaller(tuning.loop_rise_max);
        Self {
            supply: (Celsius::get(supply.0), Celsius::get(supply.1)),
            rise: (set_points.rise_low.smaller(most).get(), most.get()),
        }
    }

    /// The nearest choice within.
    pub(super) fn hold(&self, choice: Choice) -> Choice {
        Choice {
            supply: choice.supply.max(self.supply.0).min(self.supply.1),
            rise: choice.rise.max(self.rise.0).min(self.rise.1),
        }
    }
}
