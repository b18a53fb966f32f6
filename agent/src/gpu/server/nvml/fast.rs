//! What is read in every batch: temperatures, power, limits, clock.
//!
//! ```text
//!   one call   fields 82 83 185 186 190 192
//!   then       temperature · margin · clock · utilisation · event reasons
//!                │ not supported
//!                └─► the older call of the same, where there is one
//! ```

use eisbach_protocol::gpu_link::{Field, GpuSample};
use eisbach_protocol::units::{Celsius, Kelvin, Megahertz, Millis, Percent, Watts};
use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock as Domain, TemperatureSensor};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::sys_exports::field_id::{
    NVML_FI_DEV_MEMORY_TEMP, NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_CURRENT_LIMIT,
    NVML_FI_DEV_POWER_INSTANT, NVML_FI_DEV_POWER_REQUESTED_LIMIT, NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION,
};
use nvml_wrapper_sys::bindings::{NVML_POWER_SCOPE_GPU, NVML_POWER_SCOPE_MODULE};

use super::answer::{celsius, clock, field_watts, kelvin, memory_celsius, percent, watts};
use super::asked::Asked;
use super::raw::{self, FieldOf};
use crate::gpu::server::driver::{ClockMhz, DriverError};
use crate::gpu::server::watch::CallWatch;

/// The batch's readings, call by call.
#[derive(Debug, Default)]
pub(super) struct Fast {
    fields: Asked<()>,
    /// Some modules tell power only for GPU and processor together.
    power_scope: PowerScope,
    memory_temperature: Asked<Celsius>,
    energy_mj: Asked<u64>,
    power_average: Asked<Watts>,
    power: Asked<Watts>,
    power_older: Asked<Watts>,
    enforced: Asked<Watts>,
    enforced_older: Asked<Watts>,
    requested: Asked<Watts>,
    requested_older: Asked<Watts>,
    temperature: Asked<Celsius>,
    temperature_older: Asked<Celsius>,
    margin: Asked<Kelvin>,
    sm_clock: Asked<Megahertz>,
    utilization: Asked<Percent>,
    reasons: Asked<u32>,
    reasons_older: Asked<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum PowerScope {
    #[default]
    Gpu,
    Module,
}

impl PowerScope {
    const fn number(self) -> u32 {
        match self {
            Self::Gpu => NVML_POWER_SCOPE_GPU,
            Self::Module => NVML_POWER_SCOPE_MODULE,
        }
    }
}

impl Fast {
    /// Makes the batch's calls.
    pub(super) fn read(
        &mut self,
        device: &Device<'_>,
        watch: &CallWatch,
        now: Millis,
    ) -> Result<(), DriverError> {
        self.read_fields(device, watch, now)?;
        self.temperature
            .ask(now, watch, "nvmlDeviceGetTemperatureV", || Ok(celsius(raw::temperature(device)?.into())))?;
        if self.temperature.is_unsupported() {
            self.temperature_older.ask(now, watch, "nvmlDeviceGetTemperature", || {
                Ok(celsius(device.temperature(TemperatureSensor::Gpu)?.into()))
            })?;
        }
        self.margin.ask(now, watch, "nvmlDeviceGetMarginTemperature", || Ok(kelvin(raw::margin(device)?)))?;
        self.sm_clock.ask(now, watch, "nvmlDeviceGetClockInfo", || {
            Ok(clock(device.clock_info(Domain::SM)?).map(ClockMhz::megahertz))
        })?;
        self.utilization.ask(now, watch, "nvmlDeviceGetUtilizationRates", || {
            Ok(percent(device.utilization_rates()?.gpu))
        })?;
        self.read_reasons(device, watch, now)?;
        self.read_older_powers(device, watch, now)
    }

    fn read_fields(
        &mut self,
        device: &Device<'_>,
        watch: &CallWatch,
        now: Millis,
    ) -> Result<(), DriverError> {
        const fn of(id: u32) -> FieldOf {
            FieldOf { id, scope: 0 }
        }
        let scope = self.power_scope.number();
        let asked = [
            of(NVML_FI_DEV_MEMORY_TEMP),
            of(NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION),
            FieldOf { id: NVML_FI_DEV_POWER_AVERAGE, scope },
            FieldOf { id: NVML_FI_DEV_POWER_INSTANT, scope },
            of(NVML_FI_DEV_POWER_CURRENT_LIMIT),
            of(NVML_FI_DEV_POWER_REQUESTED_LIMIT),
        ];
        let mut answers = None;
        self.fields.ask(now, watch, "nvmlDeviceGetFieldValues", || {
            answers = Some(raw::fields(device, asked)?);
            Ok(Some(()))
        })?;
        let failed =
            || if self.fields.is_unsupported() { NvmlError::NotSupported } else { NvmlError::Unknown };
        let [memory, energy, average, instant, enforced, requested] =
            answers.unwrap_or_else(|| std::array::from_fn(|_| Err(failed())));
        self.memory_temperature.note_field(now, &memory, memory_celsius);
        self.energy_mj.note_field(now, &energy, |raw| u64::try_from(raw).ok());
        self.power_average.note_field(now, &average, field_watts);
        self.power.note_field(now, &instant, field_watts);
        self.enforced.note_field(now, &enforced, field_watts);
        self.requested.note_field(now, &requested, field_watts);
        if self.power_scope == PowerScope::Gpu && matches!(instant, Err(NvmlError::NotSupported)) {
            self.power_scope = PowerScope::Module;
        }
        Ok(())
    }

    fn read_reasons(
        &mut self,
        device: &Device<'_>,
        watch: &CallWatch,
        now: Millis,
    ) -> Result<(), DriverError> {
        // The driver defines nine bits; the link carries thirty-two.
        let narrow = |bits: u64| u32::try_from(bits).ok();
        self.reasons.ask(now, watch, "nvmlDeviceGetCurrentClocksEventReasons", || {
            Ok(narrow(raw::event_reasons(device)?))
        })?;
        if self.reasons.is_unsupported() {
            self.reasons_older.ask(now, watch, "nvmlDeviceGetCurrentClocksThrottleReasons", || {
                Ok(narrow(device.current_throttle_reasons()?.bits()))
            })?;
        }
        Ok(())
    }

    fn read_older_powers(
        &mut self,
        device: &Device<'_>,
        watch: &CallWatch,
        now: Millis,
    ) -> Result<(), DriverError> {
        if self.power.is_unsupported() {
            self.power_older
                .ask(now, watch, "nvmlDeviceGetPowerUsage", || Ok(watts(device.power_usage()?)))?;
        }
        if self.enforced.is_unsupported() {
            self.enforced_older.ask(now, watch, "nvmlDeviceGetEnforcedPowerLimit", || {
                Ok(watts(device.enforced_power_limit()?))
            })?;
        }
        if self.requested.is_unsupported() {
            self.requested_older.ask(now, watch, "nvmlDeviceGetPowerManagementLimit", || {
                Ok(watts(device.power_management_limit()?))
            })?;
        }
        Ok(())
    }

    /// Core temperature.
    pub(super) fn temperature(&self, now: Millis) -> Field<Celsius> {
        self.temperature.field_or(&self.temperature_older, now)
    }

    /// Memory temperature.
    pub(super) fn memory_temperature(&self, now: Millis) -> Field<Celsius> {
        self.memory_temperature.field(now)
    }

    /// Margin as the driver tells it.
    pub(super) fn margin(&self, now: Millis) -> Field<Kelvin> {
        self.margin.field(now)
    }

    /// Power now.
    pub(super) fn power(&self, now: Millis) -> Field<Watts> {
        self.power.field_or(&self.power_older, now)
    }

    /// Fills in what this batch knows, but for the margin.
    pub(super) fn show(&self, sample: &mut GpuSample, now: Millis) {
        sample.temperature = self.temperature(now);
        sample.memory_temperature = self.memory_temperature(now);
        sample.power = self.power(now);
        sample.power_average = self.power_average.field(now);
        sample.limit_enforced = self.enforced.field_or(&self.enforced_older, now);
        sample.limit_requested = self.requested.field_or(&self.requested_older, now);
        sample.sm_clock = self.sm_clock.field(now);
        sample.utilization = self.utilization.field(now);
        sample.throttle_reasons = self.reasons.field_or(&self.reasons_older, now);
        sample.energy_mj = self.energy_mj.field(now);
    }
}
