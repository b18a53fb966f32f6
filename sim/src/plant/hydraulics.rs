//! Where the water goes: the pump's curve against the loop's, in every step.
//!
//! ```text
//!            ┌── plate 1 ──┐
//!  pump ─────┼──   …     ──┼───── strainer ─── pipes, CDU ───┐
//!   ▲        ├── plate 8 ──┤                                 │
//!   │        └── rest    ──┘                                 │
//!   └────────────────────────────────────────────────────────┘
//!
//!  the branches share one pressure drop x; Newton finds the x at which
//!  pump(Q) = x + pipes(Q), with Q the sum of all branches at x
//! ```

use super::GPUS;
use super::params::PlantParams;
use super::pump::PumpCurve;

/// m³/s in 1 L/min.
pub(crate) const M3_S_PER_LPM: f64 = 1.0 / 60_000.0;
/// Pressure to which Newton's steps must come down, Pa.
const CLOSE: f64 = 1e-3;
/// More steps than Newton ever needs from the last solution.
const STEPS_MAX: usize = 20;

/// Pressure drop with a laminar (linear) and a turbulent (quadratic) part, SI.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resistance {
    pub(crate) linear: f64,
    pub(crate) quadratic: f64,
}

impl Resistance {
    /// From kPa/(L/min) and kPa/(L/min)², for glycol at 35 °C.
    #[must_use]
    pub const fn kpa_per_lpm(linear: f64, quadratic: f64) -> Self {
        Self {
            linear: linear * 1000.0 / M3_S_PER_LPM,
            quadratic: quadratic * 1000.0 / (M3_S_PER_LPM * M3_S_PER_LPM),
        }
    }

    /// The same drop at `share` of the flow.
    pub(crate) fn for_flow(self, share: f64) -> Self {
        self.scaled(1.0 / share, 1.0 / (share * share))
    }

    pub(crate) fn scaled(self, linear: f64, quadratic: f64) -> Self {
        Self { linear: self.linear * linear, quadratic: self.quadratic * quadratic }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { linear: self.linear + other.linear, quadratic: self.quadratic + other.quadratic }
    }

    /// Drop in Pa at a flow in m³/s.
    pub(crate) fn drop(&self, flow: f64) -> f64 {
        (self.linear + self.quadratic * flow) * flow
    }

    /// Change of drop with flow.
    fn slope(&self, flow: f64) -> f64 {
        self.linear + 2.0 * self.quadratic * flow
    }

    /// Flow in m³/s at a drop in Pa that is not negative.
    pub(crate) fn flow(&self, drop: f64) -> f64 {
        2.0 * drop / (self.linear + (self.linear * self.linear + 4.0 * self.quadratic * drop).sqrt())
    }
}

/// Volume flows, m³/s, and the pump's head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Flows {
    pub(crate) plates: [f64; GPUS],
    pub(crate) rest: f64,
    pub(crate) total: f64,
    pub(crate) head_pa: f64,
}

/// Coolant against glycol at 35 °C, for which resistances are given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Thickness {
    pub(crate) viscosity: f64,
    pub(crate) density: f64,
}

impl Thickness {
    /// That for which resistances are given.
    pub(crate) const AS_RATED: Self = Self { viscosity: 1.0, density: 1.0 };
}

/// The node loop as a network of resistances.
#[derive(Clone, Debug)]
pub(crate) struct Hydraulics {
    plates: [Resistance; GPUS],
    rest: Resistance,
    pipes: Resistance,
    strainer: Resistance,
    /// Drop over the branches in the last step: where Newton starts.
    branch_drop: f64,
}

impl Hydraulics {
    pub(crate) fn new(params: &PlantParams) -> Self {
        Self {
            plates: params.branch_spread.map(|factor| params.plate.drop.scaled(factor, factor)),
            rest: params.rest.plate.drop,
            pipes: params.node_loop.pipes,
            strainer: params.node_loop.strainer,
            branch_drop: 10_000.0,
        }
    }

    /// Flows that the pump's curve gives. `clogging` multiplies the strainer's resistance.
    pub(crate) fn solve(&mut self, pump: PumpCurve, thickness: Thickness, clogging: f64) -> Flows {
        let thick = |resistance: Resistance| resistance.scaled(thickness.viscosity, thickness.density);
        let plates = self.plates.map(thick);
        let rest = thick(self.rest);
        let series = thick(self.pipes.plus(self.strainer.scaled(clogging, clogging)));

        let mut drop = self.branch_drop.min(pump.shutoff_pa);
        for _ in 0..STEPS_MAX {
            let (mut flow, mut opening) = (0.0, 0.0);
            for branch in plates.iter().chain([&rest]) {
                let part = branch.flow(drop);
                flow += part;
                opening += 1.0 / branch.slope(part);
            }
            let surplus = pump.head(flow) - series.drop(flow) - drop;
            let fall = (2.0 * pump.fall * flow + series.slope(flow)) * opening + 1.0;
            let next = (drop + surplus / fall).max(0.0);
            let done = (next - drop).abs() < CLOSE;
            drop = next;
            if done {
                break;
            }
        }
        self.branch_drop = drop;

        let plates = plates.map(|branch| branch.flow(drop));
        let rest = rest.flow(drop);
        let total = plates.iter().sum::<f64>() + rest;
        Flows { plates, rest, total, head_pa: drop + series.drop(total) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::pump::Pump;

    fn flows(params: &PlantParams, impeller: f64, thickness: Thickness, clogging: f64) -> Flows {
        Hydraulics::new(params).solve(Pump::curve(&params.pump, impeller, 1.0), thickness, clogging)
    }

    #[test]
    fn the_design_point_is_11_4_litres_a_minute_at_100_kilopascal() {
        let flows = flows(&PlantParams::ideal(), 0.93, Thickness::AS_RATED, 1.0);
        assert!((flows.total / M3_S_PER_LPM - 11.4).abs() < 0.3, "{}", flows.total / M3_S_PER_LPM);
        assert!((flows.head_pa - 100e3).abs() < 4e3, "{}", flows.head_pa);
    }

    #[test]
    fn the_solution_lies_on_the_pump_curve() {
        for impeller in [0.05, 0.3, 0.6, 1.0] {
            let params = PlantParams::default();
            let curve = Pump::curve(&params.pump, impeller, 1.0);
            let flows = Hydraulics::new(&params).solve(curve, Thickness::AS_RATED, 1.0);
            assert!((curve.head(flows.total) - flows.head_pa).abs() < 0.1, "speed {impeller}");
        }
    }

    #[test]
    fn even_plates_share_evenly_and_uneven_ones_by_resistance() {
        let even = flows(&PlantParams::ideal(), 1.0, Thickness::AS_RATED, 1.0);
        let uneven = flows(&PlantParams::default(), 1.0, Thickness::AS_RATED, 1.0);
        assert!(even.plates.iter().all(|flow| (flow - even.plates[0]).abs() < 1e-12));
        let spread = uneven.plates[0] / uneven.plates[7];
        assert!((1.05..1.15).contains(&spread), "{spread}");
        assert!(uneven.plates.is_sorted_by(|first, second| first > second));
    }

    #[test]
    fn a_clogged_strainer_takes_flow_and_raises_head() {
        let clean = flows(&PlantParams::default(), 1.0, Thickness::AS_RATED, 1.0);
        let clogged = flows(&PlantParams::default(), 1.0, Thickness::AS_RATED, 5.0);
        assert!(clogged.total < 0.92 * clean.total && clogged.head_pa > clean.head_pa);
    }

    #[test]
    fn cold_coolant_flows_less() {
        let cold = Thickness { viscosity: 1.59, density: 1.01 };
        let params = PlantParams::default();
        assert!(flows(&params, 1.0, cold, 1.0).total < flows(&params, 1.0, Thickness::AS_RATED, 1.0).total);
    }

    #[test]
    fn a_standing_pump_moves_nothing() {
        assert_eq!(flows(&PlantParams::default(), 0.0, Thickness::AS_RATED, 1.0), Flows::default());
    }
}
