//! All devices together: the one door for the world loop, scenarios and tests.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use thiserror::Error;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::belimo::Valve;
use super::calec::HeatMeter;
use super::device::Device;
use super::fault::Fault;
use super::grundfos::{Pump, PumpSettings};
use super::leak::LeakRelay;
use super::readings::{Orders, Readings};
use super::server::{Door, serve};
use super::station::{Station, Traffic, WriteRecord};
use super::vaisala::AirSensor;

/// The five devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// Circulation pump: Grundfos E-pump with CIM 500.
    Pump,
    /// Recovery valve: Belimo Energy Valve 4.
    Valve,
    /// Heat meter of the main loop: Aqua Metro CALEC ST.
    HeatMeter,
    /// Humidity and temperature: Vaisala HMD110.
    AirSensor,
    /// Leak relay on generic remote I/O.
    LeakRelay,
}

impl DeviceKind {
    /// All devices, in the order that arrays of this module use.
    pub const ALL: [Self; 5] = [Self::Pump, Self::Valve, Self::HeatMeter, Self::AirSensor, Self::LeakRelay];

    /// The Modbus unit. Each device has its own, so that a mixed-up connection gets no answer instead of a wrong one.
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
    /// How the pump was commissioned.
    pub pump: PumpSettings,
    /// Set-point that the valve holds from before, 0 to 1.
    pub valve_setpoint: f64,
}

impl Default for DeviceOptions {
    fn default() -> Self {
        Self {
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ports: [0; 5],
            connection_limit: 4,
            pump: PumpSettings::default(),
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

/// The five devices, running. Clones are handles to the same devices.
#[derive(Clone)]
pub struct DeviceHub {
    stations: Arc<[(Arc<Station>, Endpoint); 5]>,
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
        let opened = [
            open(DeviceKind::Pump, pump, options)?,
            open(DeviceKind::Valve, valve, options)?,
            open(DeviceKind::HeatMeter, meter, options)?,
            open(DeviceKind::AirSensor, air, options)?,
            open(DeviceKind::LeakRelay, leak, options)?,
        ];
        let stations = opened.map(|(station, door, endpoint)| {
            tasks.spawn(serve(Arc::clone(&station), door, token.clone()));
            (station, endpoint)
        });
        Ok(Self { stations: Arc::new(stations) })
    }

    /// Where the devices are reached, in the order of [`DeviceKind::ALL`].
    #[must_use]
    pub fn endpoints(&self) -> [Endpoint; 5] {
        self.stations.each_ref().map(|(_, endpoint)| *endpoint)
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
        let mut orders = Orders { pump_run: false, pump_speed: 0.0, valve_position: 0.0 };
        for (station, _) in &*self.stations {
            station.update(plant_ms, readings, &mut orders);
        }
        orders
    }

    /// Set a fault; it takes the place of one that is set already.
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
        let [pump, valve, meter, air, leak] = &*self.stations;
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

fn open(
    kind: DeviceKind,
    port: u16,
    options: &DeviceOptions,
) -> Result<(Arc<Station>, Door, Endpoint), StartError> {
    let address = SocketAddr::new(options.ip, port);
    let failed = |source| StartError::Listen { kind, address, source };
    let door = Door::open(address).map_err(failed)?;
    let endpoint = Endpoint { kind, address: door.address().map_err(failed)?, unit: kind.unit() };
    let station = Station::new(kind, device(kind, options), options.connection_limit);
    Ok((Arc::new(station), door, endpoint))
}

fn device(kind: DeviceKind, options: &DeviceOptions) -> Box<dyn Device> {
    match kind {
        DeviceKind::Pump => Box::new(Pump::new(options.pump)),
        DeviceKind::Valve => Box::new(Valve::new(options.valve_setpoint)),
        DeviceKind::HeatMeter => Box::new(HeatMeter::default()),
        DeviceKind::AirSensor => Box::new(AirSensor::default()),
        DeviceKind::LeakRelay => Box::new(LeakRelay::new()),
    }
}
