//! The world as a whole, with its devices and NVML state, and nobody connected.

use std::sync::Arc;

use eisbach_nvml_sim::{Condition, GpuModel, SharedState};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::devices::{Choice, DeviceOptions, Model, Models};

pub(super) struct Bench {
    pub(super) world: World,
    pub(super) nvml: Arc<SharedState>,
    _folder: TempDir,
    _devices: JoinSet<()>,
}

fn node(seed: u64) -> Commissioned {
    Commissioned::new(WorldSettings::usual(seed, Workload::Training, GpuModel::H200))
}

pub(super) fn bench(seed: u64) -> Bench {
    bench_of(node(seed), Models::default())
}

pub(super) fn bench_of(node: Commissioned, models: Models) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let WorldSettings { model, gpus, .. } = node.settings;
    let specs = vec![model.spec(); gpus];
    let nvml = Arc::new(SharedState::create(&folder.path().join("nvml"), &specs).unwrap());
    let mut tasks = JoinSet::new();
    let options = DeviceOptions { models, ..node.devices() };
    let hub = DeviceHub::start(&mut tasks, &CancellationToken::new(), &options).unwrap();
    Bench { world: World::new(node, hub, Arc::clone(&nvml)), nvml, _folder: folder, _devices: tasks }
}

impl Bench {
    fn speed(&self) -> f64 {
        self.world.truth().orders.pump_speed
    }

    /// Runs, with a cap on every GPU after a second, as an agent might set it.
    pub(super) fn run(&mut self, ms: u64) {
        for _ in 0..ms / STEP_MS {
            self.world.step();
            let now_ms = self.world.now_ms();
            if now_ms == 1000 {
                self.nvml.gpus().iter().for_each(|gpu| gpu.request_power_limit(400_000, now_ms));
            }
        }
    }
}

#[tokio::test]
async fn the_same_seed_and_the_same_orders_make_the_same_world_bit_for_bit() {
    let course = |seed| {
        let mut bench = bench(seed);
        bench.run(2000);
        bench.world.happen(Event::FlowLoss).unwrap();
        bench.run(2000);
        serde_json::to_string(&bench.world.truth()).unwrap()
    };
    assert_eq!(course(7), course(7));
    assert_ne!(course(7), course(8));
}

#[tokio::test]
async fn a_new_world_is_warm_and_its_clocks_are_at_zero() {
    let truth = bench(1).world.truth();
    assert_eq!(truth.time_ms, 0);
    assert!(
        truth.plant.gpus.iter().all(|gpu| (35.0..75.0).contains(&gpu.core_celsius)),
        "{:?}",
        truth.plant.gpus
    );
    assert!(truth.plant.node_loop.flow_lpm > 5.0, "{:?}", truth.plant.node_loop);
    assert!(truth.plant.energy.it_kwh.abs() < 1e-9 && truth.fixed_flow_pump_kwh.abs() < 1e-9);
}

#[tokio::test]
async fn limits_set_through_nvml_reach_the_plant_and_temperatures_come_back() {
    let mut bench = bench(1);
    bench.world.happen(Event::Load(Workload::Full)).unwrap();
    bench.run(4000);
    let truth = bench.world.truth();
    assert!(truth.plant.gpus.iter().all(|gpu| (gpu.watts - 400.0).abs() < 10.0), "{:?}", truth.plant.gpus);
    for (gpu, seen) in truth.plant.gpus.iter().zip(bench.nvml.gpus()) {
        let telemetry = seen.telemetry();
        assert!((f64::from(telemetry.core_celsius) - gpu.core_celsius).abs() < 4.0);
        assert!(telemetry.energy_joules > 1000.0 && telemetry.utilisation_percent == 100);
    }
    assert_eq!(bench.nvml.plant_time_ms(), 4000);
}

#[tokio::test]
async fn a_fault_is_answered_when_every_gpu_has_a_lower_limit() {
    let mut bench = bench(1);
    bench.run(600);
    bench.world.happen(Event::FlowLoss).unwrap();
    bench.run(600);
    assert_eq!(bench.world.truth().faults[0].capped_ms, Some(400));
    bench.world.happen(Event::FlowOk).unwrap();
    assert_eq!(bench.world.truth().faults.len(), 1);
}

#[tokio::test]
async fn a_lost_gpu_is_lost_for_nvml_and_comes_back() {
    let mut bench = bench(1);
    bench.world.happen(Event::GpuLost(3)).unwrap();
    bench.world.happen(Event::NvmlHang(5)).unwrap();
    bench.run(1000);
    let faults = |index: usize| bench.nvml.gpus()[index].faults();
    assert_eq!((faults(3).condition, faults(2).condition), (Condition::Lost, Condition::Present));
    assert_eq!((faults(5).hangs, faults(3).hangs), (true, false));
    assert!(!bench.world.truth().plant.gpus[3].present);
    bench.world.happen(Event::GpuBack).unwrap();
    bench.world.happen(Event::NvmlOk).unwrap();
    assert!(bench.nvml.gpus().iter().all(|gpu| gpu.faults() == eisbach_nvml_sim::Faults::default()));
}

#[tokio::test]
async fn a_gpu_that_is_not_there_cannot_be_lost() {
    let mut bench = bench(1);
    let error = bench.world.happen(Event::GpuLost(8)).unwrap_err().to_string();
    assert!(error.contains("no GPU 8") && error.contains("has 8"), "{error}");
    assert!(bench.world.truth().faults.is_empty());
}

#[tokio::test]
async fn a_mended_pump_waits_for_somebody_to_reset_its_alarm() {
    let mut bench = bench(1);
    bench.world.happen(Event::PumpTrip).unwrap();
    bench.run(5000);
    bench.world.happen(Event::PanelReset).unwrap();
    bench.run(100);
    bench.world.happen(Event::PumpOk).unwrap();
    bench.run(10_000);
    assert!(bench.world.truth().plant.node_loop.flow_lpm < 1.0, "reset was pressed too early");
    bench.world.happen(Event::PanelReset).unwrap();
    bench.run(10_000);
    assert!(bench.world.truth().plant.node_loop.flow_lpm > 5.0);
}

#[tokio::test]
async fn a_person_at_the_panel_has_the_last_word() {
    let models = Models::of(["pump=generic-pump".parse().unwrap()]).unwrap();
    let mut bench = bench_of(node(1), models);
    let local_speed = bench.speed();
    bench.run(10_000);
    assert!(bench.speed() > local_speed, "nobody has written, so it is safe: at full speed");
    bench.world.happen(Event::PanelLocal).unwrap();
    bench.run(10);
    assert!((bench.speed() - local_speed).abs() < 1e-9);
    bench.world.happen(Event::PanelRemote).unwrap();
    bench.run(10);
    assert!(bench.speed() > local_speed);
}

#[tokio::test]
async fn with_every_model_the_node_is_cooled_before_anybody_speaks_to_it() {
    let node = node(1);
    for model in Model::ALL {
        let place = model.places()[0];
        let mut bench = bench_of(node.clone(), Models::of([Choice::new(place, model).unwrap()]).unwrap());
        bench.run(4_000);
        let truth = bench.world.truth();
        assert!(truth.plant.node_loop.flow_lpm > 5.0, "{model}: {:?}", truth.orders);
    }
}

#[tokio::test]
async fn every_fault_of_the_plant_goes_in_and_comes_out() {
    let mut bench = bench(1);
    let pairs = [
        (Event::PumpTrip, Event::PumpOk),
        (Event::FlowLoss, Event::FlowOk),
        (Event::Leak, Event::LeakDry),
        (Event::LeakSensorFault, Event::LeakSensorOk),
        (Event::RiverHot, Event::RiverNormal),
        (Event::HeatDemandLost, Event::HeatDemandOk),
    ];
    for (fault, mend) in pairs {
        bench.world.happen(fault).unwrap();
        assert_eq!(bench.world.plant.faults().count(), 1, "{fault}");
        bench.world.happen(mend).unwrap();
        assert_eq!(bench.world.plant.faults().count(), 0, "{mend}");
    }
}
