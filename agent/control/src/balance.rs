//! The loop's heat balance: what the GPUs draw against what the meter finds, once both are steady.
//!
//! ```text
//!   power ── flow ── supply ── return      each with a fast and a slow mean
//!      all fast means at their slow ones for half a minute ─► steady ─► flow × rise ÷ expected heat
//! ```
//!
//! Water needs up to a minute around the loop, and sensors in wells lag by seconds: while anything changes the balance
//! says nothing.

use eisbach_protocol::units::{Celsius, LitersPerMinute, Watts};
use serde::{Deserialize, Serialize};

use crate::heat::share;
use crate::snapshot::Snapshot;
use crate::tuning::Tuning;

/// Time constants of the means, s.
const FAST_S: f32 = 10.0;
const SLOW_S: f32 = 60.0;
/// The means must agree for so long, s.
const SETTLED_S: f32 = 30.0;
/// How far they may be apart: shares of power and flow, kelvins of supply and return.
const APART: (f32, f32, f32, f32) = (0.05, 0.03, 0.3, 0.4);

/// Means of what goes in and out.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Balance {
    power: Trend,
    flow: Trend,
    supply: Trend,
    return_: Trend,
    settled_s: f32,
}

/// The balance of a steady loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settled {
    /// Power of the GPUs.
    pub(crate) power: Watts,
    pub(crate) flow: LitersPerMinute,
    pub(crate) supply: Celsius,
    pub(crate) return_: Celsius,
    /// Heat that the meter finds.
    pub(crate) carried: Watts,
}

impl Balance {
    /// Follows the loop over `dt_s`.
    pub(crate) fn follow(&mut self, power: Watts, snapshot: &Snapshot, dt_s: f32) {
        let meter = &snapshot.meter;
        let shares = (share(dt_s, FAST_S), share(dt_s, SLOW_S));
        let all = [
            self.power.follow(Some(power.get()), shares),
            self.flow.follow(meter.flow.usable().map(LitersPerMinute::get), shares),
            self.supply.follow(meter.supply.usable().map(Celsius::get), shares),
            self.return_.follow(meter.return_.usable().map(Celsius::get), shares),
        ];
        let calm = self.power.apart() <= APART.0 * self.power.fast
            && self.flow.apart() <= APART.1 * self.flow.fast
            && self.supply.apart() <= APART.2
            && self.return_.apart() <= APART.3;
        let known = all.into_iter().all(|known| known);
        self.settled_s = if known && calm { (self.settled_s + dt_s).min(2.0 * SETTLED_S) } else { 0.0 };
    }

    /// The balance, if the loop is steady.
    pub(crate) fn settled(&self, tuning: &Tuning) -> Option<Settled> {
        self.now(tuning).filter(|_| self.settled_s >= SETTLED_S)
    }

    /// The balance of this moment, if all of it is known.
    pub(crate) fn now(&self, tuning: &Tuning) -> Option<Settled> {
        let known = self.power.known && self.flow.known && self.supply.known && self.return_.known;
        let rise = self.return_.fast - self.supply.fast;
        known.then_some(Settled {
            power: Watts::new(self.power.fast),
            flow: LitersPerMinute::new(self.flow.fast),
            supply: Celsius::new(self.supply.fast),
            return_: Celsius::new(self.return_.fast),
            carried: Watts::new(self.flow.fast * tuning.coolant_watts_per_lpm_kelvin * rise),
        })
    }
}

/// A fast and a slow mean of one quantity.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Trend {
    fast: f32,
    slow: f32,
    known: bool,
}

impl Trend {
    /// Takes a value; what is not known begins anew. Whether the means are known. `shares`: how far the fast and the
    /// slow mean go towards it.
    fn follow(&mut self, value: Option<f32>, (fast, slow): (f32, f32)) -> bool {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            self.known = false;
            return false;
        };
        if self.known {
            self.fast += (value - self.fast) * fast;
            self.slow += (value - self.slow) * slow;
        } else {
            *self = Self { fast: value, slow: value, known: true };
        }
        true
    }

    fn apart(&self) -> f32 {
        (self.fast - self.slow).abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::reading::Reading;
    use eisbach_protocol::units::Millis;

    fn loop_with(flow: f32, return_: f32) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.meter.flow = Reading::measured(LitersPerMinute::new(flow), Millis::ZERO);
        snapshot.meter.supply = Reading::measured(Celsius::new(35.0), Millis::ZERO);
        snapshot.meter.return_ = Reading::measured(Celsius::new(return_), Millis::ZERO);
        snapshot
    }

    fn follow(balance: &mut Balance, power: f32, snapshot: &Snapshot, seconds: usize) -> Option<Settled> {
        for _ in 0..seconds * 10 {
            balance.follow(Watts::new(power), snapshot, 0.1);
        }
        balance.settled(&Tuning::default())
    }

    #[test]
    fn a_steady_loop_carries_flow_times_rise() {
        let settled = follow(&mut Balance::default(), 5600.0, &loop_with(11.0, 45.0), 40).unwrap();
        assert!((settled.carried.get() - 11.0 * 66.8 * 10.0).abs() < 1.0, "{settled:?}");
    }

    #[test]
    fn while_anything_changes_or_is_unknown_there_is_no_balance() {
        let mut balance = Balance::default();
        follow(&mut balance, 5600.0, &loop_with(11.0, 45.0), 40);
        assert_eq!(follow(&mut balance, 2000.0, &loop_with(11.0, 45.0), 5), None, "the load has changed");
        assert!(follow(&mut balance, 2000.0, &loop_with(11.0, 38.0), 400).is_some());
        let mut silent = loop_with(11.0, 38.0);
        silent.meter.return_ = Reading::default();
        assert_eq!(follow(&mut balance, 2000.0, &silent, 1), None);
    }
}
