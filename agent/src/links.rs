//! The agent's links to the world, started together and reached through latest-value cells.

use std::sync::Arc;

use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::{Control, Signal};
use eisbach_protocol::units::Millis;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::clock::Clock;
use crate::config::{Config, DeviceConfig, DeviceRole};
use crate::facility::{FacilityLink, FacilitySettings};
use crate::gpu::client::{ClientSettings, GpuLink};
use crate::modbus::device::{self, DeviceLink, DeviceSettings};
use crate::report::Report;

/// Every link of the node.
#[derive(Debug)]
pub struct Links {
    /// To the GPU process.
    pub gpu: GpuLink,
    /// To the Modbus devices.
    pub devices: Vec<(DeviceRole, DeviceLink)>,
    /// To the facility's broker.
    pub facility: Option<FacilityLink>,
}

impl Links {
    /// Starts all links on `tasks`; they end with `token`. A facility that cannot be spoken to costs only itself.
    #[must_use]
    pub fn start(config: &Config, tasks: &mut JoinSet<()>, clock: Clock, token: &CancellationToken) -> Self {
        let gpu = GpuLink::spawn(tasks, ClientSettings::new(config.gpu.socket.clone()), clock, token.clone());
        let settings = config.devices.iter().map(settings).collect();
        let links = device::spawn_all(tasks, settings, Some(config.state.clone()), clock, token);
        let devices = config.devices.iter().map(|device| device.role).zip(links).collect();
        let facility = config.facility.as_ref().and_then(|facility| {
            let settings = FacilitySettings {
                host: facility.host.clone(),
                port: facility.port,
                group: facility.group.clone(),
                node: config.node.clone(),
                client_id: config.node.clone(),
                keep_alive_s: facility.keep_alive_s,
                state_dir: config.state.clone(),
            };
            FacilityLink::spawn(tasks, settings, clock, token.clone())
                .inspect_err(|error| error!(%error, "the facility is not told anything; cooling goes on"))
                .ok()
        });
        Self { gpu, devices, facility }
    }

    /// The newest value of a device, or why there is none.
    #[must_use]
    pub fn reading(&self, role: DeviceRole, signal: Signal, now: Millis) -> Reading<f32> {
        self.device(role).map_or(Reading::bad(BadReason::NotSupported), |link| link.reading(signal, now))
    }

    /// Asks a device for something; the newest request wins.
    pub fn request(&self, role: DeviceRole, control: Control, value: f32) {
        if let Some(link) = self.device(role) {
            link.request(control, value);
        }
    }

    /// Tells every device's link that control cycle number `cycle` is complete: heartbeats come from nothing else.
    pub fn beat(&self, cycle: u64) {
        for (_, link) in &self.devices {
            link.beat(cycle);
        }
    }

    /// Hands the cycle's report to the facility.
    pub fn publish(&self, report: Arc<Report>) {
        if let Some(facility) = &self.facility {
            facility.publish(report);
        }
    }

    /// The link to the device that fills `role`, if the node has one.
    #[must_use]
    pub fn device(&self, role: DeviceRole) -> Option<&DeviceLink> {
        self.devices.iter().find(|(other, _)| *other == role).map(|(_, link)| link)
    }
}

/// The Modbus link's settings for a configured device.
#[must_use]
pub fn settings(device: &DeviceConfig) -> DeviceSettings {
    DeviceSettings {
        name: device.role.as_str().to_owned(),
        wire: device.wire.clone(),
        unit: device.unit,
        profile: device.profile.clone(),
        poll_ms: device.poll_ms,
        stale_ms: device.stale_ms,
    }
}
