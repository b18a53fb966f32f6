//! The optimum on a course: the best state at rest for each minute's mean load, known in advance.

use super::bout::Ground;
use super::course::{Course, mean_load};
use super::optimum::{Cost, Limits, Optimum, Weights};
use super::score::{Score, Spread};
use crate::plant::{Boundary, SteadyPlant, dew_point};
use crate::workload::Load;

/// Its name in tables.
pub(super) const NAME: &str = "clairvoyant optimum (at rest)";
/// What one state at rest stands for, s: loops of this size come to rest in about a minute.
const BLOCK_S: f64 = 60.0;

/// The optimum on `course`.
pub(super) fn at_rest(course: Course, load: &Load, ground: &Ground) -> Score {
    let mut optimum = Optimum::new(SteadyPlant::new(ground.params.clone()), Weights::default());
    let usual = ground.boundary();
    let limits = Limits::of(optimum.plant(), dew_point(usual.room_celsius, usual.room_humidity));
    let mut load = load.clone();
    mean_load(&mut load, ground.settling_s);

    let (mut cost, mut it, mut recovered, mut delivered, mut river) = (Cost::default(), 0.0, 0.0, 0.0, 0.0);
    let (mut supply, mut return_, mut peak) = (Spread::default(), Spread::default(), f64::MIN);
    let (mut seconds, mut permit_s) = (0.0, 0.0);
    while seconds < ground.seconds - BLOCK_S / 2.0 {
        let boundary = Boundary { utilisation: mean_load(&mut load, BLOCK_S), ..usual };
        let best = optimum.find(&boundary, &limits);
        // kWh of a block at one watt.
        let share = BLOCK_S / 3.6e6;
        cost.add(&best.cost, share);
        it += best.steady.it_watts * share;
        recovered += best.steady.recovery_watts * share;
        delivered += best.steady.network_watts * share;
        river += best.steady.river_watts * share;
        permit_s += if ground.permits(best.steady.river_watts) { 0.0 } else { BLOCK_S };
        supply.add(best.set.supply_celsius);
        return_.add(best.steady.return_celsius);
        peak = best.steady.hottest_celsius.max(peak);
        seconds += BLOCK_S;
    }
    Score {
        controller: NAME.to_owned(),
        workload: course.word().to_owned(),
        seconds,
        peak_celsius: peak,
        celsius_999: None,
        above_slowdown_s: None,
        close_to_slowdown_s: None,
        throttled_gpu_s: None,
        it_kwh: it,
        pump_kwh: cost.pump,
        return_celsius: return_.mean,
        return_sigma: return_.deviation(),
        supply_celsius: supply.mean,
        supply_sigma: supply.deviation(),
        recovered_kwh: recovered,
        delivered_kwh: delivered,
        heat_pump_kwh: cost.heat_pump,
        demanded_kwh: usual.heat_demand_watts * seconds / 3.6e6,
        leakage_kwh: cost.leakage,
        river_kwh: river,
        permit_minutes: permit_s / 60.0,
        valve_strokes: None,
        pump_starts: None,
        cost_kwh: cost,
        total_cost_kwh: cost.total(),
        pue: (it + cost.pump) / it,
        erf: recovered / (it + cost.pump),
        wue: 0.0,
    }
}
