//! PI on the hottest GPU: what a fan daemon does, with a pump for a fan.

use eisbach_control::Snapshot;
use eisbach_protocol::units::Millis;

use super::pi::{Gains, Pi};
use super::{Move, PUMP_MIN, Rival, Second, SupplyValve};

/// Pump holds the hottest core temperature, valve by the common loop.
#[derive(Clone, Debug)]
pub struct PiOnHottest {
    pump: Pi,
    target: f64,
    valve: SupplyValve,
    second: Second,
    held: (f64, f64),
}

impl PiOnHottest {
    /// % of speed per kelvin; the best of the grid that `bench control --tune` searches.
    pub const GAINS: Gains = Gains { gain: 1.0, integral_s: 80.0 };
    /// Core temperature aimed at, °C: 24 K below the slowdown of an H200.
    pub const TARGET: f64 = 65.0;

    /// With these gains, aiming at `target` °C.
    #[must_use]
    pub fn new(gains: Gains, target: f64) -> Self {
        Self {
            pump: Pi::new(gains, PUMP_MIN, 100.0),
            target,
            valve: SupplyValve::default(),
            second: Second::default(),
            held: (100.0, 0.0),
        }
    }
}

/// Hottest core, °C; `None` if a GPU does not answer.
pub(super) fn hottest(snapshot: &Snapshot) -> Option<f64> {
    let all = snapshot.gpus.len() >= snapshot.gpus_expected;
    let cores = snapshot.gpus.iter().map(|gpu| gpu.temperature.usable().map(|core| f64::from(core.get())));
    cores.reduce(|most, core| Some(most?.max(core?))).flatten().filter(|_| all)
}

impl Rival for PiOnHottest {
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move {
        if let Some(dt) = self.second.due(now) {
            let present = snapshot.pump.speed.usable().map_or(100.0, |speed| f64::from(speed.get()));
            self.held.0 =
                hottest(snapshot).map_or(100.0, |core| self.pump.step(core - self.target, present, dt));
            self.held.1 = self.valve.step(snapshot, dt);
        }
        Move::Set { pump: self.held.0, valve: self.held.1 }
    }
}
