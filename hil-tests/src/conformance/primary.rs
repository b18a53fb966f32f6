//! The primary host: the node waits for it, leaves with it, and looks for it at the next broker.
//!
//! ```text
//!   STATE online ──► births, data ──► STATE offline, not older ──► NDEATH, DISCONNECT ──► next broker
//! ```

use rumqttc::QoS;

use super::rule::{Outcome, Rule, each, must};
use super::story::{Did, Kind, Said, Session, Step, Story};

/// The node may take so long to leave, on a busy machine.
const AT_ONCE_MS: u64 = 2000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[
            "message-flow-edge-node-birth-publish-phid-wait",
            "operational-behavior-edge-node-birth-sequence-wait",
        ],
        says: "no birth of a session before the primary host's STATE says online",
        holds: |story| {
            each(story.said(&Kind::BIRTHS), |Said { session, step, message }| {
                let online = states(story, session).take_while(|state| state.step.place < step.place).last();
                must(online.is_some_and(|state| state.online), || {
                    format!("{} while the host is {online:?}", message.topic)
                })
            })
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-phid-wait-id"],
        says: "only the STATE of the configured host counts, whoever else is online",
        holds: |story| {
            births_of_sessions(story, |session, birth| {
                let mut heard = session.heard().take_while(|(step, _)| step.place < birth.place);
                let wanted = story.state_topic();
                must(heard.any(|(_, message)| message.topic == wanted), || {
                    format!("no {wanted} before NBIRTH")
                })
            })
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-phid-wait-online"],
        says: "a STATE that says offline lets no node be born",
        holds: |story| {
            births_of_sessions(story, |session, birth| {
                let last = states(story, session).take_while(|state| state.step.place < birth.place).last();
                must(last.is_none_or(|last| last.online), || format!("born on {last:?}"))
            })
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-phid-wait-timestamp"],
        says: "a STATE older than one before it lets no node be born",
        holds: |story| {
            births_of_sessions(story, |session, birth| {
                let before = states(story, session).take_while(|state| state.step.place < birth.place);
                let newest = before.max_by_key(|state| (state.stamp, state.step.place));
                must(newest.is_none_or(|newest| newest.online), || format!("born against {newest:?}"))
            })
        },
    },
    Rule {
        ids: &[
            "message-flow-edge-node-birth-publish-phid-offline",
            "operational-behavior-edge-node-termination-host-offline",
        ],
        says: "on STATE offline, not older than online, the node says NDEATH and disconnects at once",
        holds: |story| {
            each(farewells(story), |(session, state)| {
                let died = session
                    .said()
                    .find(|said| said.step.place > state.step.place && said.message.kind == Kind::NodeDeath);
                let left = session.steps.iter().find(|step| {
                    step.place > state.step.place && matches!(step.did, Did::Disconnected | Did::Ended)
                });
                let died = died.is_some_and(|said| said.step.at_ms <= state.step.at_ms + AT_ONCE_MS);
                let left = left.is_some_and(|step| step.at_ms <= state.step.at_ms + AT_ONCE_MS);
                must(died && left, || format!("NDEATH in time: {died}, gone in time: {left}"))
            })
        },
    },
    Rule {
        ids: &[
            "operational-behavior-edge-node-termination-host-offline-reconnect",
            "operational-behavior-primary-application-state-with-multiple-servers-walk",
        ],
        says: "having left because its host is offline, the node goes to the next broker",
        holds: |story| {
            let servers = 1 + story.everybody().map(|session| session.server).max().unwrap_or_default();
            each(farewells(story), |(session, _)| {
                let next = story.node().find(|next| next.began > session.began).map(|next| next.server);
                must(next.is_none_or(|next| next == (session.server + 1) % servers), || {
                    format!("from broker {} to {next:?} of {servers}", session.server)
                })
            })
        },
    },
    Rule {
        ids: &["operational-behavior-edge-node-termination-host-offline-timestamp"],
        says: "a STATE offline that is older than the last online does not end the session",
        holds: |story| {
            each(stale(story), |(session, state)| {
                let soon = |step: &&Step| {
                    let fresh = matches!(&step.did, Did::Heard(message) if message.kind == Kind::State);
                    step.at_ms <= state.step.at_ms + AT_ONCE_MS && !fresh
                };
                let after = session.steps.iter().skip_while(|step| step.place <= state.step.place);
                let left =
                    after.take_while(soon).any(|step| matches!(step.did, Did::Disconnected | Did::Ended));
                must(!left, || "the node left on an old STATE".to_owned())
            })
        },
    },
    Rule {
        ids: &["operational-behavior-primary-application-state-with-multiple-servers-single-server"],
        says: "the node is never connected to two brokers",
        holds: |story| {
            let sessions: Vec<_> = story.node().collect();
            each(sessions.windows(2), |pair| {
                let ended = pair[0].ended();
                must(ended.is_some_and(|ended| ended < pair[1].began), || {
                    format!("connected to {} while at {}", pair[1].server, pair[0].server)
                })
            })
        },
    },
    Rule {
        ids: &["operational-behavior-primary-application-state-with-multiple-servers-state-subs"],
        says: "at every broker the node subscribes to the primary host's STATE with QoS 1",
        holds: |story| {
            let topic = story.state_topic();
            births_of_sessions(story, |session, birth| {
                let mut filters = session.filters_before(birth.place);
                let subscribed = filters.any(|filter| filter.qos == QoS::AtLeastOnce && filter.path == topic);
                must(subscribed, || format!("{topic} is not subscribed to"))
            })
        },
    },
];

/// A STATE of the primary host as the node heard it.
#[derive(Clone, Copy, Debug)]
struct State<'a> {
    step: &'a Step,
    online: bool,
    stamp: u64,
}

fn states<'a>(story: &'a Story, session: &'a Session) -> impl Iterator<Item = State<'a>> {
    let topic = story.state_topic();
    session.heard().filter(move |(_, message)| message.topic == topic).filter_map(|(step, message)| {
        let (online, stamp) = message.state()?;
        Some(State { step, online, stamp })
    })
}

fn births_of_sessions(story: &Story, keeps: impl Fn(&Session, &Step) -> Result<(), String>) -> Outcome {
    each(story.said(&[Kind::NodeBirth]), |said| keeps(said.session, said.step))
}

/// Each STATE offline of the node's life in a session, with the newest online before it.
fn offline(story: &Story) -> impl Iterator<Item = (&Session, State<'_>, u64)> {
    story.node().flat_map(move |session| {
        let born =
            session.said().find(|said| said.message.kind == Kind::NodeBirth).map(|said| said.step.place);
        let mut online = None;
        let judged = states(story, session).filter_map(move |state| {
            if state.online {
                online = online.max(Some(state.stamp));
                return None;
            }
            Some((session, state, online?))
        });
        judged.filter(move |(_, state, _)| born.is_some_and(|born| born < state.step.place))
    })
}

/// Those that end the session.
fn farewells(story: &Story) -> impl Iterator<Item = (&Session, State<'_>)> {
    offline(story)
        .filter(|(_, state, online)| state.stamp >= *online)
        .map(|(session, state, _)| (session, state))
}

/// Those that are too old to.
fn stale(story: &Story) -> impl Iterator<Item = (&Session, State<'_>)> {
    offline(story)
        .filter(|(_, state, online)| state.stamp < *online)
        .map(|(session, state, _)| (session, state))
}
