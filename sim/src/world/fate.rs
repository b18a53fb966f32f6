//! What events do to GPUs, driver and calls: they set the faults of the shared state.

use eisbach_nvml_sim::{
    Condition, Driver, Faults, Features, Frozen, GpuCell, GpuEvent, Recovery, SharedState,
};

use super::nvml_event::{GpuFault, NodeEvent};

/// A call to a dead GPU processor: 4 s of the driver's patience, half as much again (open-gpu-kernel-modules
/// 595.45.04).
const SLOW_MS: u32 = 6000;
/// NVIDIA's number for "GPU has fallen off the bus".
const XID_OFF_THE_BUS: u32 = 79;
/// NVIDIA's number for an error of memory that was not mended.
const XID_DOUBLE_BIT: u32 = 48;
/// NVIDIA's number for "row remapper: new row marked".
const XID_ROW_REMAP: u32 = 63;
/// The number of a storm: one process's fault on the GPU, which comes often.
const XID_OF_A_STORM: u32 = 13;
/// More errors at once tell nothing more: NVML callers see the last few of them.
const STORM_MOST: u32 = 1000;

/// Something happens to the driver or to the calls of the node.
pub(super) fn node(nvml: &SharedState, event: NodeEvent) {
    let persistence = |on| nvml.gpus().iter().for_each(|gpu| gpu.request_persistence(on));
    match event {
        NodeEvent::InitHangs => nvml.set_init_hangs(true),
        NodeEvent::CallsDeprecated => nvml.set_deprecated_calls_removed(true),
        NodeEvent::CallsMissing => nvml.set_missing_calls(Features::NEWER_THAN_DRIVER_565),
        NodeEvent::SettersDenied => nvml.set_privileged(false),
        NodeEvent::DriverGone => nvml.set_driver(Driver::NotLoaded),
        NodeEvent::DriverBack => {
            nvml.reload_driver();
            nvml.set_driver(Driver::Loaded);
        }
        NodeEvent::DriverReplaced => nvml.replace_driver(),
        NodeEvent::PersistenceOff => persistence(false),
        NodeEvent::PersistenceOn => persistence(true),
        NodeEvent::SensorsOk => every(nvml, |faults| {
            faults.frozen = Frozen::Nothing;
            faults.implausible = false;
        }),
        NodeEvent::MigOff => nvml.gpus().iter().for_each(|gpu| mig(gpu, false)),
    }
}

/// Calls return, at once, and do what they are to do.
pub(super) fn mend_calls(nvml: &SharedState) {
    nvml.set_init_hangs(false);
    nvml.set_deprecated_calls_removed(false);
    nvml.set_missing_calls(Features::NONE);
    nvml.set_privileged(true);
    every(nvml, |faults| {
        faults.hangs = false;
        faults.blocks = false;
        faults.slow_ms = 0;
    });
}

/// Every GPU is there, as after a reset.
pub(super) fn mend_gpus(nvml: &SharedState) {
    every(nvml, |faults| {
        faults.condition = Condition::Present;
        faults.remapped.pending = false;
        faults.recovery = Recovery::Nothing;
    });
}

/// Something happens to one GPU.
pub(super) fn gpu(gpu: &GpuCell, fault: GpuFault) {
    match fault {
        GpuFault::Slow => change(gpu, |faults| faults.slow_ms = SLOW_MS),
        GpuFault::Block => change(gpu, |faults| faults.blocks = true),
        GpuFault::ResetRequired => change(gpu, |faults| faults.condition = Condition::ResetRequired),
        GpuFault::EccCorrected => {
            change(gpu, |faults| faults.ecc_corrected += 1);
            gpu.raise(GpuEvent::SingleBitEcc);
        }
        GpuFault::EccUncorrected => {
            change(gpu, |faults| {
                faults.ecc_uncorrected += 1;
                faults.remapped.uncorrected += 1;
                faults.remapped.pending = true;
                faults.recovery = Recovery::Reset;
            });
            gpu.raise(GpuEvent::DoubleBitEcc);
            gpu.raise_xid(XID_DOUBLE_BIT);
            gpu.raise_xid(XID_ROW_REMAP);
        }
        GpuFault::Recovery => {
            change(gpu, |faults| faults.recovery = Recovery::DrainAndReset);
            gpu.raise(GpuEvent::RecoveryAction);
        }
        GpuFault::TemperatureFrozen => change(gpu, |faults| faults.frozen = Frozen::Temperature),
        GpuFault::MarginFrozen => change(gpu, |faults| faults.frozen = Frozen::Margin),
        GpuFault::Implausible => change(gpu, |faults| faults.implausible = true),
        GpuFault::MigOn => mig(gpu, true),
    }
}

/// The GPU falls off the bus, if it is on it.
pub(super) fn lose(gpu: &GpuCell) {
    if gpu.faults().condition != Condition::Lost {
        change(gpu, |faults| faults.condition = Condition::Lost);
        gpu.raise_xid(XID_OFF_THE_BUS);
    }
}

/// Calls on the GPU do not return.
pub(super) fn hang(gpu: &GpuCell) {
    change(gpu, |faults| faults.hangs = true);
}

/// So many errors at once.
pub(super) fn storm(gpu: &GpuCell, errors: u32) {
    (0..errors.min(STORM_MOST)).for_each(|_| gpu.raise_xid(XID_OF_A_STORM));
}

/// Somebody else sets the limit, as near to `watts` as the GPU lets them.
pub(super) fn foreign_limit(gpu: &GpuCell, watts: u32, now_ms: u64) {
    let range = gpu.rating().power_range_milliwatts();
    let milliwatts = watts.saturating_mul(1000).clamp(*range.start(), *range.end());
    gpu.request_power_limit(milliwatts, now_ms);
}

fn mig(gpu: &GpuCell, on: bool) {
    if gpu.faults().mig != on {
        change(gpu, |faults| faults.mig = on);
        gpu.raise(GpuEvent::MigConfigChange);
    }
}

fn change(gpu: &GpuCell, change: impl FnOnce(&mut Faults)) {
    let mut faults = gpu.faults();
    change(&mut faults);
    gpu.set_faults(faults);
}

fn every(nvml: &SharedState, what: impl Fn(&mut Faults)) {
    nvml.gpus().iter().for_each(|gpu| change(gpu, &what));
}
