//! A zone of PIDs, after the documented behaviour of `OpenBMC`'s phosphor-pid-control; no code of it.
//!
//! ```text
//!   margin of each GPU ─► PID ─┐
//!   return temperature ─► PID ─┼─► largest ─► at least the zone's minimum ─► slew ─► pump
//!   a sensor missing ─► fail-safe percentage ─┘
//! ```
//!
//! Thermal loops run once a second. A sensor that has never been seen counts as missing; while one is missing the
//! output is the larger of what is computed and the fail-safe percentage.

use eisbach_control::Snapshot;
use eisbach_protocol::units::Millis;
use serde::{Deserialize, Serialize};

use super::pi::{Gains, Pi};
use super::{Move, PUMP_MIN, Rival, Second, SupplyValve};

/// Pump speed while a sensor is missing, %.
const FAIL_SAFE: f64 = 80.0;
/// Return temperature above which its loop asks for flow, °C: 35 °C supply and half as much rise again as designed.
const RETURN_CELSIUS: f64 = 50.0;
/// The return's loop, % per kelvin.
const RETURN_GAINS: Gains = Gains { gain: 4.0, integral_s: 60.0 };
/// Fastest rise and fall of the output, % per second.
const SLEW: (f64, f64) = (10.0, 2.0);

/// What is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZoneTuning {
    /// Loop of each GPU's margin, % per kelvin.
    pub margin: Gains,
    /// Margin aimed at, K.
    pub margin_target: f64,
}

/// The zone; its valve by the common loop.
#[derive(Clone, Debug)]
pub struct Zone {
    margins: Vec<Pi>,
    return_: Pi,
    tuning: ZoneTuning,
    valve: SupplyValve,
    second: Second,
    held: (f64, f64),
}

impl Zone {
    /// The best of the grid that `bench control --tune` searches.
    pub const TUNING: ZoneTuning =
        ZoneTuning { margin: Gains { gain: 4.0, integral_s: 80.0 }, margin_target: 17.0 };

    /// A zone of so many GPUs.
    #[must_use]
    pub fn new(tuning: ZoneTuning, gpus: usize) -> Self {
        Self {
            margins: vec![Pi::new(tuning.margin, 0.0, 100.0); gpus],
            return_: Pi::new(RETURN_GAINS, 0.0, 100.0),
            tuning,
            valve: SupplyValve::default(),
            second: Second::default(),
            held: (FAIL_SAFE, 0.0),
        }
    }

    /// The largest wish, and whether a sensor is missing.
    fn wish(&mut self, snapshot: &Snapshot, present: f64, dt: f64) -> (f64, bool) {
        let (mut most, mut missing) = (PUMP_MIN, snapshot.gpus.len() < self.margins.len());
        let target = self.tuning.margin_target;
        for (pid, gpu) in self.margins.iter_mut().zip(&snapshot.gpus) {
            match gpu.margin.usable() {
                Some(margin) => most = most.max(pid.step(target - f64::from(margin.get()), present, dt)),
                None => missing = true,
            }
        }
        match snapshot.meter.return_.usable() {
            Some(warm) => {
                most = most.max(self.return_.step(f64::from(warm.get()) - RETURN_CELSIUS, present, dt));
            }
            None => missing = true,
        }
        (most, missing)
    }
}

impl Rival for Zone {
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move {
        if let Some(dt) = self.second.due(now) {
            let present = snapshot.pump.speed.usable().map_or(FAIL_SAFE, |speed| f64::from(speed.get()));
            let (wish, missing) = self.wish(snapshot, present, dt);
            let wanted = if missing { wish.max(FAIL_SAFE) } else { wish };
            let before = self.held.0;
            self.held.0 = wanted.clamp(before - SLEW.1 * dt, before + SLEW.0 * dt);
            self.held.1 = self.valve.step(snapshot, dt);
        }
        Move::Set { pump: self.held.0, valve: self.held.1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_without_sensors_stands_at_its_fail_safe_percentage() {
        let mut zone = Zone::new(Zone::TUNING, 8);
        for second in 0..60 {
            let moved = zone.decide(&Snapshot::default(), Millis::from_secs(second));
            let Move::Set { pump, valve } = moved else { panic!("{moved:?}") };
            assert!(pump >= FAIL_SAFE - 1e-9 && valve.abs() < 1e-9, "{pump} {valve}");
        }
    }
}
