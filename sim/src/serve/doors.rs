//! What to connect to, for programs and for people.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;

use eisbach_nvml_sim::GpuModel;
use serde::Serialize;

use super::lines::{LineDoor, Lines};
use crate::devices::{DeviceHub, DeviceKind};
use crate::plant::FullSpeed;
use crate::world::device_name;

/// What to connect to.
#[derive(Clone, Debug, Serialize)]
pub struct Doors {
    pump: String,
    valve: String,
    meter: String,
    room: String,
    leak: String,
    /// Modbus units, in the order pump, valve, meter, room, leak.
    units: [u8; 5],
    /// The line of `--rtu`.
    serial: Option<LineDoor>,
    /// The line of `--rtu-tcp`.
    rtu_tcp: Option<LineDoor>,
    /// The ports of `--tls`.
    tls: BTreeMap<&'static str, SocketAddr>,
    /// The folder that has the certificates for them.
    certificates: Option<PathBuf>,
    /// What can be named after `fault` on the control socket.
    proxies: Vec<&'static str>,
    #[serde(flatten)]
    gpus: GpuDoors,
    broker: Option<String>,
    control: PathBuf,
}

/// The GPUs, and what an agent's configuration needs to know of their loop.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GpuDoors {
    gpu_model: String,
    gpus: usize,
    nvml_library: PathBuf,
    nvml_state: PathBuf,
    full_speed_flow_lpm: f64,
    full_speed_head_kpa: f64,
}

impl GpuDoors {
    pub(super) fn new(
        (model, gpus): (GpuModel, usize),
        (nvml_library, nvml_state): (PathBuf, PathBuf),
        full_speed: FullSpeed,
    ) -> Self {
        let FullSpeed { flow_lpm, head_kpa } = full_speed.noted();
        Self {
            gpu_model: model.to_string(),
            gpus,
            nvml_library,
            nvml_state,
            full_speed_flow_lpm: flow_lpm,
            full_speed_head_kpa: head_kpa,
        }
    }
}

impl Doors {
    pub(super) fn new(
        devices: &DeviceHub,
        lines: &Lines,
        gpus: GpuDoors,
        broker: Option<SocketAddr>,
        control: PathBuf,
    ) -> Self {
        let door = |kind| lines.door(devices.endpoint(kind));
        Self {
            pump: door(DeviceKind::Pump),
            valve: door(DeviceKind::Valve),
            meter: door(DeviceKind::HeatMeter),
            room: door(DeviceKind::AirSensor),
            leak: door(DeviceKind::LeakRelay),
            units: devices.endpoints().map(|endpoint| endpoint.unit),
            serial: lines.serial.clone(),
            rtu_tcp: lines.rtu_tcp.clone(),
            tls: lines.tls.clone(),
            certificates: lines.certificates.clone(),
            proxies: lines.proxies.keys().copied().collect(),
            gpus,
            broker: broker.map(|address| address.to_string()),
            control,
        }
    }

    pub(super) fn print(&self, json: bool) -> io::Result<()> {
        let mut out = io::stdout();
        if json {
            writeln!(out, "{}", serde_json::to_string(self)?)?;
        } else {
            write!(out, "{}", self.for_people())?;
        }
        out.flush()
    }

    fn for_people(&self) -> String {
        let mut lines: Vec<(&str, String)> = Vec::new();
        let devices = [&self.pump, &self.valve, &self.meter, &self.room, &self.leak];
        for ((kind, address), unit) in DeviceKind::ALL.into_iter().zip(devices).zip(self.units) {
            lines.push((device_name(kind), format!("Modbus TCP {address}, unit {unit}")));
        }
        if let Some(serial) = &self.serial {
            lines.push(("serial", format!("Modbus RTU {serial}")));
        }
        if let Some(rtu_tcp) = &self.rtu_tcp {
            lines.push(("rtu-tcp", format!("Modbus RTU over TCP {rtu_tcp}")));
        }
        for (name, address) in &self.tls {
            lines.push((name, format!("Modbus/TCP Security {address}")));
        }
        if let Some(folder) = &self.certificates {
            lines.push(("tls", format!("certificates in {}", folder.display())));
        }
        let state = eisbach_nvml_sim::STATE_ENV;
        let (library, file) = (self.gpus.nvml_library.display(), self.gpus.nvml_state.display());
        lines.push(("nvml", format!("{library} with {state}={file}")));
        let GpuDoors { gpu_model, gpus, full_speed_flow_lpm: flow, full_speed_head_kpa: head, .. } =
            &self.gpus;
        lines.push((
            "gpus",
            format!("{gpus} {gpu_model}; the pump at full speed gives {flow} L/min at {head} kPa"),
        ));
        let no_broker = || "none; start with --with-broker".to_owned();
        lines.push(("broker", self.broker.clone().unwrap_or_else(no_broker)));
        lines.push(("control", format!("{}, one event or \"truth\" a line", self.control.display())));
        if !self.proxies.is_empty() {
            lines.push(("proxies", format!("\"fault NAME …\" on control: {}", self.proxies.join(", "))));
        }
        lines.into_iter().map(|(name, what)| format!("{name:<8} {what}\n")).collect()
    }
}
