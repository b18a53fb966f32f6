//! The configuration with its meaning: whoever holds a [`Config`] need not ask again.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use eisbach_control::Tuning;
use eisbach_protocol::gpu_link::MAX_GPUS;

use super::ConfigError;
use super::commands::CommandsConfig;
use super::devices::{self, DeviceConfig};
use super::facility::{self, ConnectionConfig};
use super::hooks::HooksConfig;
use super::raw::{self, Raw};
use super::recorder::RecorderConfig;
use crate::tls::TlsFiles;

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
    /// The connections to the facility's brokers, none or at most two.
    pub facility: Vec<ConnectionConfig>,
    /// Where the agent keeps what must survive a restart.
    pub state: PathBuf,
    /// Where it answers `eisbach-agent status`.
    pub status_socket: PathBuf,
    /// Where it takes `eisbach-agent detach` and `attach`.
    pub control_socket: PathBuf,
    /// What `eisbach-agent failsafe` drives.
    pub failsafe: FailsafeConfig,
    /// Whom the agent asks for help outside the node.
    pub hooks: HooksConfig,
    /// Who may do what from afar.
    pub commands: CommandsConfig,
    /// What the flight recorder keeps.
    pub recorder: RecorderConfig,
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

impl Default for GpuConfig {
    fn default() -> Self {
        let raw::Gpu { socket, library, sample_ms, call_deadline_ms, state, client_uid } =
            raw::Gpu::default();
        Self { socket, library, sample_ms, call_deadline_ms, state, client_uid }
    }
}

/// What the devices are driven to when nobody controls them, where it is not what their profiles say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FailsafeConfig {
    /// Pump speed, %.
    pub pump_percent: Option<f32>,
    /// Recovery valve position, %.
    pub valve_percent: Option<f32>,
}

/// Longest name on a bus; MQTT topics and alarm lists stay readable.
const LONGEST_NAME: usize = 64;

/// Makes errors that name the file.
pub(super) struct Checker<'a> {
    path: &'a Path,
}

pub(super) fn check(path: &Path, mut raw: Raw) -> Result<Config, ConfigError> {
    let checker = Checker { path };
    checker.name("node.name", &raw.node.name)?;
    checker.within("node.gpus", usize::from(raw.node.gpus), &(0..=MAX_GPUS))?;
    raw.control
        .check()
        .map_err(|wrong| checker.value(&format!("control.{}", wrong.key), "the given value", wrong.must))?;
    if let Some(percent) = raw.failsafe.pump_percent {
        checker.within("failsafe.pump_percent", percent, &(30.0..=100.0))?;
    }
    if let Some(percent) = raw.failsafe.valve_percent {
        checker.within("failsafe.valve_percent", percent, &(0.0..=100.0))?;
    }
    let tls = raw.tls.take().map(|tls| checker.tls("tls", tls)).transpose()?;
    let devices = devices::devices(&checker, &raw, tls.as_ref())?;
    let both = (raw.facility.take(), raw.exchange.take());
    let facility = facility::connections(&checker, (&raw.node.name, &raw.control), tls.as_ref(), both)?;
    checker.absolute("paths.state", &raw.paths.state)?;
    checker.absolute("paths.status_socket", &raw.paths.status_socket)?;
    let beside_status = || raw.paths.status_socket.with_file_name("control.sock");
    let control_socket = raw.paths.control_socket.take().unwrap_or_else(beside_status);
    checker.absolute("paths.control_socket", &control_socket)?;
    Ok(Config {
        node: raw.node.name,
        gpus: usize::from(raw.node.gpus),
        gpu: checker.gpu(raw.gpu)?,
        devices,
        facility,
        recorder: checker.recorder(raw.recorder, &raw.paths.state)?,
        state: raw.paths.state,
        status_socket: raw.paths.status_socket,
        control_socket,
        failsafe: FailsafeConfig {
            pump_percent: raw.failsafe.pump_percent,
            valve_percent: raw.failsafe.valve_percent,
        },
        hooks: checker.hooks(raw.hooks)?,
        commands: checker.commands(raw.commands)?,
        tuning: raw.control,
    })
}

impl Checker<'_> {
    pub(super) const fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn value(&self, key: &str, value: impl Display, must: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            path: self.path.to_owned(),
            key: key.into(),
            value: value.to_string(),
            must: must.into(),
        }
    }

    pub(super) fn within<T: PartialOrd + Display>(
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
    pub(super) fn name(&self, key: &str, name: &str) -> Result<(), ConfigError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(plain) {
            Ok(())
        } else {
            let must = format!("1 to {LONGEST_NAME} letters, digits, '-' or '_'");
            Err(self.value(key, format!("\"{name}\""), must))
        }
    }

    pub(super) fn tls(&self, key: &str, tls: raw::Tls) -> Result<TlsFiles, ConfigError> {
        self.absolute(&format!("{key}.ca"), &tls.ca)?;
        self.absolute(&format!("{key}.certificate"), &tls.certificate)?;
        self.absolute(&format!("{key}.key"), &tls.key)?;
        Ok(TlsFiles { ca: tls.ca, certificate: tls.certificate, key: tls.key })
    }

    pub(super) fn absolute(&self, key: &str, path: &Path) -> Result<(), ConfigError> {
        if path.is_absolute() {
            Ok(())
        } else {
            Err(self.value(key, format!("\"{}\"", path.display()), "an absolute path"))
        }
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
}
