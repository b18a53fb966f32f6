//! The Sparkplug session of this node: what is published, when, and in which order. No I/O, no clock.
//!
//! ```text
//!             connected           subscribed            NBIRTH
//!   Offline ────────────► Fresh ────────────► Unborn ────────────► Born ─┐ data by exception,
//!      ▲                                        ▲                  │  ▲  │ DBIRTH, DDEATH
//!      │ lost, from anywhere                    └──────────────────┘  └──┘
//!                                               rebirth asked
//! ```
//!
//! The connection lives inside the state, so nothing can be published without one, and what the host knows lives
//! inside [`Born`], so no data can leave before its birth. A message that the transport refuses has not happened:
//! order, births and dead-bands stay where they were, and the next report tries again.

use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::FacilityState;
use super::births;
use super::born::{Born, Outlet};
use super::command::{self, Inbound, Order, Refusal};
use super::counters::Counters;
use super::topics::Topics;
use super::transport::{Refused, Transport};
use crate::report::Report;

/// Shortest time between two births of one session: a storm of requests costs one birth each five seconds.
pub(super) const REBIRTH_PAUSE: Millis = Millis::from_secs(5);

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// On the agent's clock.
    pub(super) at: Millis,
    /// In UTC milliseconds.
    pub(super) wall_ms: u64,
}

/// The session, from the agent's start to its end.
#[derive(Debug)]
pub(super) struct Session<T> {
    topics: Topics,
    state: State<T>,
    latest: Option<Arc<Report>>,
    counters: Arc<Counters>,
    connected_before: bool,
    refusals_told: Vec<Refusal>,
}

#[derive(Debug)]
enum State<T> {
    Offline,
    Online(Online<T>),
}

#[derive(Debug)]
struct Online<T> {
    transport: T,
    bd_seq: u8,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// Connected, commands not yet subscribed.
    Fresh,
    /// Subscribed; the birth is due with the first report, and after a birth before it not before this time.
    Unborn { not_before: Option<Millis> },
    /// The host knows the node.
    Born(Born),
}

impl<T: Transport> Session<T> {
    /// A session that is offline.
    pub(super) const fn new(topics: Topics, counters: Arc<Counters>) -> Self {
        let state = State::Offline;
        Self { topics, state, latest: None, counters, connected_before: false, refusals_told: Vec::new() }
    }

    /// Where it stands.
    pub(super) const fn state(&self) -> FacilityState {
        match &self.state {
            State::Offline => FacilityState::Offline,
            State::Online(Online { phase: Phase::Fresh | Phase::Unborn { .. }, .. }) => {
                FacilityState::Connected
            }
            State::Online(Online { phase: Phase::Born(_), .. }) => FacilityState::Birthed,
        }
    }

    /// The broker accepted a connection whose will carries `bd_seq`.
    pub(super) fn connected(&mut self, transport: T, bd_seq: u8, now: Moment) {
        if self.connected_before {
            self.counters.reconnects.count();
        }
        self.connected_before = true;
        self.state = State::Online(Online { transport, bd_seq, phase: Phase::Fresh });
        self.advance(now);
    }

    /// The connection is gone.
    pub(super) fn lost(&mut self) {
        self.state = State::Offline;
    }

    /// The cycle has a new report.
    pub(super) fn report(&mut self, report: Arc<Report>, now: Moment) {
        self.latest = Some(report);
        self.advance(now);
    }

    /// A message came for us.
    pub(super) fn message(&mut self, inbound: &Inbound, now: Moment) {
        match (command::judge(inbound, &self.topics), &mut self.state) {
            (Ok(Order::Rebirth), State::Online(online)) => {
                online.ask_for_rebirth();
                self.advance(now);
            }
            (Ok(Order::Rebirth), State::Offline) => {}
            (Err(refusal), State::Online(_) | State::Offline) => self.refuse(inbound, refusal),
        }
    }

    /// The agent stops: `NDEATH`, then DISCONNECT. True if the transport took both; otherwise the caller drops the
    /// connection, and the broker publishes the will, which says the same.
    pub(super) fn stop(&mut self, now: Moment) -> bool {
        match &mut self.state {
            State::Offline => false,
            State::Online(online) => {
                let death = births::node_death(online.bd_seq, now.wall_ms);
                let mut outlet = Outlet { transport: &mut online.transport, counters: &self.counters, now };
                outlet.publish(&self.topics.own.death, death).is_ok() && online.transport.disconnect().is_ok()
            }
        }
    }

    /// Does what is due, as far as the transport takes it.
    fn advance(&mut self, now: Moment) {
        match &mut self.state {
            State::Offline => {}
            State::Online(online) => {
                if online.advance(&self.topics, self.latest.as_deref(), &self.counters, now).is_err() {
                    self.counters.refused.count();
                }
            }
        }
    }

    fn refuse(&mut self, inbound: &Inbound, refusal: Refusal) {
        self.counters.commands_refused.count();
        if !self.refusals_told.contains(&refusal) {
            self.refusals_told.push(refusal);
            let (topic, reason) = (inbound.topic.as_str(), refusal.as_str());
            warn!(topic, reason, "command refused; further ones of this kind are only counted");
        }
    }
}

impl<T: Transport> Online<T> {
    fn advance(
        &mut self,
        topics: &Topics,
        latest: Option<&Report>,
        counters: &Counters,
        now: Moment,
    ) -> Result<(), Refused> {
        if let Phase::Fresh = self.phase {
            topics.commands.iter().try_for_each(|filter| self.transport.subscribe(filter))?;
            self.phase = Phase::Unborn { not_before: None };
        }
        let Some(report) = latest else {
            return Ok(());
        };
        let mut outlet = Outlet { transport: &mut self.transport, counters, now };
        if let Phase::Unborn { not_before } = self.phase
            && not_before.is_none_or(|earliest| now.at >= earliest)
        {
            self.phase = Phase::Born(Born::publish(report, topics, self.bd_seq, &mut outlet)?);
            if not_before.is_some() {
                counters.rebirths.count();
            }
            info!(bd_seq = self.bd_seq, again = not_before.is_some(), "born");
        }
        match &mut self.phase {
            Phase::Fresh | Phase::Unborn { .. } => Ok(()),
            Phase::Born(born) => born.publish_changes(report, topics, &mut outlet),
        }
    }

    /// No data from here on until the next birth.
    fn ask_for_rebirth(&mut self) {
        if let Phase::Born(born) = &self.phase {
            self.phase = Phase::Unborn { not_before: Some(born.at() + REBIRTH_PAUSE) };
        }
    }
}
