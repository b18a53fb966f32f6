//! Heat that the network takes: what it says it wants, unless the valve's meter shows that it does not.
//!
//! ```text
//!   told demand × source share ─► taken ─────────────► rest of the heat is the river's ─► forward of the valve
//!                        ▲   meter shows nothing for 5 s, valve open │
//!                        └── meter shows half again ◄── takes nothing ┘
//! ```
//!
//! What the meter shows of a network that takes less than it said is no ground for the forward: less arrives there as well
//! when the valve closes, and a forward that closes on that would chase its own tail.

use eisbach_protocol::units::{Percent, Watts};
use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// Heat pumps turn this share of what they deliver out of the source: COP 4 (estimate).
pub(crate) const SOURCE_SHARE: f32 = 0.75;
/// A meter that shows less than this share of what is taken shows nothing; more than that, it takes heat again (estimate).
const NOTHING: f32 = 0.1;
const AGAIN: f32 = 0.3;
/// So long it must show nothing, s: sensors lag (estimate).
const PATIENCE_S: f32 = 5.0;
/// Through a valve less open than this nothing could be seen (estimate).
const OPEN: Percent = Percent::new(20.0);
/// Least of the heat that goes to the river, whatever the network says: valves leak, and logarithms have no zero.
const LEAST: f32 = 0.08;

/// What is believed of the network.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Network {
    /// What it said it wants, of our heat, W.
    wanted: f32,
    /// Since when the meter shows nothing of it, s.
    nothing_s: f32,
    refuses: bool,
}

impl Network {
    /// Looks for `dt_s`.
    pub(crate) fn look(&mut self, snapshot: &Snapshot, dt_s: f32) {
        let told = snapshot.surroundings.heat_demand.usable().map_or(0.0, Watts::get);
        self.wanted = if told.is_finite() { told.max(0.0) * SOURCE_SHARE } else { 0.0 };
        let (Some(shown), Some(position)) =
            (snapshot.valve.recovered.usable(), snapshot.valve.position.usable())
        else {
            (self.nothing_s, self.refuses) = (0.0, false);
            return;
        };
        let shown = shown.get();
        if shown > AGAIN * self.wanted {
            self.refuses = false;
        }
        let nothing = shown < NOTHING * self.wanted && position > OPEN;
        self.nothing_s = if nothing { self.nothing_s + dt_s } else { 0.0 };
        self.refuses |= self.nothing_s >= PATIENCE_S;
    }

    /// What is left of `heat` for the river while supply is where it should be.
    pub(crate) fn left_for_river(&self, heat: Watts) -> Watts {
        let taken = if self.refuses { 0.0 } else { self.wanted };
        (heat - Watts::new(taken)).larger(heat * LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::reading::Reading;
    use eisbach_protocol::units::Millis;

    const HEAT: Watts = Watts::new(6000.0);

    fn seen(demand: f32, recovered: Option<f32>, position: f32) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.surroundings.heat_demand = Reading::measured(Watts::new(demand), Millis::ZERO);
        snapshot.valve.position = Reading::measured(Percent::new(position), Millis::ZERO);
        if let Some(recovered) = recovered {
            snapshot.valve.recovered = Reading::measured(Watts::new(recovered), Millis::ZERO);
        }
        snapshot
    }

    fn left(network: &Network) -> f32 {
        network.left_for_river(HEAT).get()
    }

    fn look(network: &mut Network, snapshot: &Snapshot, seconds: usize) {
        for _ in 0..seconds {
            network.look(snapshot, 1.0);
        }
    }

    #[test]
    fn what_the_network_says_it_wants_is_not_left_for_the_river() {
        let mut network = Network::default();
        assert!((left(&network) - 6000.0).abs() < 0.1);
        look(&mut network, &seen(4000.0, Some(2900.0), 60.0), 10);
        assert!((left(&network) - 3000.0).abs() < 0.1);
        look(&mut network, &seen(40_000.0, Some(5800.0), 60.0), 10);
        assert!((left(&network) - 480.0).abs() < 0.1, "never nothing");
        look(&mut network, &seen(f32::NAN, None, 60.0), 1);
        assert!((left(&network) - 6000.0).abs() < 0.1);
    }

    #[test]
    fn a_network_that_takes_nothing_is_known_within_seconds_and_so_is_one_that_takes_again() {
        let mut network = Network::default();
        look(&mut network, &seen(4000.0, Some(2900.0), 60.0), 10);
        look(&mut network, &seen(4000.0, Some(50.0), 60.0), 4);
        assert!((left(&network) - 3000.0).abs() < 0.1, "not on a flicker");
        look(&mut network, &seen(4000.0, Some(50.0), 60.0), 2);
        assert!((left(&network) - 6000.0).abs() < 0.1);
        look(&mut network, &seen(4000.0, Some(600.0), 60.0), 60);
        assert!((left(&network) - 6000.0).abs() < 0.1, "a remnant is not yet a network");
        look(&mut network, &seen(4000.0, Some(1500.0), 60.0), 1);
        assert!((left(&network) - 3000.0).abs() < 0.1);
    }

    #[test]
    fn a_valve_that_is_closed_says_nothing_of_the_network() {
        let mut network = Network::default();
        look(&mut network, &seen(4000.0, Some(0.0), 5.0), 600);
        assert!((left(&network) - 3000.0).abs() < 0.1);
        look(&mut network, &seen(4000.0, None, 60.0), 600);
        assert!((left(&network) - 3000.0).abs() < 0.1, "nor does a valve without a meter");
    }
}
