//! The TCP side of one device.
//!
//! ```text
//!   Door::Open ── fault Refuse ──► Door::Shut      the port stays bound, so that nobody takes it, but it does not
//!        ▲                            │            listen: the kernel refuses for us
//!        └────────── cleared ─────────┘
//!
//!   accepted ──► a seat is free? ──no──► closed, or reset by fault
//!                     │ yes
//!                     ▼
//!                read, answer, (delay), write ... until the peer leaves, sends rubbish, or the line is cut (RST)
//! ```

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::fault::Fault;
use super::mbap::Frame;
use super::station::{Seat, Station};

/// Connections that the kernel holds for us before they are accepted.
const BACKLOG: u32 = 16;

/// The port of a device.
pub(super) enum Door {
    /// Listening.
    Open(TcpListener),
    /// Bound, but not listening.
    Shut(TcpSocket),
}

impl Door {
    /// Bind `address` and listen.
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        bind(address)?.listen(BACKLOG).map(Self::Open)
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Open(listener) => listener.local_addr(),
            Self::Shut(socket) => socket.local_addr(),
        }
    }

    /// Open or shut, whatever it was.
    fn turned(self, shut: bool) -> io::Result<Self> {
        match self {
            Self::Open(listener) if shut => {
                let address = listener.local_addr()?;
                drop(listener);
                bind(address).map(Self::Shut)
            }
            Self::Shut(socket) if !shut => socket.listen(BACKLOG).map(Self::Open),
            as_is @ (Self::Open(_) | Self::Shut(_)) => Ok(as_is),
        }
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        match self {
            Self::Open(listener) => listener.accept().await.map(|(stream, _)| stream),
            Self::Shut(_) => pending().await,
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serve `station` until `token` is cancelled. At the end no connection is left open.
pub(super) async fn serve(station: Arc<Station>, mut door: Door, token: CancellationToken) {
    let mut line = station.watch_line();
    let mut conversations = JoinSet::new();
    loop {
        let shut = line.borrow_and_update().fault == Some(Fault::Refuse);
        door = match door.turned(shut) {
            Ok(door) => door,
            Err(error) => {
                error!(device = ?station.kind, %error, "port lost: the device is off until the simulator starts again");
                break;
            }
        };
        tokio::select! {
            () = token.cancelled() => break,
            _ = line.changed() => {}
            Some(_) = conversations.join_next() => {}
            accepted = door.accept() => match accepted {
                Ok(stream) => receive(&station, stream, &mut conversations),
                // The peer has gone, or this process has no descriptors left: other connections go on.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
        }
    }
    conversations.shutdown().await;
}

/// Give a new connection a seat, or turn it away.
fn receive(station: &Arc<Station>, stream: TcpStream, conversations: &mut JoinSet<()>) {
    match station.admit() {
        Some(seat) => {
            conversations.spawn(attend(seat, stream));
        }
        None if station.fault() == Some(Fault::Reset) => reset(&stream),
        None => {}
    }
}

/// One connection from its first frame to its end.
async fn attend(seat: Seat, mut stream: TcpStream) {
    let _ = stream.set_nodelay(true); // without it answers are only slower
    let ended = tokio::select! {
        () = seat.cut() => None,
        ended = converse(&seat.station, &mut stream) => Some(ended),
    };
    match ended {
        None => reset(&stream),
        Some(error) if error.kind() == io::ErrorKind::InvalidData => seat.station.count_malformed(),
        Some(_) => {}
    }
}

/// Answer requests, one at a time, until the stream ends.
async fn converse(station: &Station, stream: &mut TcpStream) -> io::Error {
    loop {
        let request = match Frame::read(stream).await {
            Ok(request) => request,
            Err(error) => return error,
        };
        let Some(reply) = station.answer(&request) else { continue };
        if let Some(Fault::Late { delay_ms }) = station.fault() {
            sleep(Duration::from_millis(delay_ms)).await;
        }
        if let Err(error) = stream.write_all(&reply).await {
            return error;
        }
    }
}

/// Make the coming close a reset. Where it cannot be set the peer sees an ordinary close.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
