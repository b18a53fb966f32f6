//! The configuration with its meaning: whoever holds a [`Config`] need not ask again.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use eisbach_control::Tuning;
use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::registers::{Control, Profile, Signal};

use super::ConfigError;
use super::raw::{self, Raw};
use crate::modbus::profile;

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the node on every face.
    pub node: String,
    /// GPUs that the node should have.
    pub gpus: usize,
    /// The GPU process and the way to it.
    pub gpu: GpuConfig,
    /// The Modbus devices, pump and meter at least.
    pub devices: Vec<DeviceConfig>,
    /// The facility's broker, if there is one.
    pub facility: Option<FacilityConfig>,
    /// Where the agent keeps what must survive a restart.
    pub state: PathBuf,
    /// Where it answers `eisbach-agent status`.
    pub status_socket: PathBuf,
    /// What `eisbach-agent failsafe` drives.
    pub failsafe: FailsafeConfig,
    /// The controller's numbers.
    pub tuning: Tuning,
}

/// The GPU process and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuConfig {
    /// Unix socket between the processes.
    pub socket: PathBuf,
    /// NVML library; the driver's own by default.
    pub library: Option<PathBuf>,
    /// Sampling period.
    pub sample_ms: u64,
    /// A driver call that takes longer counts as hung.
    pub call_deadline_ms: u64,
    /// Where the GPU process keeps its journal.
    pub state: PathBuf,
    /// Only this user may connect; anyone whom the socket's mode admits by default.
    pub client_uid: Option<u32>,
}

/// What a Modbus device is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRole {
    /// Moves the coolant.
    Pump,
    /// Decides between river and recovery.
    Valve,
    /// Measures flow and loop temperatures.
    Meter,
    /// Measures the room air.
    Room,
    /// Finds water.
    Leak,
}

impl DeviceRole {
    /// Section of the configuration and name on every face.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pump => "pump",
            Self::Valve => "valve",
            Self::Meter => "meter",
            Self::Room => "room",
            Self::Leak => "leak",
        }
    }

    pub(super) const fn default_profile(self) -> &'static str {
        match self {
            Self::Pump => "grundfos-cim",
            Self::Valve => "belimo-energy-valve",
            Self::Meter => "calec-st",
            Self::Room => "vaisala-hmd110",
            Self::Leak => "leak-relay",
        }
    }

    /// The pump's head is what a loss of flow shows in first.
    const fn default_poll_ms(self) -> u64 {
        match self {
            Self::Pump => 50,
            Self::Valve | Self::Meter | Self::Room | Self::Leak => 100,
        }
    }

    /// What a profile must offer to fill this role.
    const fn needs(self) -> (&'static [Signal], &'static [Control]) {
        match self {
            Self::Pump => (
                &[Signal::PumpSpeed, Signal::PumpRunning, Signal::PumpHead],
                &[Control::PumpRun, Control::PumpSpeed],
            ),
            Self::Valve => (&[Signal::ValvePosition], &[Control::ValvePosition]),
            Self::Meter => (&[Signal::Flow, Signal::SupplyTemperature], &[]),
            Self::Room => (&[Signal::DewPoint], &[]),
            Self::Leak => (&[Signal::Leak], &[]),
        }
    }
}

/// One Modbus device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceConfig {
    /// What it is for.
    pub role: DeviceRole,
    /// `host:port`.
    pub address: String,
    /// Unit id.
    pub unit: u8,
    /// Its registers.
    pub profile: Profile,
    /// Polling period.
    pub poll_ms: u64,
    /// Age at which its values are stale.
    pub stale_ms: u64,
}

/// The facility's broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacilityConfig {
    /// Host of the broker.
    pub host: String,
    /// Port of the broker.
    pub port: u16,
    /// Sparkplug group.
    pub group: String,
    /// MQTT keep-alive.
    pub keep_alive_s: u16,
}

impl Default for GpuConfig {
    fn default() -> Self {
        let raw::Gpu { socket, library, sample_ms, call_deadline_ms, state, client_uid } =
            raw::Gpu::default();
        Self { socket, library, sample_ms, call_deadline_ms, state, client_uid }
    }
}

impl Default for FailsafeConfig {
    fn default() -> Self {
        let raw::Failsafe { pump_percent, valve_percent } = raw::Failsafe::default();
        Self { pump_percent, valve_percent }
    }
}

/// What the devices are driven to when nobody controls them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FailsafeConfig {
    /// Pump speed, %.
    pub pump_percent: f32,
    /// Recovery valve position, %.
    pub valve_percent: f32,
}

/// Longest name on a bus; MQTT topics and alarm lists stay readable.
const LONGEST_NAME: usize = 64;

struct Checker<'a> {
    path: &'a Path,
}

pub(super) fn check(path: &Path, raw: Raw) -> Result<Config, ConfigError> {
    let checker = Checker { path };
    checker.name("node.name", &raw.node.name)?;
    checker.within("node.gpus", usize::from(raw.node.gpus), &(0..=MAX_GPUS))?;
    raw.control
        .check()
        .map_err(|wrong| checker.value(&format!("control.{}", wrong.key), "the given value", wrong.must))?;
    checker.within("failsafe.pump_percent", raw.failsafe.pump_percent, &(30.0..=100.0))?;
    checker.within("failsafe.valve_percent", raw.failsafe.valve_percent, &(0.0..=100.0))?;
    let directory = raw.paths.profiles.as_deref();
    let devices = [
        (DeviceRole::Pump, Some(raw.pump)),
        (DeviceRole::Valve, raw.valve),
        (DeviceRole::Meter, Some(raw.meter)),
        (DeviceRole::Room, raw.room),
        (DeviceRole::Leak, raw.leak),
    ];
    let devices = devices
        .into_iter()
        .filter_map(|(role, device)| device.map(|device| checker.device(role, device, directory)))
        .collect::<Result<Vec<_>, _>>()?;
    checker.absolute("paths.state", &raw.paths.state)?;
    checker.absolute("paths.status_socket", &raw.paths.status_socket)?;
    Ok(Config {
        node: raw.node.name,
        gpus: usize::from(raw.node.gpus),
        gpu: checker.gpu(raw.gpu)?,
        devices,
        facility: raw.facility.map(|facility| checker.facility(facility)).transpose()?,
        state: raw.paths.state,
        status_socket: raw.paths.status_socket,
        failsafe: FailsafeConfig {
            pump_percent: raw.failsafe.pump_percent,
            valve_percent: raw.failsafe.valve_percent,
        },
        tuning: raw.control,
    })
}

impl Checker<'_> {
    fn value(&self, key: &str, value: impl Display, must: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            key: key.into(),
            value: value.to_string(),
            must: must.into(),
        }
    }

    fn within<T: PartialOrd + Display>(
        &self,
        key: &str,
        value: T,
        range: &RangeInclusive<T>,
    ) -> Result<(), ConfigError> {
        if range.contains(&value) {
            Ok(())
        } else {
            Err(self.value(key, value, format!("between {} and {}", range.start(), range.end())))
        }
    }

    /// Names go into MQTT topics and file names: plain letters only.
    fn name(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) {
            Ok(())
        } else {
            let must = format!("1 to {LONGEST_NAME} letters, digits, '-' or '_'");
            Err(self.value(key, format!("\"{name}\""), must))
        }
    }

    fn absolute(&self, key: &str, path: &Path) -> Result<(), ConfigError> {
        if path.is_absolute() {
            Ok(())
        } else {
            Err(self.value(key, format!("\"{}\"", path.display()), "an absolute path"))
        }
    }

    fn host_port(&self, key: &str, address: &str) -> Result<(String, u16), ConfigError> {
        address
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty() && !host.contains(char::is_whitespace))
            .and_then(|(host, port)| {
                port.parse().ok().filter(|port| *port > 0).map(|port| (host.to_owned(), port))
            })
            .ok_or_else(|| {
                self.value(key, format!("\"{address}\""), "\"host:port\", for example \"10.0.0.11:502\"")
            })
    }

    fn device(
        &self,
        role: DeviceRole,
        raw: raw::Device,
        directory: Option<&Path>,
    ) -> Result<DeviceConfig, ConfigError> {
        let section = role.as_str();
        self.host_port(&format!("{section}.address"), &raw.address)?;
        self.within(&format!("{section}.unit"), raw.unit, &(1..=255))?;
        let poll_ms = raw.poll_ms.unwrap_or_else(|| role.default_poll_ms());
        self.within(&format!("{section}.poll_ms"), poll_ms, &(20..=500))?;
        self.within(&format!("{section}.stale_ms"), raw.stale_ms, &(poll_ms * 2..=5000))?;
        let name = raw.profile.unwrap_or_else(|| role.default_profile().into());
        let key = format!("{section}.profile");
        let refuse = |message| ConfigError::Profile {
            path: self.path.to_owned(),
            key: key.clone(),
            name: name.clone(),
            message,
        };
        let profile = profile::load(&name, directory).map_err(|error| refuse(error.to_string()))?;
        let (signals, controls) = role.needs();
        for signal in signals {
            if !profile.points.iter().any(|point| point.signal == *signal) {
                return Err(refuse(format!(
                    "it has no {signal:?}, which a {section} needs; choose a profile for a {section}"
                )));
            }
        }
        for control in controls {
            if !profile.commands.iter().any(|command| command.control == *control) {
                return Err(refuse(format!(
                    "it has no command {control:?}, which a {section} needs; choose a profile for a {section}"
                )));
            }
        }
        Ok(DeviceConfig {
            role,
            address: raw.address,
            unit: raw.unit,
            profile,
            poll_ms,
            stale_ms: raw.stale_ms,
        })
    }

    fn gpu(&self, raw: raw::Gpu) -> Result<GpuConfig, ConfigError> {
        self.absolute("gpu.socket", &raw.socket)?;
        self.absolute("gpu.state", &raw.state)?;
        self.within("gpu.sample_ms", raw.sample_ms, &(100..=500))?;
        self.within("gpu.call_deadline_ms", raw.call_deadline_ms, &(200..=30_000))?;
        Ok(GpuConfig {
            socket: raw.socket,
            library: raw.library,
            sample_ms: raw.sample_ms,
            call_deadline_ms: raw.call_deadline_ms,
            state: raw.state,
            client_uid: raw.client_uid,
        })
    }

    fn facility(&self, raw: raw::Facility) -> Result<FacilityConfig, ConfigError> {
        let (host, port) = self.host_port("facility.broker", &raw.broker)?;
        self.name("facility.group", &raw.group)?;
        self.within("facility.keep_alive_s", raw.keep_alive_s, &(5..=300))?;
        Ok(FacilityConfig { host, port, group: raw.group, keep_alive_s: raw.keep_alive_s })
    }
}
