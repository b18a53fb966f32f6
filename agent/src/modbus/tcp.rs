//! The wire: Modbus TCP by tokio-modbus over a socket of our own.
//!
//! Only `Client::call` is used. The library's reader and writer methods compare length and echo by
//! `debug_assert` alone: a wrong answer would pass a release build and panic a debug build.

use std::io;
use std::time::Duration;

use eisbach_protocol::registers::Table;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::client::{Client as _, Context, tcp};
use tokio_modbus::slave::SlaveContext as _;
use tokio_modbus::{Error, ProtocolError, Slave};

use super::bus::{Bus, CallError, Connector, Request, Response, Span};

/// Longest wait for a connection. Below the kernel's first repetition of a lost SYN (1 s, RFC 6298), so that a
/// device that comes back is found by a fresh attempt within this time.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_millis(800);
/// A dead peer is given up by the kernel after this long, even if nothing is asked of it.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Quiet time before the kernel probes a peer, and the time between its probes.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// Connects to one endpoint.
#[derive(Debug)]
pub(super) struct TcpConnector {
    /// `host:port`.
    pub(super) address: String,
}

impl Connector for TcpConnector {
    type Bus = TcpBus;

    async fn connect(&self) -> io::Result<TcpBus> {
        let stream = timeout(CONNECT_DEADLINE, TcpStream::connect(&self.address))
            .await
            .map_err(|_late| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_EVERY).with_interval(KEEPALIVE_EVERY);
        socket.set_tcp_keepalive(&keepalive)?;
        // The unit is set by each call; until then nobody is addressed.
        Ok(TcpBus { context: tcp::attach_slave(stream, Slave(0)) })
    }
}

/// A connection to one endpoint.
pub(super) struct TcpBus {
    context: Context,
}

impl Bus for TcpBus {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        self.context.set_slave(Slave(unit));
        match self.context.call(to_wire(request)).await {
            Ok(Ok(response)) => Ok(from_wire(response)),
            Ok(Err(exception)) => Err(CallError::Exception(exception.into())),
            Err(Error::Transport(error)) => Err(CallError::Transport(named(error))),
            Err(Error::Protocol(ProtocolError::HeaderMismatch { message, .. })) => {
                Err(CallError::Header(message))
            }
            Err(Error::Protocol(ProtocolError::FunctionCodeMismatch { request, .. })) => {
                Err(CallError::Header(format!("answer to function {request} has another function")))
            }
        }
    }
}

const fn to_wire(request: Request) -> tokio_modbus::Request<'static> {
    match request {
        Request::Read(Span { table: Table::Discrete, first, count }) => {
            tokio_modbus::Request::ReadDiscreteInputs(first, count)
        }
        Request::Read(Span { table: Table::Holding, first, count }) => {
            tokio_modbus::Request::ReadHoldingRegisters(first, count)
        }
        Request::Read(Span { table: Table::Input, first, count }) => {
            tokio_modbus::Request::ReadInputRegisters(first, count)
        }
        Request::Write { address, word } => tokio_modbus::Request::WriteSingleRegister(address, word),
    }
}

fn from_wire(response: tokio_modbus::Response) -> Response {
    match response {
        tokio_modbus::Response::ReadDiscreteInputs(inputs) => Response::Discrete(inputs),
        tokio_modbus::Response::ReadHoldingRegisters(words) => Response::Holding(words),
        tokio_modbus::Response::ReadInputRegisters(words) => Response::Input(words),
        tokio_modbus::Response::WriteSingleRegister(address, word) => Response::Written { address, word },
        other => Response::Other(other.function_code().value()),
    }
}

/// The library reports the end of a stream as whatever error the system saw last. A real error of a socket under
/// tokio is never "none", "try again" or "in progress", so these mean that the device closed the connection.
fn named(error: io::Error) -> io::Error {
    const NONE: i32 = 0;
    const TRY_AGAIN: i32 = 11;
    const IN_PROGRESS: i32 = 115;
    match error.raw_os_error() {
        Some(NONE | TRY_AGAIN | IN_PROGRESS) => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the device closed the connection")
        }
        _ => error,
    }
}
