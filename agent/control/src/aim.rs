//! Which rise over the plates brings the return to where it is wanted, from the supply as it is.
//!
//! ```text
//!   rise now = wanted rise + supply aimed at − supply measured      0.9 … 1.6 × the wanted one
//! ```
//!
//! The valve needs a minute for its stroke, the pump some seconds. So what the supply is off its set-point, the flow makes
//! good in the return, which is what the heat pump lives on. A colder supply with less flow leaves the plates no warmer.

use eisbach_protocol::units::{Celsius, Kelvin};
use serde::{Deserialize, Serialize};

use crate::heat::share;

/// Least and most of the rise aimed at. Less than this is more flow than warm supply is worth; the trim knows better.
const REACH: (f32, f32) = (0.9, 1.6);
/// Supply this close to its set-point needs nothing made good, K: the valve has a band too.
const THERE: f32 = 0.3;
/// Time constant with which a new set-point is taken over, s.
const TARGET_S: f32 = 60.0;
/// Time constant of the supply, s: its noise is no reason to move a pump.
const SUPPLY_S: f32 = 5.0;

/// The aim's memory.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Aim {
    target: Option<f32>,
    supply: Option<f32>,
}

impl Aim {
    /// Rise to aim at for the next `dt_s`; the wanted one while the supply is unknown.
    pub(crate) fn rise(
        &mut self,
        supply: Option<Celsius>,
        target: Celsius,
        wanted: Kelvin,
        dt_s: f32,
    ) -> Kelvin {
        let target = towards(&mut self.target, target.get(), dt_s, TARGET_S);
        let Some(supply) = supply else {
            self.supply = None;
            return wanted;
        };
        let supply = towards(&mut self.supply, supply.get(), dt_s, SUPPLY_S);
        let off = Kelvin::new(beyond(target - supply, THERE));
        (wanted + off).held(wanted * REACH.0, wanted * REACH.1)
    }
}

/// What is left of `value` beyond a band around zero.
pub(crate) fn beyond(value: f32, band: f32) -> f32 {
    value - value.clamp(-band, band)
}

fn towards(memory: &mut Option<f32>, value: f32, dt_s: f32, lag_s: f32) -> f32 {
    let before = memory.filter(|before| before.is_finite()).unwrap_or(value);
    let now = before + (value - before) * share(dt_s, lag_s);
    *memory = Some(now);
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(supply: Option<f32>) -> f32 {
        let mut aim = Aim::default();
        let mut rise = Kelvin::ZERO;
        for _ in 0..300 {
            rise = aim.rise(supply.map(Celsius::new), Celsius::new(35.0), Kelvin::new(10.0), 1.0);
        }
        rise.get()
    }

    #[test]
    fn a_cold_supply_is_made_good_by_more_rise_and_a_warm_one_by_a_little_less() {
        assert!((settled(Some(35.2)) - 10.0).abs() < 0.01);
        assert!((settled(Some(32.0)) - 12.7).abs() < 0.01);
        assert!((settled(Some(35.5)) - 9.8).abs() < 0.01);
    }

    #[test]
    fn the_rise_stays_within_its_reach_and_an_unknown_supply_changes_nothing() {
        assert!((settled(Some(10.0)) - 16.0).abs() < 0.01);
        assert!((settled(Some(60.0)) - 9.0).abs() < 0.01);
        assert!((settled(None) - 10.0).abs() < 0.01);
    }
}
