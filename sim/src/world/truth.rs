//! What is really so in the world, for whoever shows, tests or sums up.

use std::collections::BTreeMap;

use eisbach_nvml_sim::GpuCell;
use serde::Serialize;

use super::faults::FaultRecord;
use crate::devices::{DeviceHub, DeviceKind, Orders};
use crate::plant;

/// The world after one step.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Truth {
    /// Plant time, ms.
    pub time_ms: u64,
    /// What the GPUs are asked to do.
    pub workload: String,
    /// Temperatures, flows, powers and energies.
    #[serde(flatten)]
    pub plant: plant::Truth,
    /// What NVML callers have asked of each GPU.
    pub requests: Vec<RequestTruth>,
    /// What Modbus masters have asked of the actuators.
    pub orders: OrdersTruth,
    /// What passed over the wire of each device.
    pub devices: BTreeMap<&'static str, WireTruth>,
    /// Highest core temperature so far, °C.
    pub peak_gpu_celsius: f64,
    /// Energy that the pump would have used at fixed design flow, kWh.
    pub fixed_flow_pump_kwh: f64,
    /// Faults so far, and when every GPU had a lower limit.
    pub faults: Vec<FaultRecord>,
}

/// What NVML callers have asked of one GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct RequestTruth {
    /// Power limit, W.
    pub limit_watts: f64,
    /// Plant time of its last write, ms.
    pub limit_written_ms: Option<u64>,
    /// Highest SM clock allowed, MHz.
    pub clock_max_mhz: Option<u32>,
    /// Plant time of the last clock lock or reset, ms.
    pub clock_written_ms: Option<u64>,
    /// Workload power profiles asked for: bit N is profile N.
    pub power_profiles: u32,
    /// Power smoothing is on.
    pub smoothing: bool,
    /// Persistence mode is on.
    pub persistence: bool,
    /// Setters called so far, refused ones too.
    pub setter_calls: u64,
}

impl RequestTruth {
    pub(super) fn of(gpu: &GpuCell) -> Self {
        let request = gpu.request();
        Self {
            limit_watts: f64::from(request.power_limit_milliwatts) / 1000.0,
            limit_written_ms: request.power_limit_written_ms,
            clock_max_mhz: request.sm_clock_lock.map(|lock| lock.max_mhz),
            clock_written_ms: request.clock_written_ms,
            power_profiles: request.power_profiles,
            smoothing: request.smoothing,
            persistence: request.persistence,
            setter_calls: request.setter_calls,
        }
    }
}

/// What Modbus masters have asked of the actuators, or what these do on their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct OrdersTruth {
    /// The pump's drive is on.
    pub pump_run: bool,
    /// Speed that it is to reach, 0 to 1.
    pub pump_speed: f64,
    /// Stroke that the valve is to reach, 0 to 1.
    pub valve_position: f64,
}

impl From<Orders> for OrdersTruth {
    fn from(orders: Orders) -> Self {
        let Orders { pump_run, pump_speed, valve_position } = orders;
        Self { pump_run, pump_speed, valve_position }
    }
}

/// What passed over the wire of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WireTruth {
    /// Connections open now.
    pub open_connections: usize,
    /// Connections accepted so far.
    pub connections: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests answered with an exception.
    pub exceptions: u64,
    /// Registers written.
    pub writes: u64,
    /// Writes of the device to its own EEPROM.
    pub eeprom_writes: u64,
}

/// A device's name on every face.
#[must_use]
pub const fn device_name(kind: DeviceKind) -> &'static str {
    kind.name()
}

pub(super) fn wires(hub: &DeviceHub) -> BTreeMap<&'static str, WireTruth> {
    let wire = |kind| {
        let traffic = hub.traffic(kind);
        let truth = WireTruth {
            open_connections: traffic.open_connections,
            connections: traffic.connections,
            requests: traffic.requests,
            exceptions: traffic.exceptions,
            writes: traffic.writes,
            eeprom_writes: traffic.eeprom_writes,
        };
        (device_name(kind), truth)
    };
    DeviceKind::ALL.map(wire).into()
}
