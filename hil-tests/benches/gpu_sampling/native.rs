//! The naive peer: every reading with a call of its own through nvml-wrapper, and one seldom reading in turn.

use std::hint::black_box;
use std::time::Duration;

use eisbach_hil_tests::Stopwatch;
use nvml_wrapper::enum_wrappers::device::{
    Clock, EccCounter, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, NVML_FI_DEV_MEMORY_TEMP, NVML_FI_DEV_POWER_AVERAGE,
    NVML_FI_DEV_POWER_INSTANT, NVML_FI_DEV_REMAPPED_UNC,
};
use nvml_wrapper::{Device, Nvml};

use super::median;
use super::usage::Usage;

type Reading = fn(&Device<'_>);

fn field(gpu: &Device<'_>, id: u32) {
    let _answer = black_box(gpu.field_values_for(&[FieldId(id)]));
}

/// The wrapper has no margin; who wants one asks for the threshold.
const OFTEN: [Reading; 11] = [
    |gpu| field(gpu, NVML_FI_DEV_MEMORY_TEMP),
    |gpu| drop(black_box(gpu.total_energy_consumption())),
    |gpu| field(gpu, NVML_FI_DEV_POWER_AVERAGE),
    |gpu| field(gpu, NVML_FI_DEV_POWER_INSTANT),
    |gpu| drop(black_box(gpu.enforced_power_limit())),
    |gpu| drop(black_box(gpu.power_management_limit())),
    |gpu| drop(black_box(gpu.temperature(TemperatureSensor::Gpu))),
    |gpu| drop(black_box(gpu.temperature_threshold(TemperatureThreshold::Slowdown))),
    |gpu| drop(black_box(gpu.clock_info(Clock::SM))),
    |gpu| drop(black_box(gpu.utilization_rates())),
    |gpu| drop(black_box(gpu.current_throttle_reasons())),
];
const SELDOM: [Reading; 8] = [
    |gpu| drop(black_box(gpu.is_in_persistent_mode())),
    |gpu| drop(black_box(gpu.total_ecc_errors(MemoryError::Corrected, EccCounter::Volatile))),
    |gpu| drop(black_box(gpu.total_ecc_errors(MemoryError::Uncorrected, EccCounter::Volatile))),
    |gpu| field(gpu, NVML_FI_DEV_REMAPPED_UNC),
    |gpu| field(gpu, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION),
    |gpu| drop(black_box(gpu.mig_mode())),
    |gpu| drop(black_box(gpu.running_compute_processes_count())),
    |gpu| drop(black_box(gpu.performance_state())),
];

/// Samples with the library, at the period in ms, for so many batches, and prints what it took.
pub(crate) fn run(words: &[String]) {
    let [library, period_ms, batches] = words else { panic!("LIBRARY PERIOD_MS BATCHES, but {words:?}") };
    let (period, batches) = (Duration::from_millis(period_ms.parse().unwrap()), batches.parse().unwrap());
    let nvml = Nvml::builder().lib_path(library.as_ref()).init().unwrap();
    let gpus: Vec<_> =
        (0..nvml.device_count().unwrap()).map(|index| nvml.device_by_index(index).unwrap()).collect();
    let (before, watch) = (Usage::of(std::process::id()), Stopwatch::start());
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for batch in 0..batches {
        let whole = Stopwatch::start();
        for gpu in &gpus {
            let single = Stopwatch::start();
            OFTEN.iter().for_each(|read| read(gpu));
            SELDOM[batch % SELDOM.len()](gpu);
            one.push(single.elapsed().as_secs_f64() * 1e6);
        }
        all.push(whole.elapsed().as_secs_f64() * 1e6);
        let due = period * u32::try_from(batch + 1).unwrap();
        std::thread::sleep(due.saturating_sub(watch.elapsed()));
    }
    let told = serde_json::json!({
        "one_us": median(&mut one),
        "all_us": median(&mut all),
        "cpu_us": Usage::of(std::process::id()).since(&before).cpu_us,
        "calls": OFTEN.len() + 1,
    });
    println!("{told}");
}
