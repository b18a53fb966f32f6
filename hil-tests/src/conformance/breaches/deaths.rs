//! Faults of wills and deaths.

use rumqttc::QoS;

use super::{Breach, nothing};
use crate::conformance::alter::{altered, inside, read};
use crate::conformance::capture::Capture;
use crate::conformance::story::Kind;
use crate::conformance::wire::{Metric, Payload, Value};

pub(super) const BREACHES: &[Breach] = &[
    Breach {
        name: "CONNECT without a clean session",
        commit: |capture| {
            let last = *capture.of_node().last()?;
            capture.connect(last).map(|connect| connect.clean_session = false)
        },
        breaks: &["principles-persistence-clean-session-311"],
    },
    Breach {
        name: "CONNECT without a will",
        commit: |capture| {
            let last = *capture.of_node().last()?;
            capture.connect(last).map(|connect| connect.last_will = None)
        },
        breaks: &[
            "message-flow-edge-node-birth-publish-will-message",
            "payloads-ndeath-will-message",
            "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
            "payloads-nbirth-bdseq-repeat",
            "topics-nbirth-bdseq-matching",
            "payloads-ndeath-bdseq",
        ],
    },
    Breach {
        name: "a will with QoS 0",
        commit: |capture| {
            let last = *capture.of_node().last()?;
            capture.connect(last)?.last_will.as_mut().map(|will| will.qos = QoS::AtMostOnce)
        },
        breaks: &[
            "message-flow-edge-node-birth-publish-will-message-qos",
            "payloads-ndeath-will-message-qos",
        ],
    },
    Breach {
        name: "a retained will",
        commit: |capture| {
            let last = *capture.of_node().last()?;
            capture.connect(last)?.last_will.as_mut().map(|will| will.retain = true)
        },
        breaks: &[
            "message-flow-edge-node-birth-publish-will-message-will-retained",
            "payloads-ndeath-will-message-retain",
        ],
    },
    Breach {
        name: "a session with the bdSeq of the one before",
        commit: stuck_bd_seq,
        breaks: &[
            "message-flow-edge-node-birth-publish-will-message-payload-bdSeq",
            "topics-nbirth-bdseq-increment",
        ],
    },
    Breach {
        name: "NDEATH with a sequence number",
        commit: |capture| capture.inside_first(Kind::NodeDeath, |payload| payload.seq = Some(7)),
        breaks: &["topics-ndeath-seq", "payloads-ndeath-seq"],
    },
    Breach {
        name: "NDEATH with a second metric",
        commit: |capture| {
            capture.inside_first(Kind::NodeDeath, |payload| payload.metrics.push(Metric::default()))
        },
        breaks: &["topics-ndeath-payload"],
    },
    Breach {
        name: "DISCONNECT without NDEATH",
        commit: |capture| {
            let last = *capture.places(Kind::NodeDeath).last()?;
            capture.records.remove(last);
            Some(())
        },
        breaks: &[
            "payloads-ndeath-will-message-publisher",
            "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
            "operational-behavior-edge-node-intentional-disconnect-ndeath",
            "operational-behavior-edge-node-intentional-disconnect-packet",
        ],
    },
    Breach {
        name: "data of a device after its DDEATH",
        commit: |capture| {
            let death = *capture.places(Kind::DeviceDeath).first()?;
            let device = capture.publish(death)?.topic.replace("DDEATH", "DBIRTH");
            let births = capture.places(Kind::DeviceBirth);
            let data = births
                .into_iter()
                .find(|place| capture.publish(*place).is_some_and(|publish| publish.topic == device))?;
            capture.copy(data, death + 1)?;
            let dead = capture.publish(death)?;
            let topic = dead.topic.replace("DDEATH", "DDATA");
            let stamp = read(dead)?.timestamp;
            let connection = capture.records[death].connection;
            let publish = capture.publish(death + 1)?;
            publish.topic = topic;
            inside(publish, |payload| {
                let alias = payload.metrics.last().and_then(|metric| metric.alias);
                payload.timestamp = stamp;
                payload.metrics = vec![nothing(alias, stamp)];
            });
            capture.renumber(connection);
            Some(())
        },
        breaks: &[
            "operational-behavior-device-ddeath",
            "payloads-dbirth-order",
            "payloads-ndata-order",
            "payloads-ddata-order",
        ],
    },
];

/// The last session says everywhere the number of the one before it.
fn stuck_bd_seq(capture: &mut Capture) -> Option<()> {
    let last = *capture.of_node().last()?;
    let will = capture.connect(last)?.last_will.as_mut()?;
    will.message = altered(&will.message, one_less);
    for kind in [Kind::NodeBirth, Kind::NodeDeath] {
        for place in capture.places(kind) {
            if capture.records[place].connection == last {
                inside(capture.publish(place)?, one_less);
            }
        }
    }
    Some(())
}

fn one_less(payload: &mut Payload) {
    let metric = payload.metrics.iter_mut().find(|metric| metric.name.as_deref() == Some("bdSeq"));
    if let Some(Metric { value: Some(Value::Long(number)), .. }) = metric {
        *number = (*number + 255) % 256;
    }
}
