//! The facility link: this node as a Sparkplug B edge node on an MQTT 3.1.1 broker.
//!
//! ```text
//!   cycle ── publish(report) ──► latest report ──► session task ── try_publish ──► connector task ──► broker
//!                                                   │ session  ◄─── events, bounded ───┘ polls, backs off
//!                                                   ▼
//!                                    born: what the host knows ── tags: points and alarms as metrics
//! ```
//!
//! The cycle only ever replaces the latest report, so it cannot be held up, and an offline node holds one report
//! and no queue. Of what a host may send, only the request for births is obeyed.
//!
//! Written from the Eclipse Sparkplug specification 3.0.0.

mod backoff;
mod bdseq;
mod births;
mod born;
mod command;
mod counters;
mod session;
mod tags;
mod task;
mod topics;
mod transport;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::sparkplug::{Id, TopicError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::bdseq::BdSeq;
use self::counters::Counters;
use self::session::Session;
use self::task::SessionTask;
use self::topics::Topics;
use self::transport::{Broker, Connector, EVENTS, MAX_PACKET_BYTES};
use crate::clock::Clock;
use crate::report::Report;

pub use self::counters::FacilityCounters;

/// Keep-alives that make sense, seconds. Below, the watchdog would end slow connects; above, a dead node goes
/// unnoticed for more than ten minutes.
pub const KEEP_ALIVE_S: RangeInclusive<u16> = 5..=300;

/// Where the broker is and who we are to it.
#[derive(Clone, Debug)]
pub struct FacilitySettings {
    /// Name or address of the broker; an IPv6 address in brackets.
    pub host: String,
    /// Its TCP port, usually 1883.
    pub port: u16,
    /// Sparkplug group: letters, digits, `_` and `-`.
    pub group: String,
    /// Sparkplug edge node, unique in its group: letters, digits, `_` and `-`.
    pub node: String,
    /// MQTT client id, unique at the broker: letters, digits, `_` and `-`.
    pub client_id: String,
    /// MQTT keep-alive, seconds, within [`KEEP_ALIVE_S`]. The broker tells of our death 1.5 times this after we
    /// fall silent.
    pub keep_alive_s: u16,
    /// Folder that outlives the process; `bdseq` is kept in it.
    pub state_dir: PathBuf,
}

/// Why a link was not started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FacilityError {
    /// An id would make a topic that brokers or hosts stumble over.
    #[error("facility {what}: {reason}")]
    Id {
        /// Which setting.
        what: &'static str,
        /// What is wrong with it.
        reason: TopicError,
    },
    /// No host to connect to.
    #[error("facility host is empty: give the name or address of the MQTT broker")]
    Host,
    /// Port zero.
    #[error("facility port is 0: give the TCP port of the MQTT broker, usually 1883")]
    Port,
    /// Out of [`KEEP_ALIVE_S`].
    #[error("facility keep-alive is {seconds} s: give {} to {} s", KEEP_ALIVE_S.start(), KEEP_ALIVE_S.end())]
    KeepAlive {
        /// As configured.
        seconds: u16,
    },
    /// The catalogue has outgrown the packet limit: a birth would end every connection.
    #[error("a birth takes {bytes} bytes, more than the {limit} it may take: raise the packet limit")]
    BirthTooLong {
        /// What the longest birth needs.
        bytes: usize,
        /// What it may need.
        limit: usize,
    },
}

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacilityState {
    /// No broker.
    Offline,
    /// The broker accepted us; the birth is due.
    Connected,
    /// The births are published, and data follows.
    Birthed,
}

impl FacilityState {
    /// One stable word for status and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Connected => "connected",
            Self::Birthed => "birthed",
        }
    }
}

/// The agent's handle on the link. Dropping it ends the session like the token does.
#[derive(Debug)]
pub struct FacilityLink {
    reports: watch::Sender<Option<Arc<Report>>>,
    state: watch::Receiver<FacilityState>,
    counters: Arc<Counters>,
}

impl FacilityLink {
    /// Starts the link's two tasks. They end within about two seconds of the token's cancellation.
    ///
    /// # Errors
    /// If the settings cannot work; see [`FacilityError`]. A broker that is not there is no error.
    pub fn spawn(
        tasks: &mut JoinSet<()>,
        settings: FacilitySettings,
        clock: Clock,
        token: CancellationToken,
    ) -> Result<Self, FacilityError> {
        let topics = settings.check()?;
        let state_dir = settings.state_dir.clone();
        let broker = settings.into_broker(topics.own.death.clone());
        Ok(Self::start(tasks, topics, broker, &state_dir, clock, token))
    }

    fn start(
        tasks: &mut JoinSet<()>,
        topics: Topics,
        broker: Broker,
        state_dir: &Path,
        clock: Clock,
        token: CancellationToken,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let (reports, latest) = watch::channel(None);
        let (told, state) = watch::channel(FacilityState::Offline);
        let (to_session, events) = mpsc::channel(EVENTS);
        let bd_seq = BdSeq::load(state_dir, Arc::clone(&counters));
        let connector =
            Connector { broker, bd_seq, counters: Arc::clone(&counters), clock, events: to_session };
        let session = Session::new(topics, Arc::clone(&counters));
        let session = SessionTask { session, reports: latest, events, state: told, clock };
        tasks.spawn(connector.run());
        tasks.spawn(session.run(token));
        Self { reports, state, counters }
    }

    /// Hands over the newest report. Never waits; one not yet looked at is replaced.
    pub fn publish(&self, report: Arc<Report>) {
        self.reports.send_replace(Some(report));
    }

    /// Where the link stands.
    #[must_use]
    pub fn state(&self) -> FacilityState {
        *self.state.borrow()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> FacilityCounters {
        self.counters.snapshot()
    }
}

impl FacilitySettings {
    /// Everything that would otherwise fail, or panic in the MQTT library, at each connection.
    fn check(&self) -> Result<Topics, FacilityError> {
        let group = id("group", &self.group)?;
        let node = id("node", &self.node)?;
        id("client id", &self.client_id)?;
        if self.host.trim().is_empty() {
            return Err(FacilityError::Host);
        }
        if self.port == 0 {
            return Err(FacilityError::Port);
        }
        if !KEEP_ALIVE_S.contains(&self.keep_alive_s) {
            return Err(FacilityError::KeepAlive { seconds: self.keep_alive_s });
        }
        // Half of it: text values are not known yet, nor how long names of objects are.
        let (bytes, limit) = (births::longest(), MAX_PACKET_BYTES / 2);
        if bytes > limit {
            return Err(FacilityError::BirthTooLong { bytes, limit });
        }
        Ok(Topics::new(group, node))
    }

    fn into_broker(self, death_topic: String) -> Broker {
        let Self { host, port, client_id, keep_alive_s, .. } = self;
        Broker { host, port, client_id, keep_alive: Duration::from_secs(keep_alive_s.into()), death_topic }
    }
}

fn id<'a>(what: &'static str, text: &'a str) -> Result<Id<'a>, FacilityError> {
    Id::new(text).map_err(|reason| FacilityError::Id { what, reason })
}
