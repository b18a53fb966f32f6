//! Wires: TCP, TLS, and RTU on a serial port or through a gateway.
//!
//! ```text
//!   Wire ─► WireConnector ─┬─ tcp ──────────────────► Modbus TCP frames ─┐
//!                          ├─ tcp ─► tls ───────────► Modbus TCP frames ─┼─► WireBus
//!                          ├─ tcp ──────────► shim ─► RTU frames ────────┤
//!                          └─ serial port ──► shim ─► RTU frames ────────┘
//! ```
//!
//! Frames are made and read by tokio-modbus; what it leaves open is closed here: deadlines for connecting, socket
//! options, the manners of a serial line ([`shim`]), and that an RTU answer is one whole frame and nothing else.

mod address;
mod call;
mod rtu;
mod serial;
mod shim;
mod tcp;
mod tls;

use std::io;

pub use self::address::{LineSettings, Parity, StopBits, Wire, WireError};
use self::rtu::RtuBus;
use self::tcp::TcpBus;
use self::tls::TlsBus;
use super::bus::{Bus, CallError, Connector, Medium, Request, Response};
use crate::aside::Aside;

/// Connects over one wire.
#[derive(Debug)]
pub(super) struct WireConnector {
    wire: Wire,
    aside: Aside,
}

impl WireConnector {
    pub(super) fn new(wire: Wire) -> Self {
        Self { wire, aside: Aside::new() }
    }
}

impl Connector for WireConnector {
    type Bus = WireBus;

    async fn connect(&self) -> io::Result<WireBus> {
        let bus = match &self.wire {
            Wire::Tcp { address } => AnyBus::Tcp(TcpBus::attach(tcp::connect(address).await?)),
            Wire::Tls { address, files, server_name } => {
                let stream = tls::connect(address, files, server_name.as_deref(), &self.aside).await?;
                AnyBus::Tls(TlsBus::attach(stream, files.clone()))
            }
            Wire::RtuOverTcp { address, pacing } => {
                AnyBus::Rtu(RtuBus::attach(tcp::connect(address).await?, *pacing))
            }
            Wire::Serial { path, line } => {
                AnyBus::Rtu(RtuBus::attach(serial::open(path, *line, &self.aside).await?, *line))
            }
        };
        Ok(WireBus(bus))
    }

    fn medium(&self) -> Medium {
        match &self.wire {
            Wire::Tcp { .. } | Wire::Tls { .. } => Medium::Transactions,
            Wire::RtuOverTcp { .. } | Wire::Serial { .. } => Medium::Anonymous,
        }
    }
}

/// What a fuzzer's bytes come through: the frames of a wire, without its socket.
#[cfg(fuzzing)]
impl WireBus {
    pub(super) fn tcp(stream: tokio::io::DuplexStream) -> Self {
        Self(AnyBus::Tcp(TcpBus::attach(stream)))
    }

    pub(super) fn rtu(stream: tokio::io::DuplexStream) -> Self {
        Self(AnyBus::Rtu(RtuBus::attach(stream, LineSettings::default())))
    }
}

/// A connection over any wire.
pub(super) struct WireBus(AnyBus);

enum AnyBus {
    Tcp(TcpBus),
    Tls(TlsBus),
    Rtu(RtuBus),
}

impl Bus for WireBus {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        if unit == 0 {
            return Err(CallError::Broadcast);
        }
        match &mut self.0 {
            AnyBus::Tcp(bus) => bus.call(unit, request).await,
            AnyBus::Tls(bus) => bus.call(unit, request).await,
            AnyBus::Rtu(bus) => bus.call(unit, request).await,
        }
    }

    fn drained(&self) -> u64 {
        match &self.0 {
            AnyBus::Tcp(bus) => bus.drained(),
            AnyBus::Tls(bus) => bus.drained(),
            AnyBus::Rtu(bus) => bus.drained(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::bus::Span;
    use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_serial::{SerialPort as _, SerialStream};

    /// "Register 2 of unit 1?" and "200", as frames of the serial line.
    const ASKED: [u8; 8] = [1, 3, 0, 2, 0, 1, 0x25, 0xCA];
    const ANSWER: [u8; 7] = [1, 3, 2, 0, 200, 0xB9, 0xD2];

    fn connector(address: &str) -> WireConnector {
        WireConnector::new(Wire::parse(address, LineSettings::default(), None).unwrap())
    }

    /// What unit 1 says when the far end answers.
    async fn ask(bus: &mut WireBus, far: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Response {
        let answer = async {
            let mut request = [0; 8];
            far.read_exact(&mut request).await.unwrap();
            assert_eq!(request, ASKED);
            far.write_all(&ANSWER).await.unwrap();
        };
        tokio::join!(bus.call(1, Request::Read(Span::register(2))), answer).0.unwrap()
    }

    #[tokio::test]
    async fn a_gateway_is_spoken_to_in_frames_of_the_line_behind_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connector = connector(&format!("rtu-tcp:{}", listener.local_addr().unwrap()));
        let mut bus = connector.connect().await.unwrap();
        let (mut gateway, _) = listener.accept().await.unwrap();
        assert_eq!(ask(&mut bus, &mut gateway).await, Response::Holding(vec![200]));
        assert_eq!(connector.medium(), Medium::Anonymous);
    }

    #[tokio::test]
    async fn a_serial_port_is_opened_by_its_path() {
        let (mut device, near) = SerialStream::pair().unwrap();
        let connector = connector(&format!("rtu:{}", near.name().unwrap()));
        drop(near);
        let mut bus = connector.connect().await.unwrap();
        assert_eq!(ask(&mut bus, &mut device).await, Response::Holding(vec![200]));
        assert_eq!(connector.medium(), Medium::Anonymous);
    }

    #[tokio::test]
    async fn nothing_is_ever_sent_to_all_devices_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for connector in [connector(&address.to_string()), connector(&format!("rtu-tcp:{address}"))] {
            let mut bus = connector.connect().await.unwrap();
            let (mut device, _) = listener.accept().await.unwrap();
            let refused = bus.call(0, Request::Write { address: 1, word: 2 }).await;
            assert!(matches!(refused, Err(CallError::Broadcast)));
            drop(bus);
            assert_eq!(device.read(&mut [0; 1]).await.unwrap(), 0);
        }
    }

    #[test]
    fn answers_die_with_their_connection_only_where_they_carry_a_transaction() {
        assert_eq!(connector("192.0.2.1:502").medium(), Medium::Transactions);
    }
}
