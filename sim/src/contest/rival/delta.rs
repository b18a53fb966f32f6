//! PI on the temperature rise: the usual loop of a variable-speed CDU.

use eisbach_control::Snapshot;
use eisbach_protocol::units::Millis;

use super::pi::{Gains, Pi};
use super::{Move, PUMP_MIN, Rival, Second, SupplyValve};

/// Rise over the plates aimed at, K: the design rise, that of ours.
const RISE: f64 = 10.0;

/// Pump holds return minus supply, valve by the common loop.
#[derive(Clone, Debug)]
pub struct PiOnRise {
    pump: Pi,
    valve: SupplyValve,
    second: Second,
    held: (f64, f64),
}

impl PiOnRise {
    /// % of speed per kelvin; the best of the grid that `bench control --tune` searches. It is the highest gain in the
    /// grid: the last doubling made the return steadier by a hundredth part.
    pub const GAINS: Gains = Gains { gain: 16.0, integral_s: 20.0 };

    /// With these gains.
    #[must_use]
    pub fn new(gains: Gains) -> Self {
        Self {
            pump: Pi::new(gains, PUMP_MIN, 100.0),
            valve: SupplyValve::default(),
            second: Second::default(),
            held: (100.0, 0.0),
        }
    }
}

impl Rival for PiOnRise {
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move {
        if let Some(dt) = self.second.due(now) {
            let present = snapshot.pump.speed.usable().map_or(100.0, |speed| f64::from(speed.get()));
            let rise = (snapshot.meter.supply.usable(), snapshot.meter.return_.usable());
            self.held.0 = match rise {
                (Some(supply), Some(return_)) => {
                    self.pump.step(f64::from((return_ - supply).get()) - RISE, present, dt)
                }
                _ => 100.0,
            };
            self.held.1 = self.valve.step(snapshot, dt);
        }
        Move::Set { pump: self.held.0, valve: self.held.1 }
    }
}
