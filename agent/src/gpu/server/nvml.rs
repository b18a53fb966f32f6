//! NVML as a [`Driver`]. Every call is named to the watch; every number is judged before it is one.
//!
//! ```text
//!   batch:  fields 82 186 190 192 (one call) · temperature · margin · clock · utilisation · event reasons
//!             │ field absent                    │ not supported
//!             └─► older call                    └─► older call, then None; asked again a minute later
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use eisbach_protocol::gpu_link::GpuSample;
use eisbach_protocol::units::{Celsius, Kelvin, Megahertz, Millis, Percent, Watts};
use nvml_wrapper::enum_wrappers::device::{Clock as Domain, TemperatureSensor, TemperatureThreshold};
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_MEMORY_TEMP, NVML_FI_DEV_POWER_CURRENT_LIMIT, NVML_FI_DEV_POWER_INSTANT,
    NVML_FI_DEV_POWER_REQUESTED_LIMIT, NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT,
    NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT,
};
use nvml_wrapper::{Device, Nvml};

use super::driver::{CallWatch, Card, ClockMhz, Driver, DriverError, Fault, Gpu, Load, Milliwatts};
use super::nvml_answer::{
    Gate, call, celsius, clock, field_watts, fitted, kelvin, limit, memory_celsius, or_ask, percent, wanted,
    watts,
};
use super::nvml_raw;

/// Capability that the driver demands for setting limits, as a bit of `/proc/self/status`.
const CAP_SYS_ADMIN: u32 = 21;

/// Loads the library.
pub(super) struct NvmlLoader {
    library: Option<PathBuf>,
}

impl NvmlLoader {
    pub(super) const fn new(library: Option<PathBuf>) -> Self {
        Self { library }
    }
}

impl Load for NvmlLoader {
    fn load(&self, watch: &CallWatch) -> Result<(Arc<dyn Driver>, u32), DriverError> {
        let mut builder = Nvml::builder();
        if let Some(library) = &self.library {
            builder.lib_path(library.as_os_str());
        }
        let nvml = call(watch, "nvmlInit_v2", || builder.init())?;
        let gpus = call(watch, "nvmlDeviceGetCount_v2", || nvml.device_count())?;
        if has_capability(CAP_SYS_ADMIN) == Some(false) {
            tracing::warn!("no CAP_SYS_ADMIN: the NVIDIA driver will refuse to set limits");
        }
        // Never unloaded from here on: a worker may be inside it for ever.
        Ok((Arc::new(NvmlDriver { nvml: Box::leak(Box::new(nvml)) }), gpus))
    }
}

struct NvmlDriver {
    nvml: &'static Nvml,
}

impl Driver for NvmlDriver {
    fn open(&self, index: u8, watch: Arc<CallWatch>) -> Result<Box<dyn Gpu>, DriverError> {
        let device =
            call(&watch, "nvmlDeviceGetHandleByIndex_v2", || self.nvml.device_by_index(index.into()))?;
        Ok(Box::new(NvmlGpu::introduce(device, watch)?))
    }
}

/// One device handle and what is known about it.
struct NvmlGpu {
    device: Device<'static>,
    watch: Arc<CallWatch>,
    card: Card,
    /// A sample with every field that does not change.
    fixed: GpuSample,
    gates: Gates,
}

/// When to ask again for what was not supported, call by call.
#[derive(Default)]
struct Gates {
    fields: Gate,
    temperature: Gate,
    temperature_old: Gate,
    margin: Gate,
    power: Gate,
    enforced: Gate,
    requested: Gate,
    clock: Gate,
    utilization: Gate,
    reasons: Gate,
    reasons_old: Gate,
}

impl NvmlGpu {
    /// Asks for everything that does not change. Only the identity is indispensable.
    fn introduce(device: Device<'static>, watch: Arc<CallWatch>) -> Result<Self, DriverError> {
        let uuid = call(&watch, "nvmlDeviceGetUUID", || device.uuid())?;
        let name = wanted(call(&watch, "nvmlDeviceGetName", || device.name()))?.unwrap_or_default();
        let limits = wanted(call(&watch, "nvmlDeviceGetPowerManagementLimitConstraints", || {
            device.power_management_limit_constraints()
        }))?
        .and_then(|range| limit(range.min_limit).zip(limit(range.max_limit)));
        let default = wanted(call(&watch, "nvmlDeviceGetPowerManagementDefaultLimit", || {
            device.power_management_limit_default()
        }))?
        .and_then(limit);
        let highest =
            wanted(call(&watch, "nvmlDeviceGetMaxClockInfo", || device.max_clock_info(Domain::SM)))?;
        let lowest_clock = lowest_clock(&device, &watch)?;
        let (slowdown_at, shutdown_at) = thresholds(&device, &watch)?;
        let card = Card { uuid: fitted(&uuid), limits, lowest_clock };
        let fixed = GpuSample {
            uuid: card.uuid.clone(),
            name: fitted(&name),
            slowdown_at,
            shutdown_at,
            limit_default: default.map(Milliwatts::watts),
            limit_min: limits.map(|(lowest, _)| lowest.watts()),
            limit_max: limits.map(|(_, highest)| highest.watts()),
            sm_clock_max: highest.and_then(clock).map(ClockMhz::megahertz),
            sm_clock_min: lowest_clock.map(ClockMhz::megahertz),
            ..GpuSample::default()
        };
        Ok(Self { device, watch, card, fixed, gates: Gates::default() })
    }

    /// Memory temperature, power, limit in force and limit requested, as far as the device has these fields.
    fn fields(&mut self, now: Millis) -> Result<[Option<i64>; 4], DriverError> {
        const IDS: [u32; 4] = [
            NVML_FI_DEV_MEMORY_TEMP,
            NVML_FI_DEV_POWER_INSTANT,
            NVML_FI_DEV_POWER_CURRENT_LIMIT,
            NVML_FI_DEV_POWER_REQUESTED_LIMIT,
        ];
        let Self { device, watch, gates, .. } = self;
        let read = || nvml_raw::fields(device, IDS);
        Ok(gates.fields.ask(now, watch, "nvmlDeviceGetFieldValues", read)?.unwrap_or_default())
    }

    fn temperature(&mut self, now: Millis) -> Result<Option<Celsius>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        let new = || nvml_raw::temperature(device);
        if let Some(raw) = gates.temperature.ask(now, watch, "nvmlDeviceGetTemperatureV", new)? {
            return Ok(celsius(raw.into()));
        }
        let old = || device.temperature(TemperatureSensor::Gpu);
        let raw = gates.temperature_old.ask(now, watch, "nvmlDeviceGetTemperature", old)?;
        Ok(raw.and_then(|raw| celsius(raw.into())))
    }

    fn margin(&mut self, now: Millis, temperature: Option<Celsius>) -> Result<Option<Kelvin>, DriverError> {
        let Self { device, watch, gates, fixed, .. } = self;
        let new = || nvml_raw::margin(device);
        let told = gates.margin.ask(now, watch, "nvmlDeviceGetMarginTemperature", new)?.and_then(kelvin);
        Ok(told.or_else(|| Some(fixed.slowdown_at? - temperature?)))
    }

    fn power(&mut self, now: Millis) -> Result<Option<Watts>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        Ok(gates.power.ask(now, watch, "nvmlDeviceGetPowerUsage", || device.power_usage())?.and_then(watts))
    }

    fn enforced(&mut self, now: Millis) -> Result<Option<Watts>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        let read = || device.enforced_power_limit();
        Ok(gates.enforced.ask(now, watch, "nvmlDeviceGetEnforcedPowerLimit", read)?.and_then(watts))
    }

    fn requested(&mut self, now: Millis) -> Result<Option<Watts>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        let read = || device.power_management_limit();
        Ok(gates.requested.ask(now, watch, "nvmlDeviceGetPowerManagementLimit", read)?.and_then(watts))
    }

    fn sm_clock(&mut self, now: Millis) -> Result<Option<Megahertz>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        let raw = gates.clock.ask(now, watch, "nvmlDeviceGetClockInfo", || device.clock_info(Domain::SM))?;
        Ok(raw.and_then(clock).map(ClockMhz::megahertz))
    }

    fn utilization(&mut self, now: Millis) -> Result<Option<Percent>, DriverError> {
        let Self { device, watch, gates, .. } = self;
        let read = || device.utilization_rates();
        let rates = gates.utilization.ask(now, watch, "nvmlDeviceGetUtilizationRates", read)?;
        Ok(rates.and_then(|rates| percent(rates.gpu)))
    }

    fn reasons(&mut self, now: Millis) -> Result<Option<u32>, DriverError> {
        const NEW: &str = "nvmlDeviceGetCurrentClocksEventReasons";
        const OLD: &str = "nvmlDeviceGetCurrentClocksThrottleReasons";
        let Self { device, watch, gates, .. } = self;
        let mut bits = gates.reasons.ask(now, watch, NEW, || nvml_raw::event_reasons(device))?;
        if bits.is_none() {
            let read = || Ok(device.current_throttle_reasons()?.bits());
            bits = gates.reasons_old.ask(now, watch, OLD, read)?;
        }
        // The driver defines nine bits; the link carries thirty-two.
        Ok(bits.and_then(|bits| u32::try_from(bits).ok()))
    }
}

impl Gpu for NvmlGpu {
    fn card(&self) -> &Card {
        &self.card
    }

    fn read(&mut self, now: Millis) -> Result<GpuSample, DriverError> {
        let [memory, instant, enforced, requested] = self.fields(now)?;
        let temperature = self.temperature(now)?;
        let power = or_ask(instant.and_then(field_watts), || self.power(now))?;
        if temperature.is_none() && power.is_none() {
            let fault = Fault::Other("neither temperature nor power can be read".to_owned());
            return Err(DriverError { call: "nvmlDeviceGetTemperature", fault });
        }
        Ok(GpuSample {
            temperature,
            memory_temperature: memory.and_then(memory_celsius),
            margin: self.margin(now, temperature)?,
            power,
            limit_enforced: or_ask(enforced.and_then(field_watts), || self.enforced(now))?,
            limit_requested: or_ask(requested.and_then(field_watts), || self.requested(now))?,
            sm_clock: self.sm_clock(now)?,
            utilization: self.utilization(now)?,
            throttle_reasons: self.reasons(now)?,
            ..self.fixed.clone()
        })
    }

    fn requested_limit(&mut self) -> Result<Milliwatts, DriverError> {
        const CALL: &str = "nvmlDeviceGetPowerManagementLimit";
        let [field] = wanted(call(&self.watch, "nvmlDeviceGetFieldValues", || {
            nvml_raw::fields(&self.device, [NVML_FI_DEV_POWER_REQUESTED_LIMIT])
        }))?
        .unwrap_or_default();
        if let Some(requested) = field.and_then(|raw| limit(u32::try_from(raw).ok()?)) {
            return Ok(requested);
        }
        let raw = call(&self.watch, CALL, || self.device.power_management_limit())?;
        limit(raw).ok_or(DriverError { call: CALL, fault: Fault::NotSupported })
    }

    fn set_power_limit(&mut self, limit: Milliwatts) -> Result<(), DriverError> {
        let Self { device, watch, .. } = self;
        call(watch, "nvmlDeviceSetPowerManagementLimit", || device.set_power_management_limit(limit.0))
    }

    fn lock_clock(&mut self, highest: ClockMhz) -> Result<(), DriverError> {
        let Self { device, watch, card, .. } = self;
        let setting = GpuLockedClocksSetting::Numeric {
            min_clock_mhz: card.lowest_clock.map_or(0, |lowest| lowest.0.into()),
            max_clock_mhz: highest.0.into(),
        };
        call(watch, "nvmlDeviceSetGpuLockedClocks", || device.set_gpu_locked_clocks(setting))
    }

    fn unlock_clock(&mut self) -> Result<(), DriverError> {
        let Self { device, watch, .. } = self;
        call(watch, "nvmlDeviceResetGpuLockedClocks", || device.reset_gpu_locked_clocks())
    }
}

/// The lowest SM clock that goes with the fastest memory clock.
fn lowest_clock(device: &Device<'_>, watch: &CallWatch) -> Result<Option<ClockMhz>, DriverError> {
    let memory = call(watch, "nvmlDeviceGetSupportedMemoryClocks", || device.supported_memory_clocks());
    let Some(fastest) = wanted(memory)?.and_then(|clocks| clocks.into_iter().max()) else { return Ok(None) };
    let clocks =
        call(watch, "nvmlDeviceGetSupportedGraphicsClocks", || device.supported_graphics_clocks(fastest));
    Ok(wanted(clocks)?.and_then(|clocks| clocks.into_iter().min()).and_then(clock))
}

/// Where hardware slows the GPU down and where it shuts down. From Ada on the driver prefers to state both as
/// distances from the point where the margin is zero.
fn thresholds(
    device: &Device<'_>,
    watch: &CallWatch,
) -> Result<(Option<Celsius>, Option<Celsius>), DriverError> {
    const IDS: [u32; 2] = [NVML_FI_DEV_TEMPERATURE_SLOWDOWN_TLIMIT, NVML_FI_DEV_TEMPERATURE_SHUTDOWN_TLIMIT];
    let absolute = |threshold| {
        let told =
            call(watch, "nvmlDeviceGetTemperatureThreshold", || device.temperature_threshold(threshold));
        // Zero is this call's way of not knowing.
        Ok(wanted(told)?.filter(|raw| *raw > 0).and_then(|raw| celsius(raw.into())))
    };
    let slowdown = absolute(TemperatureThreshold::Slowdown)?;
    let shutdown = absolute(TemperatureThreshold::Shutdown)?;
    if slowdown.is_some() && shutdown.is_some() {
        return Ok((slowdown, shutdown));
    }
    let temperature = wanted(call(watch, "nvmlDeviceGetTemperatureV", || nvml_raw::temperature(device)))?;
    let margin = wanted(call(watch, "nvmlDeviceGetMarginTemperature", || nvml_raw::margin(device)))?;
    let below = wanted(call(watch, "nvmlDeviceGetFieldValues", || nvml_raw::fields(device, IDS)))?;
    let [slowdown_below, shutdown_below] = below.unwrap_or_default();
    let relative = |below: Option<i64>| celsius(i64::from(temperature?) + i64::from(margin?) - below?);
    Ok((slowdown.or_else(|| relative(slowdown_below)), shutdown.or_else(|| relative(shutdown_below))))
}

/// Whether this process has a capability, if that can be told.
fn has_capability(bit: u32) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let bits = u64::from_str_radix(effective.trim(), 16).ok()?;
    Some(bits >> bit & 1 == 1)
}
