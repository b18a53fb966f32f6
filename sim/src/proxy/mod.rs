//! A wire that can fail: it stands between a master and a device and does what a real bus does on a bad day.
//!
//! ```text
//!   master ──► Front ──► Session ──────► upstream: the device, TCP or RTU over TCP
//!              TCP        │   ▲  spoil      ▲
//!              RTU/TCP    ▼   │             │ foreign writer, restart
//!              PTY      State: fault,     Intruder
//!                       counts
//! ```
//!
//! It works on bytes and knows frames, so that a wrong frame is wrong in one place and right in all others. Without a
//! fault every byte passes as it came. One fault is set at a time, for all requests, for reads or for writes, until it
//! is cleared or for a number of times; what it did is counted. The proxy judges nothing: what a master makes of a
//! wrong frame is for the test to see.
//!
//! Not covered: parity and framing errors of single bytes, which a UART turns into missing bytes; bit errors that the
//! checksum does not see; more than one fault at once, for which two proxies can stand in a row.

mod cli;
mod delivery;
mod fault;
mod framing;
mod injection;
mod intruder;
mod session;
mod spoil;
mod state;
#[cfg(test)]
mod tests;
mod words;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::devices::PtyError;
use crate::devices::accept::{Host, accept, listen};
use crate::devices::pty::Pty;
use session::{End, converse};
use state::State;

pub use cli::{ProxyArguments, ProxyCommandError, run};
pub use fault::{Echoed, Length, Marker, UnknownFault, WireFault};
pub use injection::{Injection, Requests};
pub use state::Counts;

/// Connections at a time, whatever fault is set.
const MOST_CONNECTIONS: usize = 32;
/// The device's port answers within this time or is down.
const CONNECT: Duration = Duration::from_secs(1);
/// Between two attempts to reach the device of a serial line.
const AGAIN: Duration = Duration::from_millis(100);

/// The kind of wire that the master uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Modbus TCP.
    Tcp,
    /// RTU frames on a TCP connection.
    RtuOverTcp,
    /// RTU on a serial port.
    Pty,
}

/// Where the master connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Front {
    /// Modbus TCP on this address; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// RTU over TCP on this address.
    RtuOverTcp(SocketAddr),
    /// RTU on a PTY, reached through a symbolic link at this path.
    Pty(PathBuf),
}

/// Where and how a proxy stands.
#[derive(Clone, Debug)]
pub struct ProxyOptions {
    /// The master's side.
    pub front: Front,
    /// The device. It speaks Modbus TCP if the master does, otherwise RTU over TCP.
    pub upstream: SocketAddr,
}

/// Where a proxy is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At this address.
    Tcp(SocketAddr),
    /// As the serial port at this path.
    Pty(PathBuf),
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Pty(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// A port.
    #[error("the proxy cannot listen on {address}: {source}; choose a free port, or 0 for any")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A PTY.
    #[error(transparent)]
    Pty(#[from] PtyError),
}

/// A fault that has no meaning on this line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot happen on a line of this kind ({line:?})", fault.name())]
pub struct Unfit {
    /// The fault.
    pub fault: WireFault,
    /// The line.
    pub line: Line,
}

/// A running proxy. Clones are handles to the same one.
#[derive(Clone)]
pub struct Proxy {
    state: Arc<State>,
    reached: Reached,
}

impl Proxy {
    /// Open the front and serve it on `tasks` until `token` is cancelled. Has to be called within a tokio runtime that
    /// has I/O and time. The device need not be there yet.
    ///
    /// # Errors
    /// If the front cannot be opened; then nothing is left running.
    pub fn start(
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
        options: ProxyOptions,
    ) -> Result<Self, ProxyError> {
        let ProxyOptions { front, upstream } = options;
        let state = Arc::new(State::new(front.line()));
        let desk = Desk { state: Arc::clone(&state), upstream };
        let reached = match front {
            Front::Tcp(address) | Front::RtuOverTcp(address) => {
                let (listener, bound) =
                    listen(address).map_err(|source| ProxyError::Listen { address, source })?;
                tasks.spawn(accept(listener, desk, token.clone()));
                Reached::Tcp(bound)
            }
            Front::Pty(path) => {
                let pty = Pty::open(&path)?;
                let token = token.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = token.cancelled() => {}
                        () = desk.serve(pty) => {}
                    }
                });
                Reached::Pty(path)
            }
        };
        tasks.spawn(intruder::intrude(Arc::clone(&state), upstream, token.clone()));
        Ok(Self { state, reached })
    }

    /// Where the master finds it.
    #[must_use]
    pub const fn reached_at(&self) -> &Reached {
        &self.reached
    }

    /// The kind of wire.
    #[must_use]
    pub fn line(&self) -> Line {
        self.state.line
    }

    /// Set a fault; it takes the place of one that is set already. It touches what comes after: replies that are
    /// late already stay late.
    ///
    /// # Errors
    /// If the fault has no meaning on this line; then nothing changes.
    pub fn set(&self, injection: impl Into<Injection>) -> Result<(), Unfit> {
        let injection = injection.into();
        if !injection.fault.fits(self.line()) {
            return Err(Unfit { fault: injection.fault, line: self.line() });
        }
        self.state.set(injection);
        Ok(())
    }

    /// Let everything pass again.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// What is set now.
    #[must_use]
    pub fn injection(&self) -> Option<Injection> {
        self.state.injection()
    }

    /// Frames seen and changed under faults of this kind, whatever its parameters, since the start.
    #[must_use]
    pub fn counts(&self, fault: WireFault) -> Counts {
        self.state.counts(Some(fault))
    }

    /// Frames that passed while no fault touched them, since the start.
    #[must_use]
    pub fn clean(&self) -> Counts {
        self.state.counts(None)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("reached", &self.reached).finish_non_exhaustive()
    }
}

impl Front {
    const fn line(&self) -> Line {
        match self {
            Self::Tcp(_) => Line::Tcp,
            Self::RtuOverTcp(_) => Line::RtuOverTcp,
            Self::Pty(_) => Line::Pty,
        }
    }
}

/// Brings masters and the device together.
struct Desk {
    state: Arc<State>,
    upstream: SocketAddr,
}

impl Desk {
    async fn connect(&self) -> Option<TcpStream> {
        let stream = timeout(CONNECT, TcpStream::connect(self.upstream)).await.ok()?.ok()?;
        let _ = stream.set_nodelay(true); // without it requests are only slower
        Some(stream)
    }

    async fn attend(&self, mut master: TcpStream) {
        let end = match self.connect().await {
            Some(mut device) => converse(&self.state, &mut master, &mut device).await,
            None => End::Reset,
        };
        if end == End::Reset {
            let _ = master.set_zero_linger(); // the master sees an ordinary close instead
        }
    }

    /// A serial line is always there; where there is no device, nobody hears what is said.
    async fn serve(&self, mut pty: Pty) {
        let mut unheard = [0; 512];
        loop {
            match self.connect().await {
                Some(mut device) => {
                    converse(&self.state, pty.port(), &mut device).await;
                }
                None => drop(timeout(AGAIN, pty.port().read(&mut unheard)).await),
            }
        }
    }
}

impl Host for Desk {
    fn receive(&self, master: TcpStream, open: usize) -> Option<impl Future<Output = ()> + Send + 'static> {
        let desk = Self { state: Arc::clone(&self.state), upstream: self.upstream };
        let fault = self.state.injection().map(|injection| injection.fault);
        if let Some(fault @ WireFault::ConnectionLimit(limit)) = fault
            && open >= limit
        {
            self.state.changed(fault);
            return None;
        }
        (open < MOST_CONNECTIONS).then_some(async move { desk.attend(master).await })
    }
}
