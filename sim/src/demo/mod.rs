//! `eisbach-sim demo`: the whole product on one machine, with the plant for a datacentre.
//!
//! ```text
//!   eisbach-sim demo ──┬─ stage: plant, Modbus devices, NVML state, broker
//!                      ├─ eisbach-agent gpu ┐ the real binary, on a leash,
//!                      ├─ eisbach-agent run ┘ started again when it dies
//!                      ├─ facility: a SCADA host that listens on the broker
//!                      └─ face: dashboard, or plain lines
//! ```
//!
//! Times in scripts, durations and measurements are the plant's. Everything temporary is in one folder, every
//! process ends with this one.

mod agent;
mod config;
mod face;
mod facility;
mod keys;
mod leash;
mod plain;
mod screen;
mod service;
mod show;
mod signals;
mod status;
mod summary;
mod view;
mod wire_faults;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use eisbach_nvml_sim::GpuModel;

use crate::stage::StageError;
use crate::workload::Workload;
use crate::world::{Script, plant_time};

pub use agent::AgentError;
pub use leash::{LeashArguments, LeashError, become_command};
pub use service::ServiceError;
pub use show::run;
pub use signals::EndSignals;
pub use summary::{AlarmSummary, FaultSummary, Summary};
pub use wire_faults::{WireFaults, WireFaultsError};

/// `eisbach-sim demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArguments {
    /// What happens when, on the plant's clock: "20s pump-trip, 50s pump-ok".
    #[arg(long, default_value = "", hide_default_value = true)]
    script: Script,
    /// What single wires do when: "20s pump late-reply 700, 50s pump clear". Each device then has a proxy before it;
    /// `eisbach-sim proxy --help` names the faults.
    #[arg(long, default_value = "", hide_default_value = true)]
    wire_faults: WireFaults,
    /// Ends after this plant time: 60s, 5m. Without it, when you quit.
    #[arg(long, value_parser = plant_time)]
    duration: Option<u64>,
    /// Lines instead of the dashboard. Without a terminal it is always lines.
    #[arg(long)]
    plain: bool,
    /// Decides everything random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Uses this MQTT broker (host:port) instead of one of its own.
    #[arg(long, value_parser = broker_address)]
    broker: Option<(String, u16)>,
    /// Writes the summary as JSON to this file.
    #[arg(long)]
    summary: Option<PathBuf>,
    /// The agent's binary, instead of the one beside this program.
    #[arg(long)]
    agent: Option<PathBuf>,
    /// What the GPUs are asked to do: training, inference, idle, full, step, constant:LEVEL.
    #[arg(long, default_value = "training")]
    workload: Workload,
    /// What the GPUs are: a100, h100, h200, b200, gb200, b300.
    #[arg(long, value_name = "MODEL", default_value_t = GpuModel::H200)]
    gpu_model: GpuModel,
    /// GPUs of the node, 8 at most [default: 8, gb200: 4].
    #[arg(long)]
    gpus: Option<usize>,
}

impl DemoArguments {
    /// Whether this will be the dashboard: there is a terminal, and nobody wants lines.
    #[must_use]
    pub fn wants_dashboard(&self) -> bool {
        !self.plain && std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
    }
}

/// Why the demo failed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No agent.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// No stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A process of the agent.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A proxy before a device.
    #[error(transparent)]
    Proxy(#[from] crate::proxy::ProxyError),
    /// Files of the demo.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The agent's configuration.
    #[error("the agent's configuration cannot be written: {0}; is the temporary folder's name UTF-8?")]
    Config(#[from] toml::ser::Error),
    /// The facility's topics.
    #[error("the facility cannot listen: {0}")]
    Topic(eisbach_protocol::sparkplug::TopicError),
    /// Terminal or output.
    #[error("cannot show the demo: {0}")]
    Face(std::io::Error),
    /// Signals.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// The plant's thread ended.
    #[error("the simulated world stopped by itself; this is a bug of eisbach-sim")]
    WorldStopped,
}

fn broker_address(text: &str) -> Result<(String, u16), String> {
    text.rsplit_once(':')
        .filter(|(host, _)| !host.is_empty())
        .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok().filter(|port| *port > 0)?)))
        .ok_or_else(|| format!("\"{text}\" is not host:port, for example 127.0.0.1:1883"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_host_and_port() {
        assert_eq!(broker_address("mqtt.example:1883"), Ok(("mqtt.example".to_owned(), 1883)));
        for wrong in ["", "mqtt", ":1883", "mqtt:0", "mqtt:many"] {
            assert!(broker_address(wrong).unwrap_err().contains("host:port"), "{wrong}");
        }
    }
}
