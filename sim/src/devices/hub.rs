//! All devices together: the one door for the world loop, scenarios and tests.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::abb::DriveSettings;
use super::fault::Fault;
use super::grundfos::PumpSettings;
use super::model::Models;
use super::readings::{Orders, Readings};
use super::server::{Door, serve};
use super::station::{Station, Traffic, WriteRecord};

/// The five places of the plant room that speak Modbus. What stands there is told by [`Models`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Circulation pump.
    Pump,
    /// Recovery valve.
    Valve,
    /// Heat meter of the main loop.
    HeatMeter,
    /// Humidity and temperature of the room.
    AirSensor,
    /// Leak detection.
    LeakRelay,
}

impl DeviceKind {
    /// All devices, in the order that arrays of this module use.
    pub const ALL: [Self; 5] = [Self::Pump, Self::Valve, Self::HeatMeter, Self::AirSensor, Self::LeakRelay];

    /// Its name on every face.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pump => "pump",
            Self::Valve => "valve",
            Self::HeatMeter => "meter",
            Self::AirSensor => "room",
            Self::LeakRelay => "leak",
        }
    }

    /// The Modbus unit, where the model has none of its own ([`Endpoint::unit`] tells). Each device has another, so
    /// that a mixed-up connection gets no answer instead of a wrong one.
    #[must_use]
    pub const fn unit(self) -> u8 {
        match self {
            Self::Pump => 1,
            Self::Valve => 2,
            Self::HeatMeter => 3,
            Self::AirSensor => 4,
            Self::LeakRelay => 5,
        }
    }
}

/// Where and how the devices run.
#[derive(Clone, Copy, Debug)]
pub struct DeviceOptions {
    /// Address to listen on.
    pub ip: IpAddr,
    /// Ports in the order of [`DeviceKind::ALL`]; 0 lets the system choose.
    pub ports: [u16; 5],
    /// Connections that one device holds at a time. No vendor here publishes its number (estimate).
    pub connection_limit: usize,
    /// What stands in each place.
    pub models: Models,
    /// How the pump was commissioned.
    pub pump: PumpSettings,
    /// How the bus supervision of a drive was commissioned.
    pub drive: DriveSettings,
    /// Set-point that the valve holds from before, 0 to 1.
    pub valve_setpoint: f64,
    /// Bus watchdog of an Energy Valve, s; it then closes. 0 switches it off, as it ships.
    pub valve_watchdog_s: u16,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: [0; 5],
            connection_limit: 4,
            models: Models::default(),
            pump: PumpSettings::default(),
            drive: DriveSettings::default(),
            valve_watchdog_s: 0,
            valve_setpoint: 0.0,
        }
    }
}

/// Where one device is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The device.
    pub kind: DeviceKind,
    /// Address and port that it listens on.
    pub address: SocketAddr,
    /// Its Modbus unit.
    pub unit: u8,
}

/// Why the devices could not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A port could not be opened.
    #[error("cannot listen on {address} for the device {kind:?}: choose a free port, or 0 for any")]
    Listen {
        /// The device that was to listen.
        kind: DeviceKind,
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// The devices, running. Clones are handles to the same devices.
#[derive(Clone)]
pub struct DeviceHub {
    places: Arc<[(Arc<Station>, Endpoint); 5]>,
    /// What the plant is told where no device says anything else: as it was commissioned.
    commissioned: Orders,
}

impl DeviceHub {
    /// Open all ports and serve them on `tasks` until `token` is cancelled. Has to be called within a tokio runtime
    /// that has I/O and time.
    ///
    /// # Errors
    /// [`StartError::Listen`] where a port is taken or not allowed; then nothing is left running.
    pub fn start(
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
        options: &DeviceOptions,
    ) -> Result<Self, StartError> {
        let [pump, valve, meter, air, leak] = options.ports;
        let mut opening = Opening { options, opened: Vec::new() };
        let places = [
            opening.place(DeviceKind::Pump, pump)?,
            opening.place(DeviceKind::Valve, valve)?,
            opening.place(DeviceKind::HeatMeter, meter)?,
            opening.place(DeviceKind::AirSensor, air)?,
            opening.place(DeviceKind::LeakRelay, leak)?,
        ];
        for (station, _, door) in opening.opened {
            tasks.spawn(serve(station, door, token.clone()));
        }
        let commissioned = Orders {
            pump_run: true,
            pump_speed: options.pump.local_speed,
            valve_position: options.valve_setpoint,
        };
        Ok(Self { places: Arc::new(places), commissioned })
    }

    /// Where the devices are reached, in the order of [`DeviceKind::ALL`].
    #[must_use]
    pub fn endpoints(&self) -> [Endpoint; 5] {
        self.places.each_ref().map(|(_, endpoint)| *endpoint)
    }

    /// Where one device is reached.
    #[must_use]
    pub fn endpoint(&self, kind: DeviceKind) -> Endpoint {
        self.of(kind).1
    }

    /// One plant step: the instruments see `readings` at `plant_ms`, and the actuators say what they want.
    ///
    /// Plant time must not run backwards. The locks are short, and no socket is waited for.
    #[must_use]
    pub fn update(&self, plant_ms: u64, readings: &Readings) -> Orders {
        let mut orders = self.commissioned;
        for (station, endpoint) in &*self.places {
            // A device in several places lives once.
            if station.kind == endpoint.kind {
                station.update(plant_ms, readings, &mut orders);
            }
        }
        orders
    }

    /// Set a fault; it takes the place of one that is set already. A device in several places has it in all of them.
    pub fn fault(&self, kind: DeviceKind, fault: Fault) {
        self.of(kind).0.set_fault(fault);
    }

    /// Clear the fault of one device.
    pub fn clear(&self, kind: DeviceKind) {
        self.of(kind).0.clear_fault();
    }

    /// The last writes to one device, oldest first.
    #[must_use]
    pub fn write_log(&self, kind: DeviceKind) -> Vec<WriteRecord> {
        self.of(kind).0.write_log()
    }

    /// What has passed over the wire of one device.
    #[must_use]
    pub fn traffic(&self, kind: DeviceKind) -> Traffic {
        self.of(kind).0.traffic()
    }

    fn of(&self, kind: DeviceKind) -> &(Arc<Station>, Endpoint) {
        let [pump, valve, meter, air, leak] = &*self.places;
        match kind {
            DeviceKind::Pump => pump,
            DeviceKind::Valve => valve,
            DeviceKind::HeatMeter => meter,
            DeviceKind::AirSensor => air,
            DeviceKind::LeakRelay => leak,
        }
    }
}

impl fmt::Debug for DeviceHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints()).finish()
    }
}

/// What has been opened so far, and is not served yet.
struct Opening<'a> {
    options: &'a DeviceOptions,
    opened: Vec<(Arc<Station>, Endpoint, Door)>,
}

impl Opening<'_> {
    /// A device of its own for `kind`, or the one that serves it too.
    fn place(&mut self, kind: DeviceKind, port: u16) -> Result<(Arc<Station>, Endpoint), StartError> {
        let options = self.options;
        if let Some(other) = options.models.served_by(kind)
            && let Some((station, endpoint, _)) = self.opened.iter().find(|(_, at, _)| at.kind == other)
        {
            return Ok((Arc::clone(station), Endpoint { kind, ..*endpoint }));
        }
        let (address, model) = (SocketAddr::new(options.ip, port), options.models.at(kind));
        let failed = |source| StartError::Listen { kind, address, source };
        let door = Door::open(address).map_err(failed)?;
        let endpoint = Endpoint { kind, address: door.address().map_err(failed)?, unit: model.unit(kind) };
        let station = Station::new(kind, endpoint.unit, model.device(options), options.connection_limit);
        let station = Arc::new(station);
        self.opened.push((Arc::clone(&station), endpoint, door));
        Ok((station, endpoint))
    }
}
