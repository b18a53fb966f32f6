//! The expansion vessel: its gas cushion sets the pressure at the pump's inlet, and a leak empties the loop
//! against it.
//!
//! ```text
//!  p = p_fill · V_fill / (V_fill − expansion + leaked)        leak = 0.61 · hole · √(2 Δp/ρ)
//! ```
//!
//! The vessel hangs on the pump's inlet and refills the loop with liquid as warm as what leaks out, so a leak
//! takes no heat along.

use core::f64::consts::PI;

use super::coolant::Coolant;
use super::params::VesselParams;

/// Ambient pressure, kPa.
const AMBIENT_KPA: f64 = 101.3;
/// Discharge coefficient of a sharp-edged hole (textbook).
const DISCHARGE: f64 = 0.61;
const LITRES_PER_M3: f64 = 1000.0;

/// Gas, liquid lost, and pressure.
#[derive(Clone, Debug)]
pub(super) struct Vessel {
    params: VesselParams,
    leaked_litres: f64,
    /// Over ambient.
    pressure_kpa: f64,
}

impl Vessel {
    pub(super) fn new(params: VesselParams) -> Self {
        Self { params, leaked_litres: 0.0, pressure_kpa: params.fill_kpa }
    }

    /// Moves on by `dt` with the loop at a mean of `celsius` and a hole of `hole_mm`; without a hole the loop
    /// is mended and topped up.
    pub(super) fn step(&mut self, celsius: f64, hole_mm: Option<f64>, dt: f64) {
        self.leaked_litres = match hole_mm {
            Some(diameter) => self.leaked_litres + self.leak_litres_per_s(celsius, diameter) * dt,
            None => 0.0,
        };
        let dense = Coolant::PG25.density(self.params.fill_celsius) / Coolant::PG25.density(celsius);
        let expansion = self.params.loop_litres * (dense - 1.0);
        // A vessel that is full of liquid keeps a last bubble.
        let gas = (self.params.gas_litres - expansion + self.leaked_litres).max(0.01);
        let filled = self.params.fill_kpa + AMBIENT_KPA;
        self.pressure_kpa = (filled * self.params.gas_litres / gas - AMBIENT_KPA).max(0.0);
    }

    /// Pressure at the pump's inlet over ambient, kPa.
    pub(super) fn pressure_kpa(&self) -> f64 {
        self.pressure_kpa
    }

    pub(super) fn leaked_litres(&self) -> f64 {
        self.leaked_litres
    }

    /// Enough has leaked to wet the rope.
    pub(super) fn rope_wet(&self) -> bool {
        self.leaked_litres > self.params.rope_litres
    }

    /// How well the pump is filled: 1 full, 0 nothing but air.
    pub(super) fn prime(&self) -> f64 {
        (self.pressure_kpa / self.params.air_kpa).min(1.0)
    }

    fn leak_litres_per_s(&self, celsius: f64, diameter_mm: f64) -> f64 {
        let hole_m2 = PI / 4.0 * (diameter_mm / 1000.0).powi(2);
        let speed = (2.0 * self.pressure_kpa * 1000.0 / Coolant::PG25.density(celsius)).sqrt();
        DISCHARGE * hole_m2 * speed * LITRES_PER_M3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(celsius: f64, hole_mm: Option<f64>, seconds: u32) -> Vessel {
        let mut vessel = Vessel::new(VesselParams::NODE);
        for _ in 0..seconds * 100 {
            vessel.step(celsius, hole_mm, 0.01);
        }
        vessel
    }

    #[test]
    fn a_warm_loop_is_at_higher_pressure() {
        let warm = after(50.0, None, 1).pressure_kpa();
        assert!((155.0..170.0).contains(&warm), "{warm}");
    }

    #[test]
    fn a_leak_lowers_pressure_and_wets_the_rope() {
        let vessel = after(35.0, Some(1.0), 60);
        assert!(vessel.rope_wet());
        assert!((0.35..0.55).contains(&vessel.leaked_litres()), "{}", vessel.leaked_litres());
        assert!(vessel.pressure_kpa() < 120.0, "{}", vessel.pressure_kpa());
    }

    #[test]
    fn a_hole_of_one_millimetre_at_two_bar_loses_half_a_litre_a_minute() {
        let mut vessel = Vessel::new(VesselParams::NODE);
        vessel.pressure_kpa = 200.0;
        let litres_per_minute = 60.0 * vessel.leak_litres_per_s(20.0, 1.0);
        assert!((litres_per_minute - 0.57).abs() < 0.01, "{litres_per_minute}");
    }

    #[test]
    fn an_empty_loop_makes_the_pump_draw_air() {
        assert!(after(35.0, Some(5.0), 600).prime() < 0.5);
    }

    #[test]
    fn a_mended_loop_is_topped_up_and_dry() {
        let mut vessel = after(35.0, Some(2.0), 120);
        vessel.step(20.0, None, 0.01);
        assert!((vessel.pressure_kpa() - 150.0).abs() < 0.1 && !vessel.rope_wet());
    }
}
