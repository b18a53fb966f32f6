//! The facility's water: how warm it comes back from the exchanger of the node loop.
//!
//! ```text
//!   node loop   return ──► exchanger ──► supply          heat = ε · smaller capacity · (return − water in)
//!   facility      hot ◄──     ε     ◄── water in         hot  = water in + heat / facility capacity
//! ```
//!
//! The facility's flow is taken for constant: then a hotter return of the node loop at less flow makes its water only as
//! much hotter as the exchanger gets better.

use crate::tuning::SetPointTuning;

/// Two capacities closer than this are one: the formula has a hole there.
const EQUAL: f32 = 0.01;

/// Hot facility water over the node loop's supply, K, at this heat (W) and capacity of the loop's flow (W/K).
pub(crate) fn water_over_supply(heat: f32, capacity: f32, set: &SetPointTuning) -> f32 {
    let facility = set.facility_watts_per_kelvin;
    let (small, large) = (capacity.min(facility), capacity.max(facility));
    if small <= 0.0 {
        return 0.0;
    }
    let units = set.exchanger_watts_per_kelvin / small;
    let ratio = small / large;
    let effectiveness = if ratio > 1.0 - EQUAL {
        units / (1.0 + units)
    } else {
        let spent = libm::expf(-units * (1.0 - ratio));
        (1.0 - spent) / (1.0 - ratio * spent)
    };
    let water_in = heat / capacity - heat / (effectiveness * small);
    water_in + heat / facility
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchanger_is_the_data_sheets_cdu() {
        // 2500 kW, 250 and 268 kW/K, 579 kW/K: water at 41 °C makes 45 °C supply out of 55 °C return.
        let set = SetPointTuning {
            exchanger_watts_per_kelvin: 579e3,
            facility_watts_per_kelvin: 268e3,
            ..SetPointTuning::default()
        };
        let over = water_over_supply(2.5e6, 250e3, &set);
        assert!((over - (41.0 + 9.33 - 45.0)).abs() < 0.2, "{over}");
    }

    #[test]
    fn less_flow_makes_the_water_hotter_but_never_beyond_the_exchangers_end() {
        let set = SetPointTuning::default();
        let at = |capacity| water_over_supply(5000.0, capacity, &set);
        assert!(at(300.0) > at(500.0) && at(500.0) > at(800.0));
        assert!(at(50.0) <= 5000.0 / 800.0 + 1e-3);
    }
}
