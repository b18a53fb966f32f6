//! Words that break GPUs, driver and calls: what NVML callers then meet, and which word mends it.

use eisbach_nvml_sim::{Condition, Driver, Faults, Features, Frozen, GpuModel, Recovery};

use super::tests::{Bench, bench, bench_of};
use super::*;
use crate::devices::Models;

fn happen(bench: &mut Bench, words: &[&str]) {
    words.iter().for_each(|word| bench.world.happen(word.parse().unwrap()).unwrap());
}

fn faults(bench: &Bench, gpu: usize) -> Faults {
    bench.nvml.gpus()[gpu].faults()
}

#[tokio::test]
async fn calls_that_are_slow_hung_gone_or_denied_are_mended_by_one_word() {
    let mut bench = bench(1);
    happen(&mut bench, &["nvml-slow-2", "nvml-block-2", "nvml-hang-2", "nvml-init-hang"]);
    happen(&mut bench, &["nvml-deprecated", "nvml-missing", "nvml-denied"]);
    assert_eq!(faults(&bench, 2), Faults { hangs: true, blocks: true, slow_ms: 6000, ..Faults::default() });
    assert_eq!(faults(&bench, 3), Faults::default());
    assert!(bench.nvml.init_hangs() && bench.nvml.deprecated_calls_removed() && !bench.nvml.privileged());
    assert!(bench.nvml.missing_calls().contains(Features::MARGIN_TEMPERATURE));
    happen(&mut bench, &["nvml-ok"]);
    assert_eq!(faults(&bench, 2), Faults::default());
    assert!(!bench.nvml.init_hangs() && !bench.nvml.deprecated_calls_removed() && bench.nvml.privileged());
    assert_eq!(bench.nvml.missing_calls(), Features::NONE);
}

#[tokio::test]
async fn a_gpu_that_needs_a_reset_is_well_after_it_and_its_errors_stay_counted() {
    let mut bench = bench(1);
    happen(&mut bench, &["gpu-ecc-1", "gpu-ecc-corrected-1", "gpu-reset-required-1"]);
    let broken = faults(&bench, 1);
    assert_eq!((broken.ecc_uncorrected, broken.ecc_corrected), (1, 1));
    assert!(broken.remapped.pending && broken.recovery == Recovery::Reset);
    assert_eq!(broken.condition, Condition::ResetRequired);
    happen(&mut bench, &["gpu-recovery-1"]);
    assert_eq!(faults(&bench, 1).recovery, Recovery::DrainAndReset);
    happen(&mut bench, &["gpu-back"]);
    let reset = faults(&bench, 1);
    assert_eq!((reset.condition, reset.recovery), (Condition::Present, Recovery::Nothing));
    assert!(!reset.remapped.pending && reset.ecc_uncorrected == 1);
}

#[tokio::test]
async fn sensors_freeze_and_talk_nonsense_until_they_are_mended() {
    let mut bench = bench(1);
    happen(&mut bench, &["gpu-frozen-4", "margin-frozen-5", "gpu-nan-6"]);
    assert_eq!(faults(&bench, 4).frozen, Frozen::Temperature);
    assert_eq!(faults(&bench, 5).frozen, Frozen::Margin);
    assert!(faults(&bench, 6).implausible);
    happen(&mut bench, &["gpu-sensors-ok"]);
    assert!(bench.nvml.gpus().iter().all(|gpu| gpu.faults() == Faults::default()));
}

#[tokio::test]
async fn a_driver_that_comes_back_or_is_replaced_has_forgotten_limits_and_not_the_bmc_its_own() {
    let mut bench = bench(1);
    happen(&mut bench, &["oob-limit-0-500", "foreign-limit-0-300", "foreign-limit-1-9999"]);
    bench.run(500);
    let request = |bench: &Bench, gpu: usize| bench.nvml.gpus()[gpu].request().power_limit_milliwatts;
    assert_eq!((request(&bench, 0), request(&bench, 1)), (300_000, 700_000));
    happen(&mut bench, &["driver-gone"]);
    assert_eq!(bench.nvml.driver(), Driver::NotLoaded);
    happen(&mut bench, &["driver-back"]);
    assert_eq!((bench.nvml.driver(), request(&bench, 0)), (Driver::Loaded, 700_000));
    bench.run(100);
    assert_eq!(bench.nvml.gpus()[0].telemetry().out_of_band_limit_milliwatts, 500_000);
    happen(&mut bench, &["driver-replaced", "oob-limit-0-0"]);
    bench.run(100);
    assert_eq!(bench.nvml.driver_release(), 1);
    assert_eq!(bench.nvml.gpus()[0].telemetry().out_of_band_limit_milliwatts, 0);
}

#[tokio::test]
async fn a_limit_of_the_bmc_reaches_the_plant() {
    let mut bench = bench(1);
    happen(&mut bench, &["load-full", "oob-limit-3-350"]);
    for _ in 0..500 {
        bench.world.step();
    }
    let watts = bench.world.truth().plant.gpus.map(|gpu| gpu.watts);
    assert!((watts[3] - 350.0).abs() < 5.0 && watts[4] > 680.0, "{watts:?}");
}

#[tokio::test]
async fn max_q_lowers_power_of_a_b200() {
    let settings = WorldSettings::usual(1, Workload::Full, GpuModel::B200);
    let mut bench = bench_of(Commissioned::new(settings), Models::default());
    bench.nvml.gpus()[0].request_power_profiles(0b10, 0);
    for _ in 0..300 {
        bench.world.step();
    }
    let truth = bench.world.truth();
    assert_eq!((truth.requests[0].power_profiles, truth.requests[1].power_profiles), (0b10, 0));
    let watts = [0, 1].map(|gpu| truth.plant.gpus[gpu].watts);
    assert!((watts[1] - 1000.0).abs() < 5.0 && watts[0] < 930.0, "{watts:?}");
}

#[tokio::test]
async fn mig_and_persistence_are_switched_and_every_word_needs_a_gpu_that_is_there() {
    let mut bench = bench(1);
    happen(&mut bench, &["mig-on-7", "persistence-off", "gpu-xid-7-31", "xid-storm-7-20"]);
    assert!(faults(&bench, 7).mig && !bench.world.truth().requests[0].persistence);
    happen(&mut bench, &["mig-off", "persistence-on"]);
    assert!(!faults(&bench, 7).mig && bench.world.truth().requests[0].persistence);
    for word in ["gpu-ecc-8", "gpu-xid-8-79", "oob-limit-8-300"] {
        assert!(bench.world.happen(word.parse().unwrap()).is_err(), "{word}");
    }
}
