//! The facility's water, at the temperature at which its properties are frozen.

use crate::plant::Coolant;
use crate::plant::facility::PROPERTIES_CELSIUS;

/// Density, kg/m³.
pub(super) fn density() -> f64 {
    Coolant::WATER.density(PROPERTIES_CELSIUS)
}

/// Specific heat capacity, J/(kg K).
pub(super) fn heat_capacity() -> f64 {
    Coolant::WATER.heat_capacity(PROPERTIES_CELSIUS)
}
