//! Laws of the factory as a whole.

use eisbach_control::Tuning;
use eisbach_nvml_sim::GpuModel;

use super::*;
use crate::plant::{Actuators, Boundary, Fault, Plant, PlantParams};

fn threads(count: usize) -> core::num::NonZeroUsize {
    count.try_into().unwrap()
}

/// A node on its own at a level of work, its actuators held, everything settled.
fn steady(per_s: u32, level: f64, speed: f64, valve: f64) -> (Factory, Ambient) {
    let params = FactoryParams::single(GpuModel::H200, PlantParams::default(), 1.0 / f64::from(per_s));
    let ambient = Ambient::spring(1);
    let mut factory = Factory::new(params, 1).unwrap();
    factory.work(0, [level; GPUS]);
    factory.rows[0].told = row::Told { run: true, speed, valve };
    for _ in 0..2400 * per_s {
        factory.step(&ambient);
    }
    (factory, ambient)
}

#[test]
fn a_settled_node_is_as_warm_as_in_the_detailed_plant() {
    for (level, speed, valve) in [(1.0, 0.93, 0.0), (0.5, 0.6, 0.5), (0.1, 0.35, 0.2), (1.0, 1.0, 0.8)] {
        let boundary = Boundary { utilisation: [level; GPUS], ..Boundary::default() };
        let actuators = Actuators { pump_speed: speed, valve, ..Actuators::default() };
        let mut plant = Plant::settled(PlantParams::default(), 1, &actuators, &boundary);
        (0..60_000).for_each(|_| plant.step(&actuators, &boundary));
        let detailed = plant.truth();
        for per_s in [10, 1] {
            let (factory, _) = steady(per_s, level, speed, valve);
            let truth = factory.truth(0).unwrap();
            let case = format!("{level} {speed} {valve} in {per_s} steps a second");
            for (lane, gpu) in truth.core_celsius.iter().zip(&detailed.gpus) {
                assert!((lane - gpu.core_celsius).abs() < 0.5, "{case}: {lane} {}", gpu.core_celsius);
            }
            let node = &detailed.node_loop;
            assert!((truth.supply_celsius - node.supply_celsius).abs() < 0.5, "{case}: {truth:?} {node:?}");
            assert!((truth.return_celsius - node.return_celsius).abs() < 0.5, "{case}: {truth:?} {node:?}");
            assert!((truth.flow_lpm / node.flow_lpm - 1.0).abs() < 0.01, "{case}: {truth:?} {node:?}");
            let heat = factory.site().river_watts + factory.site().recovery_watts;
            let plant_heat = detailed.power.river + detailed.power.recovery;
            assert!((heat / plant_heat - 1.0).abs() < 0.01, "{case}: {heat} {plant_heat}");
            let lift = (factory.site().heat_pump_watts, detailed.power.heat_pump);
            assert!((lift.0 - lift.1).abs() < 0.02 * lift.1 + 2.0, "{case}: {lift:?}");
        }
    }
}

#[test]
fn a_node_without_flow_heats_up_as_fast_as_in_the_detailed_plant() {
    let boundary = Boundary { utilisation: [1.0; GPUS], ..Boundary::default() };
    let actuators = Actuators { pump_speed: 0.93, valve: 0.5, ..Actuators::default() };
    let mut plant = Plant::settled(PlantParams::default(), 1, &actuators, &boundary);
    plant.inject(Fault::FlowLoss);
    let hottest = |plant: &Plant| plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(0.0, f64::max);
    let detailed = (1..).find(|_| {
        plant.step(&actuators, &boundary);
        hottest(&plant) >= 87.0
    });
    let detailed = f64::from(detailed.unwrap()) * 0.01;
    let (mut factory, ambient) = steady(10, 1.0, 0.93, 0.5);
    factory.fault(FactoryFault::FlowLoss { row: 0 }, true);
    let ours = (1..).find(|_| {
        factory.step(&ambient);
        factory.truth(0).unwrap().core_celsius.into_iter().fold(0.0, f64::max) >= 87.0
    });
    let ours = f64::from(ours.unwrap()) * 0.1;
    assert!((ours / detailed - 1.0).abs() < 0.10, "{ours} s here, {detailed} s there");
}

/// Energy that cannot be told whence it came, J.
fn unbalanced(factory: &Factory, before: f64) -> f64 {
    let (inner, outer) = (factory.totals(), factory.site_totals());
    let came = inner.it_j() + inner.pump_heat_j - inner.room_j - outer.recovery_j - outer.river_j;
    factory.stored_heat() - before - came
}

#[test]
fn every_joule_is_accounted_for_whatever_happens() {
    for per_s in [10_u32, 1] {
        let step_s = 1.0 / f64::from(per_s);
        let params = FactoryParams { nodes: 7, nodes_per_row: 3, step_s, ..FactoryParams::default() };
        let mut ambient = Ambient::spring(7);
        let mut fleet = Fleet::new(params, Tuning::default(), Work::Training, 3).unwrap();
        let before = fleet.factory().stored_heat();
        for minute in 0..12 {
            ambient.heat_demand_watts = if minute == 3 { 0.0 } else { 56_000.0 };
            ambient.intake_share = if minute == 5 { 0.0 } else { 1.0 };
            ambient.facility_pump = minute != 7;
            fleet.factory_mut().fault(FactoryFault::PumpTrip { row: 1 }, minute == 9);
            fleet.run(u64::from(60 * per_s), &ambient, threads(1));
            let lost = unbalanced(fleet.factory(), before);
            // Seven nodes turn over some tens of megajoules in twelve minutes.
            assert!(lost.abs() < 1e-3, "{lost} J after minute {minute} in {per_s} steps a second");
        }
    }
}

#[test]
fn the_same_seed_is_the_same_factory_on_any_number_of_threads_and_in_any_portions() {
    let params = FactoryParams { nodes: 11, nodes_per_row: 2, ..FactoryParams::default() };
    let ambient = Ambient::spring(11);
    let run = |seed, threads_: usize, portions: &[u64]| {
        let mut fleet = Fleet::new(params.clone(), Tuning::default(), Work::Inference, seed).unwrap();
        portions.iter().for_each(|steps| fleet.run(*steps, &ambient, threads(threads_)));
        fleet.fingerprint()
    };
    let one = run(5, 1, &[300]);
    assert_eq!(one, run(5, 1, &[300]));
    assert_eq!(one, run(5, 2, &[300]));
    assert_eq!(one, run(5, 5, &[1, 7, 92, 200]));
    assert_ne!(one, run(6, 1, &[300]));
}

#[test]
fn numbers_of_which_no_factory_can_be_made_are_told() {
    let good = FactoryParams::default();
    for (bad, word) in [
        (FactoryParams { nodes: 0, ..good.clone() }, "no nodes"),
        (FactoryParams { nodes_per_row: 0, ..good.clone() }, "row"),
        (FactoryParams { step_s: 0.0, ..good.clone() }, "steps of 0 s"),
        (FactoryParams { step_s: f64::NAN, ..good.clone() }, "steps of NaN s"),
        (FactoryParams { step_s: 2.0, ..good }, "steps of 2 s"),
    ] {
        let error = Factory::new(bad, 1).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}
