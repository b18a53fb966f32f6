//! This node as a Sparkplug B edge node: what is published, when, and in which order.
//!
//! ```text
//!    connected     commands and STATE subscribed     host online       NBIRTH
//!   ───────────►  Unborn ───────────────────────────────────────────► Born ─┐ data by exception,
//!      ▲            ▲      not while the primary host is away           │  ▲  │ DBIRTH, DDEATH
//!      │ lost       └──────────────────────────────────────────────────┘  └──┘
//!      │                          rebirth asked
//!      └── host offline, Next Server: NDEATH, DISCONNECT, the next broker
//! ```
//!
//! What the host knows lives inside [`Born`], so no data can leave before its birth. A message that the transport
//! refuses has not happened: order, births and dead-bands stay where they were, and the next report tries again.
//!
//! Written from the Eclipse Sparkplug specification 3.0.0.

mod bdseq;
mod births;
mod born;
mod command;
mod history;
mod host;
mod tags;
mod topics;

use std::sync::Arc;

use eisbach_protocol::sparkplug::{Id, TopicError};
use eisbach_protocol::units::Millis;
use tracing::{info, warn};

pub(super) use self::bdseq::BdSeq;
pub(super) use self::births::{longest as longest_birth, node_death};
use self::born::{Born, Way};
use self::command::{Order, Refusal};
use self::history::History;
use self::host::{HostState, Hosted, PrimaryHost};
use self::topics::Topics;
use super::counters::Counters;
use super::face::{Face, Inbound, Moment, Next, Outlet};
use super::link::Refused;
use crate::desk::{Desk, Kind, Submission};
use crate::report::Report;

/// Shortest time between two births of one session: a storm of requests costs one birth each five seconds.
pub(super) const REBIRTH_PAUSE: Millis = Millis::from_secs(5);
/// A broker at which the primary host does not show up within this is left for the next one.
const HOST_PATIENCE: Millis = Millis::from_secs(10);

/// Who we are in the Sparkplug namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparkplugSettings {
    /// Sparkplug group: letters, digits, `_` and `-`.
    pub group: String,
    /// Host without which nothing is told; `None` tells whoever is there.
    pub primary_host: Option<String>,
}

/// The face, from the agent's start to its end.
#[derive(Debug)]
pub(super) struct SparkplugFace {
    topics: Topics,
    phase: Phase,
    host: Option<PrimaryHost>,
    history: History,
    counters: Arc<Counters>,
    /// There is more than one broker to go to.
    walks: bool,
    refusals_told: Vec<Refusal>,
    desk: Option<Desk>,
    /// How often all was to be told once more.
    rebirths: u64,
}

#[derive(Debug)]
enum Phase {
    /// The birth is due with the first report, and after a birth before it not before this time.
    Unborn { not_before: Option<Millis> },
    /// The host knows the node.
    Born(Born),
}

impl SparkplugFace {
    /// For this node; `walks` if there is more than one broker. A break goes unnoticed for two keep-alives.
    ///
    /// # Errors
    /// If an id would make a topic that brokers or hosts stumble over.
    pub(super) fn new(
        settings: &SparkplugSettings,
        node: &str,
        (walks, keep_alive): (bool, Millis),
        counters: Arc<Counters>,
    ) -> Result<Self, (&'static str, TopicError)> {
        let id = |what, text| Id::new(text).map_err(|reason| (what, reason));
        let topics = Topics::new(id("group", &settings.group)?, id("node", node)?);
        let host = settings.primary_host.as_deref();
        let host = host.map(|name| id("primary host", name).map(PrimaryHost::new)).transpose()?;
        let history = History::new(keep_alive);
        Ok(Self {
            topics,
            phase: UNBORN,
            host,
            history,
            counters,
            walks,
            refusals_told: Vec::new(),
            desk: None,
            rebirths: 0,
        })
    }

    /// With somebody who judges commands.
    pub(super) fn with_desk(self, desk: Option<Desk>) -> Self {
        let rebirths = desk.as_ref().map_or(0, Desk::rebirths);
        Self { desk, rebirths, ..self }
    }

    /// Where our death is told.
    pub(super) fn death_topic(&self) -> String {
        self.topics.own.death.clone()
    }

    /// No data from here on until the next birth.
    fn ask_for_rebirth(&mut self) {
        if let Phase::Born(born) = &self.phase {
            self.phase = Phase::Unborn { not_before: Some(born.at() + REBIRTH_PAUSE) };
        }
    }

    /// Whether the primary host is there; a broker that it stays away from is left.
    fn is_hosted(&mut self, now: Moment, out: &mut Outlet<'_>) -> bool {
        let Some(host) = &mut self.host else { return true };
        match host.state_at(now.at) {
            HostState::Online => true,
            HostState::Awaited { since } => {
                if self.walks && now.at.since(since) >= HOST_PATIENCE {
                    info!("the primary host is not at this broker");
                    out.leave(Next::NextBroker);
                }
                false
            }
        }
    }

    fn on_state(&mut self, inbound: &Inbound, out: &mut Outlet<'_>) {
        let Some(host) = &mut self.host else { return };
        match host.hear(&inbound.payload) {
            Some(Hosted::CameOnline) => info!("the primary host is online"),
            Some(Hosted::WentOffline) => {
                info!("the primary host went offline");
                out.leave(Next::NextBroker);
            }
            Some(Hosted::Unchanged) => {}
            None => out.counters().host_states_refused.count(),
        }
    }

    /// Hands what was written to the desk. What becomes of it, points and events tell.
    fn submit(&mut self, inbound: &Inbound, writes: Vec<Kind>, counters: &Counters) {
        for kind in writes {
            let submission = Submission { face: "sparkplug", retained: inbound.retained, kind };
            if !self.desk.as_ref().is_some_and(|desk| desk.submit(submission)) {
                self.refuse(inbound, Refusal::Busy, counters);
            }
        }
    }

    fn refuse(&mut self, inbound: &Inbound, refusal: Refusal, counters: &Counters) {
        counters.commands_refused.count();
        if !self.refusals_told.contains(&refusal) {
            self.refusals_told.push(refusal);
            let (topic, reason) = (inbound.topic.as_str(), refusal.as_str());
            warn!(topic, reason, "command refused; further ones of this kind are only counted");
        }
    }
}

const UNBORN: Phase = Phase::Unborn { not_before: None };

impl Face for SparkplugFace {
    fn name(&self) -> &'static str {
        "sparkplug"
    }

    fn connected(&mut self, out: &mut Outlet<'_>) -> Result<(), Refused> {
        self.topics.commands.iter().try_for_each(|filter| out.subscribe(filter))?;
        self.host.as_ref().map_or(Ok(()), |host| out.subscribe(host.topic()))
    }

    fn lost(&mut self) {
        self.phase = UNBORN;
        self.history.lost();
        if let Some(host) = &mut self.host {
            host.forget();
        }
    }

    fn report(
        &mut self,
        report: &Arc<Report>,
        now: Moment,
        out: Option<&mut Outlet<'_>>,
    ) -> Result<(), Refused> {
        let hosted = match out {
            Some(out) => self.is_hosted(now, out).then_some(out),
            None => None,
        };
        let Some(out) = hosted else {
            self.history.keep(report, now.at, &self.counters);
            return Ok(());
        };
        let rebirths = self.desk.as_ref().map_or(0, Desk::rebirths);
        if std::mem::replace(&mut self.rebirths, rebirths) != rebirths {
            self.ask_for_rebirth();
        }
        let mut way = Way { out, now };
        if let Phase::Unborn { not_before } = self.phase
            && not_before.is_none_or(|earliest| now.at >= earliest)
        {
            self.phase = Phase::Born(Born::publish(report, &self.topics, self.walks, &mut way)?);
            if not_before.is_some() {
                way.out.counters().rebirths.count();
            }
            info!(bd_seq = way.out.bd_seq, again = not_before.is_some(), "born");
        }
        match &mut self.phase {
            Phase::Unborn { .. } => {
                self.history.keep(report, now.at, &self.counters);
                Ok(())
            }
            Phase::Born(born) => {
                born.publish_changes(report, &self.topics, &mut way)?;
                if self.history.is_due() {
                    self.history.tell(born, &mut way)
                } else {
                    self.history.keep_recent(report, now.at, &self.counters);
                    Ok(())
                }
            }
        }
    }

    fn message(&mut self, inbound: &Inbound, _now: Moment, out: &mut Outlet<'_>) {
        if self.host.as_ref().is_some_and(|host| host.topic() == inbound.topic) {
            self.on_state(inbound, out);
            return;
        }
        match command::judge(inbound, &self.topics) {
            Ok(Order::Rebirth) => self.ask_for_rebirth(),
            Ok(Order::NextServer) if self.walks => out.leave(Next::NextBroker),
            Ok(Order::NextServer) => self.refuse(inbound, Refusal::NoOtherServer, out.counters()),
            Ok(Order::Writes(writes)) => self.submit(inbound, writes, out.counters()),
            Err(refusal) => self.refuse(inbound, refusal, out.counters()),
        }
    }

    fn goodbye(&mut self, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refused> {
        if self.is_ready() {
            self.history.heard();
        }
        let death = node_death(out.bd_seq, now.wall_ms);
        Way { out, now }.publish(&self.topics.own.death, death)
    }

    fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Born(_))
    }
}
