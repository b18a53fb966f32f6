//! How large a cap is: what the coolant can carry away at the margin wanted.
//!
//! ```text
//!   temperature − supply is proportional to power:   cap = power × (target − supply) / (temperature − supply)
//! ```

use eisbach_protocol::units::{Celsius, Kelvin, Watts};

use crate::estimate::GpuView;
use crate::tuning::Tuning;

/// Smallest step of a cap: less is a write for nothing (estimate).
pub(crate) const LEAST_STEP: Watts = Watts::new(25.0);
/// The target lies this far above the margin at which caps begin (estimate).
const SPARE: Kelvin = Kelvin::new(2.0);
/// A GPU must be this much warmer than its coolant before the proportion means anything (estimate).
const LEAST_RISE: f32 = 5.0;
/// Cap without a known supply temperature, as a share of the power drawn (estimate).
const BLIND_CAP: f32 = 0.85;

/// The cap that brings this GPU back to its target margin; at least a step below what it draws.
pub(super) fn cap_for(gpu: &GpuView, margin: Kelvin, supply: Option<Celsius>, tuning: &Tuning) -> Watts {
    let (lowest, default) = gpu.power_range;
    let wanted = modelled(gpu, margin, supply, tuning).unwrap_or(gpu.power * BLIND_CAP);
    wanted.smaller(gpu.power - LEAST_STEP).held(lowest, default)
}

fn modelled(gpu: &GpuView, margin: Kelvin, supply: Option<Celsius>, tuning: &Tuning) -> Option<Watts> {
    let rise = (gpu.temperature? - supply?).get();
    let lacking = (tuning.cap_margin + SPARE - margin).get();
    (rise >= LEAST_RISE).then(|| gpu.power * (1.0 - lacking / rise))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::tests::GPU;

    fn cap(temperature: f32, margin: f32, supply: Option<f32>) -> f32 {
        let gpu = GpuView { temperature: Some(Celsius::new(temperature)), ..GPU };
        cap_for(&gpu, Kelvin::new(margin), supply.map(Celsius::new), &Tuning::default()).get()
    }

    #[test]
    fn with_supply_known_the_cap_is_what_the_coolant_carries_at_the_target() {
        // 80 °C at 690 W over 50 °C; 3 K are lacking to a margin of 12 K: 27/30 of the power.
        assert!((cap(80.0, 9.0, Some(50.0)) - 621.0).abs() < 0.1);
    }

    #[test]
    fn without_supply_the_cap_is_a_share_of_the_power() {
        assert!((cap(80.0, 9.0, None) - 0.85 * 690.0).abs() < 0.1);
    }

    #[test]
    fn a_cap_lies_in_the_range_of_the_device_and_a_step_below_the_power_whatever_the_sensors_say() {
        for supply in [-40.0, 50.0, 79.9, 80.0, 95.0, f32::NAN] {
            for margin in [-100.0, 0.0, 9.9, f32::NAN] {
                let cap = cap(80.0, margin, Some(supply));
                assert!((200.0..=665.0).contains(&cap), "{cap} at {supply} and {margin}");
            }
        }
    }
}
