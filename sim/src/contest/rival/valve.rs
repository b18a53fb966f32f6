//! The recovery valve's loop of all who bring none: PI on supply temperature.

use eisbach_control::Snapshot;

use super::pi::{Gains, Pi};

/// Supply temperature aimed at, °C: that of ours.
const SUPPLY_CELSIUS: f64 = 35.0;
/// Supply stays this far above the dew point, K (public commissioning checklists: 2 to 3 K).
const DEW_POINT_DISTANCE: f64 = 2.0;
/// Dew point while none is measured, °C (estimate).
const DEW_POINT_ASSUMED: f64 = 22.0;
/// Fastest move, % per second: a stroke takes a minute.
const MOST_PER_S: f64 = 2.0;

/// PI on supply temperature, above the dew point, with the stroke's rate.
#[derive(Clone, Debug)]
pub struct SupplyValve {
    pi: Pi,
    position: Option<f64>,
}

impl SupplyValve {
    /// % per kelvin; the best of the grid that `bench control --tune` searches.
    pub const GAINS: Gains = Gains { gain: 2.0, integral_s: 10.0 };

    /// With these gains, % per kelvin.
    #[must_use]
    pub const fn new(gains: Gains) -> Self {
        Self { pi: Pi::new(gains, 0.0, 100.0), position: None }
    }

    /// Position after `dt` s, %. Without a supply temperature everything goes to the river.
    pub(super) fn step(&mut self, snapshot: &Snapshot, dt: f64) -> f64 {
        let Some(supply) = snapshot.meter.supply.usable() else {
            self.position = Some(0.0);
            return 0.0;
        };
        let dew = snapshot.room.dew_point.usable().map_or(DEW_POINT_ASSUMED, |dew| f64::from(dew.get()));
        let target = SUPPLY_CELSIUS.max(dew + DEW_POINT_DISTANCE);
        let told = snapshot.valve.position.usable().map_or(0.0, |position| f64::from(position.get()));
        let before = self.position.unwrap_or(told);
        let wanted = self.pi.step(target - f64::from(supply.get()), before, dt);
        let position = wanted.clamp(before - MOST_PER_S * dt, before + MOST_PER_S * dt);
        self.position = Some(position);
        position
    }
}

impl Default for SupplyValve {
    fn default() -> Self {
        Self::new(Self::GAINS)
    }
}
