//! The agent's links to the world, started together and reached through latest-value cells.

use std::sync::Arc;

use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::{Control, Signal};
use eisbach_protocol::units::Millis;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::clock::Clock;
use crate::config::{Config, ConnectionConfig, DeviceConfig, DeviceRole};
use crate::desk::Desk;
use crate::facility::{FacilityLink, FacilitySettings, Standing};
use crate::gpu::client::{ClientSettings, GpuLink};
use crate::modbus::device::{self, DeviceLink, DeviceSettings};
use crate::report::Report;
use crate::report::events::Events;

/// Every link of the node.
#[derive(Debug)]
pub struct Links {
    /// To the GPU process.
    pub gpu: GpuLink,
    /// To the Modbus devices.
    pub devices: Vec<(DeviceRole, DeviceLink)>,
    /// To the facility's brokers, one a connection.
    pub facility: Vec<FacilityLink>,
}

impl Links {
    /// Starts all links on `tasks`; they end with `token`. A facility that cannot be spoken to costs only itself.
    #[must_use]
    pub fn start(
        config: &Config,
        desk: &Desk,
        tasks: &mut JoinSet<()>,
        clock: Clock,
        token: &CancellationToken,
    ) -> Self {
        let gpu = GpuLink::spawn(tasks, ClientSettings::new(config.gpu.socket.clone()), clock, token.clone());
        let settings = config.devices.iter().map(settings).collect();
        let links = device::spawn_all(tasks, settings, Some(config.state.clone()), clock, token);
        let devices = config.devices.iter().map(|device| device.role).zip(links).collect();
        let facility = config.facility.iter().filter_map(|connection| {
            FacilityLink::spawn(tasks, facility_settings(config, desk, connection), clock, token.clone())
                .inspect_err(|error| error!(%error, "the facility is not told anything; cooling goes on"))
                .ok()
        });
        let facility = facility.collect();
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

    /// What the facility asks of the controller all the time, besides commands.
    #[must_use]
    pub fn standing(&self, now: Millis) -> Standing {
        self.facility.iter().fold(Standing::default(), |all, link| all.and(link.standing(now)))
    }

    /// Adds to the events what became of the facility's words about power.
    pub fn tell(&self, events: &mut Arc<Events>) {
        for facility in &self.facility {
            facility.tell(events);
        }
    }

    /// Hands the cycle's report to the facility.
    pub fn publish(&self, report: &Arc<Report>) {
        for facility in &self.facility {
            facility.publish(Arc::clone(report));
        }
    }

    /// The link to the device that fills `role`, if the node has one.
    #[must_use]
    pub fn device(&self, role: DeviceRole) -> Option<&DeviceLink> {
        self.devices.iter().find(|(other, _)| *other == role).map(|(_, link)| link)
    }
}

fn facility_settings(config: &Config, desk: &Desk, connection: &ConnectionConfig) -> FacilitySettings {
    let ConnectionConfig { section, brokers, tls, client_id, keep_alive_s, sparkplug, json, dsx, flex } =
        connection.clone();
    FacilitySettings {
        section,
        brokers,
        tls,
        client_id,
        keep_alive_s,
        node: config.node.clone(),
        state_dir: config.state.clone(),
        desk: Some(desk.clone()),
        sparkplug,
        json,
        dsx,
        flex,
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
