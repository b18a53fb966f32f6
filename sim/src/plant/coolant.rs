//! Properties of the two liquids: 25 % propylene glycol in the node loop, water in the facility loop.
//!
//! Polynomials fitted to the tables of `CoolProp` (`INCOMP::MPG[0.25]` and `Water`), 10 to 70 °C, within 0.03
//! % for density and heat capacity and 0.2 % for viscosity.

/// A liquid. Temperatures in °C.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coolant {
    density: [f64; 3],
    heat_capacity: [f64; 4],
    /// Natural logarithm of the viscosity.
    log_viscosity: [f64; 4],
}

impl Coolant {
    /// 25 percent by weight of propylene glycol in water; freezes at -9.8 °C.
    pub const PG25: Self = Self {
        density: [1026.41, -0.305_35, -2.6799e-3],
        heat_capacity: [3871.29, 2.490_09, -1.4040e-3, 0.0],
        log_viscosity: [-5.200_273, -0.047_241_0, 3.545_81e-4, -1.294_375e-6],
    };

    /// Water.
    pub const WATER: Self = Self {
        density: [1001.05, -0.064_56, -3.8472e-3],
        heat_capacity: [4209.88, -1.9882, 0.038_219, -2.0083e-4],
        log_viscosity: [-6.340_579, -0.032_327_1, 2.214_98e-4, -8.691_28e-7],
    };

    /// Density, kg/m³.
    #[must_use]
    pub fn density(&self, celsius: f64) -> f64 {
        polynomial(&self.density, celsius)
    }

    /// Specific heat capacity, J/(kg K).
    #[must_use]
    pub fn heat_capacity(&self, celsius: f64) -> f64 {
        polynomial(&self.heat_capacity, celsius)
    }

    /// Dynamic viscosity, Pa s.
    #[must_use]
    pub fn viscosity(&self, celsius: f64) -> f64 {
        polynomial(&self.log_viscosity, celsius).exp()
    }
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value}, expected {expected}");
    }

    #[test]
    fn glycol_at_35_degrees_has_its_tabled_properties() {
        near(Coolant::PG25.density(35.0), 1012.5, 0.1);
        near(Coolant::PG25.heat_capacity(35.0), 3957.0, 1.0);
        near(Coolant::PG25.viscosity(35.0), 1.54e-3, 0.01e-3);
        near(Coolant::PG25.viscosity(20.0), 2.45e-3, 0.01e-3);
    }

    #[test]
    fn water_at_25_degrees_has_its_tabled_properties() {
        near(Coolant::WATER.density(25.0), 997.05, 0.3);
        near(Coolant::WATER.heat_capacity(25.0), 4181.0, 3.0);
        near(Coolant::WATER.viscosity(25.0), 0.89e-3, 0.01e-3);
    }

    #[test]
    fn one_and_a_half_litres_a_minute_warm_by_ten_kelvin_per_kilowatt() {
        let watts_per_kelvin =
            1.5 / 60_000.0 * Coolant::PG25.density(35.0) * Coolant::PG25.heat_capacity(35.0);
        near(1000.0 / watts_per_kelvin, 9.99, 0.02);
    }
}
