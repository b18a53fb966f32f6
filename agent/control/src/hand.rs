//! Orders from afar to the valve: as far as they have a say.
//!
//! ```text
//!   say ▲ all ───────╲            towards the dew point for orders that cool,
//!       │              ╲          towards the highest supply for orders that warm
//!       └───────────────╲─── none
//! ```

use eisbach_protocol::units::{Celsius, Kelvin, Percent};

use crate::supply::SupplyTarget;

/// An order that makes supply colder loses its say from the first of these above the floor down to the second, and
/// one that makes it warmer in as much below the highest supply (estimate).
const SAY: (Kelvin, Kelvin) = (Kelvin::new(2.0), Kelvin::new(1.0));

/// How much say the orders from afar have lost: 0 none of it, 1 all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Those that make supply colder, because it would condense.
    pub(crate) dry: f32,
    /// Those that make it warmer, because it would leave its envelope.
    pub(crate) cool: f32,
}

impl Room {
    pub(crate) fn of(supply: Celsius, target: &SupplyTarget) -> Self {
        let lost = |room: Kelvin| ((SAY.0 - room).get() / (SAY.0 - SAY.1).get()).clamp(0.0, 1.0);
        Self { dry: lost(supply - target.floor), cool: lost(target.highest - supply + SAY.1) }
    }
}

/// A position held by hand, as far as it has a say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hand {
    pub(crate) asked: f32,
    /// Share of its say that it has lost.
    lost: f32,
    /// What is left of it.
    pub(crate) eased: f32,
}

impl Hand {
    pub(crate) fn of(asked: Percent, automatic: f32, room: Room) -> Self {
        let asked = asked.get();
        let lost = if asked < automatic { room.dry } else { room.cool };
        Self { asked, lost, eased: lean(asked, automatic, lost) }
    }

    pub(crate) fn rules(self) -> bool {
        self.lost <= 0.0
    }
}

/// From an order towards what rules without it.
pub(crate) fn lean(order: f32, without: f32, share: f32) -> f32 {
    if share <= 0.0 { order } else { order + (without - order) * share }
}
