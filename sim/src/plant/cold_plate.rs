//! A cold plate: metal, and the liquid in it.
//!
//! ```text
//!  chips ──heat──► metal ──► liquid ──► out
//!                             ▲ in
//!
//!  metal to liquid: (Tmetal − Tbulk) / R(flow)        Tbulk = Tin + w (Tout − Tin)
//! ```
//!
//! Along the plate the liquid follows an exponential profile; its mean sits at `w = 1/ε − 1/NTU` of the way
//! from inlet to outlet, with `NTU = 1/(R·C)` and `ε = 1 − e^−NTU`. That is one half at high flow, and one, a
//! stirred pot, when the flow has gone. In steady state the heat is exactly that of an isothermal wall, so
//! the liquid never leaves hotter than the metal.

use super::hydraulics::M3_S_PER_LPM;
use super::params::PlateParams;

/// Above this NTU the liquid leaves at the temperature of the metal anyway.
const NTU_MAX: f64 = 50.0;

/// Metal and liquid of one plate.
#[derive(Clone, Debug)]
pub(super) struct ColdPlate {
    params: PlateParams,
    metal: f64,
    outlet: f64,
}

impl ColdPlate {
    pub(super) fn new(params: PlateParams, celsius: f64) -> Self {
        Self { params, metal: celsius, outlet: celsius }
    }

    /// Takes `heat` W from the chips, and liquid at `inlet` °C: `flow` in m³/s, `capacity` in W/K.
    pub(super) fn step(&mut self, heat: f64, inlet: f64, flow: f64, capacity: f64, dt: f64) {
        let resistance = self.params.resistance_at(flow);
        let bulk = inlet + profile_mean(resistance, capacity) * (self.outlet - inlet);
        let into_liquid = (self.metal - bulk) / resistance;
        let carried = capacity * (self.outlet - inlet);
        self.metal += (heat - into_liquid) * dt / self.params.metal_capacity;
        self.outlet += (into_liquid - carried) * dt / self.params.liquid_capacity;
    }

    pub(super) fn metal(&self) -> f64 {
        self.metal
    }

    pub(super) fn outlet(&self) -> f64 {
        self.outlet
    }

    /// Heat in metal and liquid above 0 °C, J.
    pub(super) fn stored(&self) -> f64 {
        self.params.metal_capacity * self.metal + self.params.liquid_capacity * self.outlet
    }
}

impl PlateParams {
    /// Metal to liquid at a flow in m³/s, K/W.
    pub(crate) fn resistance_at(&self, flow: f64) -> f64 {
        let share = flow / (self.design_lpm * M3_S_PER_LPM);
        let flowing = self.resistance * share.powf(-self.flow_exponent);
        flowing.min(self.still_resistance)
    }

    /// Metal, °C, once `heat` W has been going for long into liquid that enters at `inlet` °C: `flow` in m³/s,
    /// `capacity` in W/K.
    pub(super) fn at_rest(&self, heat: f64, inlet: f64, flow: f64, capacity: f64) -> f64 {
        let resistance = self.resistance_at(flow);
        inlet + profile_mean(resistance, capacity) * heat / capacity + heat * resistance
    }
}

/// Where between inlet (0) and outlet (1) the mean temperature of the liquid sits.
pub(crate) fn profile_mean(resistance: f64, capacity: f64) -> f64 {
    let ntu = 1.0 / (resistance * capacity);
    if ntu > NTU_MAX {
        return 1.0;
    }
    1.0 / (1.0 - (-ntu).exp()) - 1.0 / ntu
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATTS_PER_KELVIN_PER_M3_S: f64 = 1012.5 * 3957.0;

    fn steady(share: f64) -> ColdPlate {
        let mut plate = ColdPlate::new(PlateParams::H200, 35.0);
        let flow = share * 1.05 * M3_S_PER_LPM;
        for _ in 0..20_000 {
            plate.step(700.0, 35.0, flow, flow * WATTS_PER_KELVIN_PER_M3_S, 0.01);
        }
        plate
    }

    #[test]
    fn all_heat_leaves_with_the_liquid() {
        let plate = steady(1.0);
        let capacity = 1.05 * M3_S_PER_LPM * WATTS_PER_KELVIN_PER_M3_S;
        assert!((capacity * (plate.outlet() - 35.0) - 700.0).abs() < 1e-6);
    }

    #[test]
    fn less_flow_is_a_hotter_plate_that_the_liquid_never_overtakes() {
        let hot: Vec<f64> = [1.0, 0.75, 0.5, 0.25, 0.1].map(|share| steady(share).metal()).into();
        assert!(hot.is_sorted_by(|first, second| first < second), "{hot:?}");
        assert!([1.0, 0.5, 0.1].map(steady).iter().all(|plate| plate.outlet() < plate.metal()));
    }

    #[test]
    fn half_the_flow_costs_eight_to_thirteen_kelvin() {
        let rise = steady(0.5).metal() - steady(1.0).metal();
        assert!((8.0..13.0).contains(&rise), "{rise}");
    }

    #[test]
    fn without_flow_metal_and_liquid_heat_up_together() {
        let mut plate = ColdPlate::new(PlateParams::H200, 35.0);
        for _ in 0..3000 {
            plate.step(700.0, 35.0, 0.0, 0.0, 0.01);
        }
        let mean = plate.stored() / (130.0 + 90.0);
        assert!((mean - 35.0 - 700.0 * 30.0 / 220.0).abs() < 1e-6, "{mean}");
        assert!(plate.metal() > plate.outlet());
    }

    #[test]
    fn the_mean_moves_from_the_middle_to_the_outlet() {
        assert!((profile_mean(0.016, 1e6) - 0.5).abs() < 1e-3);
        assert!((profile_mean(0.06, 1e-3) - 1.0).abs() < 1e-12);
        assert!((profile_mean(0.06, 0.0) - 1.0).abs() < 1e-12);
    }
}
