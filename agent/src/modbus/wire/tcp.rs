//! Modbus TCP, and the socket under every wire that has one.

use std::fmt;
use std::io;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, tcp};

use super::call::call;
use crate::modbus::bus::{Bus, CallError, Request, Response};

/// Longest wait for a connection. Below the kernel's first repetition of a lost SYN (1 s, RFC 6298), so that a
/// device that comes back is found by a fresh attempt within this time.
const CONNECT_DEADLINE: Duration = Duration::from_millis(800);
/// A dead peer is given up by the kernel after this long, even if nothing is asked of it.
const USER_TIMEOUT: Duration = Duration::from_secs(3);
/// Quiet time before the kernel probes a peer, and the time between its probes.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(1);

/// A connection to `host:port` that sends at once and notices when the other side is gone.
pub(super) async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = timeout(CONNECT_DEADLINE, TcpStream::connect(address))
        .await
        .map_err(|_late| io::Error::new(io::ErrorKind::TimedOut, "no connection in time"))??;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_EVERY).with_interval(KEEPALIVE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// A Modbus TCP connection.
pub(super) struct TcpBus {
    context: Context,
}

impl TcpBus {
    pub(super) fn attach(stream: impl AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug + 'static) -> Self {
        // The unit is set by each call; until then nobody is addressed.
        Self { context: tcp::attach_slave(stream, Slave(0)) }
    }
}

impl Bus for TcpBus {
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        call(&mut self.context, unit, request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_socket_sends_at_once_and_notices_a_dead_peer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = connect(&listener.local_addr().unwrap().to_string()).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(stream.nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    }
}
