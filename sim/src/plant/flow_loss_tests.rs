//! Each GPU on its plate when the flow goes: the tables of the lumped model that the numbers come from (estimates; no
//! curve measured on such GPUs is public).
//!
//! ```text
//!   supply 25 to 45 °C ─► plate ─► flow · e^(−t/1.5 s) from t = 0       GPU at full power, capped, or idle
//! ```

use eisbach_nvml_sim::GpuModel;

use super::cold_plate::ColdPlate;
use super::coolant::Coolant;
use super::gpu::{Gpu, Task};
use super::*;

const COAST_S: f64 = 1.5;
/// The plates' numbers are not the lumped model's: they agree within this.
const SHARE: f64 = 0.08;

/// One GPU on its plate, with liquid of one temperature.
#[derive(Clone)]
struct Stand {
    gpu: Gpu,
    plate: ColdPlate,
    params: GpuParams,
    supply: f64,
    flow: f64,
}

impl Stand {
    /// At full power, in steady state. Its hardware protects itself only where asked.
    fn new(node: &PlantParams, supply: f64) -> Self {
        let params = GpuParams { slowdown_celsius: 900.0, shutdown_celsius: 999.0, ..node.gpu };
        let mut stand = Self {
            gpu: Gpu::new(params, 1.0, supply, DT),
            plate: ColdPlate::new(node.plate, supply),
            params,
            supply,
            flow: node.plate.design_lpm * M3_S_PER_LPM,
        };
        (0..6000).for_each(|_| stand.step(1.0, 1.0));
        stand
    }

    /// One step at this work and this share of TDP.
    fn step(&mut self, utilisation: f64, cap: f64) {
        let task = Task {
            utilisation,
            power_limit: cap * self.params.tdp_watts,
            clock_max_mhz: self.params.clock_max_mhz,
            max_q: false,
        };
        let heat = self.gpu.step(task, self.plate.metal(), DT);
        let capacity =
            self.flow * Coolant::PG25.density(self.supply) * Coolant::PG25.heat_capacity(self.supply);
        self.plate.step(heat, self.supply, self.flow, capacity, DT);
    }

    /// Loses its flow; `work` gives utilisation and cap at a time. Returns the core's temperature step by step.
    fn lose_flow(mut self, seconds: u32, work: impl Fn(f64) -> (f64, f64)) -> Vec<f64> {
        let design = self.flow;
        let step = |step: u32| {
            let time_s = f64::from(step) * DT;
            self.flow = design * (-time_s / COAST_S).exp();
            let (utilisation, cap) = work(time_s);
            self.step(utilisation, cap);
            self.gpu.core_celsius()
        };
        (0..seconds * 100).map(step).collect()
    }
}

fn seconds_to(course: &[f64], celsius: f64) -> f64 {
    let steps = course.iter().take_while(|core| **core < celsius).map(|_| DT);
    steps.sum()
}

const fn full(_: f64) -> (f64, f64) {
    (1.0, 1.0)
}

/// Supplies that the table has, °C.
const SUPPLIES: [f64; 4] = [25.0, 35.0, 40.0, 45.0];

/// What the lumped model says of one GPU model, for each supply.
struct Tabled {
    model: GpuModel,
    /// Core before, °C.
    core: [f64; 4],
    /// From the loss to 87 °C, s.
    to_87: [f64; 4],
    /// From the loss to 95 °C, s.
    to_95: [f64; 4],
}

const fn tabled(model: GpuModel, core: [f64; 4], to_87: [f64; 4], to_95: [f64; 4]) -> Tabled {
    Tabled { model, core, to_87, to_95 }
}

const TABLE: [Tabled; 5] = [
    tabled(GpuModel::H100, [53.8, 63.8, 68.8, 73.8], [11.9, 8.7, 7.2, 5.7], [14.4, 11.3, 9.7, 8.1]),
    tabled(GpuModel::H200, [53.8, 63.8, 68.8, 73.8], [11.9, 8.7, 7.2, 5.7], [14.4, 11.3, 9.7, 8.1]),
    tabled(GpuModel::B200, [55.0, 65.0, 70.0, 75.0], [10.2, 7.6, 6.3, 5.1], [12.4, 9.7, 8.4, 7.1]),
    tabled(GpuModel::Gb200, [55.2, 65.2, 70.2, 75.2], [9.4, 7.1, 6.0, 4.8], [11.3, 8.9, 7.8, 6.7]),
    tabled(GpuModel::B300, [55.9, 65.9, 70.9, 75.9], [8.6, 6.6, 5.5, 4.4], [10.2, 8.2, 7.2, 6.1]),
];

#[test]
fn every_model_at_every_supply_is_as_warm_and_lasts_as_long_as_tabled() {
    for row in TABLE {
        let node = PlantParams::of(row.model);
        for (index, supply) in SUPPLIES.into_iter().enumerate() {
            let (core, times) = (row.core[index], [row.to_87[index], row.to_95[index]]);
            let stand = Stand::new(&node, supply);
            let before = stand.gpu.core_celsius();
            let course = stand.lose_flow(20, full);
            let seen = [87.0, 95.0].map(|celsius| seconds_to(&course, celsius));
            println!("{} at {supply} °C: {before:.1} °C, {seen:.1?} s; tabled {core}, {times:?}", row.model);
            assert!((before - core).abs() < 0.5, "{} at {supply}: {before}", row.model);
            for (seen, tabled) in seen.into_iter().zip(times) {
                assert!((seen / tabled - 1.0).abs() < SHARE, "{} at {supply}: {seen}, {tabled}", row.model);
            }
        }
    }
}

#[test]
fn copper_and_coolant_decide_how_long_a_plate_lasts() {
    for (model, supply, factor, tabled) in [
        (GpuModel::H200, 35.0, 0.6, 6.2),
        (GpuModel::H200, 35.0, 1.5, 12.0),
        (GpuModel::B300, 45.0, 0.6, 3.4),
        (GpuModel::B300, 45.0, 1.5, 5.5),
    ] {
        let node = PlantParams::of(model).with_thermal_mass(factor);
        let seen = seconds_to(&Stand::new(&node, supply).lose_flow(30, full), 87.0);
        println!("{model} at {supply} °C, {factor} of the mass: {seen:.1} s, tabled {tabled}");
        assert!((seen / tabled - 1.0).abs() < SHARE, "{model}, {factor}: {seen}, {tabled}");
    }
}

/// A quarter of its power is less than a B200 draws at rest while hot: where the lumped model holds it, the plant cannot.
#[test]
fn the_sooner_a_cap_to_a_quarter_comes_the_lower_the_peak() {
    for (model, supply, tabled) in [
        (GpuModel::H200, 35.0, [64.0, 64.0, 66.0, 69.0, 75.0, 85.0]),
        (GpuModel::B200, 45.0, [76.0, 77.0, 79.0, 82.0, 87.0, 99.0]),
        (GpuModel::B300, 45.0, [80.0, 81.0, 83.0, 86.0, 93.0, 104.0]),
    ] {
        let stand = Stand::new(&PlantParams::of(model), supply);
        for (at_s, tabled) in [0.5, 1.0, 2.0, 3.0, 5.0, 8.0].into_iter().zip(tabled) {
            let capped = |time_s| (1.0, if time_s < at_s { 1.0 } else { 0.25 });
            let peak = stand.clone().lose_flow(20, capped).into_iter().fold(f64::MIN, f64::max);
            println!("{model} at {supply} °C, capped after {at_s} s: {peak:.0} °C, tabled {tabled}");
            assert!((-3.0..8.0).contains(&(peak - tabled)), "{model}, {at_s} s: {peak}, {tabled}");
        }
    }
}

/// Against a tenth of full power held for ever: hot chips leak, so that idle power grows with what it warms.
#[test]
fn idle_power_buys_half_of_what_a_tenth_of_full_power_would() {
    for (model, supply, tabled) in
        [(GpuModel::H200, 35.0, [129.0, 121.0, 104.0]), (GpuModel::B300, 45.0, [72.0, 64.0, 47.0])]
    {
        let stand = Stand::new(&PlantParams::of(model), supply);
        for (at_s, tabled) in [1.0, 2.0, 4.0].into_iter().zip(tabled) {
            let idle = |time_s| (if time_s < at_s { 1.0 } else { 0.0 }, 1.0);
            let seen = seconds_to(&stand.clone().lose_flow(200, idle), 87.0);
            println!("{model} at {supply} °C, idle after {at_s} s: {seen:.0} s, tabled {tabled}");
            assert!((0.45..1.0).contains(&(seen / tabled)), "{model}, {at_s} s: {seen}, {tabled}");
        }
    }
}
