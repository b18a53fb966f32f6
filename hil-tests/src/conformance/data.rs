//! Data: what changed, once, in order.

use std::collections::BTreeMap;

use super::rule::{
    Outcome, Rule, each, must, next_in_order, not_retained, numbered, plain, qos_zero, timestamped, topic,
};
use super::story::{Kind, Said, Story};
use super::wire::Metric;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["payloads-ndata-qos"],
        says: "NDATA leaves with QoS 0",
        holds: |story| qos_zero(story, Kind::NodeData),
    },
    Rule {
        ids: &["payloads-ndata-retain"],
        says: "NDATA is not retained",
        holds: |story| not_retained(story, Kind::NodeData),
    },
    Rule {
        ids: &["topics-ndata-mqtt"],
        says: "NDATA has QoS 0 and is not retained",
        holds: |story| plain(story, Kind::NodeData),
    },
    Rule {
        ids: &["topics-ndata-topic"],
        says: "NDATA has the topic spBv1.0/group/NDATA/node",
        holds: |story| topic(story, Kind::NodeData),
    },
    Rule {
        ids: &["payloads-ndata-seq"],
        says: "NDATA has a sequence number",
        holds: |story| numbered(story, Kind::NodeData),
    },
    Rule {
        ids: &["payloads-ndata-seq-inc", "topics-ndata-seq-num"],
        says: "the sequence number of NDATA is the one after that of the message before",
        holds: |story| next_in_order(story, Kind::NodeData),
    },
    Rule {
        ids: &["payloads-ndata-timestamp", "topics-ndata-timestamp"],
        says: "NDATA tells when it was sent",
        holds: |story| timestamped(story, Kind::NodeData),
    },
    Rule {
        ids: &["topics-ndata-payload"],
        says: "NDATA has at least one metric",
        holds: |story| not_empty(story, Kind::NodeData),
    },
    Rule {
        ids: &["operational-behavior-data-publish-nbirth-change"],
        says: "NDATA tells only what differs from what was told last",
        holds: |story| changes_only(story, &[Kind::NodeData]),
    },
    Rule {
        ids: &["operational-behavior-data-publish-nbirth-order"],
        says: "values of one metric in one NBIRTH or NDATA are in the order of their time",
        holds: |story| in_time_order(story, &[Kind::NodeBirth, Kind::NodeData]),
    },
    Rule {
        ids: &["payloads-ddata-qos"],
        says: "DDATA leaves with QoS 0",
        holds: |story| qos_zero(story, Kind::DeviceData),
    },
    Rule {
        ids: &["payloads-ddata-retain"],
        says: "DDATA is not retained",
        holds: |story| not_retained(story, Kind::DeviceData),
    },
    Rule {
        ids: &["topics-ddata-mqtt"],
        says: "DDATA has QoS 0 and is not retained",
        holds: |story| plain(story, Kind::DeviceData),
    },
    Rule {
        ids: &["topics-ddata-topic"],
        says: "DDATA has the topic spBv1.0/group/DDATA/node/device",
        holds: |story| topic(story, Kind::DeviceData),
    },
    Rule {
        ids: &["payloads-ddata-seq"],
        says: "DDATA has a sequence number",
        holds: |story| numbered(story, Kind::DeviceData),
    },
    Rule {
        ids: &["payloads-ddata-seq-inc", "topics-ddata-seq-num"],
        says: "the sequence number of DDATA is the one after that of the message before",
        holds: |story| next_in_order(story, Kind::DeviceData),
    },
    Rule {
        ids: &["payloads-ddata-timestamp", "topics-ddata-timestamp"],
        says: "DDATA tells when it was sent",
        holds: |story| timestamped(story, Kind::DeviceData),
    },
    Rule {
        ids: &["topics-ddata-payload"],
        says: "DDATA has at least one metric",
        holds: |story| not_empty(story, Kind::DeviceData),
    },
    Rule {
        ids: &["operational-behavior-data-publish-dbirth-change"],
        says: "DDATA tells only what differs from what was told last",
        holds: |story| changes_only(story, &[Kind::DeviceData]),
    },
    Rule {
        ids: &["operational-behavior-data-publish-dbirth-order"],
        says: "values of one metric in one DBIRTH or DDATA are in the order of their time",
        holds: |story| in_time_order(story, &[Kind::DeviceBirth, Kind::DeviceData]),
    },
    Rule {
        ids: &["principles-rbe-recommended"],
        says: "nothing is told again that has not changed",
        holds: |story| changes_only(story, &Kind::DATA),
    },
    Rule {
        ids: &["payloads-sequence-num-always-included"],
        says: "every message of the node but NDEATH has a sequence number",
        holds: |story| {
            each(story.said(&Kind::NUMBERED), |Said { message, .. }| {
                must(message.seq().is_some(), || format!("{} without seq", message.topic))
            })
        },
    },
    Rule {
        ids: &["payloads-sequence-num-incrementing"],
        says: "from NBIRTH on the sequence number rises by one each message, with 0 after 255",
        holds: |story| {
            Kind::NUMBERED.into_iter().try_fold(0, |kept, kind| Ok(kept + next_in_order(story, kind)?))
        },
    },
];

fn not_empty(story: &Story, kind: Kind) -> Outcome {
    each(story.said(&[kind]), |Said { message, .. }| {
        must(!message.metrics().is_empty(), || format!("{} says nothing", message.topic))
    })
}

/// What a host sees of a metric.
fn face(metric: &Metric) -> Metric {
    let quality = metric.properties.clone().map(|mut set| {
        let at = set.keys.iter().position(|key| key == "Quality");
        set.values = at.and_then(|at| set.values.get(at).cloned()).into_iter().collect();
        set.keys = at.map(|_| "Quality".to_owned()).into_iter().collect();
        set
    });
    let properties = quality.filter(|set| !set.keys.is_empty());
    Metric { value: metric.value.clone(), is_null: metric.is_null, properties, ..Metric::default() }
}

fn changes_only(story: &Story, kinds: &[Kind]) -> Outcome {
    let mut kept = 0;
    for session in story.node() {
        let mut told = BTreeMap::new();
        for Said { message, .. } in session.said() {
            let live = message.metrics().iter().filter(|metric| metric.is_historical != Some(true));
            for (alias, metric) in live.filter_map(|metric| Some((metric.alias?, metric))) {
                let before = told.insert(alias, face(metric));
                if kinds.contains(&message.kind) {
                    kept += 1;
                    must(before.as_ref() != Some(&face(metric)), || {
                        format!("{} tells {alias} again: {metric:?}", message.topic)
                    })?;
                }
            }
        }
    }
    Ok(kept)
}

fn in_time_order(story: &Story, kinds: &[Kind]) -> Outcome {
    each(story.said(kinds), |Said { message, .. }| {
        let mut last = BTreeMap::new();
        for metric in message.metrics().iter().filter(|metric| metric.is_historical != Some(true)) {
            let before = last.insert((&metric.name, metric.alias), metric.timestamp);
            must(before.is_none_or(|before| before <= metric.timestamp), || {
                format!("{} goes back in time: {metric:?}", message.topic)
            })?;
        }
        Ok(())
    })
}
