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
mod dsx;
mod face;
mod faces;
mod flex;
mod json;
mod link;
mod settings;
mod shown;
mod sparkplug;
mod standing;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eisbach_protocol::units::Millis;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::counters::Counters;
use self::faces::Faces;
use self::link::{Brokers, Carrier, CarrierTask, Connector, EVENTS, Keeper, Who, no_certificates};
use self::standing::Cell;
use crate::clock::Clock;
use crate::report::Report;
use crate::report::events::{EventKind, Events, PowerOutcome};

pub use self::counters::FacilityCounters;
pub(crate) use self::dsx::fits;
pub use self::dsx::{Described, DsxSettings, Points, RequestSettings};
pub use self::flex::{FlexRules, FlexSettings, IssuerFiles, IssuerRole};
pub(crate) use self::flex::{PinnedKey, verify};
#[cfg(test)]
pub(crate) use self::flex::{SigningKey, sign};
pub use self::json::JsonSettings;
pub use self::link::{BrokerAddress, BrokerAddressError, CertificateState, CertificateStatus};
pub use self::settings::{FacilityError, FacilitySettings, KEEP_ALIVE_S};
pub use self::sparkplug::SparkplugSettings;
pub use self::standing::Standing;

/// Where the link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// How one connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FacilityStatus {
    /// Its section in the configuration.
    pub section: &'static str,
    /// Where it stands.
    pub state: FacilityState,
    /// How it stands with its certificates.
    pub certificates: CertificateStatus,
    /// What it has done so far.
    pub counters: FacilityCounters,
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
    section: &'static str,
    reports: watch::Sender<Option<Arc<Report>>>,
    state: watch::Receiver<FacilityState>,
    certificates: watch::Receiver<CertificateStatus>,
    counters: Arc<Counters>,
    standing: Vec<Cell>,
    outcomes: Mutex<mpsc::Receiver<PowerOutcome>>,
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
        let (section, counters) = (settings.section, Arc::new(Counters::default()));
        let Faces { faces, will, standing, outcomes, keeper } = Faces::new(&settings, &counters)?;
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
        if let Some(keeper) = keeper {
            tasks.spawn(keeper.run());
        }
        tasks.spawn(connector.run());
        tasks.spawn(carrier.run(token));
        Ok(Self { section, reports, state, certificates, counters, standing, outcomes: Mutex::new(outcomes) })
    }

    /// Hands over the newest report. Never waits; one not yet looked at is replaced.
    pub fn publish(&self, report: Arc<Report>) {
        self.reports.send_replace(Some(report));
    }

    /// What its faces ask of the controller at `now`.
    #[must_use]
    pub fn standing(&self, now: Millis) -> Standing {
        standing::all(&self.standing, now)
    }

    /// Adds to the events what became of words about power. Never waits: only the cycle reads here.
    pub fn tell(&self, events: &mut Arc<Events>) {
        let Ok(mut outcomes) = self.outcomes.try_lock() else { return };
        while let Ok(outcome) = outcomes.try_recv() {
            Events::push(events, EventKind::Power(outcome));
        }
    }

    /// How it goes.
    #[must_use]
    pub fn status(&self) -> FacilityStatus {
        FacilityStatus {
            section: self.section,
            state: self.state(),
            certificates: self.certificates(),
            counters: self.counters(),
        }
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
