//! The handle on a running broker: faults to order, counters, and a view of all that passes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rumqttc::{LastWill, QoS};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::hub::Hub;

/// Orders faults and reads what happened. Clones share one broker.
#[derive(Clone, Debug)]
pub struct BrokerControl {
    hub: Arc<Hub>,
}

impl BrokerControl {
    pub(super) const fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Takes the network away: every connection is dropped, its will published, and new ones are closed at once.
    /// Retained messages stay.
    pub fn cut(&self) {
        self.hub.set_faults(|faults| faults.cut = true);
        self.hub.dismiss_all();
    }

    /// Ends a [`cut`](Self::cut).
    pub fn restore(&self) {
        self.hub.set_faults(|faults| faults.cut = false);
    }

    /// Hangs: connections are still accepted, but nothing is read, answered, delivered or timed out.
    pub fn freeze(&self) {
        self.hub.set_faults(|faults| faults.frozen = true);
    }

    /// Ends a [`freeze`](Self::freeze). What clients sent meanwhile is then read.
    pub fn thaw(&self) {
        self.hub.set_faults(|faults| faults.frozen = false);
    }

    /// Hesitates this long before each CONNACK from now on; zero ends it. The client is a member meanwhile: if it
    /// gives up, its will is published, as soon as the delay is over.
    pub fn delay_connack(&self, delay: Duration) {
        self.hub.set_faults(|faults| faults.connack_delay = delay);
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> BrokerStats {
        self.hub.stats()
    }

    /// The latest CONNECT packets, oldest first, refused ones included.
    #[must_use]
    pub fn connects(&self) -> Vec<ConnectSeen> {
        self.hub.connects()
    }

    /// Everything published from now on, without a connection and without a filter.
    #[must_use]
    pub fn subscribe_all(&self) -> Observer {
        Observer { inbox: self.hub.observe(), missed: 0 }
    }
}

/// What the broker counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Clients connected now.
    pub clients: usize,
    /// Topics with a retained message now.
    pub retained: usize,
    /// CONNECT packets read.
    pub connects: u64,
    /// Connections turned away: during a cut, too many, an id that cannot be, another protocol version.
    pub refused: u64,
    /// Connections closed because another came under the same client id.
    pub takeovers: u64,
    /// Messages from clients.
    pub publishes_in: u64,
    /// Messages queued for clients, retained ones included.
    pub publishes_out: u64,
    /// Wills published.
    pub wills: u64,
    /// QoS 0 messages dropped because a client's queue was full.
    pub dropped: u64,
    /// Connections closed because a QoS 1 message found the client's queue full.
    pub too_slow: u64,
    /// Messages that were passed on but not retained, because too many topics are.
    pub retained_refused: u64,
    /// Connections closed because the client was silent for 1.5 times its keep-alive.
    pub keep_alive_expired: u64,
    /// Connections closed because the client broke the protocol or asked for what is not offered.
    pub violations: u64,
}

/// A CONNECT packet as the client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectSeen {
    /// Client id; may be empty.
    pub client_id: String,
    /// Whether the client asked for a clean session.
    pub clean_session: bool,
    /// Keep-alive, seconds; 0 is none.
    pub keep_alive_seconds: u16,
    /// The will.
    pub will: Option<LastWill>,
}

/// A message that passed the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Counts every message of the broker from 0: a gap is what an observer missed.
    pub sequence: u64,
    /// Who sent it.
    pub client_id: String,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Bytes,
    /// The QoS it was sent with.
    pub qos: QoS,
    /// Whether it asked to be retained.
    pub retain: bool,
    /// Whether the broker sent it as the client's will.
    pub will: bool,
}

/// Receives every message that passes. If it is slow it misses the oldest, and says how many.
#[derive(Debug)]
pub struct Observer {
    inbox: broadcast::Receiver<Observed>,
    missed: u64,
}

impl Observer {
    /// The next message; `None` once the broker and all its handles are gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Observed> {
        loop {
            match self.inbox.recv().await {
                Ok(observed) => return Some(observed),
                Err(RecvError::Lagged(messages)) => self.missed += messages,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// The next message, if there is one now.
    pub fn try_next(&mut self) -> Option<Observed> {
        loop {
            match self.inbox.try_recv() {
                Ok(observed) => return Some(observed),
                Err(TryRecvError::Lagged(messages)) => self.missed += messages,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    /// How many messages it was too slow for.
    #[must_use]
    pub const fn missed(&self) -> u64 {
        self.missed
    }
}
