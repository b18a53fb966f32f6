//! The agent's configuration for this stage.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::wire_faults::Spoilers;
use crate::devices::{DeviceHub, DeviceKind};
use crate::plant::FullSpeed;

/// Sparkplug group of the demo.
pub(crate) const GROUP: &str = "demo";
/// Sparkplug node of the demo.
pub(crate) const NODE: &str = "node-1";
/// Sampling period of the GPUs, ms: the fastest that tells something, as drivers refresh each 100 ms.
const SAMPLE_MS: u64 = 100;

/// Where the agent keeps its things.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Configuration file.
    pub(crate) config: PathBuf,
    /// Status socket.
    pub(crate) status_socket: PathBuf,
    /// Socket between the two processes.
    gpu_socket: PathBuf,
    agent_state: PathBuf,
    gpu_state: PathBuf,
}

#[derive(Serialize)]
struct Config<'a> {
    node: Node,
    gpu: Gpu<'a>,
    control: Control,
    pump: Device,
    valve: Device,
    meter: Device,
    room: Device,
    leak: Device,
    facility: Facility<'a>,
    paths: Paths<'a>,
}

#[derive(Serialize)]
struct Node {
    name: &'static str,
    gpus: usize,
}

#[derive(Serialize)]
struct Gpu<'a> {
    socket: &'a Path,
    library: &'a Path,
    state: &'a Path,
    sample_ms: u64,
}

/// What was noted at commissioning.
#[derive(Serialize)]
struct Control {
    full_speed_flow: f64,
    full_speed_head: f64,
}

#[derive(Serialize)]
struct Device {
    address: SocketAddr,
    unit: u8,
}

#[derive(Serialize)]
struct Facility<'a> {
    brokers: [&'a str; 1],
    sparkplug: Sparkplug,
}

#[derive(Serialize)]
struct Sparkplug {
    group: &'static str,
}

#[derive(Serialize)]
struct Paths<'a> {
    state: &'a Path,
    status_socket: &'a Path,
}

impl Places {
    /// All inside `folder`; the folders are made.
    ///
    /// # Errors
    /// If they cannot be made.
    pub(crate) fn inside(folder: &Path) -> std::io::Result<Self> {
        let places = Self {
            config: folder.join("agent.toml"),
            status_socket: folder.join("status.sock"),
            gpu_socket: folder.join("gpu.sock"),
            agent_state: folder.join("agent"),
            gpu_state: folder.join("gpu"),
        };
        std::fs::create_dir(&places.agent_state)?;
        std::fs::create_dir(&places.gpu_state)?;
        Ok(places)
    }

    /// The configuration as TOML.
    ///
    /// # Errors
    /// If a path is not UTF-8.
    pub(crate) fn config(
        &self,
        (gpus, library, full_speed): (usize, &Path, FullSpeed),
        (devices, spoilers): (&DeviceHub, &Spoilers),
        broker: &str,
    ) -> Result<String, toml::ser::Error> {
        let device =
            |kind| Device { address: spoilers.address(kind, devices), unit: devices.endpoint(kind).unit };
        let FullSpeed { flow_lpm, head_kpa } = full_speed.noted();
        toml::to_string(&Config {
            node: Node { name: NODE, gpus },
            gpu: Gpu { socket: &self.gpu_socket, library, state: &self.gpu_state, sample_ms: SAMPLE_MS },
            control: Control { full_speed_flow: flow_lpm, full_speed_head: head_kpa },
            pump: device(DeviceKind::Pump),
            valve: device(DeviceKind::Valve),
            meter: device(DeviceKind::HeatMeter),
            room: device(DeviceKind::AirSensor),
            leak: device(DeviceKind::LeakRelay),
            facility: Facility { brokers: [broker], sparkplug: Sparkplug { group: GROUP } },
            paths: Paths { state: &self.agent_state, status_socket: &self.status_socket },
        })
    }
}
