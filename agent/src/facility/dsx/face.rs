//! The face: what is told, when, and what is heard.

use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::board::Board;
use super::places::{Ask, Places, own_tag};
use super::pulse::Pulse;
use super::rails::{Refusal, Requests};
use super::settings::{Described, DsxSettings, RequestSettings};
use super::words::{Heard, Metadata};
use crate::facility::face::{Face, Inbound, Moment, Outlet};
use crate::facility::link::Refused;
use crate::facility::standing::{Post, Standing};
use crate::report::Report;

/// The face, from the agent's start to its end.
#[derive(Debug)]
pub(crate) struct DsxFace {
    board: Board,
    pulse: Pulse,
    asking: Option<Asking>,
    post: Post,
    refusals_told: Vec<Refusal>,
}

/// An integration that may ask for something.
#[derive(Debug)]
struct Asking {
    places: Places,
    requests: Requests,
    alive: bool,
}

impl DsxFace {
    /// For this node. What integrations ask for is posted there.
    pub(crate) fn new(settings: &DsxSettings, node: &str, post: Post) -> Self {
        let identity = settings.identity(node);
        let requests = settings.requests.as_ref();
        let integration = requests.map(|requests| requests.integration.as_str());
        let pulse = Pulse::new(&identity, integration);
        let mut board =
            Board::new(identity.clone(), settings.points, requests.is_some(), settings.rack_power);
        for (metadata, tag) in Pulse::described(&identity, integration) {
            board.describe(&metadata, &tag);
        }
        if let Some(requests) = requests.filter(|requests| requests.described == Described::ByUs) {
            describe_requests(&mut board, requests);
        }
        let asking = requests.map(|of| Asking {
            places: Places::new(&identity, &of.integration, of.described),
            requests: Requests::new(of.rails()),
            alive: false,
        });
        Self { board, pulse, asking, post, refusals_told: Vec::new() }
    }

    fn hear(&mut self, inbound: &Inbound, now: Moment, out: &mut Outlet<'_>) -> Result<(), Refusal> {
        let asking = self.asking.as_mut().ok_or(Refusal::Foreign)?;
        // What describes a point is kept by the broker, and shall be.
        if asking.places.is_description(&inbound.topic) {
            let found = asking.places.describe(self.board.identity(), &inbound.topic, &inbound.payload)?;
            return match found {
                Some(topic) => {
                    info!(topic, "requests are read here");
                    // It is on the list, and subscribed on the next connection if not on this one.
                    out.listen(&topic).map_err(|Refused| Refusal::Full)
                }
                None => Ok(()),
            };
        }
        if inbound.retained {
            return Err(Refusal::Retained);
        }
        let ask = asking.places.ask(&inbound.topic).ok_or(Refusal::Foreign)?;
        let heard = Heard::read(&inbound.payload).map_err(|_| Refusal::Malformed)?;
        let times = (now.at, now.wall_ms);
        match ask {
            Ask::Beat => asking.requests.beat(&heard, now.at).map(|beat| self.pulse.heard(beat)),
            Ask::Supply => asking.requests.supply(&heard, times),
            Ask::Isolation => asking.requests.isolation(&heard, times),
        }
    }

    /// What is asked of the controller, said anew with each report.
    fn ask(&mut self, now: Millis) {
        let Some(asking) = &mut self.asking else { return };
        let wish = asking.requests.step(now);
        let standing = Standing { supply_target: wish.supply, isolate: wish.isolate, ..Standing::default() };
        self.post.ask(standing, now);
        let alive = asking.requests.is_alive(now);
        if std::mem::replace(&mut asking.alive, alive) != alive {
            if alive {
                info!("the integration's heartbeat is heard");
            } else {
                warn!("the integration's heartbeat is lost: back to our own set-points");
            }
        }
    }
}

/// Describes the points that the integration writes; only the owner does.
fn describe_requests(board: &mut Board, requests: &RequestSettings) {
    let identity = board.identity().clone();
    let by = |metadata: Metadata| Metadata { integration: Some(requests.integration.clone()), ..metadata };
    let of = |ask: Ask| {
        let (object, kind) = ask.point();
        (by(identity.name(object, kind, "")), own_tag(&identity, ask, &requests.integration))
    };
    let (supply, tag) = of(Ask::Supply);
    board.describe(&Metadata { eng_unit: Some("C".into()), ..supply }, &tag);
    let (isolation, tag) = of(Ask::Isolation);
    board.describe(&Metadata { state_text: super::words::requested(), ..isolation }, &tag);
    for (metadata, tag) in Pulse::asked_of(&identity, &requests.integration) {
        board.describe(&metadata, &tag);
    }
}

impl Face for DsxFace {
    fn name(&self) -> &'static str {
        "dsx"
    }

    fn connected(&mut self, out: &mut Outlet<'_>) -> Result<(), Refused> {
        let filters = self.asking.as_ref().map(|asking| asking.places.filters()).unwrap_or_default();
        filters.iter().try_for_each(|filter| out.listen(filter))
    }

    fn lost(&mut self) {
        self.board.forget();
        self.pulse.forget();
    }

    fn report(
        &mut self,
        report: &Arc<Report>,
        now: Moment,
        out: Option<&mut Outlet<'_>>,
    ) -> Result<(), Refused> {
        self.ask(now.at);
        let Some(out) = out else { return Ok(()) };
        self.pulse.publish(now, out)?;
        self.board.publish(report, now, out)
    }

    fn message(&mut self, inbound: &Inbound, now: Moment, out: &mut Outlet<'_>) {
        let Err(refusal) = self.hear(inbound, now, out) else { return };
        out.counters().commands_refused.count();
        if !self.refusals_told.contains(&refusal) {
            self.refusals_told.push(refusal);
            let (topic, reason) = (inbound.topic.as_str(), refusal.as_str());
            warn!(topic, reason, "request refused; further ones of this kind are only counted");
        }
    }

    fn goodbye(&mut self, _now: Moment, _out: &mut Outlet<'_>) -> Result<(), Refused> {
        // The contract knows no last word: that our heartbeat ends is one.
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.board.is_complete()
    }
}
