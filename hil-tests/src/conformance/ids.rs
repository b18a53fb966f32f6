//! Topics and the ids in them.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{Outcome, Rule, each, must};
use super::story::{Kind, Message, Said, Story};

const GROUP: usize = 1;
const NODE: usize = 3;
const DEVICE: usize = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["topic-structure"],
        says: "a topic has four levels, five with a device",
        holds: |story| {
            all(story, |message| {
                let levels = message.topic.split('/').count();
                levels == if message.kind.is_of_device() { 5 } else { 4 }
            })
        },
    },
    Rule {
        ids: &["topic-structure-namespace-a"],
        says: "a topic begins with spBv1.0",
        holds: |story| all(story, |message| message.level(0) == Some("spBv1.0")),
    },
    Rule {
        ids: &["topic-structure-namespace-device-id-associated-message-types"],
        says: "topics of DBIRTH, DDATA, DDEATH and DCMD name a device",
        holds: |story| {
            all(story, |message| {
                !message.kind.is_of_device() || message.device().is_some_and(|device| !device.is_empty())
            })
        },
    },
    Rule {
        ids: &["topic-structure-namespace-device-id-non-associated-message-types"],
        says: "topics of NBIRTH, NDATA, NDEATH and NCMD name no device",
        holds: |story| all(story, |message| message.kind.is_of_device() || message.device().is_none()),
    },
    Rule {
        ids: &["intro-group-id-string", "intro-group-id-chars", "topic-structure-namespace-valid-group-id"],
        says: "a group id is text without +, / and #",
        holds: |story| ids(story, GROUP),
    },
    Rule {
        ids: &[
            "intro-edge-node-id-string",
            "intro-edge-node-id-chars",
            "topic-structure-namespace-valid-edge-node-id",
        ],
        says: "a node id is text without +, / and #",
        holds: |story| ids(story, NODE),
    },
    Rule {
        ids: &[
            "intro-device-id-string",
            "intro-device-id-chars",
            "topic-structure-namespace-valid-device-id",
        ],
        says: "a device id is text without +, / and #",
        holds: |story| ids(story, DEVICE),
    },
    Rule {
        ids: &[
            "intro-edge-node-id-uniqueness",
            "payloads-nbirth-edge-node-descriptor",
            "topic-structure-namespace-unique-edge-node-descriptor",
        ],
        says: "nobody else publishes under the node's group and id",
        holds: |story| {
            let others = story.everybody().filter(|session| session.connect.client_id != story.cast.node);
            let foreign =
                others.flat_map(super::story::Session::said).find(|said| of_node(story, said.message));
            must(foreign.is_none(), || {
                format!("{:?} by another client", foreign.map(|said| said.message.topic.as_str()))
            })?;
            Ok(story.node().count())
        },
    },
    Rule {
        ids: &["topic-structure-namespace-unique-device-id"],
        says: "no device is born twice without an NBIRTH or its DDEATH between",
        holds: |story| {
            let mut kept = 0;
            for session in story.node() {
                let mut born = BTreeSet::new();
                for Said { message, .. } in session.said() {
                    let device = message.device().unwrap_or_default();
                    match message.kind {
                        Kind::NodeBirth => born.clear(),
                        Kind::DeviceBirth => {
                            must(born.insert(device), || format!("{device} is born twice"))?;
                            kept += 1;
                        }
                        Kind::DeviceDeath => {
                            born.remove(device);
                        }
                        Kind::NodeData
                        | Kind::NodeDeath
                        | Kind::NodeCommand
                        | Kind::DeviceData
                        | Kind::DeviceCommand
                        | Kind::State
                        | Kind::Other => {}
                    }
                }
            }
            Ok(kept)
        },
    },
    Rule {
        ids: &["case-sensitivity-sparkplug-ids"],
        says: "no two ids differ in case alone",
        holds: |story| {
            let mut spelled = BTreeMap::new();
            let mut kept = 0;
            for message in said(story) {
                for level in [GROUP, NODE, DEVICE] {
                    let Some(id) = message.level(level) else { continue };
                    let first = spelled.entry((level, id.to_lowercase())).or_insert(id);
                    must(*first == id, || format!("{id} and {first}"))?;
                    kept += 1;
                }
            }
            Ok(kept)
        },
    },
    Rule {
        ids: &["case-sensitivity-metric-names"],
        says: "no two metrics of one birth differ in case alone",
        holds: |story| {
            each(story.said(&Kind::BIRTHS), |Said { message, .. }| {
                let names = message.metrics().iter().filter_map(|metric| metric.name.as_deref());
                let mut seen = BTreeMap::new();
                for name in names {
                    let first = seen.insert(name.to_lowercase(), name);
                    must(first.is_none(), || format!("{name} and {first:?} in {}", message.topic))?;
                }
                Ok(())
            })
        },
    },
];

/// What the node says and its wills.
fn said(story: &Story) -> impl Iterator<Item = &Message> {
    story.node().flat_map(|session| session.will.iter().chain(session.said().map(|said| said.message)))
}

fn all(story: &Story, keeps: impl Fn(&Message) -> bool) -> Outcome {
    each(said(story), |message| must(keeps(message), || message.topic.clone()))
}

/// Wildcards and slashes cannot stand in a level that the broker took; what is left to judge is the text itself.
fn ids(story: &Story, level: usize) -> Outcome {
    each(said(story).filter_map(|message| message.level(level)), |id| {
        let fits = !id.is_empty() && !id.contains(['+', '#', '\0']);
        must(fits, || format!("{id:?} at level {level}"))
    })
}

fn of_node(story: &Story, message: &Message) -> bool {
    let commands =
        matches!(message.kind, Kind::NodeCommand | Kind::DeviceCommand | Kind::State | Kind::Other);
    let own =
        message.level(GROUP) == Some(&story.cast.group) && message.level(NODE) == Some(&story.cast.node);
    own && !commands
}
