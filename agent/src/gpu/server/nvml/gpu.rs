//! One GPU through NVML.

use std::sync::Arc;

use eisbach_protocol::gpu_link::{Field, GpuSample};
use eisbach_protocol::units::{Kelvin, Millis};
use nvml_wrapper::Device;
use nvml_wrapper::FieldIdScheme;
use nvml_wrapper::enums::device::GpuLockedClocksSetting;
use nvml_wrapper::sys_exports::field_id::{NVML_FI_DEV_POWER_REQUESTED_LIMIT, NVML_FI_PWR_SMOOTHING_ENABLED};

use super::answer::{call, limit, wanted};
use super::card::{Introduction, introduce};
use super::fast::Fast;
use super::owner::OwnedDevice;
use super::raw::{self, FieldOf};
use super::slow::Slow;
use crate::gpu::server::driver::{Card, ClockMhz, DriverError, Fault, Gpu, Milliwatts, Switch};
use crate::gpu::server::plausible::Plausible;
use crate::gpu::server::watch::CallWatch;

/// One device handle and what is known about it.
pub(super) struct NvmlGpu {
    device: OwnedDevice,
    watch: Arc<CallWatch>,
    known: Introduction,
    fast: Fast,
    slow: Slow,
    plausible: Plausible,
}

impl NvmlGpu {
    pub(super) fn new(device: OwnedDevice, watch: Arc<CallWatch>) -> Result<Self, DriverError> {
        let known = introduce(device.get(), &watch)?;
        let plausible = Plausible::new(known.heat.zero_margin_at);
        Ok(Self { device, watch, known, fast: Fast::default(), slow: Slow::default(), plausible })
    }

    /// The driver's margin, checked against the temperatures of core and memory; where the driver has none, what these
    /// leave.
    fn margin(&mut self, now: Millis) -> (Field<Kelvin>, bool) {
        let temperature = self.fast.temperature(now).value();
        let told = self.fast.margin(now);
        let heat = &self.known.heat;
        let memory = self.fast.memory_temperature(now).value();
        let derived = heat.leaves(temperature, memory);
        match (told, derived) {
            (Field::Read(read), _) => {
                let judged = self.plausible.judge(temperature, read.value, now);
                let margin =
                    heat.memory_leaves(memory).map_or(judged.margin, |left| judged.margin.smaller(left));
                (told.map(|_| margin), judged.doubtful)
            }
            (Field::NotSupported | Field::Failed { .. }, Some(derived)) => (Field::fresh(derived), false),
            (Field::Unread | Field::NotSupported | Field::Failed { .. }, _) => (told, false),
        }
    }
}

impl Gpu for NvmlGpu {
    fn card(&self) -> &Card {
        &self.known.card
    }

    fn read(&mut self, now: Millis) -> Result<GpuSample, DriverError> {
        self.fast.read(self.device.get(), &self.watch, now)?;
        self.slow.read(self.device.get(), &self.watch, now)?;
        if self.fast.temperature(now).value().is_none() && self.fast.power(now).value().is_none() {
            let fault = Fault::Other("neither temperature nor power can be read".to_owned());
            return Err(DriverError { call: "nvmlDeviceGetTemperature", fault });
        }
        let (margin, margin_doubtful) = self.margin(now);
        let mut sample = GpuSample { margin, margin_doubtful, ..self.known.fixed.clone() };
        self.fast.show(&mut sample, now);
        self.slow.show(&mut sample, now);
        Ok(sample)
    }

    fn requested_limit(&mut self) -> Result<Milliwatts, DriverError> {
        const CALL: &str = "nvmlDeviceGetPowerManagementLimit";
        let Self { device, watch, .. } = self;
        let asked = FieldOf { id: NVML_FI_DEV_POWER_REQUESTED_LIMIT, scope: 0 };
        let field = wanted(call(watch, "nvmlDeviceGetFieldValues (requested)", || {
            let [answer] = raw::fields(device.get(), [asked])?;
            answer
        }))?;
        if let Some(requested) = field.and_then(|raw| limit(u32::try_from(raw).ok()?)) {
            return Ok(requested);
        }
        let raw = call(watch, CALL, || device.get().power_management_limit())?;
        limit(raw).ok_or(DriverError { call: CALL, fault: Fault::NotSupported })
    }

    fn set_power_limit(&mut self, limit: Milliwatts) -> Result<(), DriverError> {
        let Self { device, watch, .. } = self;
        call(watch, "nvmlDeviceSetPowerManagementLimit", || {
            device.get_mut().set_power_management_limit(limit.0)
        })
    }

    fn lock_clock(&mut self, highest: ClockMhz) -> Result<(), DriverError> {
        let Self { device, watch, known, .. } = self;
        let setting = GpuLockedClocksSetting::Numeric {
            min_clock_mhz: known.card.lowest_clock.map_or(0, |lowest| lowest.0.into()),
            max_clock_mhz: highest.0.into(),
        };
        call(watch, "nvmlDeviceSetGpuLockedClocks", || device.get_mut().set_gpu_locked_clocks(setting))
    }

    fn unlock_clock(&mut self) -> Result<(), DriverError> {
        let Self { device, watch, .. } = self;
        call(watch, "nvmlDeviceResetGpuLockedClocks", || device.get_mut().reset_gpu_locked_clocks())
    }

    fn switch_is_on(&mut self, switch: Switch) -> Result<bool, DriverError> {
        switch_is_on(self.device.get(), &self.watch, switch)
    }

    fn set_switch(&mut self, switch: Switch, on: bool) -> Result<(), DriverError> {
        let device = self.device.get();
        match switch {
            Switch::LowPowerProfile => {
                call(&self.watch, "nvmlDeviceWorkloadPowerProfileSetRequestedProfiles", || {
                    raw::set_low_power_profile(device, on)
                })
            }
            Switch::Smoothing => {
                call(&self.watch, "nvmlDevicePowerSmoothingSetState", || raw::set_smoothing(device, on))
            }
        }
    }
}

/// Whether a switch is on, whoever turned it.
pub(super) fn switch_is_on(
    device: &Device<'_>,
    watch: &CallWatch,
    switch: Switch,
) -> Result<bool, DriverError> {
    match switch {
        Switch::LowPowerProfile => {
            call(watch, "nvmlDeviceWorkloadPowerProfileGetCurrentProfiles", || raw::low_power_profile(device))
        }
        Switch::Smoothing => call(watch, "nvmlDeviceGetFieldValues (smoothing)", || {
            let asked = FieldOf { id: smoothing_field(device.nvml().field_id_scheme()), scope: 0 };
            let [answer] = raw::fields(device, [asked])?;
            Ok(answer? != 0)
        }),
    }
}

/// Driver 580.82 gave this field another number.
const fn smoothing_field(scheme: FieldIdScheme) -> u32 {
    match scheme {
        FieldIdScheme::V12 => NVML_FI_PWR_SMOOTHING_ENABLED,
        FieldIdScheme::V13Update1 => NVML_FI_PWR_SMOOTHING_ENABLED - 5,
    }
}
