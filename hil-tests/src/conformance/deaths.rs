//! Wills and deaths: what a host learns when a node or a device is gone.

use std::collections::BTreeSet;

use rumqttc::{Protocol, QoS};

use super::rule::{Outcome, Rule, each, must, next_in_order, numbered, plain, timestamped, topic};
use super::story::{Did, Kind, Message, Said, Session, Story};

const INT64: u32 = 4;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["principles-persistence-clean-session-311"],
        says: "every CONNECT is MQTT 3.1.1 and asks for a clean session",
        holds: |story| {
            each(story.node(), |Session { connect, .. }| {
                must(connect.clean_session && connect.protocol == Protocol::V4, || format!("{connect:?}"))
            })
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-will-message", "payloads-ndeath-will-message"],
        says: "every CONNECT carries an NDEATH as its will",
        holds: |story| {
            each(story.node(), |session| {
                let will = session.will.as_ref().map(|will| will.kind);
                must(will == Some(Kind::NodeDeath), || format!("the will is {will:?}"))
            })
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-will-message-topic"],
        says: "the will has the topic spBv1.0/group/NDEATH/node",
        holds: |story| {
            let wanted = story.topic("NDEATH", None);
            will(story, |will| must(will.topic == wanted, || will.topic.clone()))
        },
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-will-message-qos", "payloads-ndeath-will-message-qos"],
        says: "the will has QoS 1",
        holds: |story| will(story, |will| must(will.qos == QoS::AtLeastOnce, || format!("{:?}", will.qos))),
    },
    Rule {
        ids: &[
            "message-flow-edge-node-birth-publish-will-message-will-retained",
            "payloads-ndeath-will-message-retain",
        ],
        says: "the will is not retained",
        holds: |story| will(story, |will| must(!will.retain, || "the will is retained".to_owned())),
    },
    Rule {
        ids: &["message-flow-edge-node-birth-publish-will-message-payload"],
        says: "the will is a Sparkplug payload",
        holds: |story| will(story, |will| must(will.payload.is_some(), || "unreadable will".to_owned())),
    },
    Rule {
        ids: &[
            "message-flow-edge-node-birth-publish-will-message-payload-bdSeq",
            "topics-nbirth-bdseq-increment",
        ],
        says: "bdSeq in the will is an Int64 that begins at 0 and rises by one at every CONNECT, over restarts too",
        holds: rising_bd_seq,
    },
    Rule {
        ids: &["topics-ndeath-payload"],
        says: "NDEATH has the one metric bdSeq",
        holds: |story| {
            each(deaths(story), |death| {
                must(death.metrics().len() == 1 && death.bd_seq().is_some(), || {
                    format!("{:?}", death.payload)
                })
            })
        },
    },
    Rule {
        ids: &["topics-ndeath-seq", "payloads-ndeath-seq"],
        says: "NDEATH has no sequence number",
        holds: |story| {
            each(deaths(story), |death| must(death.seq().is_none(), || format!("seq {:?}", death.seq())))
        },
    },
    Rule {
        ids: &["topics-ndeath-topic"],
        says: "NDEATH has the topic spBv1.0/group/NDEATH/node",
        holds: |story| {
            let wanted = story.topic("NDEATH", None);
            each(deaths(story), |death| must(death.topic == wanted, || death.topic.clone()))
        },
    },
    Rule {
        ids: &["payloads-ndeath-bdseq"],
        says: "NDEATH has the bdSeq of the births of its session",
        holds: |story| {
            each(story.said(&[Kind::NodeDeath, Kind::NodeBirth]), |Said { session, message, .. }| {
                let will = session.will.as_ref().and_then(Message::bd_seq);
                must(message.bd_seq() == will, || {
                    format!("{} has bdSeq {:?}, the will {will:?}", message.topic, message.bd_seq())
                })
            })
        },
    },
    Rule {
        ids: &[
            "payloads-ndeath-will-message-publisher",
            "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
            "operational-behavior-edge-node-intentional-disconnect-ndeath",
        ],
        says: "before DISCONNECT the node says NDEATH",
        holds: |story| at_disconnect(story, |before| before.contains(&Kind::NodeDeath)),
    },
    Rule {
        ids: &["operational-behavior-edge-node-intentional-disconnect-packet"],
        says: "NDEATH is the last word before DISCONNECT",
        holds: |story| at_disconnect(story, |before| matches!(before, [] | [.., Kind::NodeDeath])),
    },
    Rule {
        ids: &["operational-behavior-device-ddeath"],
        says: "a device that is gone has its DDEATH, and no data until its next DBIRTH",
        holds: |story| {
            each(story.said(&[Kind::DeviceDeath]), |Said { session, step, message }| {
                let mut later =
                    session.said().skip_while(|said| said.step.place <= step.place).filter(|said| {
                        said.message.device() == message.device() || said.message.kind == Kind::NodeBirth
                    });
                let next = later.next().map(|said| said.message.kind);
                must(matches!(next, None | Some(Kind::DeviceBirth | Kind::NodeBirth)), || {
                    format!("{next:?} after {}", message.topic)
                })
            })
        },
    },
    Rule {
        ids: &["payloads-ddeath-seq", "payloads-ddeath-seq-number"],
        says: "DDEATH has a sequence number",
        holds: |story| numbered(story, Kind::DeviceDeath),
    },
    Rule {
        ids: &["payloads-ddeath-seq-inc", "topics-ddeath-seq-num"],
        says: "the sequence number of DDEATH is the one after that of the message before",
        holds: |story| next_in_order(story, Kind::DeviceDeath),
    },
    Rule {
        ids: &["payloads-ddeath-timestamp"],
        says: "DDEATH tells when it was sent",
        holds: |story| timestamped(story, Kind::DeviceDeath),
    },
    Rule {
        ids: &["topics-ddeath-mqtt"],
        says: "DDEATH has QoS 0 and is not retained",
        holds: |story| plain(story, Kind::DeviceDeath),
    },
    Rule {
        ids: &["topics-ddeath-topic"],
        says: "DDEATH has the topic spBv1.0/group/DDEATH/node/device of a device that was born",
        holds: |story| {
            let born: BTreeSet<_> =
                story.said(&[Kind::DeviceBirth]).filter_map(|said| said.message.device()).collect();
            each(story.said(&[Kind::DeviceDeath]), |said| {
                let device = said.message.device();
                must(device.is_some_and(|device| born.contains(device)), || format!("DDEATH of {device:?}"))
            })?;
            topic(story, Kind::DeviceDeath)
        },
    },
];

/// What the wills say that there are; that there are any is a rule of its own.
fn will(story: &Story, keeps: impl Fn(&Message) -> Result<(), String>) -> Outcome {
    each(story.node().filter_map(|session| session.will.as_ref()), keeps)
}

/// All deaths of the node: wills, and those it says itself.
fn deaths(story: &Story) -> impl Iterator<Item = &Message> {
    let wills = story.node().filter_map(|session| session.will.as_ref());
    wills.chain(story.said(&[Kind::NodeDeath]).map(|said| said.message))
}

fn rising_bd_seq(story: &Story) -> Outcome {
    let wills = story.node().filter_map(|session| session.will.as_ref());
    each((0..).zip(wills), |(place, will)| {
        let typed = will.metric("bdSeq").is_some_and(|metric| metric.datatype == Some(INT64));
        let wanted = place % 256;
        must(typed && will.bd_seq() == Some(wanted), || {
            format!("bdSeq {:?} instead of {wanted} in the will", will.bd_seq())
        })
    })
}

/// Judges what the node had said before each of its DISCONNECTs.
fn at_disconnect(story: &Story, keeps: impl Fn(&[Kind]) -> bool) -> Outcome {
    let ended = story.node().filter_map(|session| {
        let end = session.steps.iter().find(|step| matches!(step.did, Did::Disconnected))?;
        Some(session.said().take_while(|said| said.step.place < end.place))
    });
    each(ended, |said| {
        let before: Vec<_> = said.map(|said| said.message.kind).collect();
        must(keeps(&before), || "DISCONNECT without NDEATH right before it".to_owned())
    })
}
