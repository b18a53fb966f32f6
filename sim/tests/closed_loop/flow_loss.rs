//! Total loss of flow at full load, for every GPU model and for plates that hold less and more heat.
//!
//! ```text
//!   event ─► detected ─► caps decided ─► idle power ─ ─ ─ ─ ─ ─ ─ ─ ─ ─► slowdown ─► shutdown
//!   nobody at the controls ─────────► slowdown ─► shutdown
//! ```
//!
//! The plant's temperatures are estimates; what is proven is that the controller's answer comes in time for any of
//! them. Without flow even idle power ends in a shutdown: what is won is the time until then.

mod table;

use eisbach_control::{StateName, Tuning};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::units::Celsius;
use eisbach_sim::plant::{Fault, GpuParams, GpuState, GpuTruth, PlantParams};
use eisbach_sim::workload::Workload;

use crate::bench::Bench;

/// How long the flow is gone, s.
const HORIZON_S: f64 = 120.0;

/// A node before the loss.
#[derive(Clone, Copy, Debug)]
struct Case {
    model: GpuModel,
    /// Copper and coolant of the plates, against the estimate.
    mass: f64,
    supply_celsius: f32,
}

/// What came of it; times since the event, s.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    supply_celsius: f64,
    before_celsius: f64,
    detected_s: Option<f64>,
    capped_s: Option<f64>,
    idle_s: Option<f64>,
    /// Highest core temperature in the first twenty seconds, °C.
    peak_celsius: f64,
    heat: Heat,
    /// The same with nobody at the controls.
    alone: Heat,
}

/// When the first GPU was too hot; times since the event, s.
#[derive(Clone, Copy, Debug, Default)]
struct Heat {
    slowdown_s: Option<f64>,
    shutdown_s: Option<f64>,
}

impl Heat {
    fn note(&mut self, now_s: f64, gpus: &[GpuTruth], params: &GpuParams) {
        if gpus.iter().any(|gpu| gpu.core_celsius >= params.slowdown_celsius) {
            self.slowdown_s.get_or_insert(now_s);
        }
        if gpus.iter().any(|gpu| gpu.state == GpuState::Off) {
            self.shutdown_s.get_or_insert(now_s);
        }
    }
}

fn bench(case: Case) -> Bench {
    let params = PlantParams::of(case.model).with_thermal_mass(case.mass);
    let tuning = Tuning { supply_target: Celsius::new(case.supply_celsius), ..Tuning::default() };
    let mut bench = Bench::of((case.model, params), tuning, Workload::Full, 1);
    if case.supply_celsius > 35.0 {
        // Only a warm river brings the supply there.
        bench.node.plant.inject(Fault::HeatDemandLost);
        bench.node.boundary.river_celsius = f64::from(case.supply_celsius) - 9.0;
        bench.run(1200.0);
    }
    // Until the valve has brought the supply to where it belongs.
    bench.run(420.0);
    bench
}

fn lose_flow(case: Case, fault: Fault) -> Outcome {
    let mut bench = bench(case);
    let mut alone = bench.clone();
    let (sockets, params) = (bench.node.plant.params().sockets, bench.node.plant.params().gpu);
    let (at_s, supply_celsius) =
        (bench.node.plant.truth().time_s, bench.node.plant.truth().node_loop.supply_celsius);
    let mut outcome = Outcome { supply_celsius, ..Outcome::default() };
    outcome.before_celsius = hottest(&bench.node.plant.truth().gpus);
    for bench in [&mut bench, &mut alone] {
        bench.node.plant.inject(fault);
    }
    while bench.node.plant.truth().time_s < at_s + HORIZON_S {
        alone.node.drift();
        let decision = bench.tick();
        let now_s = bench.node.plant.truth().time_s - at_s;
        outcome.alone.note(now_s, &alone.node.plant.truth().gpus[..sockets], &params);
        let gpus = &bench.node.plant.truth().gpus[..sockets];
        outcome.heat.note(now_s, gpus, &params);
        if decision.state == StateName::Critical {
            outcome.detected_s.get_or_insert(now_s);
        }
        if bench.is_capped(&decision) {
            outcome.capped_s.get_or_insert(now_s);
        }
        if gpus.iter().all(|seen| seen.watts <= 1.05 * idle_watts(&params, seen.core_celsius)) {
            outcome.idle_s.get_or_insert(now_s);
        }
        if now_s <= 20.0 {
            outcome.peak_celsius = outcome.peak_celsius.max(hottest(gpus));
        }
    }
    outcome
}

fn hottest(gpus: &[GpuTruth]) -> f64 {
    gpus.iter().map(|gpu| gpu.core_celsius).fold(0.0, f64::max)
}

/// What a GPU draws with all the work there is at its lowest clock: nothing can make it less.
fn idle_watts(gpu: &GpuParams, celsius: f64) -> f64 {
    let leakage = gpu.leakage_watts * ((celsius - 60.0) / gpu.leakage_kelvin).exp();
    let least = (gpu.clock_min_mhz / gpu.clock_max_mhz).powf(gpu.clock_exponent);
    gpu.base_watts + leakage + gpu.work_watts * least
}

/// Every model, and where it is least known what the plates hold, the ends of its range too.
fn cases() -> Vec<Case> {
    let unsure = [GpuModel::H200, GpuModel::B200, GpuModel::Gb200];
    let usual = GpuModel::ALL.map(|model| (model, 1.0));
    let other = unsure.into_iter().flat_map(|model| [(model, 0.6), (model, 1.5)]);
    let nodes = usual.into_iter().chain(other);
    nodes
        .flat_map(|(model, mass)| [35.0, 40.0].map(|supply_celsius| Case { model, mass, supply_celsius }))
        .collect()
}

/// Two at a time; each is the same whatever runs beside it.
fn all_lose_flow(cases: &[Case], fault: Fault) -> Vec<(Case, Outcome)> {
    let run = |cases: &[Case]| cases.iter().map(|case| (*case, lose_flow(*case, fault))).collect::<Vec<_>>();
    let (first, second) = cases.split_at(cases.len() / 2);
    std::thread::scope(|scope| {
        let beside = scope.spawn(|| run(second));
        let mut outcomes = run(first);
        outcomes.extend(beside.join().unwrap());
        outcomes
    })
}

fn judge(case: Case, outcome: &Outcome) {
    let shutdown = PlantParams::of(case.model).gpu.shutdown_celsius;
    let within = |seen: Option<f64>, limit_s: f64| seen.is_some_and(|seen_s| seen_s <= limit_s);
    assert!((outcome.supply_celsius - f64::from(case.supply_celsius)).abs() < 2.0, "{case:?}: {outcome:?}");
    assert!(within(outcome.detected_s, 0.5) && within(outcome.capped_s, 1.0), "{case:?}: {outcome:?}");
    assert!(within(outcome.idle_s, 10.0), "{case:?}: {outcome:?}");
    // Twenty seconds without slowdown, and 5 K from shutdown: 6.7 K at worst (B200, 0.6 of the mass, 40 °C).
    assert!(!within(outcome.heat.slowdown_s, 20.0), "{case:?}: {outcome:?}");
    assert!(outcome.peak_celsius < shutdown - 5.0, "{case:?}: {outcome:?}");
    // At idle power it takes three to four times as long as at full power until a GPU switches itself off.
    let [ours, alone] = [outcome.heat, outcome.alone].map(|heat| heat.shutdown_s.unwrap_or(HORIZON_S));
    assert!(ours > 2.5 * alone, "{case:?}: {outcome:?}");
}

#[test]
fn total_loss_of_flow_at_full_load_is_survived_for_twenty_seconds_by_every_gpu_model() {
    let outcomes = all_lose_flow(&cases(), Fault::FlowLoss);
    for (case, outcome) in &outcomes {
        judge(*case, outcome);
    }
    let table = table::render(&outcomes);
    println!("{table}");
    table::keep_or_compare(&table);
}

#[test]
fn a_pump_trip_at_full_load_is_survived_by_every_gpu_model() {
    let cases = GpuModel::ALL.map(|model| Case { model, mass: 1.0, supply_celsius: 35.0 });
    for (case, outcome) in all_lose_flow(&cases, Fault::PumpTrip) {
        judge(case, &outcome);
    }
}
