//! What does not change while a handle lives: who the GPU is, what it can be set to, where it gets too hot.

use eisbach_protocol::gpu_link::GpuSample;
use eisbach_protocol::units::{Celsius, Kelvin};
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock as Domain, TemperatureThreshold};
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT, NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT,
};

use super::answer::{call, celsius, clock, limit, wanted};
use super::raw::{self, FieldOf};
use crate::gpu::fitted;
use crate::gpu::server::driver::{Card, ClockMhz, DriverError, Milliwatts, Switch};
use crate::gpu::server::watch::CallWatch;

/// What is asked once for each handle.
#[derive(Clone, Debug)]
pub(super) struct Introduction {
    pub(super) card: Card,
    /// A sample with every field that does not change.
    pub(super) fixed: GpuSample,
    pub(super) heat: Heat,
}

/// Where the GPU gets too hot, as far as the device says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heat {
    /// Hardware slows it down.
    pub(super) slowdown_at: Option<Celsius>,
    /// It switches itself off.
    pub(super) shutdown_at: Option<Celsius>,
    /// Highest operating temperature of the memory.
    pub(super) memory_max_at: Option<Celsius>,
    /// The core temperature at which the driver's margin is zero.
    pub(super) zero_margin_at: Option<Celsius>,
    /// The driver slows the GPU down, before the hardware has to: highest operating temperature of the core.
    pub(super) core_max_at: Option<Celsius>,
}

impl Heat {
    /// What these temperatures leave, where the driver tells no margin: to where it begins to slow down, as its own
    /// margin would count.
    pub(super) fn leaves(&self, core: Option<Celsius>, memory: Option<Celsius>) -> Option<Kelvin> {
        let core_at = self.zero_margin_at.or(self.core_max_at).or(self.slowdown_at);
        let core = core_at.zip(core).map(|(at, now)| at - now)?;
        Some(self.memory_leaves(memory).map_or(core, |memory| core.smaller(memory)))
    }

    /// What the memory leaves.
    pub(super) fn memory_leaves(&self, memory: Option<Celsius>) -> Option<Kelvin> {
        self.memory_max_at.zip(memory).map(|(at, now)| at - now)
    }
}

/// Asks for everything that does not change. Only the identity is indispensable.
pub(super) fn introduce(device: &Device<'_>, watch: &CallWatch) -> Result<Introduction, DriverError> {
    let uuid = call(watch, "nvmlDeviceGetUUID", || device.uuid())?;
    let name = wanted(call(watch, "nvmlDeviceGetName", || device.name()))?.unwrap_or_default();
    let limits = wanted(call(watch, "nvmlDeviceGetPowerManagementLimitConstraints", || {
        device.power_management_limit_constraints()
    }))?
    .and_then(|range| limit(range.min_limit).zip(limit(range.max_limit)));
    let default = wanted(call(watch, "nvmlDeviceGetPowerManagementDefaultLimit", || {
        device.power_management_limit_default()
    }))?
    .and_then(limit);
    let highest = wanted(call(watch, "nvmlDeviceGetMaxClockInfo", || device.max_clock_info(Domain::SM)))?;
    let lowest_clock = lowest_clock(device, watch)?;
    let heat = heat(device, watch)?;
    let card = Card { uuid: fitted(&uuid), limits, lowest_clock, switches: switches(device, watch)? };
    let fixed = GpuSample {
        uuid: card.uuid.clone(),
        name: fitted(&name),
        slowdown_at: heat.slowdown_at,
        shutdown_at: heat.shutdown_at,
        limit_default: default.map(Milliwatts::watts),
        limit_min: limits.map(|(lowest, _)| lowest.watts()),
        limit_max: limits.map(|(_, highest)| highest.watts()),
        sm_clock_max: highest.and_then(clock).map(ClockMhz::megahertz),
        sm_clock_min: lowest_clock.map(ClockMhz::megahertz),
        ..GpuSample::default()
    };
    Ok(Introduction { card, fixed, heat })
}

/// The lowest SM clock that goes with the fastest memory clock.
fn lowest_clock(device: &Device<'_>, watch: &CallWatch) -> Result<Option<ClockMhz>, DriverError> {
    let memory = call(watch, "nvmlDeviceGetSupportedMemoryClocks", || device.supported_memory_clocks());
    let Some(fastest) = wanted(memory)?.and_then(|clocks| clocks.into_iter().max()) else { return Ok(None) };
    let clocks =
        call(watch, "nvmlDeviceGetSupportedGraphicsClocks", || device.supported_graphics_clocks(fastest));
    Ok(wanted(clocks)?.and_then(|clocks| clocks.into_iter().min()).and_then(clock))
}

/// Which switches the device has.
fn switches(device: &Device<'_>, watch: &CallWatch) -> Result<Vec<Switch>, DriverError> {
    let mut there = Vec::new();
    for switch in Switch::ALL {
        if wanted(super::gpu::switch_is_on(device, watch, switch))?.is_some() {
            there.push(switch);
        }
    }
    Ok(there)
}

/// From Ada on the driver prefers to state temperatures as distances from the point where the margin is zero; the older
/// call states them as they are, and may be gone.
fn heat(device: &Device<'_>, watch: &CallWatch) -> Result<Heat, DriverError> {
    let absolute = |threshold| {
        let told =
            call(watch, "nvmlDeviceGetTemperatureThreshold", || device.temperature_threshold(threshold));
        // Zero is this call's way of not knowing.
        Ok(wanted(told)?.filter(|raw| *raw > 0).and_then(|raw| celsius(raw.into())))
    };
    let slowdown = absolute(TemperatureThreshold::Slowdown)?;
    let shutdown = absolute(TemperatureThreshold::Shutdown)?;
    let memory_max_at = absolute(TemperatureThreshold::MemoryMax)?;
    let core_max_at = absolute(TemperatureThreshold::GpuMax)?;
    let below = wanted(call(watch, "nvmlDeviceGetFieldValues (limits)", || {
        raw::fields(
            device,
            [
                FieldOf { id: NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT, scope: 0 },
                FieldOf { id: NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT, scope: 0 },
            ],
        )
    }))?;
    let [slowdown_below, shutdown_below] =
        below.map_or([None; 2], |fields| fields.map(|field| field.ok().and_then(kelvin)));
    let zero_margin_at = match slowdown.zip(slowdown_below) {
        Some((at, below)) => Some(at + below),
        None => told_zero_margin(device, watch)?,
    };
    let relative = |below: Option<Kelvin>| Some(zero_margin_at? - below?);
    Ok(Heat {
        slowdown_at: slowdown.or_else(|| relative(slowdown_below)),
        shutdown_at: shutdown.or_else(|| relative(shutdown_below)),
        memory_max_at,
        zero_margin_at: slowdown.zip(slowdown_below).and(zero_margin_at),
        core_max_at,
    })
}

/// Where the margin is zero by what the sensors tell now: right as long as the core is the hottest part.
fn told_zero_margin(device: &Device<'_>, watch: &CallWatch) -> Result<Option<Celsius>, DriverError> {
    let temperature = wanted(call(watch, "nvmlDeviceGetTemperatureV", || raw::temperature(device)))?;
    let margin = wanted(call(watch, "nvmlDeviceGetMarginTemperature", || raw::margin(device)))?;
    Ok(temperature
        .zip(margin)
        .and_then(|(celsius_now, margin)| celsius(i64::from(celsius_now) + i64::from(margin))))
}

/// A distance between temperatures, if it can be one.
fn kelvin(raw: i64) -> Option<Kelvin> {
    super::answer::kelvin(i32::try_from(raw).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(celsius: f32) -> Option<Celsius> {
        Some(Celsius::new(celsius))
    }

    #[test]
    fn i01_without_a_margin_what_is_left_counts_to_where_the_driver_slows_down_and_not_the_hardware() {
        let a100 =
            Heat { slowdown_at: at(89.0), core_max_at: at(85.0), memory_max_at: at(95.0), ..Heat::default() };
        assert_eq!(a100.leaves(at(80.0), None), Some(Kelvin::new(5.0)));
        assert_eq!(a100.leaves(at(60.0), at(93.0)), Some(Kelvin::new(2.0)), "the memory is closer");
        let h100 = Heat { slowdown_at: at(89.0), zero_margin_at: at(87.0), ..Heat::default() };
        assert_eq!(h100.leaves(at(80.0), None), Some(Kelvin::new(7.0)), "as the driver itself would count");
        let hardware_only = Heat { slowdown_at: at(89.0), ..Heat::default() };
        assert_eq!(hardware_only.leaves(at(80.0), None), Some(Kelvin::new(9.0)));
        assert_eq!(hardware_only.leaves(None, at(50.0)), None);
    }
}
