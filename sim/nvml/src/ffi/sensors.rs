//! What the sensors of a GPU show: the plant's numbers, unless a reading is frozen or makes no sense.

use std::ffi::{c_int, c_uint};

use super::refusal::Refusal;
use super::units::{milliwatts, whole_celsius};
use crate::shm::{Frozen, GpuCell, Telemetry};

/// A core temperature that no core survives: a byte of ones.
const IMPLAUSIBLE_CELSIUS: c_int = 255;

/// Core temperature.
pub(super) fn core_celsius(gpu: &GpuCell) -> Result<c_int, Refusal> {
    if gpu.faults().implausible {
        return Ok(IMPLAUSIBLE_CELSIUS);
    }
    core_seen_by(gpu, Frozen::Temperature)
}

/// Kelvins left until the highest operating temperature.
pub(super) fn margin_kelvin(gpu: &GpuCell) -> Result<c_int, Refusal> {
    if gpu.faults().implausible {
        return Ok(c_int::MAX);
    }
    Ok(gpu.rating().max_operating_celsius.saturating_sub(core_seen_by(gpu, Frozen::Margin)?))
}

/// A power out of the telemetry.
pub(super) fn power_milliwatts(
    gpu: &GpuCell,
    pick: impl FnOnce(&Telemetry) -> f32,
) -> Result<c_uint, Refusal> {
    if gpu.faults().implausible {
        return Ok(c_uint::MAX);
    }
    milliwatts(pick(&gpu.telemetry()))
}

/// The core as a reading shows it that may be `frozen`.
fn core_seen_by(gpu: &GpuCell, frozen: Frozen) -> Result<c_int, Refusal> {
    let held = gpu.faults().frozen == frozen;
    whole_celsius(if held { gpu.held_celsius() } else { gpu.telemetry().core_celsius })
}
