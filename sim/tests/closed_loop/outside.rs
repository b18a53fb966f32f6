//! River and heat network: what the controller does with a word about them, on the plant.

use eisbach_control::{Calendar, Mode, PermitState, PermitTuning, SetPointTuning, Surroundings, Tuning};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Millis, Quantity, Watts};
use eisbach_sim::closed_loop::single;
use eisbach_sim::plant::PlantParams;
use eisbach_sim::workload::Workload;

use crate::bench::Bench;

const SHARE: f32 = 0.0008;

fn told<Q: Quantity>(value: f64) -> Reading<Q> {
    Reading::measured(Q::from_f32(single(value)), Millis::ZERO)
}

fn heat(demand_watts: f64) -> Surroundings {
    Surroundings { heat_demand: told(demand_watts), network_supply: told(60.0), ..Surroundings::default() }
}

fn river(celsius: f64, flow: f64) -> Surroundings {
    let calendar = Some(Calendar { day_of_year: 190, second_of_day: 43_200 });
    Surroundings { river: told(celsius), river_flow: told(flow), calendar, ..Surroundings::default() }
}

/// A node whose network takes that much, and that is told `surroundings`.
fn bench(workload: Workload, demand_watts: f64, surroundings: Surroundings, tuning: Tuning) -> Bench {
    let node = (GpuModel::H200, PlantParams::default());
    let mut bench = Bench::of(node, tuning, workload, 1);
    bench.node.boundary.heat_demand_watts = demand_watts;
    bench.node.surroundings = surroundings;
    bench
}

fn with_share() -> Tuning {
    let permit = PermitTuning { share: Some(SHARE), ..PermitTuning::default() };
    Tuning { permit, ..Tuning::default() }
}

/// Electric power of pump, heat pump and leakage less half of the heat delivered, mean over the last half of two
/// hours, W; and the hottest GPU, °C.
fn cost(demand_watts: f64, enabled: bool) -> (f64, f64) {
    let set_points = SetPointTuning { enabled, ..SetPointTuning::default() };
    let tuning = Tuning { set_points, ..Tuning::default() };
    let mut bench = bench(Workload::Inference, demand_watts, heat(demand_watts), tuning);
    bench.run(3600.0);
    let before = bench.node.plant.truth().energy;
    let course = bench.run(3600.0);
    let after = bench.node.plant.truth().energy;
    let used = |kwh: fn(&eisbach_sim::plant::EnergyTruth) -> f64| (kwh(&after) - kwh(&before)) * 1000.0;
    let electric = used(|energy| energy.it_kwh + energy.pump_kwh + energy.heat_pump_kwh);
    (electric - 0.5 * used(|energy| energy.network_kwh), course.peak_celsius)
}

#[test]
fn chosen_set_points_cost_less_than_tuned_ones_and_no_gpu_comes_near_its_limit() {
    for demand_watts in [0.0, 3000.0] {
        let ((tuned, _), (chosen, hottest)) = (cost(demand_watts, false), cost(demand_watts, true));
        assert!(chosen < tuned - 10.0, "{demand_watts} W: {chosen:.0} of {tuned:.0}");
        assert!(hottest < 75.0, "{demand_watts} W: {hottest:.1}");
    }
}

#[test]
fn a_loop_that_may_be_cool_stays_above_the_dew_point_when_all_load_goes_at_once_in_winter() {
    for demand_watts in [0.0, 8000.0] {
        let load = Workload::Step { low: 1.0, high: 0.0, at_s: 5400.0 };
        let mut bench = bench(load, demand_watts, heat(demand_watts), Tuning::default());
        bench.node.boundary.river_celsius = 2.0;
        bench.node.boundary.room_humidity = 0.75;
        bench.run(600.0);
        let mut least = f64::INFINITY;
        for _ in 0..79_800 {
            bench.tick();
            let truth = bench.node.plant.truth();
            least = least.min(truth.node_loop.supply_celsius - truth.room.dew_point_celsius);
        }
        assert!(least >= 2.0, "{demand_watts} W: {least:.2} K");
    }
}

#[test]
fn a_closed_river_gets_no_heat_and_the_node_gives_all_that_recovery_takes() {
    let mut bench = bench(Workload::Full, 5000.0, river(20.0, 25.0), with_share());
    bench.run(1200.0);
    bench.node.boundary.river_celsius = 22.0;
    bench.node.surroundings = river(22.0, 25.0);
    bench.run(1200.0);
    let before = bench.node.plant.truth().energy;
    let course = bench.run(3600.0);
    let after = bench.node.plant.truth().energy;
    let decision = bench.tick();
    assert_eq!(decision.river.state, PermitState::Closed);
    let (river, recovery) =
        ((after.river_kwh - before.river_kwh) * 1000.0, (after.recovery_kwh - before.recovery_kwh) * 1000.0);
    let it = (after.it_kwh - before.it_kwh) * 1000.0;
    // What is left leaks through the closed port of the valve.
    assert!(river < 60.0, "{river:.0} W into the river");
    assert!(recovery > 3000.0 && it > recovery - 200.0, "{it:.0} W, {recovery:.0} W recovered");
    assert!(course.peak_celsius < 75.0, "{}", course.peak_celsius);
    assert!(!decision.river.broken);
}

#[test]
fn a_closed_river_and_nobody_who_takes_heat_ends_at_cooling_and_an_alarm_never_at_a_burnt_gpu() {
    let mut bench = bench(Workload::Full, 0.0, river(22.0, 25.0), with_share());
    bench.node.boundary.river_celsius = 22.0;
    let course = bench.run(7200.0);
    assert!(course.peak_celsius < 85.0, "{}", course.peak_celsius);
    assert!(bench.node.plant.truth().energy.river_kwh > 0.5, "idle heat must go somewhere");
}

#[test]
fn a_drained_river_leaves_recovery_as_all_the_cooling_there_is() {
    let mut bench = bench(Workload::Full, 6000.0, river(12.0, 25.0), with_share());
    bench.run(1200.0);
    // Stagnant water soon is as warm as what goes into it.
    bench.node.boundary.river_celsius = 40.0;
    bench.node.surroundings = Surroundings { ..river(12.0, 0.3) };
    let course = bench.run(3600.0);
    let decision = bench.tick();
    assert_eq!(decision.river.state, PermitState::Dry);
    assert!(course.peak_celsius < 75.0, "{}", course.peak_celsius);
    assert!(decision.valve.value.is_some_and(|valve| valve.get() > 99.0), "{:?}", decision.valve);
    let power = bench.node.plant.truth().power;
    assert!(power.it() > 3500.0, "{power:?}");
}

#[test]
fn without_a_word_the_set_points_stay_as_tuned() {
    let mut bench = bench(Workload::Inference, 8000.0, Surroundings::default(), Tuning::default());
    for _ in 0..6000 {
        let decision = bench.tick();
        assert_eq!(decision.set_points.mode, Mode::Tuned);
        assert_eq!(decision.supply_target, Celsius::new(35.0));
    }
}

#[test]
fn a_river_share_that_is_told_counts_like_a_tuned_one() {
    let told = Surroundings { river_share: Some(SHARE), ..river(22.0, 25.0) };
    let mut bench = bench(Workload::Idle, 3000.0, told, Tuning::default());
    bench.run(60.0);
    let decision = bench.tick();
    assert_eq!((decision.river.state, decision.river.permitted), (PermitState::Closed, Some(Watts::ZERO)));
    let flow: Reading<CubicMetersPerSecond> = bench.node.surroundings.river_flow;
    assert!(flow.usable().is_some());
}
