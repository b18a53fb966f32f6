//! A node that is not as the drawing says: what differs from one seed to the next.

use eisbach_control::Tuning;
use eisbach_protocol::units::{LitersPerMinute, Quantity};

use crate::closed_loop::single;
use crate::plant::PlantParams;
use crate::rng::Noise;

/// Where a number of the plant is.
type Place = fn(&mut PlantParams) -> &mut f64;

/// A number of the plant, and how far it may be from the usual. All ranges are estimates; that of the thermal mass is
/// the uncertainty of loss-of-flow times.
struct Spread {
    place: Place,
    /// Lowest and highest factor, even on a logarithmic scale.
    factor: (f64, f64),
}

const fn times(place: Place, low: f64, high: f64) -> Spread {
    Spread { place, factor: (low, high) }
}

/// Factors of the plant.
const FACTORS: [Spread; 16] = [
    // Fouling, from clean to four times the usual.
    times(|plant| &mut plant.cdu.fouling, 0.25, 4.0),
    times(|plant| &mut plant.river.fouling, 0.25, 4.0),
    // Gains: heat that is not the GPUs', resistances, evaporator.
    times(|plant| &mut plant.rest.per_gpu_watt, 0.7, 1.3),
    times(|plant| &mut plant.plate.resistance, 0.85, 1.2),
    times(|plant| &mut plant.gpu.die_resistance, 0.9, 1.15),
    times(|plant| &mut plant.gpu.leakage_watts, 0.7, 1.4),
    times(|plant| &mut plant.heat_pump.evaporator, 0.7, 1.5),
    times(|plant| &mut plant.pump.shutoff_kpa, 0.9, 1.1),
    times(|plant| &mut plant.pump.wear, 0.1, 5.0),
    // Delays: pipes, buffer, valve, sensor, coast-down.
    times(|plant| &mut plant.node_loop.supply_litres, 0.6, 1.6),
    times(|plant| &mut plant.node_loop.return_litres, 0.6, 1.6),
    times(|plant| &mut plant.facility.buffer_litres, 0.6, 1.6),
    times(|plant| &mut plant.valve.stroke_s, 0.5, 2.0),
    times(|plant| &mut plant.instruments.supply.lag_s, 0.5, 1.6),
    times(|plant| &mut plant.instruments.flow.lag_s, 0.5, 2.0),
    times(|plant| &mut plant.pump.coast_s, 0.7, 1.5),
];

/// Biases of sensors, in their own units, even in both directions.
const BIASES: [(Place, f64); 5] = [
    (|plant| &mut plant.instruments.supply.bias, 0.5),
    (|plant| &mut plant.instruments.return_.bias, 0.5),
    (|plant| &mut plant.instruments.flow.bias, 0.23),
    (|plant| &mut plant.instruments.gpu_core.bias, 2.0),
    (|plant| &mut plant.instruments.pump_head.bias, 2.0),
];

/// Least and greatest thermal mass of the plates against the usual.
const MASS: (f64, f64) = (0.6, 1.5);
/// How far the flow noted at commissioning may be from the true one.
const COMMISSIONED: (f64, f64) = (0.9, 1.1);

/// The node of a seed, and the controller's numbers for it.
pub(super) fn mismatched(params: &PlantParams, tuning: Tuning, seed: u64) -> (PlantParams, Tuning) {
    let mut noise = Noise::new(seed);
    let mut factor = |(low, high): (f64, f64)| noise.between(low.ln(), high.ln()).exp();
    let mut params = params.clone().with_thermal_mass(factor(MASS));
    for spread in &FACTORS {
        *(spread.place)(&mut params) *= factor(spread.factor);
    }
    let noted = f64::from(tuning.full_speed_flow.get()) * factor(COMMISSIONED);
    for (place, most) in BIASES {
        *place(&mut params) += noise.between(-most, most);
    }
    params.pump.wear = params.pump.wear.min(1.0);
    (params, Tuning { full_speed_flow: LitersPerMinute::from_f32(single(noted)), ..tuning })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_is_another_node_and_the_same_one_each_time() {
        let of = |seed| mismatched(&PlantParams::default(), Tuning::default(), seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn numbers_stay_within_their_ranges() {
        let usual = PlantParams::default();
        for seed in 0..200 {
            let (params, tuning) = mismatched(&usual, Tuning::default(), seed);
            let mass = params.plate.metal_capacity / usual.plate.metal_capacity;
            assert!((0.6..=1.5).contains(&mass), "{mass}");
            assert!((0.0..=1.0).contains(&params.pump.wear));
            assert!(params.instruments.gpu_core.bias.abs() <= 2.0);
            assert!((11.2..13.8).contains(&tuning.full_speed_flow.get()));
        }
    }
}
