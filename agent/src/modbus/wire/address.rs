//! Which wire, as a person writes it.
//!
//! ```text
//!   192.0.2.1:502               Modbus TCP
//!   tls:cdu.example.org:802     Modbus/TCP Security
//!   rtu-tcp:192.0.2.9:4001      RTU frames through a gateway that hands bytes through
//!   rtu:/dev/ttyUSB0            RTU on a serial port of this machine
//! ```
//!
//! Devices with equal wires share one connection: [`Wire`] can be compared and hashed.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::tls::TlsFiles;

const TLS: &str = "tls:";
const RTU_TCP: &str = "rtu-tcp:";
const RTU: &str = "rtu:";

/// The way to one or more devices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Modbus TCP.
    Tcp {
        /// `host:port`. An IP address needs no name service to be there.
        address: String,
    },
    /// Modbus/TCP Security: the same within TLS, each side with a certificate.
    Tls {
        /// `host:port`; the port is usually 802.
        address: String,
        /// Who we are and whom we believe.
        files: TlsFiles,
        /// The name in the device's certificate, if it is not the host of `address`.
        server_name: Option<String>,
    },
    /// RTU frames over a TCP connection to a serial gateway.
    RtuOverTcp {
        /// `host:port` of the gateway.
        address: String,
        /// The line behind the gateway. Its silent intervals are kept here; the gateway is set to the line itself.
        pacing: LineSettings,
    },
    /// RTU on a serial port of this machine.
    Serial {
        /// For example `/dev/ttyUSB0`; a link under `/dev/serial/by-id` keeps its name when adapters are replugged.
        path: PathBuf,
        /// How the line is driven.
        line: LineSettings,
    },
}

/// How a serial line is driven. Modbus RTU characters always have eight data bits.
///
/// An RS-485 adapter must switch its direction by itself, as USB adapters do; a UART of the board does it where its
/// driver is told so (`linux,rs485-enabled-at-boot-time` in the device tree).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LineSettings {
    /// Bits a second, whatever the port can do. Common: 9600, 19200, 38400, 115200.
    pub baud: u32,
    /// Parity bit.
    pub parity: Parity,
    /// Stop bits.
    pub stop_bits: StopBits,
    /// The adapter hears what it sends itself; that is taken away before the answer is read.
    pub echo: bool,
}

impl Default for LineSettings {
    /// 19200 8E1, the default of the serial line guide (V1.02, section 2.5.1).
    fn default() -> Self {
        Self { baud: 19_200, parity: Parity::Even, stop_bits: StopBits::One, echo: false }
    }
}

/// The parity bit of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parity {
    /// No parity bit. The serial line guide then asks for two stop bits; many devices have one.
    None,
    /// Even, the default of the serial line guide.
    Even,
    /// Odd.
    Odd,
}

/// The stop bits of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StopBits {
    /// One.
    One,
    /// Two.
    Two,
}

/// Why some words are no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// Nothing that is known begins like this.
    #[error(
        "`{address}` begins with no known wire; write host:port, tls:host:port, rtu-tcp:host:port or rtu:/dev/…"
    )]
    Unknown {
        /// As written.
        address: String,
    },
    /// A host without a port.
    #[error("`{address}` has no port; write for example `{address}:{usual}`")]
    NoPort {
        /// As written.
        address: String,
        /// The usual port of such a wire.
        usual: u16,
    },
    /// A port that is none.
    #[error("`{port}` in `{address}` is no port; write a number from 1 to 65535 after the last colon")]
    Port {
        /// As written.
        address: String,
        /// What stands for the port.
        port: String,
    },
    /// A host that is none.
    #[error(
        "`{host}` in `{address}` is no host; write a name, an IPv4 address, or an IPv6 address in brackets as [::1]"
    )]
    Host {
        /// As written.
        address: String,
        /// What stands for the host.
        host: String,
    },
    /// TLS without its files.
    #[error("`{address}` needs certificates; name the files `ca`, `certificate` and `key`")]
    NoFiles {
        /// As written.
        address: String,
    },
    /// No path of a port.
    #[error("`{address}` names no serial port; write its whole path, for example `rtu:/dev/ttyUSB0`")]
    Path {
        /// As written.
        address: String,
    },
    /// A line that stands still.
    #[error("`{address}` has a line of 0 baud; write what the device is set to, for example 19200")]
    Baud {
        /// As written.
        address: String,
    },
}

impl Wire {
    /// Reads `address`. `line` is used by the serial wires, `tls` by TLS.
    ///
    /// # Errors
    /// If `address` is none of the four forms, or lacks what its form needs.
    pub fn parse(address: &str, line: LineSettings, tls: Option<TlsFiles>) -> Result<Self, WireError> {
        let whole = || address.to_owned();
        if let Some(endpoint) = address.strip_prefix(TLS) {
            let endpoint = checked_endpoint(address, endpoint, 802)?;
            let files = tls.ok_or_else(|| WireError::NoFiles { address: whole() })?;
            Ok(Self::Tls { address: endpoint, files, server_name: None })
        } else if let Some(endpoint) = address.strip_prefix(RTU_TCP) {
            let endpoint = checked_endpoint(address, endpoint, 4001)?;
            Ok(Self::RtuOverTcp { address: endpoint, pacing: checked_line(address, line)? })
        } else if let Some(path) = address.strip_prefix(RTU) {
            let path = Path::new(path);
            if !path.is_absolute() || path.file_name().is_none() {
                return Err(WireError::Path { address: whole() });
            }
            Ok(Self::Serial { path: path.to_owned(), line: checked_line(address, line)? })
        } else if address.starts_with('/') {
            Err(WireError::Unknown { address: whole() })
        } else {
            Ok(Self::Tcp { address: checked_endpoint(address, address, 502)? })
        }
    }
}

/// `endpoint`, if it is `host:port`.
fn checked_endpoint(address: &str, endpoint: &str, usual: u16) -> Result<String, WireError> {
    let address = || address.to_owned();
    if is_host(endpoint) {
        return Err(WireError::NoPort { address: address(), usual });
    }
    let bare_ipv6 = endpoint.parse::<Ipv6Addr>().is_ok();
    let Some((host, port)) = endpoint.rsplit_once(':').filter(|_| !bare_ipv6) else {
        return Err(WireError::Host { address: address(), host: endpoint.to_owned() });
    };
    if !is_host(host) {
        return Err(if host.contains(':') && !host.starts_with('[') {
            WireError::Unknown { address: address() }
        } else {
            WireError::Host { address: address(), host: host.to_owned() }
        });
    }
    match port.parse::<u16>() {
        Ok(1..) if port.bytes().all(|byte| byte.is_ascii_digit()) => Ok(endpoint.to_owned()),
        Ok(_) | Err(_) => Err(WireError::Port { address: address(), port: port.to_owned() }),
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    }
}

fn checked_line(address: &str, line: LineSettings) -> Result<LineSettings, WireError> {
    if line.baud == 0 { Err(WireError::Baud { address: address.to_owned() }) } else { Ok(line) }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { address } => f.write_str(address),
            Self::Tls { address, .. } => write!(f, "{TLS}{address}"),
            Self::RtuOverTcp { address, .. } => write!(f, "{RTU_TCP}{address}"),
            Self::Serial { path, line } => write!(f, "{RTU}{} {line}", path.display()),
        }
    }
}

impl fmt::Display for LineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        let stop_bits = match self.stop_bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        };
        write!(f, "{} 8{parity}{stop_bits}", self.baud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn files() -> TlsFiles {
        TlsFiles { ca: "ca.pem".into(), certificate: "agent.pem".into(), key: "agent.key".into() }
    }

    fn parse(address: &str) -> Result<Wire, WireError> {
        Wire::parse(address, LineSettings::default(), Some(files()))
    }

    #[test]
    fn each_wire_is_written_as_it_is_read() {
        for (address, shown) in [
            ("192.0.2.1:502", "192.0.2.1:502"),
            ("[2001:db8::1]:502", "[2001:db8::1]:502"),
            ("cdu_1.rack-4.example.org:502", "cdu_1.rack-4.example.org:502"),
            ("tls:cdu.example.org:802", "tls:cdu.example.org:802"),
            ("rtu-tcp:gateway:4001", "rtu-tcp:gateway:4001"),
            ("rtu:/dev/ttyUSB0", "rtu:/dev/ttyUSB0 19200 8E1"),
        ] {
            assert_eq!(parse(address).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_line_is_shown_as_every_manual_writes_it() {
        let line =
            LineSettings { baud: 9600, parity: Parity::None, stop_bits: StopBits::Two, ..Default::default() };
        assert_eq!(line.to_string(), "9600 8N2");
        assert_eq!(LineSettings { parity: Parity::Odd, ..Default::default() }.to_string(), "19200 8O1");
    }

    #[test]
    fn each_mistake_is_told_with_its_mend() {
        for (address, told) in [
            ("pump", "`pump` has no port; write for example `pump:502`"),
            ("tls:cdu", "`tls:cdu` has no port; write for example `tls:cdu:802`"),
            ("rtu-tcp:gw", "`rtu-tcp:gw` has no port; write for example `rtu-tcp:gw:4001`"),
            ("[::1]", "`[::1]` has no port; write for example `[::1]:502`"),
            ("pump:0", "`0` in `pump:0` is no port; write a number from 1 to 65535 after the last colon"),
            ("pump:", "`` in `pump:` is no port; write a number from 1 to 65535 after the last colon"),
            ("pump:+5", "`+5` in `pump:+5` is no port; write a number from 1 to 65535 after the last colon"),
            (
                ":502",
                "`` in `:502` is no host; write a name, an IPv4 address, or an IPv6 address in brackets as [::1]",
            ),
            (
                "::1",
                "`::1` in `::1` is no host; write a name, an IPv4 address, or an IPv6 address in brackets as [::1]",
            ),
            (
                "rtu:ttyUSB0",
                "`rtu:ttyUSB0` names no serial port; write its whole path, for example `rtu:/dev/ttyUSB0`",
            ),
            ("rtu:", "`rtu:` names no serial port; write its whole path, for example `rtu:/dev/ttyUSB0`"),
        ] {
            assert_eq!(parse(address).unwrap_err().to_string(), told);
        }
        for address in ["/dev/ttyUSB0", "tcp:pump:502", "http://pump:502", "TLS:cdu:802"] {
            assert_eq!(parse(address), Err(WireError::Unknown { address: address.into() }));
        }
    }

    #[test]
    fn a_wire_without_what_it_needs_is_refused() {
        let no_files = Wire::parse("tls:cdu:802", LineSettings::default(), None);
        assert_eq!(no_files, Err(WireError::NoFiles { address: "tls:cdu:802".into() }));
        for address in ["rtu:/dev/ttyUSB0", "rtu-tcp:gw:4001"] {
            let still = Wire::parse(address, LineSettings { baud: 0, ..Default::default() }, None);
            assert_eq!(still, Err(WireError::Baud { address: address.into() }));
        }
    }

    proptest! {
        #[test]
        fn any_words_are_an_address_or_a_mistake_that_quotes_them(words in ".*") {
            match parse(&words) {
                Ok(wire) => prop_assert!(wire.to_string().starts_with(&words)),
                Err(error) => prop_assert!(error.to_string().contains(&words)),
            }
        }
    }
}
