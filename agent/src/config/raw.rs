//! The shape of the file, before anything is known about its meaning.

use std::path::{Path, PathBuf};

use eisbach_control::Tuning;
use serde::Deserialize;

use super::ConfigError;
use super::facility::Connection;

/// Where the agent answers `status` unless told otherwise.
pub const STATUS_SOCKET: &str = "/run/eisbach-agent/status.sock";

/// Longest configuration that is read: far above any real one, far below what hurts.
const LONGEST: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) node: Node,
    #[serde(default)]
    pub(super) gpu: Gpu,
    pub(super) pump: Device,
    pub(super) valve: Option<Device>,
    pub(super) meter: Device,
    pub(super) room: Option<Device>,
    pub(super) leak: Option<Device>,
    pub(super) tls: Option<Tls>,
    pub(super) facility: Option<Connection>,
    pub(super) exchange: Option<Connection>,
    #[serde(default)]
    pub(super) paths: Paths,
    #[serde(default)]
    pub(super) failsafe: Failsafe,
    #[serde(default)]
    pub(super) hooks: Hooks,
    #[serde(default)]
    pub(super) commands: Commands,
    #[serde(default)]
    pub(super) recorder: Recorder,
    #[serde(default)]
    pub(super) control: Tuning,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) name: String,
    #[serde(default = "eight")]
    pub(super) gpus: u8,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Gpu {
    pub(super) socket: PathBuf,
    pub(super) library: Option<PathBuf>,
    pub(super) sample_ms: u64,
    pub(super) call_deadline_ms: u64,
    pub(super) state: PathBuf,
    pub(super) client_uid: Option<u32>,
}

impl Default for Gpu {
    fn default() -> Self {
        Self {
            socket: "/run/eisbach-gpu/gpu.sock".into(),
            library: None,
            sample_ms: 200,
            call_deadline_ms: 1000,
            state: "/var/lib/eisbach-gpu".into(),
            client_uid: None,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) address: String,
    pub(super) serial: Option<String>,
    pub(super) unit: Option<u8>,
    pub(super) profile: Option<String>,
    pub(super) slot: Option<u16>,
    pub(super) poll_ms: Option<u64>,
    #[serde(default = "two_seconds")]
    pub(super) stale_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) ca: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Paths {
    pub(super) state: PathBuf,
    pub(super) status_socket: PathBuf,
    pub(super) control_socket: Option<PathBuf>,
    pub(super) profiles: Option<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            state: "/var/lib/eisbach-agent".into(),
            status_socket: STATUS_SOCKET.into(),
            control_socket: None,
            profiles: None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Failsafe {
    pub(super) pump_percent: Option<f32>,
    pub(super) valve_percent: Option<f32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Hooks {
    pub(super) drain: Option<Hook>,
    pub(super) undrain: Option<Hook>,
    pub(super) freeze: Option<Hook>,
    pub(super) thaw: Option<Hook>,
    pub(super) stop: Option<Hook>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hook {
    pub(super) command: Vec<String>,
    #[serde(default = "ten_seconds")]
    pub(super) timeout_ms: u64,
    #[serde(default = "one_minute")]
    pub(super) min_interval_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Commands {
    pub(super) plain: String,
    pub(super) plain_s: u64,
    pub(super) usual_s: u64,
    pub(super) longest_s: u64,
    pub(super) manual_longest_s: u64,
    pub(super) issuers: Vec<Issuer>,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            plain: "safe".into(),
            plain_s: 900,
            usual_s: 900,
            longest_s: 3600,
            manual_longest_s: 1800,
            issuers: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Recorder {
    pub(super) enabled: bool,
    pub(super) directory: Option<PathBuf>,
    pub(super) megabytes: u16,
    pub(super) hours: u8,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { enabled: true, directory: None, megabytes: 64, hours: 1 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issuer {
    pub(super) name: String,
    #[serde(default)]
    pub(super) may: Vec<String>,
    pub(super) key: Option<PathBuf>,
}

const fn eight() -> u8 {
    8
}
const fn two_seconds() -> u64 {
    2000
}
const fn ten_seconds() -> u64 {
    10_000
}
const fn one_minute() -> u64 {
    60_000
}

pub(super) fn read(path: &Path, text: &str) -> Result<Raw, ConfigError> {
    if text.len() > LONGEST {
        return Err(ConfigError::Value {
            path: path.to_owned(),
            key: "file size".into(),
            value: format!("{} bytes", text.len()),
            must: format!("at most {LONGEST} bytes; is this the agent's configuration?"),
        });
    }
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        ConfigError::Shape {
            path: path.to_owned(),
            line,
            message: error.message().replace('\n', ", "),
            content: text.lines().nth(line - 1).unwrap_or_default().trim().chars().take(80).collect(),
        }
    })
}
