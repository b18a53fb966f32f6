//! The connection to a broker: MQTT 3.1.1 by `rumqttc`, whose types stay in this folder.
//!
//! ```text
//!             ┌──────────────── one connection ─────────────────┐
//!    will ──► │ options, TLS ──► poll, poll, poll … ──► fault │ ──► next broker, back off ──► next connection
//!             └──────┬───────────────────┬──────────────────┬───┘
//!                Connected(client)    Message              Lost          events, bounded
//! ```
//!
//! Every connection is made of a fresh client and event loop. So the will always carries its own `bdSeq`, the
//! certificates are the newest, and the only way to publish, the [`Client`], comes with the event that the broker
//! accepted us: nothing written for one connection can leave on the next one.
//!
//! The task does nothing but poll. `EventLoop::poll` loses its connection attempt when it is dropped half way, so
//! it is never raced against a timer that may win and go on; the watchdog that surrounds it ends the connection.

use std::io;
use std::mem::Discriminant;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use eisbach_protocol::units::Millis;
use rumqttc::{
    AsyncClient, ConnectionError, Event as MqttEvent, EventLoop, LastWill, MqttOptions, NetworkOptions,
    Outgoing, Packet, Publish, SubAck, SubscribeReasonCode, TlsConfiguration, Transport as Wire,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::backoff::Backoff;
use super::brokers::{BrokerAddress, Brokers};
use super::certificates::Identity;
use super::transport::{Client, Event, Left, MAX_PACKET_BYTES};
use super::will::Will;
use crate::clock::Clock;
use crate::facility::counters::Counters;
use crate::facility::face::{Inbound, Next};

/// Requests that wait for the socket: subscriptions and the births of a node with some 60 objects.
const REQUESTS: usize = 64;
/// Events that wait for the carrier, which never blocks.
pub(crate) const EVENTS: usize = 256;
/// For name resolution, TCP, TLS and CONNACK together, and for each flush. A broker under the storm of a thousand
/// reconnecting nodes needs a few seconds.
const CONNECT_LIMIT_S: u64 = 10;
/// An event loop that stands still for so many keep-alives is given up. It moves at every ping; connecting is bounded
/// by its own, shorter limit.
const WATCHDOG_KEEP_ALIVES: u32 = 3;
/// A message that must be confirmed and is not for so many keep-alives never will be.
const CONFIRM_KEEP_ALIVES: u32 = 2;
/// Longest message that is looked at: what comes in are commands.
const LONGEST_INBOUND: usize = 64 * 1024;
/// A connection that held this long was a good one, and its end is a first failure again. Shorter ones, as when
/// two clients with one id throw each other out, keep backing off.
const GOOD_CONNECTION: Millis = Millis::from_secs(5);

/// Who we are to the broker.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    /// MQTT client id.
    pub(crate) client_id: String,
    /// A silence longer than one to two of these is a fault.
    pub(crate) keep_alive: Duration,
}

/// The task that keeps a connection up.
#[derive(Debug)]
pub(crate) struct Connector {
    /// Where to connect to.
    pub(crate) brokers: Brokers,
    /// As whom.
    pub(crate) who: Who,
    /// What the broker says when we fall silent.
    pub(crate) will: Will,
    /// What a handshake is made with.
    pub(crate) identity: watch::Receiver<Identity>,
    /// Where dropped messages are counted.
    pub(crate) counters: Arc<Counters>,
    /// For the time a connection held.
    pub(crate) clock: Clock,
    /// To the carrier. When it is gone, so is the connection.
    pub(crate) events: mpsc::Sender<Event>,
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// The carrier is gone.
    Unwanted,
    /// We said goodbye, after the connection was accepted for so long.
    Left { held: Option<Millis> },
    /// Something broke, after the connection was accepted for so long.
    Fault { fault: Fault, held: Option<Millis> },
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    /// No CONNECT has left.
    #[error("broker cannot be reached: {0}")]
    Unreachable(io::Error),
    /// No CONNECT has left.
    #[error("no TLS with the broker: {0}; look at its certificate, its name and ours")]
    Handshake(rumqttc::TlsError),
    /// Nothing has left.
    #[error("the broker wants TLS and the certificates cannot be used")]
    NoIdentity,
    #[error("the broker refuses our certificate: {0}; have it issued by a CA that the broker trusts")]
    Unknown(ConnectionError),
    #[error("{0}")]
    Rejected(ConnectionError),
    #[error("connection broke: {0}")]
    Broken(ConnectionError),
    #[error("connection hangs: nothing moved for {0:?}")]
    Hangs(Duration),
    #[error("the broker answers and confirms nothing that it must for {0:?}; look at its storage")]
    Unconfirmed(Duration),
    #[error("the broker did not take our goodbye")]
    GivenUp,
}

impl Fault {
    /// Whether the broker may have seen our CONNECT and its will.
    const fn is_after_connect(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Handshake(_) | Self::NoIdentity => false,
            Self::Unknown(_)
            | Self::Rejected(_)
            | Self::Broken(_)
            | Self::Hangs(_)
            | Self::Unconfirmed(_)
            | Self::GivenUp => true,
        }
    }
}

impl Connector {
    /// Connects, and connects again, until the carrier stays away or is gone.
    pub(crate) async fn run(mut self) {
        let events = self.events.clone();
        tokio::select! {
            () = events.closed() => {}
            () = self.stay_connected() => {}
        }
    }

    async fn stay_connected(&mut self) {
        let mut backoff = Backoff::new(&self.who.client_id);
        let mut outage = Outage::default();
        loop {
            let (bd_seq, will) = self.will.reserve().await;
            match self.one_connection(bd_seq, will, &mut outage).await {
                End::Unwanted => return,
                End::Left { held } => {
                    self.will.spent();
                    // Whoever sends us from broker to broker does not make us hurry.
                    if held.is_some_and(|held| held >= GOOD_CONNECTION) {
                        backoff.reset();
                    }
                    match self.next().await {
                        Some(Next::SameBroker) => {}
                        Some(Next::NextBroker) => self.brokers.walk(),
                        None => return,
                    }
                    sleep(backoff.next_delay()).await;
                }
                End::Fault { fault, held } => {
                    if fault.is_after_connect() {
                        self.will.spent();
                    }
                    if held.is_some_and(|held| held >= GOOD_CONNECTION) {
                        backoff.reset();
                    }
                    if held.is_some() && self.events.send(Event::Lost).await.is_err() {
                        return;
                    }
                    outage.failed(&fault, self.brokers.current());
                    self.brokers.walk();
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    /// What the carrier wants after we have left; `None` if it stays away.
    async fn next(&self) -> Option<Next> {
        let (answer, next) = oneshot::channel();
        self.events.send(Event::Left(Left(answer))).await.ok()?;
        next.await.ok()
    }

    async fn one_connection(&mut self, bd_seq: u8, will: Option<LastWill>, outage: &mut Outage) -> End {
        let Some(options) = self.options(will) else {
            return End::Fault { fault: Fault::NoIdentity, held: None };
        };
        let (requests, mut event_loop) = AsyncClient::new(options, REQUESTS);
        event_loop.set_network_options(network_options());
        let unconfirmed = Arc::new(AtomicUsize::new(0));
        let mut all_confirmed_at = self.clock.now();
        let mut client = Some(Client::new(requests, Arc::clone(&unconfirmed)));
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
                    outage.over(bd_seq, self.brokers.current());
                    if let Some(client) = client.take()
                        && self.events.send(Event::Connected { client, bd_seq }).await.is_err()
                    {
                        return End::Unwanted;
                    }
                }
                MqttEvent::Incoming(Packet::PubAck(_)) => {
                    unconfirmed.fetch_sub(1, Ordering::Relaxed);
                    all_confirmed_at = self.clock.now();
                }
                MqttEvent::Incoming(Packet::Publish(publish)) => self.pass_on(publish),
                MqttEvent::Incoming(Packet::SubAck(ack)) => complain_if_refused(&ack),
                MqttEvent::Outgoing(Outgoing::Disconnect) => {
                    return End::Left { held: accepted.map(|at| self.clock.now().since(at)) };
                }
                MqttEvent::Incoming(_) | MqttEvent::Outgoing(_) => {}
            }
            // A full window of unconfirmed messages stops the event loop from reading ours, even that there will be no
            // more: it goes on pinging, and to the broker we live.
            if unconfirmed.load(Ordering::Relaxed) == 0 {
                all_confirmed_at = self.clock.now();
            }
            let limit = self.who.keep_alive * CONFIRM_KEEP_ALIVES;
            let fault = if client.is_none() && Arc::strong_count(&unconfirmed) == 1 {
                Some(Fault::GivenUp)
            } else {
                (self.clock.since(all_confirmed_at) > limit).then_some(Fault::Unconfirmed(limit))
            };
            if let Some(fault) = fault {
                return End::Fault { fault, held: accepted.map(|at| self.clock.now().since(at)) };
            }
        }
    }

    async fn poll(&self, event_loop: &mut EventLoop) -> Result<MqttEvent, Fault> {
        let watchdog = self.who.keep_alive * WATCHDOG_KEEP_ALIVES;
        match timeout(watchdog, event_loop.poll()).await {
            Ok(Ok(event)) => Ok(event),
            // Only name resolution and TCP fail with this variant; everything later is an MQTT state.
            Ok(Err(ConnectionError::Io(error))) => Err(Fault::Unreachable(error)),
            Ok(Err(ConnectionError::Tls(error))) => Err(Fault::Handshake(error)),
            Ok(Err(error @ ConnectionError::ConnectionRefused(_))) => Err(Fault::Rejected(error)),
            // With TLS 1.3 the refusal of our certificate comes only now, within MQTT.
            Ok(Err(error)) if error.to_string().contains("received fatal alert") => {
                Err(Fault::Unknown(error))
            }
            Ok(Err(error)) => Err(Fault::Broken(error)),
            Err(_) => Err(Fault::Hangs(watchdog)),
        }
    }

    fn pass_on(&self, publish: Publish) {
        let Publish { topic, payload, retain: retained, .. } = publish;
        if payload.len() > LONGEST_INBOUND {
            self.counters.dropped.count();
            return;
        }
        if self.events.try_send(Event::Message(Inbound { topic, payload: payload.into(), retained })).is_err()
        {
            self.counters.dropped.count();
        }
    }

    /// `None` if the broker wants TLS and there are no certificates.
    fn options(&mut self, will: Option<LastWill>) -> Option<MqttOptions> {
        let BrokerAddress { host, port, tls } = self.brokers.current()?;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let mut options = MqttOptions::new(&self.who.client_id, host, *port);
        options
            .set_keep_alive(self.who.keep_alive)
            .set_clean_session(true)
            .set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
        if let Some(will) = will {
            options.set_last_will(will);
        }
        if *tls {
            let config = self.identity.borrow_and_update().clone()?;
            options.set_transport(Wire::tls_with_config(TlsConfiguration::Rustls(config)));
        }
        Some(options)
    }
}

fn network_options() -> NetworkOptions {
    let mut options = NetworkOptions::new();
    options.set_connection_timeout(CONNECT_LIMIT_S).set_tcp_nodelay(true);
    options
}

fn complain_if_refused(ack: &SubAck) {
    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
        warn!("the broker refuses a subscription: no host can ask us for anything; check its access list");
    }
}

/// Tells of an outage once for each kind of fault, however often the retry fails.
#[derive(Debug, Default)]
struct Outage {
    failures: u32,
    told: Vec<Discriminant<Fault>>,
}

impl Outage {
    fn failed(&mut self, fault: &Fault, broker: Option<&BrokerAddress>) {
        self.failures = self.failures.saturating_add(1);
        let kind = std::mem::discriminant(fault);
        if !self.told.contains(&kind) {
            self.told.push(kind);
            let broker = broker.map(ToString::to_string);
            warn!(%fault, broker, "no broker, trying again until there is one");
        }
    }

    fn over(&mut self, bd_seq: u8, broker: Option<&BrokerAddress>) {
        let broker = broker.map(ToString::to_string);
        info!(bd_seq, failures = self.failures, broker, "connected to a broker");
        *self = Self::default();
    }
}
