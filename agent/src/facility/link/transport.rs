//! What a carrier does with its connection, and what the connection tells it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rumqttc::{AsyncClient, QoS};
use tokio::sync::oneshot;
use tracing::error;

use crate::facility::face::{Inbound, Next};

/// Longest packet in either direction. A birth is a few kilobytes; what comes in is a command.
pub(crate) const MAX_PACKET_BYTES: usize = 256 * 1024;
/// Room for topic and headers in a packet.
const PACKET_OVERHEAD_BYTES: usize = 512;

/// How a message shall travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At most once (`QoS` 0), to whom is there: for what is told again when it changes.
    Once,
    /// At most once, and the broker keeps it for who comes later.
    Kept,
    /// At least once (`QoS` 1), to whom is there: for what happens once.
    Sure,
    /// At least once, and the broker keeps it.
    SureKept,
    /// Exactly once (`QoS` 2), where a contract wants it. Its answers are not counted.
    Exactly,
}

impl Delivery {
    /// Its `QoS`.
    pub(crate) const fn qos(self) -> QoS {
        match self {
            Self::Once | Self::Kept => QoS::AtMostOnce,
            Self::Sure | Self::SureKept => QoS::AtLeastOnce,
            Self::Exactly => QoS::ExactlyOnce,
        }
    }

    /// Whether the broker keeps it.
    pub(crate) const fn is_retained(self) -> bool {
        match self {
            Self::Once | Self::Sure | Self::Exactly => false,
            Self::Kept | Self::SureKept => true,
        }
    }
}

/// One accepted connection, to write to. Nothing here waits.
pub(crate) trait Transport: std::fmt::Debug {
    /// Asks for the messages under a filter, acknowledged (`QoS` 1).
    ///
    /// # Errors
    /// If it is full.
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused>;

    /// Asks for the messages under a filter, as they come (`QoS` 0).
    ///
    /// # Errors
    /// If it is full.
    fn listen(&mut self, filter: &str) -> Result<(), Refused> {
        self.subscribe(filter)
    }

    /// Publishes.
    ///
    /// # Errors
    /// If it is full, or the message is too long for a packet.
    fn publish(&mut self, topic: &str, payload: Vec<u8>, delivery: Delivery) -> Result<(), Refused>;

    /// Messages that must be confirmed and are not yet.
    fn unconfirmed(&self) -> usize;

    /// Says goodbye after everything published so far; the broker then forgets the will.
    ///
    /// # Errors
    /// If it is full.
    fn disconnect(&mut self) -> Result<(), Refused>;
}

/// The transport did not take a message. Nothing has happened; it may be tried again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// What the connection tells the carrier.
#[derive(Debug)]
pub(crate) enum Event {
    /// A broker accepted us; its will carries `bd_seq`.
    Connected { client: Client, bd_seq: u8 },
    /// A message came in.
    Message(Inbound),
    /// The connection is gone; the next one is on its way.
    Lost,
    /// Our DISCONNECT is on its way to the broker.
    Left(Left),
}

/// We have left a broker. Whoever drops this stays away for good.
#[derive(Debug)]
pub(crate) struct Left(pub(super) oneshot::Sender<Next>);

impl Left {
    /// Goes on connecting.
    pub(super) fn again(self, next: Next) {
        // Nobody waits any more if the agent ends.
        let _ = self.0.send(next);
    }
}

/// A connection of `rumqttc`.
#[derive(Debug)]
pub(crate) struct Client {
    requests: AsyncClient,
    unconfirmed: Arc<AtomicUsize>,
    told_too_long: bool,
}

impl Client {
    /// `unconfirmed` is counted down by whoever reads the broker's answers.
    pub(super) const fn new(requests: AsyncClient, unconfirmed: Arc<AtomicUsize>) -> Self {
        Self { requests, unconfirmed, told_too_long: false }
    }
}

impl Transport for Client {
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.requests.try_subscribe(filter, QoS::AtLeastOnce).map_err(|_| Refused)
    }

    fn listen(&mut self, filter: &str) -> Result<(), Refused> {
        self.requests.try_subscribe(filter, QoS::AtMostOnce).map_err(|_| Refused)
    }

    fn publish(&mut self, topic: &str, payload: Vec<u8>, delivery: Delivery) -> Result<(), Refused> {
        let bytes = payload.len();
        if topic.len() + bytes + PACKET_OVERHEAD_BYTES > MAX_PACKET_BYTES {
            // The event loop would end the connection over it, and the next one the same way.
            if !self.told_too_long {
                error!(topic, bytes, limit = MAX_PACKET_BYTES, "message too long, not published");
                self.told_too_long = true;
            }
            return Err(Refused);
        }
        // Counted before it leaves, so that the answer cannot come first.
        let confirmed = delivery.qos() == QoS::AtLeastOnce;
        if confirmed {
            self.unconfirmed.fetch_add(1, Ordering::Relaxed);
        }
        let given = self.requests.try_publish(topic, delivery.qos(), delivery.is_retained(), payload);
        if given.is_err() && confirmed {
            self.unconfirmed.fetch_sub(1, Ordering::Relaxed);
        }
        given.map_err(|_| Refused)
    }

    fn unconfirmed(&self) -> usize {
        self.unconfirmed.load(Ordering::Relaxed)
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        self.requests.try_disconnect().map_err(|_| Refused)
    }
}
