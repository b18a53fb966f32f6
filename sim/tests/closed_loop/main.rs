//! Controller and plant in virtual time: the same inputs give the same course, thousands of times faster than life.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may be blunt"
)]

mod alarms;
mod bench;
mod flow_loss;
mod orders;
mod outside;
mod steps;

use bench::Bench;
use eisbach_control::{Controller, Rung, StateName, Tuning};
use eisbach_protocol::units::{Celsius, Watts};
use eisbach_sim::plant::{Fault, PlantParams};
use eisbach_sim::workload::Workload;

/// Standard deviation.
fn spread(values: &[f64]) -> f64 {
    let mean = mean(values);
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count(values)).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values)
}

#[expect(clippy::cast_precision_loss, reason = "some thousands")]
fn count(values: &[f64]) -> f64 {
    values.len() as f64
}

#[test]
fn ordinary_operation_is_never_taken_for_a_fault() {
    for workload in [Workload::Full, Workload::Idle, Workload::Training, Workload::Inference] {
        for seed in 1..=3 {
            let mut bench = Bench::new(workload, seed);
            let course = bench.run(1800.0);
            assert_eq!(course.states.len(), 1, "{workload} seed {seed}: {:?}", course.states);
            assert_eq!(course.states[0].1, StateName::Running, "{workload} seed {seed}");
            assert_eq!(course.throttled_decisions, 0, "{workload} seed {seed}");
            assert!(course.peak_celsius < 75.0, "{workload} seed {seed}: {}", course.peak_celsius);
        }
    }
}

#[test]
fn at_full_load_supply_is_held_and_the_return_is_steady() {
    let mut bench = Bench::new(Workload::Full, 1);
    bench.run(900.0);
    let course = bench.run(900.0);
    assert!((mean(&course.supply) - 35.0).abs() < 0.5, "{}", mean(&course.supply));
    assert!(spread(&course.returns) < 0.5, "{}", spread(&course.returns));
    assert!((mean(&course.returns) - mean(&course.supply) - 10.0).abs() < 1.5, "the rise that was aimed at");
}

#[test]
fn a_load_step_is_carried_without_throttling() {
    let mut bench = Bench::new(Workload::Step { low: 0.1, high: 1.0, at_s: 600.0 }, 1);
    let course = bench.run(1500.0);
    assert_eq!((course.states.len(), course.throttled_decisions), (1, 0), "{:?}", course.states);
    assert!(course.peak_celsius < 80.0, "{}", course.peak_celsius);
}

#[test]
fn flow_for_the_load_saves_pump_energy_against_fixed_flow() {
    let mut bench = Bench::new(Workload::Inference, 1);
    bench.run(600.0);
    let ours = bench.run(1800.0).pump_kwh;
    // Fixed flow is what the same pump takes at full load.
    let mut full = Bench::new(Workload::Full, 1);
    full.run(600.0);
    let fixed = full.run(1800.0).pump_kwh;
    assert!(ours < 0.6 * fixed, "{ours} kWh against {fixed} kWh");
}

#[test]
fn lost_flow_is_detected_within_half_a_second_and_survived() {
    for fault in [Fault::PumpTrip, Fault::FlowLoss] {
        for workload in [Workload::Full, Workload::Training] {
            let mut bench = Bench::new(workload, 1);
            bench.run(120.0);
            let at = bench.node.plant.truth().time_s;
            bench.node.plant.inject(fault);
            let course = bench.run(20.0);
            let capped = course.capped_s.expect("caps are asked for") - at;
            assert!(capped <= 0.5, "{fault:?} at {workload}: caps asked for after {capped} s");
            assert!(course.peak_celsius < 75.0, "{fault:?} at {workload}: {}", course.peak_celsius);
            assert!(bench.node.plant.truth().gpus.iter().all(|gpu| gpu.watts < 130.0), "idle power");

            bench.node.plant.clear(fault.kind());
            bench.run(120.0);
            let after = bench.run(60.0);
            assert_eq!(
                (after.states.len(), after.throttled_decisions),
                (1, 0),
                "{fault:?} at {workload}: {:?}",
                after.states
            );
            assert_eq!(after.states[0].1, StateName::Running);
        }
    }
}

#[test]
fn lost_heat_demand_sends_the_heat_to_the_river_and_throttles_nothing() {
    let mut bench = Bench::new(Workload::Full, 1);
    bench.run(600.0);
    bench.node.plant.inject(Fault::HeatDemandLost);
    let course = bench.run(1200.0);
    assert_eq!(course.throttled_decisions, 0);
    assert!(course.peak_celsius < 80.0, "{}", course.peak_celsius);
    let last = course.supply[course.supply.len() - 60..].to_vec();
    assert!((mean(&last) - 35.0).abs() < 2.0, "supply is held: {}", mean(&last));
}

#[test]
fn a_heat_wave_in_the_river_throttles_nothing() {
    let mut bench = Bench::new(Workload::Full, 1);
    bench.run(600.0);
    bench.node.plant.inject(Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 2.0 });
    let course = bench.run(1800.0);
    assert_eq!(course.throttled_decisions, 0, "{:?}", course.states);
    assert!(course.peak_celsius < 80.0, "{}", course.peak_celsius);
}

#[test]
fn a_leak_stops_the_pump_and_brings_minimum_power_before_the_heat_does() {
    let mut bench = Bench::new(Workload::Full, 1);
    bench.run(120.0);
    bench.node.plant.inject(Fault::Leak { hole_mm: 1.0 });
    let course = bench.run(30.0);
    assert_eq!(course.states.last().unwrap().1, StateName::Leak);
    assert!(!bench.node.plant.truth().pump.running);
    assert!(course.peak_celsius < 80.0, "{}", course.peak_celsius);
}

#[test]
fn i10_the_same_seed_gives_the_same_course_bit_for_bit() {
    let course = || {
        let mut bench = Bench::new(Workload::Training, 42);
        let course = bench.run(300.0);
        (
            course.peak_celsius.to_bits(),
            course.pump_kwh.to_bits(),
            course.supply.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
        )
    };
    assert_eq!(course(), course());
}

/// A node at full load that can give its heat only to the river, through exchangers with so many times the usual
/// fouling.
fn river_only(fouling: f64) -> Bench {
    let mut params = PlantParams::default();
    params.river.fouling *= fouling;
    params.cdu.fouling *= fouling;
    let mut bench = Bench::with(params, Workload::Full, 1);
    bench.node.plant.inject(Fault::HeatDemandLost);
    bench
}

#[test]
fn full_load_at_forty_degrees_supply_is_not_throttled() {
    let mut bench = river_only(1.0);
    bench.node.boundary.river_celsius = 30.0;
    bench.controller = Controller::new(Tuning { supply_target: Celsius::new(40.0), ..Tuning::default() });
    bench.run(1200.0);
    let course = bench.run(1200.0);
    assert!((mean(&course.supply) - 40.0).abs() < 0.5, "{}", mean(&course.supply));
    assert_eq!((course.states.len(), course.throttled_decisions), (1, 0), "{:?}", course.states);
}

#[test]
fn a_hot_supply_is_survived_on_the_soft_rung_and_everything_is_given_back_afterwards() {
    for fouling in [1.0, 8.0, 16.0] {
        let mut bench = river_only(fouling);
        bench.node.boundary.river_celsius = 40.0;
        let course = bench.run(2400.0);
        assert!(course.supply.last().is_some_and(|supply| *supply > 46.0));
        assert!(course.peak_celsius < 80.0, "{fouling}: {}", course.peak_celsius);
        assert!(course.rungs.iter().any(|(_, rung)| *rung == Rung::Soft), "{fouling}");
        // The wait to leave Soft doubles, up to eight minutes.
        assert!(course.rungs.len() <= 15, "{fouling}: {:?}", course.rungs);
        assert!(course.states.len() <= 2, "all cooling stays: {:?}", course.states);
        assert_eq!(course.called, None, "{fouling}");

        bench.node.boundary.river_celsius = 12.0;
        let back = bench.run(900.0);
        assert_eq!(back.rungs.last().unwrap().1, Rung::Free, "{fouling}: {:?}", back.rungs);
        assert_eq!(back.states.last().unwrap().1, StateName::Running, "{fouling}");
    }
}

#[test]
fn where_clock_locks_do_not_work_power_caps_hold_the_margin_without_swinging() {
    let mut bench = river_only(16.0);
    bench.node.locks_work = false;
    bench.node.boundary.river_celsius = 40.0;
    let course = bench.run(2400.0);
    assert!(course.peak_celsius < 84.0, "{}", course.peak_celsius);
    assert!(course.rungs.iter().any(|(_, rung)| *rung == Rung::PowerCap));
    assert!(course.rungs.len() <= 4, "{:?}", course.rungs);

    bench.node.boundary.river_celsius = 12.0;
    let back = bench.run(1200.0);
    assert_eq!(back.rungs.last().unwrap().1, Rung::Free, "{:?}", back.rungs);
}

#[test]
fn a_power_budget_is_kept_by_all_gpus_together_and_given_back_when_it_ends() {
    for workload in [Workload::Full, Workload::Training] {
        let mut bench = Bench::new(workload, 1);
        bench.run(120.0);
        bench.node.power_budget = Some(Watts::new(3200.0));
        let course = bench.run(600.0);
        let (watts, limits) = course.peak_watts;
        assert!((3100.0..=3200.1).contains(&limits), "{workload}: {limits}");
        // Where load swings, each edge passes a GPU's own limiter for its 0.2 s.
        assert!(watts <= 3201.0 || workload == Workload::Training, "{workload}: {watts}");
        assert!(course.rungs.len() <= 2, "{workload}: {:?}", course.rungs);

        bench.node.power_budget = None;
        bench.run(60.0);
        assert_eq!(bench.run(60.0).throttled_decisions, 0, "{workload}");
    }
}
