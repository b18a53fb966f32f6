//! Rules of the world as a whole.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::workload::{Load, Workload};

const FULL: [f64; GPUS] = [1.0; GPUS];
/// The valve that gives an ideal node at full load a supply of 35 °C.
const WARM_VALVE: f64 = 0.62;

fn full_load() -> Boundary {
    Boundary { utilisation: FULL, ..Boundary::default() }
}

fn warm() -> Actuators {
    Actuators { valve: WARM_VALVE, ..Actuators::default() }
}

fn run(plant: &mut Plant, actuators: &Actuators, boundary: &Boundary, seconds: u32) {
    for _ in 0..seconds * 100 {
        plant.step(actuators, boundary);
    }
}

fn hottest(plant: &Plant) -> f64 {
    plant.truth().gpus.iter().map(|gpu| gpu.core_celsius).fold(f64::MIN, f64::max)
}

fn with_caps(watts: f64) -> Actuators {
    let mut actuators = Actuators::default();
    for gpu in &mut actuators.gpus {
        gpu.power_limit_watts = watts;
    }
    actuators
}

/// A node at full load and full cooling.
fn busy() -> Plant {
    static BUSY: LazyLock<Plant> =
        LazyLock::new(|| Plant::settled(PlantParams::default(), 1, &Actuators::default(), &full_load()));
    BUSY.clone()
}

/// A node that idles at full cooling.
fn idle() -> Plant {
    static IDLE: LazyLock<Plant> = LazyLock::new(|| {
        Plant::settled(PlantParams::default(), 1, &Actuators::default(), &Boundary::default())
    });
    IDLE.clone()
}

/// An ideal node at full load whose supply is at 35 °C.
fn at_35_supply() -> (Plant, Actuators, Boundary) {
    static WARM: LazyLock<Plant> =
        LazyLock::new(|| Plant::settled(PlantParams::ideal(), 1, &warm(), &full_load()));
    let supply = WARM.truth().node_loop.supply_celsius;
    assert!((supply - 35.0).abs() < 0.5, "{supply}");
    (WARM.clone(), warm(), full_load())
}

/// Steps until the hottest core is at `celsius`, as seconds.
fn seconds_to(plant: &mut Plant, actuators: &Actuators, boundary: &Boundary, celsius: f64) -> f64 {
    let before = plant.truth().time_s;
    while hottest(plant) < celsius && plant.truth().time_s - before < 600.0 {
        plant.step(actuators, boundary);
    }
    plant.truth().time_s - before
}

#[test]
fn an_h200_at_tdp_on_35_degrees_is_at_64_degrees() {
    let (plant, ..) = at_35_supply();
    let core = hottest(&plant) - plant.truth().node_loop.supply_celsius + 35.0;
    assert!((core - 63.8).abs() < 1.5, "{core}");
    assert!((plant.truth().gpus[0].watts - 700.0).abs() < 1.0);
}

#[test]
fn the_liquid_takes_seven_and_a_half_kilowatts_at_full_load() {
    let plant = busy();
    let power = &plant.truth().power;
    let heat = power.it() + power.pump_heat;
    assert!((7400.0..7800.0).contains(&heat), "{heat}");
    let pump = plant.truth().pump;
    let wire_to_water = plant.truth().node_loop.flow_lpm / 60.0 * pump.head_kpa / power.pump;
    assert!((wire_to_water - 0.35).abs() < 0.02, "{wire_to_water}");
}

#[test]
fn without_flow_a_gpu_at_full_power_is_at_87_degrees_in_nine_seconds() {
    let (mut plant, actuators, boundary) = at_35_supply();
    plant.inject(Fault::FlowLoss);
    let seconds = seconds_to(&mut plant, &actuators, &boundary, 87.0);
    assert!((8.7 * 0.75..8.7 * 1.25).contains(&seconds), "{seconds}");
}

#[test]
fn a_cap_to_a_quarter_after_one_second_keeps_the_die_below_70_degrees_for_20_seconds() {
    let (mut plant, mut actuators, boundary) = at_35_supply();
    plant.inject(Fault::FlowLoss);
    run(&mut plant, &actuators, &boundary, 1);
    actuators.gpus = with_caps(0.25 * 700.0).gpus;
    let peak = (0..2000).fold(f64::MIN, |peak: f64, _| {
        plant.step(&actuators, &boundary);
        peak.max(hottest(&plant))
    });
    assert!(peak <= 70.0, "{peak}");
}

#[test]
fn slowdown_and_shutdown_are_the_last_line() {
    let (mut plant, actuators, boundary) = at_35_supply();
    plant.inject(Fault::FlowLoss);
    seconds_to(&mut plant, &actuators, &boundary, 89.0);
    run(&mut plant, &actuators, &boundary, 1);
    assert!(plant.truth().gpus.iter().all(|gpu| gpu.state == GpuState::Slowed && gpu.watts < 500.0));
    assert!(plant.sensors().gpus[0].unwrap().slowed);
    run(&mut plant, &actuators, &boundary, 60);
    assert!(plant.truth().gpus.iter().all(|gpu| gpu.state == GpuState::Off && gpu.watts < 1e-9));
    assert!(plant.sensors().gpus.iter().all(Option::is_none));
    plant.clear(FaultKind::FlowLoss);
    run(&mut plant, &actuators, &boundary, 60);
    assert!(plant.truth().gpus.iter().all(|gpu| gpu.state == GpuState::Off), "shutdown latches");
}

#[test]
fn full_cooling_keeps_the_supply_well_below_thirty_degrees() {
    let plant = busy();
    let supply = plant.truth().node_loop.supply_celsius;
    assert!((17.0..23.0).contains(&supply), "{supply}");
}

#[test]
fn supplies_from_30_to_40_degrees_are_within_the_valves_reach() {
    for river_celsius in [5.0, 12.0, 20.0] {
        let boundary = Boundary { river_celsius, ..full_load() };
        let mut actuators = Actuators { valve: 0.2, ..Actuators::default() };
        let mut plant = Plant::settled(PlantParams::default(), 1, &actuators, &boundary);
        let cool = plant.truth().node_loop.supply_celsius;
        actuators.valve = 1.0;
        run(&mut plant, &actuators, &boundary, 600);
        let warm = plant.truth().node_loop.supply_celsius;
        assert!(cool < 30.0 && warm > 40.0, "river {river_celsius}: {cool} to {warm}");
    }
}

#[test]
fn opening_the_valve_recovers_heat_and_warms_the_supply() {
    let settled = |valve| {
        let actuators = Actuators { valve, ..Actuators::default() };
        let plant = Plant::settled(PlantParams::default(), 1, &actuators, &full_load());
        let truth = plant.truth();
        (truth.node_loop.supply_celsius, truth.power.recovery)
    };
    let (closed, half, open) = (settled(0.0), settled(0.4), settled(0.7));
    assert!(closed.0 < half.0 && half.0 < open.0, "{closed:?} {half:?} {open:?}");
    assert!(closed.1 < 10.0 && half.1 > 1000.0 && open.1 > half.1, "{closed:?} {half:?} {open:?}");
}

#[test]
fn a_lost_heat_demand_with_the_valve_open_warms_the_loop_without_end() {
    let actuators = Actuators { valve: 0.7, ..Actuators::default() };
    let mut plant = Plant::settled(PlantParams::default(), 1, &actuators, &full_load());
    let actuators = Actuators { valve: 1.0, ..actuators };
    plant.inject(Fault::HeatDemandLost);
    run(&mut plant, &actuators, &full_load(), 60);
    let supplies: Vec<f64> = (0..6)
        .map(|_| {
            run(&mut plant, &actuators, &full_load(), 20);
            plant.truth().node_loop.supply_celsius
        })
        .collect();
    assert!(supplies.windows(2).all(|pair| pair[1] > pair[0] + 0.5), "{supplies:?}");
}

#[test]
fn a_tripped_pump_shows_its_alarm_and_a_sheared_coupling_does_not() {
    for (fault, alarm) in [(Fault::PumpTrip, true), (Fault::FlowLoss, false)] {
        let mut plant = idle();
        let before = plant.sensors().pump;
        plant.inject(fault);
        run(&mut plant, &Actuators::default(), &Boundary::default(), 5);
        let after = plant.sensors().pump;
        assert_eq!((after.alarm, after.running), (alarm, !alarm));
        assert_eq!(after.speed > 0.9, !alarm, "{fault:?}");
        assert!(after.head_kpa < 0.1 * before.head_kpa, "{fault:?}: {}", after.head_kpa);
        assert!(plant.truth().node_loop.flow_lpm < 0.6, "{fault:?}");
        assert!(plant.sensors().meter.flow_lpm < 1.5, "{fault:?}");
    }
}

#[test]
fn lost_flow_shows_in_the_head_within_half_a_second() {
    let mut plant = busy();
    let before = plant.sensors().pump.head_kpa;
    plant.inject(Fault::FlowLoss);
    for _ in 0..45 {
        plant.step(&Actuators::default(), &full_load());
    }
    assert!(plant.sensors().pump.head_kpa < 0.7 * before, "{}", plant.sensors().pump.head_kpa);
}

#[test]
fn a_leak_wets_the_rope_and_lowers_the_pressure() {
    let mut plant = idle();
    let before = plant.sensors().pump.inlet_kpa;
    plant.inject(Fault::Leak { hole_mm: 2.0 });
    run(&mut plant, &Actuators::default(), &Boundary::default(), 30);
    assert!(plant.sensors().leak.detected && !plant.sensors().leak.fault);
    assert!(plant.sensors().pump.inlet_kpa < before - 30.0);
    plant.inject(Fault::LeakSensorFault);
    run(&mut plant, &Actuators::default(), &Boundary::default(), 1);
    assert_eq!(plant.sensors().leak, LeakSensors { detected: false, fault: true });
    assert_eq!(plant.faults().collect::<Vec<_>>(), [FaultKind::Leak, FaultKind::LeakSensorFault]);
}

#[test]
fn a_clogged_strainer_takes_flow_and_a_warm_river_warms_the_loop() {
    let mut plant = busy();
    let before = plant.truth().node_loop;
    plant.inject(Fault::CloggedStrainer { factor: 10.0 });
    plant.inject(Fault::RiverHeat { target_celsius: 24.0, kelvin_per_minute: 6.0 });
    run(&mut plant, &Actuators::default(), &full_load(), 600);
    let after = plant.truth().node_loop;
    assert!(after.flow_lpm < 0.85 * before.flow_lpm, "{after:?}");
    assert!((plant.truth().facility.river_celsius - 24.0).abs() < 1e-9);
    assert!(after.supply_celsius > before.supply_celsius + 9.0, "{after:?}");
}

#[test]
fn a_stuck_valve_stays_and_says_so() {
    let mut plant = idle();
    plant.inject(Fault::StuckValve);
    run(&mut plant, &Actuators { valve: 0.8, ..Actuators::default() }, &Boundary::default(), 10);
    assert!(plant.sensors().valve.fault && plant.sensors().valve.position < 0.01);
}

#[test]
fn a_lost_gpu_is_not_seen_and_idles() {
    let mut actuators = Actuators::default();
    actuators.gpus[2].present = false;
    let mut plant = Plant::settled(PlantParams::default(), 1, &actuators, &full_load());
    run(&mut plant, &actuators, &full_load(), 1);
    assert_eq!(plant.sensors().gpus.iter().position(Option::is_none), Some(2));
    assert!((60.0..90.0).contains(&plant.truth().gpus[2].watts), "{}", plant.truth().gpus[2].watts);
}

#[test]
fn throttled_seconds_count_every_capped_gpu() {
    let mut plant = busy();
    run(&mut plant, &Actuators::default(), &full_load(), 5);
    assert!(plant.truth().throttled_gpu_seconds.abs() < 1e-9);
    run(&mut plant, &with_caps(400.0), &full_load(), 10);
    let throttled = plant.truth().throttled_gpu_seconds;
    assert!((79.0..=80.0 + 1e-6).contains(&throttled), "{throttled}");
}

#[test]
fn readings_come_in_the_steps_of_their_instruments() {
    let mut plant = busy();
    let whole = |value: f64, quantum: f64| ((value / quantum) - (value / quantum).round()).abs() < 1e-6;
    for _ in 0..500 {
        plant.step(&Actuators::default(), &full_load());
        let shown = plant.sensors();
        assert!(
            shown.gpus.iter().flatten().all(|gpu| whole(gpu.core_celsius, 1.0) && whole(gpu.clock_mhz, 15.0))
        );
        assert!(whole(shown.meter.flow_lpm, 0.01) && whole(shown.meter.supply_celsius, 0.01));
        assert!(whole(shown.valve.position, 0.005) && whole(shown.pump.head_kpa, 0.1));
        assert!(whole(shown.room.dew_point_celsius, 0.1));
    }
}

#[test]
fn sensors_agree_with_the_truth_within_their_class() {
    let plant = busy();
    let (shown, truth) = (plant.sensors(), plant.truth());
    assert!((shown.meter.flow_lpm - truth.node_loop.flow_lpm).abs() < 0.3);
    assert!((shown.meter.supply_celsius - truth.node_loop.supply_celsius).abs() < 0.3);
    assert!((shown.pump.head_kpa - truth.pump.head_kpa).abs() < 4.0);
    assert!((shown.room.dew_point_celsius - truth.room.dew_point_celsius).abs() < 0.6);
    for (shown, truth) in shown.gpus.iter().flatten().zip(&truth.gpus) {
        assert!((shown.core_celsius - truth.core_celsius).abs() <= 1.0);
        assert!((shown.power_average_watts - truth.watts).abs() < 2.0);
    }
}

#[test]
fn the_same_seed_is_the_same_world_bit_for_bit() {
    let replay = |seed| {
        let mut plant = Plant::new(PlantParams::default(), seed);
        let mut load = Load::new(Workload::Training, seed);
        plant.inject(Fault::Leak { hole_mm: 0.5 });
        for _ in 0..6000 {
            let boundary = Boundary { utilisation: load.step(), ..Boundary::default() };
            plant.step(&Actuators { valve: 0.6, ..Actuators::default() }, &boundary);
        }
        (plant.truth().clone(), plant.sensors().clone())
    };
    let (first, again, other) = (replay(4), replay(4), replay(5));
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    assert_ne!(first.1, other.1);
}

#[test]
fn a_copy_lives_on_by_itself() {
    let mut plant = busy();
    let mut copy = plant.clone();
    run(&mut plant, &Actuators::default(), &full_load(), 2);
    run(&mut copy, &Actuators::default(), &full_load(), 2);
    assert_eq!(plant.truth(), copy.truth());
    assert_eq!(plant.sensors(), copy.sensors());
}

#[test]
fn a_settled_world_stands_still_and_counts_from_zero() {
    let mut plant = Plant::new(PlantParams::default(), 1);
    assert!(plant.settle(&Actuators::default(), &full_load()));
    assert_eq!(plant.truth().energy, EnergyTruth::default());
    let before = plant.truth().node_loop.supply_celsius;
    run(&mut plant, &Actuators::default(), &full_load(), 60);
    assert!((plant.truth().node_loop.supply_celsius - before).abs() < 0.3);
    assert!((plant.truth().time_s - 60.0).abs() < 1e-9);
}

#[test]
fn the_step_rate_is_printed() {
    let mut plant = Plant::new(PlantParams::default(), 1);
    let steps = if cfg!(debug_assertions) { 20_000 } else { 1_000_000 };
    let begin = cpu_seconds();
    for _ in 0..steps {
        plant.step(&Actuators::default(), &full_load());
    }
    let rate = f64::from(steps) / (cpu_seconds() - begin);
    println!("{rate:.0} steps/s, {:.0} times real time", rate * DT);
}

/// CPU time of this thread, so that other tests do not count; zero where there is no such file.
fn cpu_seconds() -> f64 {
    let scheduled = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    scheduled.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e9
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn in_every_step_heat_is_neither_made_nor_lost(
        seed in any::<u64>(),
        speeds in prop::collection::vec(0.0..1.0_f64, 5),
        valves in prop::collection::vec(0.0..1.0_f64, 5),
        faults in prop::sample::subsequence(FaultKind::ALL.to_vec(), 0..=FaultKind::ALL.len()),
        river in 0.0..25.0_f64,
    ) {
        let mut plant = Plant::new(PlantParams::default(), seed);
        let mut load = Load::new(Workload::Training, seed);
        for (phase, (speed, valve)) in speeds.into_iter().zip(valves).enumerate() {
            if phase == 3 {
                faults.iter().for_each(|kind| plant.inject(kind.typical()));
            }
            let actuators = Actuators { pump_speed: speed, valve, ..Actuators::default() };
            for _ in 0..500 {
                let boundary = Boundary { river_celsius: river, utilisation: load.step(), ..Boundary::default() };
                let before = plant.stored_heat();
                plant.step(&actuators, &boundary);
                let power = plant.truth().power;
                let expected = power.net() * DT;
                let moved = (power.it() + power.recovery.abs() + power.river.abs()) * DT;
                let error = plant.stored_heat() - before - expected;
                prop_assert!(error.abs() <= 1e-9 * moved, "{error} J of {moved} J");
            }
        }
    }
}
