//! The facility: this node on MQTT 3.1.1 brokers, with one or several faces on each connection.
//!
//! ```text
//!   cycle ── publish(report) ──► FacilityLink ──► link: one connection to one of several brokers
//!                                                   │
//!                                                   └── faces: sparkplug, …   each a pure function over reports
//! ```
//!
//! The cycle only ever replaces the latest report, so it cannot be held up, and an offline node holds one report
//! and no queue.

mod counters;
#[allow(dead_code, reason = "its configuration follows")]
mod dsx;
mod face;
#[allow(dead_code, reason = "the face that speaks it follows")]
pub(crate) mod flex;
mod json;
mod link;
mod settings;
mod shown;
mod sparkplug;
#[allow(dead_code, reason = "the cycle reads it next")]
mod standing;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::counters::Counters;
use self::face::Face;
use self::json::JsonFace;
use self::link::{Brokers, Carrier, CarrierTask, Connector, EVENTS, Keeper, Who, Will, no_certificates};
use self::sparkplug::{BdSeq, SparkplugFace};
use crate::clock::Clock;
use crate::report::Report;

pub use self::counters::FacilityCounters;
pub use self::json::JsonSettings;
pub use self::link::{BrokerAddress, BrokerAddressError, CertificateState, CertificateStatus};
pub use self::settings::{FacilityError, FacilitySettings, KEEP_ALIVE_S};
pub use self::sparkplug::SparkplugSettings;

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FacilityState {
    /// No broker.
    Offline,
    /// A broker accepted us; births are due, or the primary host is awaited.
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

/// How fast a link goes about what takes its time.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// MQTT keep-alive.
    keep_alive: Duration,
    /// Certificates are looked at so often. A renewal is due days ahead, so seconds do not matter.
    look: Duration,
    /// Renewed certificates come to all nodes at once; their new connections are spread over this.
    spread: Millis,
}

const PACE: Pace = Pace {
    keep_alive: Duration::from_secs(10),
    look: Duration::from_secs(10),
    spread: Millis::from_secs(30),
};

/// The agent's handle on one connection. Dropping it ends the session like the token does.
#[derive(Debug)]
pub struct FacilityLink {
    reports: watch::Sender<Option<Arc<Report>>>,
    state: watch::Receiver<FacilityState>,
    certificates: watch::Receiver<CertificateStatus>,
    counters: Arc<Counters>,
}

impl FacilityLink {
    /// Starts the link's tasks. They end within about two seconds of the token's cancellation.
    ///
    /// # Errors
    /// If the settings cannot work; see [`FacilityError`]. A broker that is not there is no error.
    pub fn spawn(
        tasks: &mut JoinSet<()>,
        settings: FacilitySettings,
        clock: Clock,
        token: CancellationToken,
    ) -> Result<Self, FacilityError> {
        settings.check()?;
        let pace = Pace { keep_alive: Duration::from_secs(settings.keep_alive_s.into()), ..PACE };
        Self::start(tasks, settings, pace, clock, token)
    }

    fn start(
        tasks: &mut JoinSet<()>,
        settings: FacilitySettings,
        pace: Pace,
        clock: Clock,
        token: CancellationToken,
    ) -> Result<Self, FacilityError> {
        let counters = Arc::new(Counters::default());
        let (faces, will) = faces(&settings, &counters)?;
        let wants_tls = settings.brokers.iter().any(|broker| broker.tls);
        let brokers = Brokers::new(settings.brokers).ok_or(FacilityError::NoBroker)?;
        let (identity, certificates) = match settings.tls.filter(|_| wants_tls) {
            Some(files) => {
                let (keeper, identity, certificates) = Keeper::new(files, settings.node.clone(), pace.look);
                tasks.spawn(keeper.run());
                (identity, certificates)
            }
            None => no_certificates(),
        };
        let (reports, latest) = watch::channel(None);
        let (told, state) = watch::channel(FacilityState::Offline);
        let (to_carrier, events) = mpsc::channel(EVENTS);
        let connector = Connector {
            brokers,
            who: Who { client_id: settings.client_id.clone(), keep_alive: pace.keep_alive },
            will,
            identity: identity.clone(),
            counters: Arc::clone(&counters),
            clock,
            events: to_carrier,
        };
        let carrier = CarrierTask {
            carrier: Carrier::new(faces, Arc::clone(&counters)),
            reports: latest,
            events,
            identity,
            state: told,
            clock,
            spread: pace.spread,
            client_id: settings.client_id,
        };
        tasks.spawn(connector.run());
        tasks.spawn(carrier.run(token));
        Ok(Self { reports, state, certificates, counters })
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

    /// How it stands with its certificates.
    #[must_use]
    pub fn certificates(&self) -> CertificateStatus {
        *self.certificates.borrow()
    }

    /// What it has done so far.
    #[must_use]
    pub fn counters(&self) -> FacilityCounters {
        self.counters.snapshot()
    }
}

/// The faces of a connection, and the one will that it can have.
fn faces(
    settings: &FacilitySettings,
    counters: &Arc<Counters>,
) -> Result<(Vec<Box<dyn Face>>, Will), FacilityError> {
    let mut faces: Vec<Box<dyn Face>> = Vec::new();
    let mut will = Will::None;
    if let Some(sparkplug) = &settings.sparkplug {
        let face =
            SparkplugFace::new(sparkplug, &settings.node, settings.brokers.len() > 1, Arc::clone(counters))
                .map_err(|(what, reason)| FacilityError::Id { what, reason })?;
        let bd_seq = BdSeq::load(&settings.state_dir, Arc::clone(counters));
        will = Will::Death { bd_seq, topic: face.death_topic() };
        faces.push(Box::new(face));
    }
    if let Some(json) = settings.json.clone() {
        let face = JsonFace::new(json, &settings.node);
        // There is one will a connection, and a Sparkplug host depends on its own.
        if let Will::None = will {
            let (topic, payload) = face.will();
            will = Will::Status { topic, payload };
        }
        faces.push(Box::new(face));
    }
    Ok((faces, will))
}
