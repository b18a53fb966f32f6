//! A small MQTT 3.1.1 broker for the demo and for tests, with faults to order.
//!
//! ```text
//!                  ┌───────────────────────── Broker::run ─────────────────────────┐
//!   client ◄─TCP─► │ session ──publish, subscribe──► hub ──► router                 │
//!   client ◄─TCP─► │ session ◄──── bounded queue ─── hub ──► observer (dashboard)   │
//!                  └──────────────────────────────── ▲ ─────────────────────────────┘
//!                          BrokerControl: cut, freeze, delay, counters, CONNECT log
//! ```
//!
//! One file an idea: [`Broker`] here accepts connections; `session` brings one client in and `talk` serves it;
//! `packets` finds packets in bytes; `hub` knows who is there and passes messages on under one lock; `router` knows
//! subscriptions and retained messages; `control` is the handle for tests and the dashboard.
//!
//! # Why an own broker
//!
//! It is a few hundred lines on the public packet codec of the client library we use anyway. The one broker that
//! embeds as a Rust library (rumqttd 0.20) delivers QoS 0 publishes as QoS 1, brings about 200 crates and cannot be
//! stopped once started. And tests need a broker that loses its network, hangs, or hesitates when told to, and that
//! shows which CONNECT it was sent. **In production use a real broker**: this one has no TLS, no users and no disk.
//!
//! # What it does not do
//!
//! * QoS 2: a publish or will with QoS 2 closes the connection; a subscription for QoS 2 is granted QoS 1.
//! * Sessions that outlive their connection: every session is a clean one, and CONNACK says so.
//! * MQTT 5: closed, with return code 1 if its CONNECT can be read. User names and passwords are ignored.
//! * Retained messages end with the broker.
//!
//! # Bounds
//!
//! [`Limits`] holds them. What exceeds one is refused, dropped or closed, and counted in [`BrokerStats`].

#![allow(clippy::doc_markdown, reason = "QoS is a word of the trade")]

mod control;
mod hub;
mod packets;
mod router;
mod session;
mod talk;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use control::{BrokerControl, BrokerStats, ConnectSeen, Observed, Observer};
pub use rumqttc::{LastWill, QoS};

use hub::Hub;

/// Pause after a failed accept, which mostly means that the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How much the broker takes on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at the same time, those included that have not sent CONNECT yet.
    pub clients: usize,
    /// Longest packet accepted, bytes without its fixed header.
    pub packet_bytes: usize,
    /// Messages that wait for one client.
    pub queue: usize,
    /// Topics with a retained message.
    pub retained: usize,
    /// Subscriptions of one client.
    pub subscriptions: usize,
    /// CONNECT packets remembered, the latest ones.
    pub connects_remembered: usize,
    /// Messages an [`Observer`] may lag behind.
    pub observer_lag: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 2048,
            packet_bytes: 256 * 1024,
            queue: 1024,
            retained: 10_000,
            subscriptions: 64,
            connects_remembered: 256,
            observer_lag: 4096,
        }
    }
}

/// The broker, listening but not yet serving.
#[derive(Debug)]
pub struct Broker {
    listener: TcpListener,
    local_addr: SocketAddr,
    hub: Arc<Hub>,
}

/// The broker cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("broker cannot listen: {source}; is the address free?")]
pub struct BindError {
    #[from]
    source: io::Error,
}

impl Broker {
    /// Listens on `address`; port 0 takes any free port.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind(address: impl ToSocketAddrs) -> Result<Self, BindError> {
        Self::bind_with(address, Limits::default()).await
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn bind_with(address: impl ToSocketAddrs, limits: Limits) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address).await?;
        let local_addr = listener.local_addr()?;
        Ok(Self { listener, local_addr, hub: Arc::new(Hub::new(limits)) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A handle for faults, counters and observation. It outlives the broker.
    #[must_use]
    pub fn control(&self) -> BrokerControl {
        BrokerControl::new(Arc::clone(&self.hub))
    }

    /// Serves until `stop` is cancelled, then closes every connection and the port.
    pub async fn run(self, stop: CancellationToken) {
        let mut sessions = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(ended) = sessions.join_next() => {
                    if let Err(error) = ended {
                        error!(%error, "a broker session panicked");
                    }
                }
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.admit(&mut sessions, stream),
                    Err(error) => {
                        warn!(%error, "broker cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        }
        sessions.shutdown().await;
    }

    /// Starts a session, or drops the connection during a cut and when there are too many.
    fn admit(&self, sessions: &mut JoinSet<()>, stream: TcpStream) {
        if self.hub.is_cut() || sessions.len() >= self.hub.limits().clients {
            self.hub.count(|stats| stats.refused += 1);
        } else {
            sessions.spawn(session::serve(stream, Arc::clone(&self.hub)));
        }
    }
}
