//! Births: what a host must learn before anything else.

use std::collections::{BTreeMap, BTreeSet};

use super::rule::{
    Outcome, Rule, decodes, each, must, next_in_order, not_retained, numbered, plain, qos_zero, timestamped,
    topic,
};
use super::story::{Did, Kind, Message, Said, Session, Story};
use super::wire::{Metric, Value};

const REBIRTH: &str = "Node Control/Rebirth";
const BOOLEAN: u32 = 11;
const INT64: u32 = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["message-flow-edge-node-birth-publish-connect"],
        says: "births leave only after the broker has accepted the connection",
        holds: |story| {
            each(story.said(&Kind::BIRTHS), |Said { session, step, message }| {
                must(session.accepted_before(step.place), || format!("{} before CONNACK", message.topic))
            })
        },
    },
    Rule {
        ids: &["principles-birth-certificates-order"],
        says: "the first word of every session of node and host is its birth",
        holds: births_come_first,
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-nbirth-qos", "payloads-nbirth-qos"],
        says: "NBIRTH leaves with QoS 0",
        holds: |story| qos_zero(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-nbirth-retained", "payloads-nbirth-retain"],
        says: "NBIRTH is not retained",
        holds: |story| not_retained(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["topics-nbirth-mqtt"],
        says: "NBIRTH has QoS 0 and is not retained",
        holds: |story| plain(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-nbirth-topic", "topics-nbirth-topic"],
        says: "NBIRTH has the topic spBv1.0/group/NBIRTH/node",
        holds: |story| topic(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-nbirth-payload"],
        says: "NBIRTH is a Sparkplug payload",
        holds: |story| decodes(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-nbirth-payload-seq", "payloads-nbirth-seq"],
        says: "NBIRTH has a sequence number from 0 to 255",
        holds: |story| numbered(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["topics-nbirth-seq-num", "payloads-sequence-num-req-nbirth"],
        says: "the sequence number of NBIRTH is 0",
        holds: |story| {
            each(story.said(&[Kind::NodeBirth]), |said| {
                must(said.message.seq() == Some(0), || format!("NBIRTH has seq {:?}", said.message.seq()))
            })
        },
    },
    Rule {
        ids: &["payloads-nbirth-timestamp", "topics-nbirth-timestamp"],
        says: "NBIRTH tells when it was sent",
        holds: |story| timestamped(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["payloads-nbirth-bdseq", "topics-nbirth-bdseq-included"],
        says: "NBIRTH has a metric bdSeq",
        holds: |story| {
            each(story.said(&[Kind::NodeBirth]), |said| {
                must(said.message.metric("bdSeq").is_some(), || "NBIRTH without bdSeq".to_owned())
            })
        },
    },
    Rule {
        ids: &[
            "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
            "payloads-nbirth-bdseq-repeat",
            "topics-nbirth-bdseq-matching",
        ],
        says: "bdSeq in NBIRTH is an Int64 and the one of the will",
        holds: |story| {
            each(story.said(&[Kind::NodeBirth]), |Said { session, message, .. }| {
                let will = session.will.as_ref().and_then(Message::bd_seq);
                let born = message.metric("bdSeq").filter(|metric| metric.datatype == Some(INT64));
                must(born.is_some() && message.bd_seq() == will && will.is_some(), || {
                    format!("bdSeq {:?} in NBIRTH, {will:?} in the will", message.bd_seq())
                })
            })
        },
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-name"],
        says: "NBIRTH has a metric Node Control/Rebirth",
        holds: |story| rebirth_metric(story, |_| true),
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-datatype"],
        says: "Node Control/Rebirth is a Boolean",
        holds: |story| rebirth_metric(story, |metric| metric.datatype == Some(BOOLEAN)),
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-value"],
        says: "Node Control/Rebirth is false in NBIRTH",
        holds: |story| rebirth_metric(story, |metric| metric.value == Some(Value::Boolean(false))),
    },
    Rule {
        ids: &["operational-behavior-data-commands-rebirth-name-aliases"],
        says: "Node Control/Rebirth has no alias",
        holds: |story| rebirth_metric(story, |metric| metric.alias.is_none()),
    },
    Rule {
        ids: &["payloads-nbirth-rebirth-req", "topics-nbirth-rebirth-metric"],
        says: "NBIRTH has the Boolean Node Control/Rebirth = false",
        holds: |story| {
            rebirth_metric(story, |metric| {
                metric.datatype == Some(BOOLEAN) && metric.value == Some(Value::Boolean(false))
            })
        },
    },
    Rule {
        ids: &["topics-nbirth-metrics"],
        says: "every metric of NBIRTH has name, type and current value or null",
        holds: |story| whole_metrics(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["topics-nbirth-metric-reqs", "operational-behavior-data-publish-nbirth"],
        says: "every metric that NDATA ever tells was in NBIRTH",
        holds: |story| announced(story, Kind::NodeData),
    },
    Rule {
        ids: &["operational-behavior-data-publish-nbirth-values"],
        says: "a metric of NBIRTH has either a value or is null",
        holds: |story| value_or_null(story, Kind::NodeBirth),
    },
    Rule {
        ids: &["message-flow-device-birth-publish-dbirth-qos", "payloads-dbirth-qos"],
        says: "DBIRTH leaves with QoS 0",
        holds: |story| qos_zero(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["message-flow-device-birth-publish-dbirth-retained", "payloads-dbirth-retain"],
        says: "DBIRTH is not retained",
        holds: |story| not_retained(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["topics-dbirth-mqtt"],
        says: "DBIRTH has QoS 0 and is not retained",
        holds: |story| plain(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["message-flow-device-birth-publish-dbirth-topic", "topics-dbirth-topic"],
        says: "DBIRTH has the topic spBv1.0/group/DBIRTH/node/device",
        holds: |story| topic(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["message-flow-device-birth-publish-dbirth-match-edge-node-topic"],
        says: "DBIRTH names the group and node of the NBIRTH before it",
        holds: of_the_same_node,
    },
    Rule {
        ids: &["message-flow-device-birth-publish-dbirth-payload"],
        says: "DBIRTH is a Sparkplug payload",
        holds: |story| decodes(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["payloads-dbirth-seq"],
        says: "DBIRTH has a sequence number",
        holds: |story| numbered(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &[
            "message-flow-device-birth-publish-dbirth-payload-seq",
            "payloads-dbirth-seq-inc",
            "topics-dbirth-seq",
        ],
        says: "the sequence number of DBIRTH is the one after that of the message before",
        holds: |story| next_in_order(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["payloads-dbirth-timestamp", "topics-dbirth-timestamp"],
        says: "DBIRTH tells when it was sent",
        holds: |story| timestamped(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["topics-dbirth-metrics"],
        says: "every metric of DBIRTH has name, type and current value or null",
        holds: |story| whole_metrics(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["topics-dbirth-metric-reqs", "operational-behavior-data-publish-dbirth"],
        says: "every metric that DDATA ever tells was in the DBIRTH of its device",
        holds: |story| announced(story, Kind::DeviceData),
    },
    Rule {
        ids: &["operational-behavior-data-publish-dbirth-values"],
        says: "a metric of DBIRTH has either a value or is null",
        holds: |story| value_or_null(story, Kind::DeviceBirth),
    },
    Rule {
        ids: &["message-flow-device-birth-publish-nbirth-wait"],
        says: "no DBIRTH before the NBIRTH of its session",
        holds: |story| {
            each(story.said(&[Kind::DeviceBirth]), |Said { session, step, .. }| {
                let mut before = session.said().take_while(|said| said.step.place < step.place);
                must(before.any(|said| said.message.kind == Kind::NodeBirth), || "DBIRTH first".to_owned())
            })
        },
    },
    Rule {
        ids: &["payloads-dbirth-order", "payloads-ndata-order", "payloads-ddata-order"],
        says: "after an NBIRTH no data leaves before the DBIRTH of every device that is there",
        holds: whole_families,
    },
];

fn births_come_first(story: &Story) -> Outcome {
    let first = |session: &Session, kind| {
        must(session.said().next().is_none_or(|said| said.message.kind == kind), || {
            format!("the first word of {} is no birth", session.connect.client_id)
        })
    };
    let node = each(story.node(), |session| first(session, Kind::NodeBirth))?;
    Ok(node + each(story.host(), |session| first(session, Kind::State))?)
}

fn rebirth_metric(story: &Story, is: impl Fn(&Metric) -> bool) -> Outcome {
    each(story.said(&[Kind::NodeBirth]), |said| {
        let metric = said.message.metric(REBIRTH);
        must(metric.is_some_and(&is), || format!("{REBIRTH} is {metric:?}"))
    })
}

fn whole_metrics(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]).flat_map(|said| said.message.metrics()), |metric| {
        let whole = metric.name.is_some() && metric.datatype.is_some();
        must(whole && (metric.value.is_some() || metric.is_null == Some(true)), || {
            format!("{} has {metric:?}", kind.word())
        })
    })
}

fn value_or_null(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]).flat_map(|said| said.message.metrics()), |metric| {
        must(metric.value.is_some() != (metric.is_null == Some(true)), || format!("{metric:?}"))
    })
}

fn announced(story: &Story, kind: Kind) -> Outcome {
    let mut kept = 0;
    for session in story.node() {
        // Aliases of each device, and of the node under "", in the births that hold.
        let mut known: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        for Said { message, .. } in session.said() {
            if message.kind == Kind::NodeBirth {
                known.clear();
            }
            let mut aliases = message.metrics().iter().filter_map(|metric| metric.alias);
            let owner = message.device().unwrap_or_default();
            if Kind::BIRTHS.contains(&message.kind) {
                known.insert(owner, aliases.collect());
            } else if message.kind == kind {
                let stranger =
                    aliases.find(|alias| !known.get(owner).is_some_and(|known| known.contains(alias)));
                must(known.contains_key(owner) && stranger.is_none(), || {
                    format!("{} tells {stranger:?}, which no birth announced", message.topic)
                })?;
                kept += 1;
            }
        }
    }
    Ok(kept)
}

fn of_the_same_node(story: &Story) -> Outcome {
    each(story.said(&[Kind::DeviceBirth]), |Said { session, step, message }| {
        let birth = session
            .said()
            .take_while(|said| said.step.place < step.place)
            .filter(|said| said.message.kind == Kind::NodeBirth)
            .last();
        let Some(birth) = birth else { return Ok(()) };
        let same = |level| birth.message.level(level) == message.level(level);
        must(same(1) && same(3), || format!("{} after {}", message.topic, birth.message.topic))
    })
}

/// At an NBIRTH the devices that were there have to follow in one row, and only then data.
fn whole_families(story: &Story) -> Outcome {
    let mut kept = 0;
    for session in story.node() {
        let (mut there, mut missing) = (BTreeSet::new(), BTreeSet::new());
        for Said { message, .. } in session.said() {
            let device = message.device().unwrap_or_default().to_owned();
            match message.kind {
                Kind::NodeBirth => {
                    missing.clone_from(&there);
                    kept += 1;
                }
                Kind::DeviceBirth => {
                    missing.remove(&device);
                    there.insert(device);
                }
                Kind::DeviceDeath => {
                    missing.remove(&device);
                    there.remove(&device);
                }
                Kind::NodeData | Kind::DeviceData => {
                    must(missing.is_empty(), || {
                        format!("{} before the births of {missing:?}", message.topic)
                    })?;
                    must(message.kind == Kind::NodeData || there.contains(&device), || {
                        format!("{} of a device that is not born", message.topic)
                    })?;
                }
                Kind::NodeDeath | Kind::NodeCommand | Kind::DeviceCommand | Kind::State | Kind::Other => {}
            }
        }
        let left_half = session.steps.iter().any(|step| matches!(step.did, Did::Ended));
        must(missing.is_empty() || left_half, || format!("no births of {missing:?}"))?;
    }
    Ok(kept)
}
