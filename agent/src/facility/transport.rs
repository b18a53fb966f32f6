//! The connection to the broker: MQTT 3.1.1 by `rumqttc`, whose types stay in this file.
//!
//! ```text
//!             ┌──────────────── one connection ─────────────────┐
//!   bdSeq ──► │ will, options ──► poll, poll, poll … ──► fault │ ──► back off ──► next connection
//!             └──────┬───────────────────┬──────────────────┬───┘
//!                Connected(client)    Message              Lost          events, bounded
//! ```
//!
//! Every connection is made of a fresh client and event loop. So the will always carries its own `bdSeq`, and the
//! only way to publish, the [`Client`], comes with the event that the broker accepted us: nothing written for one
//! connection can leave on the next one.
//!
//! The task does nothing but poll. `EventLoop::poll` loses its connection attempt when it is dropped half way, so
//! it is never raced against a timer that may win and go on; the watchdog that surrounds it ends the connection.

use std::io;
use std::mem::Discriminant;
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::units::Millis;
use rumqttc::{
    AsyncClient, ConnectionError, Event as MqttEvent, EventLoop, LastWill, MqttOptions, NetworkOptions,
    Outgoing, Packet, Publish, QoS, SubAck, SubscribeReasonCode,
};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::bdseq::BdSeq;
use super::births;
use super::command::Inbound;
use super::counters::Counters;
use crate::clock::Clock;

/// Longest packet in either direction. A birth is a few kilobytes; what comes in is a command.
pub(super) const MAX_PACKET_BYTES: usize = 256 * 1024;
/// Room for topic and headers in a packet.
const PACKET_OVERHEAD_BYTES: usize = 512;
/// Requests that wait for the socket: two subscriptions and the births of a node with some 60 objects.
const REQUESTS: usize = 64;
/// Events that wait for the session, which never blocks.
pub(super) const EVENTS: usize = 256;
/// For name resolution, TCP and CONNACK together, and for each flush. A broker under the storm of a thousand
/// reconnecting nodes needs a few seconds.
const CONNECT_LIMIT_S: u64 = 10;
/// An event loop that stands still for so many keep-alives is given up. It moves at every ping; connecting is bounded
/// by its own, shorter limit.
const WATCHDOG_KEEP_ALIVES: u32 = 3;
/// A connection that held this long was a good one, and its end is a first failure again. Shorter ones, as when
/// two clients with one id throw each other out, keep backing off.
const GOOD_CONNECTION: Millis = Millis::from_secs(5);

/// What a session does with its connection. Nothing here waits.
pub(super) trait Transport {
    /// Asks for the messages under a filter, acknowledged (`QoS` 1).
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused>;
    /// Publishes once (`QoS` 0) and not retained, as Sparkplug wants for everything but the will.
    fn publish(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), Refused>;
    /// Says goodbye after everything published so far; the broker then forgets the will.
    fn disconnect(&mut self) -> Result<(), Refused>;
}

/// The transport did not take a message. Nothing has happened; it may be tried again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// What the connection tells the session.
#[derive(Debug)]
pub(super) enum Event {
    /// The broker accepted us; its will carries `bd_seq`.
    Connected { client: Client, bd_seq: u8 },
    /// A message came in.
    Message(Inbound),
    /// The connection is gone; the next one is on its way.
    Lost,
    /// Our DISCONNECT is on its way to the broker. This is the last event.
    Goodbye,
}

/// How to reach the broker, and as whom.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    /// Name or address; an IPv6 address in brackets.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
    /// MQTT client id.
    pub(super) client_id: String,
    /// A silence longer than one to two of these is a fault.
    pub(super) keep_alive: Duration,
    /// Topic of the will.
    pub(super) death_topic: String,
}

/// One accepted connection, to write to.
#[derive(Debug)]
pub(super) struct Client {
    requests: AsyncClient,
    told_too_long: bool,
}

impl Transport for Client {
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.requests.try_subscribe(filter, QoS::AtLeastOnce).map_err(|_| Refused)
    }

    fn publish(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), Refused> {
        let bytes = payload.len();
        if topic.len() + bytes + PACKET_OVERHEAD_BYTES > MAX_PACKET_BYTES {
            // The event loop would end the connection over it, and the next one the same way.
            if !self.told_too_long {
                error!(topic, bytes, limit = MAX_PACKET_BYTES, "message too long, not published");
                self.told_too_long = true;
            }
            return Err(Refused);
        }
        self.requests.try_publish(topic, QoS::AtMostOnce, false, payload).map_err(|_| Refused)
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        self.requests.try_disconnect().map_err(|_| Refused)
    }
}

/// The task that keeps a connection up.
#[derive(Debug)]
pub(super) struct Connector {
    /// How to reach the broker.
    pub(super) broker: Broker,
    /// The number of each connection.
    pub(super) bd_seq: BdSeq,
    /// Where dropped messages are counted.
    pub(super) counters: Arc<Counters>,
    /// For the time a connection held, and the time in the will.
    pub(super) clock: Clock,
    /// To the session. When it is gone, so is the connection.
    pub(super) events: mpsc::Sender<Event>,
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// We said goodbye, or the session is gone.
    Wanted,
    /// Something broke, after the connection was accepted for so long.
    Fault { fault: Fault, held: Option<Millis> },
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    /// No CONNECT has left.
    #[error("broker cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("{0}")]
    Rejected(ConnectionError),
    #[error("connection broke: {0}")]
    Broken(ConnectionError),
    #[error("connection hangs: nothing moved for {0:?}")]
    Hangs(Duration),
}

impl Connector {
    /// Connects, and connects again, until the session says goodbye or is gone.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        tokio::select! {
            () = events.closed() => {}
            () = self.stay_connected() => {}
        }
    }

    async fn stay_connected(&mut self) {
        let mut backoff = Backoff::new(&self.broker.client_id);
        let mut outage = Outage::default();
        loop {
            let bd_seq = self.bd_seq.reserve().await;
            let End::Fault { fault, held } = self.one_connection(bd_seq, &mut outage).await else {
                return;
            };
            if !matches!(fault, Fault::Unreachable(_)) {
                self.bd_seq.spent();
            }
            if held.is_some_and(|held| held >= GOOD_CONNECTION) {
                backoff.reset();
            }
            if held.is_some() && self.events.send(Event::Lost).await.is_err() {
                return;
            }
            outage.failed(&fault);
            sleep(backoff.next_delay()).await;
        }
    }

    async fn one_connection(&self, bd_seq: u8, outage: &mut Outage) -> End {
        let (requests, mut event_loop) = AsyncClient::new(self.options(bd_seq), REQUESTS);
        event_loop.set_network_options(network_options());
        let mut client = Some(Client { requests, told_too_long: false });
        let mut accepted = None;
        loop {
            let event = match self.poll(&mut event_loop).await {
                Ok(event) => event,
                Err(fault) => {
                    return End::Fault { fault, held: accepted.map(|at| self.clock.now().since(at)) };
                }
            };
            match event {
                MqttEvent::Incoming(Packet::ConnAck(_)) => {
                    accepted = Some(self.clock.now());
                    outage.over(bd_seq);
                    if let Some(client) = client.take()
                        && self.events.send(Event::Connected { client, bd_seq }).await.is_err()
                    {
                        return End::Wanted;
                    }
                }
                MqttEvent::Incoming(Packet::Publish(publish)) => self.pass_on(publish),
                MqttEvent::Incoming(Packet::SubAck(ack)) => complain_if_refused(&ack),
                MqttEvent::Outgoing(Outgoing::Disconnect) => {
                    // The session may be gone already, and then nobody waits for this.
                    let _ = self.events.send(Event::Goodbye).await;
                    return End::Wanted;
                }
                MqttEvent::Incoming(_) | MqttEvent::Outgoing(_) => {}
            }
        }
    }

    async fn poll(&self, event_loop: &mut EventLoop) -> Result<MqttEvent, Fault> {
        let watchdog = self.broker.keep_alive * WATCHDOG_KEEP_ALIVES;
        match timeout(watchdog, event_loop.poll()).await {
            Ok(Ok(event)) => Ok(event),
            // Only name resolution and TCP fail with this variant; everything later is an MQTT state.
            Ok(Err(ConnectionError::Io(error))) => Err(Fault::Unreachable(error)),
            Ok(Err(error @ ConnectionError::ConnectionRefused(_))) => Err(Fault::Rejected(error)),
            Ok(Err(error)) => Err(Fault::Broken(error)),
            Err(_) => Err(Fault::Hangs(watchdog)),
        }
    }

    fn pass_on(&self, publish: Publish) {
        let Publish { topic, payload, retain: retained, .. } = publish;
        if self.events.try_send(Event::Message(Inbound { topic, payload: payload.into(), retained })).is_err()
        {
            self.counters.dropped.count();
        }
    }

    fn options(&self, bd_seq: u8) -> MqttOptions {
        let Broker { host, port, client_id, keep_alive, death_topic } = &self.broker;
        let death = births::node_death(bd_seq, Clock::wall_ms());
        let mut options = MqttOptions::new(client_id, host, *port);
        options
            .set_keep_alive(*keep_alive)
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES)
            .set_last_will(LastWill::new(death_topic, death, QoS::AtLeastOnce, false));
        options
    }
}

fn network_options() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_connection_timeout(CONNECT_LIMIT_S).set_tcp_nodelay(true);
    options
}

fn complain_if_refused(ack: &SubAck) {
    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
        warn!("the broker refuses our subscription: no host can ask for births; check its access list");
    }
}

/// Tells of an outage once for each kind of fault, however often the retry fails.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    told: Vec<Discriminant<Fault>>,
}

impl Outage {
    fn failed(&mut self, fault: &Fault) {
        self.failures = self.failures.saturating_add(1);
        let kind = std::mem::discriminant(fault);
        if !self.told.contains(&kind) {
            self.told.push(kind);
            warn!(%fault, "no broker, trying again until it is back");
        }
    }

    fn over(&mut self, bd_seq: u8) {
        info!(bd_seq, failures = self.failures, "connected to the broker");
        *self = Self::default();
    }
}
