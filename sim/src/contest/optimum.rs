//! The clairvoyant optimum: what the plant would cost if every set-point were right at every moment.
//!
//! ```text
//!   load, river, demand of an hour ─► supply × pump speed ─► plant at rest ─► cost ─┐
//!                                          ▲                                         │
//!                                          └────────── golden section ◄──────────────┘
//! ```
//!
//! It knows the future, waits for nothing, and needs no reserve: what its set-points cost at rest, nobody who has to
//! find out by measuring can undercut by much. Its limits are those of all others.

use crate::plant::{Boundary, SetPoints, Steady, SteadyPlant};

/// What is weighed, in kilowatt-hours of electricity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// A kilowatt-hour of heat that the network wanted and did not get: somebody else makes it. The price of heat
    /// against that of electricity that ours is tuned with, 0.10 to 0.20 € (estimate); an air-source heat pump of
    /// COP 2 takes as much.
    pub undelivered: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { undelivered: 0.5 }
    }
}

/// What nobody may do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Coldest supply, °C: the condensation limit.
    pub supply_low: f64,
    /// Warmest supply, °C: W40 equipment.
    pub supply_high: f64,
    /// Hottest core at rest, °C.
    pub hottest: f64,
    /// Least pump speed, share of full speed.
    pub pump_low: f64,
    /// Most heat for the river, W.
    pub river_watts: f64,
}

impl Limits {
    /// Those of all: supply from `dew_point` + 2 K to 40 °C, pump from 30 %, no GPU within 5 K of slowdown.
    #[must_use]
    pub fn of(plant: &SteadyPlant, dew_point: f64) -> Self {
        Self {
            supply_low: dew_point + 2.0,
            supply_high: 40.0,
            hottest: plant.params().gpu.slowdown_celsius - super::score::CLOSE_KELVIN,
            pump_low: super::rival::PUMP_MIN / 100.0,
            river_watts: f64::INFINITY,
        }
    }
}

/// What a state costs, W of electricity, term by term.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Cost {
    /// The pump.
    pub pump: f64,
    /// The heat pump.
    pub heat_pump: f64,
    /// Leakage of the GPUs.
    pub leakage: f64,
    /// Heat that the network did not get, weighed.
    pub undelivered: f64,
}

impl Cost {
    /// Of a state at rest.
    #[must_use]
    pub fn of(steady: &Steady, demand: f64, weights: &Weights) -> Self {
        Self {
            pump: steady.pump_watts,
            heat_pump: steady.heat_pump_watts,
            leakage: steady.leakage_watts,
            undelivered: weights.undelivered * (demand - steady.network_watts).max(0.0),
        }
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.pump + self.heat_pump + self.leakage + self.undelivered
    }

    /// Adds `other` over `share` of the time.
    pub fn add(&mut self, other: &Self, share: f64) {
        self.pump += other.pump * share;
        self.heat_pump += other.heat_pump * share;
        self.leakage += other.leakage * share;
        self.undelivered += other.undelivered * share;
    }
}

/// The best state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Where pump and supply stand.
    pub set: SetPoints,
    /// What is then so.
    pub steady: Steady,
    /// What it costs.
    pub cost: Cost,
}

/// Supply temperatures that are tried before the best is closed in on.
const SUPPLIES: u32 = 8;
/// Steps of the golden section for pump speed and for supply: to 0.1 % of speed and 0.02 K.
const SPEED_STEPS: usize = 13;
const SUPPLY_STEPS: usize = 11;
/// What breaking a limit costs in the search: W per K, and W per W.
const PER_KELVIN: f64 = 200.0;
const PER_WATT: f64 = 2.0;
/// Imbalance, W, that is only rounding.
const BALANCED: f64 = 1.0;

/// Searches the best state of one plant.
#[derive(Clone, Debug)]
pub struct Optimum {
    plant: SteadyPlant,
    weights: Weights,
}

impl Optimum {
    /// Of this plant.
    #[must_use]
    pub const fn new(plant: SteadyPlant, weights: Weights) -> Self {
        Self { plant, weights }
    }

    /// The plant at rest.
    #[must_use]
    pub const fn plant(&self) -> &SteadyPlant {
        &self.plant
    }

    /// The least that the plant can cost at rest, within `limits`. Where nothing keeps them all, what breaks them
    /// least.
    pub fn find(&mut self, boundary: &Boundary, limits: &Limits) -> Best {
        let (low, high) = (limits.supply_low.min(limits.supply_high), limits.supply_high);
        let step = (high - low) / f64::from(SUPPLIES);
        let mut coarse = (low, f64::INFINITY);
        for index in 0..=SUPPLIES {
            let supply = low + step * f64::from(index);
            let (_, cost) = self.best_speed(supply, boundary, limits);
            if cost < coarse.1 {
                coarse = (supply, cost);
            }
        }
        let near = ((coarse.0 - step).max(low), (coarse.0 + step).min(high));
        let (fine, cost) = golden(near, SUPPLY_STEPS, |supply| self.best_speed(supply, boundary, limits).1);
        let supply_celsius = if cost < coarse.1 { fine } else { coarse.0 };
        let (pump_speed, _) = self.best_speed(supply_celsius, boundary, limits);
        let set = SetPoints { pump_speed, supply_celsius };
        let steady = self.plant.at(set, boundary);
        Best { set, steady, cost: Cost::of(&steady, boundary.heat_demand_watts, &self.weights) }
    }

    /// The best speed at a supply temperature, and its cost with what broken limits add.
    fn best_speed(&mut self, supply_celsius: f64, boundary: &Boundary, limits: &Limits) -> (f64, f64) {
        golden((limits.pump_low, 1.0), SPEED_STEPS, |pump_speed| {
            let steady = self.plant.at(SetPoints { pump_speed, supply_celsius }, boundary);
            let cost = Cost::of(&steady, boundary.heat_demand_watts, &self.weights).total();
            cost + broken(&steady, limits)
        })
    }
}

/// What broken limits add, W.
fn broken(steady: &Steady, limits: &Limits) -> f64 {
    let hot = (steady.hottest_celsius - limits.hottest).max(0.0);
    let unbalanced = (steady.unbalanced_watts.abs() - BALANCED).max(0.0);
    let river = (steady.river_watts - limits.river_watts).max(0.0);
    PER_KELVIN * hot + PER_WATT * (unbalanced + river)
}

/// Where `cost` is least in `range`, and that cost: golden section, both ends included.
fn golden(range: (f64, f64), steps: usize, mut cost: impl FnMut(f64) -> f64) -> (f64, f64) {
    let shrink = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut low, mut high) = range;
    let ends = [low, high].map(|end| (end, cost(end)));
    let mut left = high - shrink * (high - low);
    let mut right = low + shrink * (high - low);
    let (mut at_left, mut at_right) = (cost(left), cost(right));
    for _ in 0..steps {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - shrink * (high - low);
            at_left = cost(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + shrink * (high - low);
            at_right = cost(right);
        }
    }
    let inner = if at_left <= at_right { (left, at_left) } else { (right, at_right) };
    ends.into_iter().fold(inner, |best, end| if end.1 < best.1 { end } else { best })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plant::{GPUS, PlantParams};

    fn optimum() -> Optimum {
        Optimum::new(SteadyPlant::new(PlantParams::default()), Weights::default())
    }

    #[test]
    fn golden_section_finds_the_least_inside_and_at_the_ends() {
        assert!((golden((0.0, 5.0), 30, |x| (x - 2.0).powi(2)).0 - 2.0).abs() < 1e-5);
        assert!((golden((0.0, 5.0), 30, |x| x).0).abs() < 1e-9);
        assert!((golden((0.0, 5.0), 30, |x| -x).0 - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_network_that_wants_heat_gets_it_from_a_warm_loop() {
        let mut optimum = optimum();
        let limits = Limits::of(optimum.plant(), 13.0);
        let busy = Boundary { utilisation: [0.8; GPUS], heat_demand_watts: 4000.0, ..Boundary::default() };
        let none = Boundary { heat_demand_watts: 0.0, ..busy };
        let (wanted, unwanted) = (optimum.find(&busy, &limits), optimum.find(&none, &limits));
        assert!(wanted.steady.network_watts > 3990.0, "{wanted:?}");
        assert!(
            wanted.steady.return_celsius > unwanted.steady.return_celsius + 5.0,
            "{wanted:?} {unwanted:?}"
        );
        assert!(unwanted.steady.heat_pump_watts < 1.0 && unwanted.steady.river_watts > 4000.0);
    }

    #[test]
    fn a_limit_that_binds_is_kept_and_costs() {
        let mut optimum = optimum();
        let free = Limits::of(optimum.plant(), 13.0);
        let busy = Boundary { utilisation: [0.9; GPUS], heat_demand_watts: 5000.0, ..Boundary::default() };
        let loose = optimum.find(&busy, &free);
        let tight = optimum.find(&busy, &Limits { hottest: loose.steady.hottest_celsius - 5.0, ..free });
        assert!(tight.steady.hottest_celsius < loose.steady.hottest_celsius - 4.9, "{tight:?}");
        assert!(tight.cost.total() > loose.cost.total(), "{tight:?} {loose:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn no_set_points_within_the_limits_cost_less(
            work in 0.1..1.0_f64, river in 2.0..20.0_f64, demand in 0.0..10_000.0_f64,
            speed in 0.3..1.0_f64, supply in 15.0..40.0_f64,
        ) {
            let mut optimum = optimum();
            let limits = Limits::of(optimum.plant(), 13.0);
            let boundary = Boundary {
                utilisation: [work; GPUS], river_celsius: river, heat_demand_watts: demand, ..Boundary::default()
            };
            let any = optimum.plant.at(SetPoints { pump_speed: speed, supply_celsius: supply }, &boundary);
            prop_assume!(broken(&any, &limits) == 0.0);
            let best = optimum.find(&boundary, &limits);
            let cost = Cost::of(&any, demand, &Weights::default()).total();
            prop_assert!(best.cost.total() <= cost + 1.0, "{best:?} against {cost} W of {any:?}");
        }
    }
}
