//! Other ways to the devices than their TCP ports, and proxies in front of all of them.
//!
//! ```text
//!   --rtu       PTY ─────────────────────┐
//!   --rtu-tcp   TCP ─────────────────────┼── Line ──► TCP ports of the devices
//!   --tls       TLS ──── role ──────────────────────►
//!   --proxy     a Proxy before each of the first two, and before each port
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::certificates::{self, CertificateError};
use crate::devices::accept::listen;
use crate::devices::line::Line;
use crate::devices::tls::Identity;
use crate::devices::{DeviceHub, DeviceKind, Endpoint, PtyError, TlsError};
use crate::proxy::{Front, Proxy, ProxyError, ProxyOptions, Reached};
use crate::world::device_name;

/// Any port of this machine.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Which other ways to open.
#[derive(Clone, Debug, clap::Args)]
pub struct LineArguments {
    /// Devices on one serial line too, Modbus RTU on a PTY: pump,valve.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = device)]
    rtu: Vec<DeviceKind>,
    /// Devices on one serial line behind a gateway too, Modbus RTU over TCP.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = device)]
    rtu_tcp: Vec<DeviceKind>,
    /// Devices behind TLS too, each on its own port: Modbus/TCP Security.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = device)]
    tls: Vec<DeviceKind>,
    /// Folder with the certificates for --tls; filled with new ones if it has none.
    #[arg(long, value_name = "DIR", requires = "tls")]
    certificates: Option<PathBuf>,
    /// A proxy before every device and line, which takes faults through the control socket.
    #[arg(long)]
    proxy: bool,
}

/// Why a way cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A port.
    #[error("cannot listen on {ANY}: {0}")]
    Listen(#[from] io::Error),
    /// A serial line.
    #[error(transparent)]
    Pty(#[from] PtyError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Its certificates.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// A proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Two devices would answer at once.
    #[error("{one} and {other} are both unit {unit}: they cannot be on one line")]
    SameUnit {
        /// A device.
        one: &'static str,
        /// Another one.
        other: &'static str,
        /// Their unit.
        unit: u8,
    },
}

/// A line as it is printed.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LineDoor {
    #[serde(flatten)]
    place: Place,
    units: BTreeMap<&'static str, u8>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Path(PathBuf),
    Address(SocketAddr),
}

/// All that has been opened.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) serial: Option<LineDoor>,
    pub(super) rtu_tcp: Option<LineDoor>,
    pub(super) tls: BTreeMap<&'static str, SocketAddr>,
    pub(super) certificates: Option<PathBuf>,
    pub(super) proxies: BTreeMap<&'static str, Proxy>,
    /// The proxy before each port.
    fronts: BTreeMap<SocketAddr, Proxy>,
}

impl Lines {
    /// Open everything that is asked for and serve it on `tasks` until `token` is cancelled.
    ///
    /// # Errors
    /// If something cannot be opened.
    pub(super) fn open(
        arguments: &LineArguments,
        folder: &Path,
        devices: &DeviceHub,
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
    ) -> Result<Self, LineError> {
        let mut lines = Self::default();
        let mut opening = Opening { lines: &mut lines, devices, proxied: arguments.proxy, tasks, token };
        if arguments.proxy {
            opening.ports()?;
        }
        if !arguments.rtu.is_empty() {
            opening.serial(&arguments.rtu, &folder.join("serial"))?;
        }
        if !arguments.rtu_tcp.is_empty() {
            opening.rtu_tcp(&arguments.rtu_tcp)?;
        }
        if !arguments.tls.is_empty() {
            let own = || folder.join("certificates");
            opening.tls(&arguments.tls, arguments.certificates.clone().unwrap_or_else(own))?;
        }
        Ok(lines)
    }

    /// Where a device is reached by Modbus TCP.
    pub(super) fn door(&self, endpoint: Endpoint) -> String {
        let proxied = self.fronts.get(&endpoint.address).map(|proxy| proxy.reached_at().to_string());
        proxied.unwrap_or_else(|| endpoint.address.to_string())
    }
}

struct Opening<'a> {
    lines: &'a mut Lines,
    devices: &'a DeviceHub,
    proxied: bool,
    tasks: &'a mut JoinSet<()>,
    token: &'a CancellationToken,
}

impl Opening<'_> {
    /// A proxy before each port. A device in several places has one.
    fn ports(&mut self) -> Result<(), LineError> {
        for endpoint in self.devices.endpoints() {
            let proxy = match self.lines.fronts.get(&endpoint.address) {
                Some(proxy) => proxy.clone(),
                None => self.proxy(Front::Tcp(ANY), endpoint.address)?,
            };
            self.lines.fronts.insert(endpoint.address, proxy.clone());
            self.lines.proxies.insert(device_name(endpoint.kind), proxy);
        }
        Ok(())
    }

    fn serial(&mut self, kinds: &[DeviceKind], path: &Path) -> Result<(), LineError> {
        let (line, units) = self.line(kinds)?;
        if self.proxied {
            let upstream = self.gateway(line)?;
            let proxy = self.proxy(Front::Pty(path.to_owned()), upstream)?;
            self.lines.proxies.insert("serial", proxy);
        } else {
            line.serve_pty(path, self.tasks, self.token)?;
        }
        self.lines.serial = Some(LineDoor { place: Place::Path(path.to_owned()), units });
        Ok(())
    }

    fn rtu_tcp(&mut self, kinds: &[DeviceKind]) -> Result<(), LineError> {
        let (line, units) = self.line(kinds)?;
        let mut address = self.gateway(line)?;
        if self.proxied {
            let proxy = self.proxy(Front::RtuOverTcp(ANY), address)?;
            if let Reached::Tcp(front) = proxy.reached_at() {
                address = *front;
            }
            self.lines.proxies.insert("rtu-tcp", proxy);
        }
        self.lines.rtu_tcp = Some(LineDoor { place: Place::Address(address), units });
        Ok(())
    }

    fn tls(&mut self, kinds: &[DeviceKind], folder: PathBuf) -> Result<(), LineError> {
        if !folder.join(certificates::AUTHORITY).exists() {
            certificates::write(&folder, &[])?;
        }
        let identity = Identity::load(&folder)?;
        for kind in kinds {
            let (listener, address) = listen(ANY)?;
            let device = self.devices.endpoint(*kind).address;
            identity.clone().serve(listener, device, self.tasks, self.token);
            self.lines.tls.insert(device_name(*kind), address);
        }
        self.lines.certificates = Some(folder);
        Ok(())
    }

    fn line(&self, kinds: &[DeviceKind]) -> Result<(Line, BTreeMap<&'static str, u8>), LineError> {
        let mut members: BTreeMap<u8, Endpoint> = BTreeMap::new();
        let mut units = BTreeMap::new();
        for kind in kinds {
            let endpoint = self.devices.endpoint(*kind);
            let unit = endpoint.unit;
            units.insert(device_name(*kind), unit);
            match members.insert(unit, endpoint) {
                Some(other) if other.address != endpoint.address => {
                    let (one, other) = (device_name(other.kind), device_name(*kind));
                    return Err(LineError::SameUnit { one, other, unit });
                }
                Some(_) | None => {}
            }
        }
        Ok((Line::new(members.into_iter().map(|(unit, endpoint)| (unit, endpoint.address))), units))
    }

    fn gateway(&mut self, line: Line) -> Result<SocketAddr, LineError> {
        let (listener, address) = listen(ANY)?;
        line.serve_tcp(listener, self.tasks, self.token);
        Ok(address)
    }

    fn proxy(&mut self, front: Front, upstream: SocketAddr) -> Result<Proxy, LineError> {
        Ok(Proxy::start(self.tasks, self.token, ProxyOptions { front, upstream })?)
    }
}

impl fmt::Display for LineDoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Path(path) => write!(f, "{}", path.display())?,
            Place::Address(address) => write!(f, "{address}")?,
        }
        let units: Vec<_> = self.units.iter().map(|(name, unit)| format!("{name} {unit}")).collect();
        write!(f, ", units {}", units.join(", "))
    }
}

fn device(name: &str) -> Result<DeviceKind, String> {
    let known = DeviceKind::ALL.map(device_name);
    DeviceKind::ALL
        .into_iter()
        .find(|kind| device_name(*kind) == name)
        .ok_or_else(|| format!("no such device; known are {}", known.join(", ")))
}
