//! Faults of data, of commands, and towards the primary host.

use rumqttc::{Packet, QoS};

use super::{Breach, nothing};
use crate::conformance::alter::{inside, read};
use crate::conformance::capture::{Capture, What};
use crate::conformance::story::Kind;
use crate::conformance::wire::Payload;

/// Longer than anything that happens at once.
const LONG_MS: u64 = 60_000;

pub(super) const BREACHES: &[Breach] = &[
    Breach {
        name: "NDATA retained",
        commit: |capture| capture.first(Kind::NodeData, |publish| publish.retain = true),
        breaks: &["payloads-ndata-retain", "topics-ndata-mqtt"],
    },
    Breach {
        name: "DDATA with QoS 1",
        commit: |capture| capture.first(Kind::DeviceData, |publish| publish.qos = QoS::AtLeastOnce),
        breaks: &["payloads-ddata-qos", "topics-ddata-mqtt"],
    },
    Breach {
        name: "a gap before a DDATA",
        commit: gap,
        breaks: &["payloads-ddata-seq-inc", "topics-ddata-seq-num", "payloads-sequence-num-incrementing"],
    },
    Breach {
        name: "NDATA outside the namespace",
        commit: |capture| {
            capture
                .first(Kind::NodeData, |publish| publish.topic = publish.topic.replace("spBv1.0", "spAv1.0"))
        },
        breaks: &["topics-ndata-topic", "topic-structure-namespace-a"],
    },
    Breach {
        name: "data with names",
        commit: |capture| {
            capture.metric(Kind::DeviceData, |_| true, |metric| metric.name = Some("Flow".to_owned()))
        },
        breaks: &["payloads-alias-data-cmd-requirement"],
    },
    Breach {
        name: "data with types",
        commit: |capture| capture.metric(Kind::DeviceData, |_| true, |metric| metric.datatype = Some(9)),
        breaks: &["payloads-metric-datatype-not-req"],
    },
    Breach {
        name: "DDATA without a time",
        commit: |capture| capture.inside_first(Kind::DeviceData, |payload| payload.timestamp = None),
        breaks: &["payloads-ddata-timestamp", "topics-ddata-timestamp"],
    },
    Breach {
        name: "a metric without a time",
        commit: |capture| capture.metric(Kind::NodeData, |_| true, |metric| metric.timestamp = None),
        breaks: &["payloads-name-birth-data-requirement"],
    },
    Breach {
        name: "a metric with its time in seconds",
        commit: |capture| {
            capture.metric(
                Kind::NodeData,
                |_| true,
                |metric| {
                    metric.timestamp = metric.timestamp.map(|stamp| stamp / 1000);
                },
            )
        },
        breaks: &["payloads-metric-timestamp-in-UTC"],
    },
    Breach {
        name: "data said twice",
        commit: |capture| {
            let data = *capture.places(Kind::DeviceData).first()?;
            capture.copy(data, data)?;
            capture.renumber(capture.records[data].connection);
            Some(())
        },
        breaks: &["operational-behavior-data-publish-dbirth-change", "principles-rbe-recommended"],
    },
    Breach {
        name: "NDATA that says nothing",
        commit: |capture| {
            let data = *capture.places(Kind::NodeData).first()?;
            capture.copy(data, data)?;
            inside(capture.publish(data)?, |payload| payload.metrics.clear());
            capture.renumber(capture.records[data].connection);
            Some(())
        },
        breaks: &["topics-ndata-payload"],
    },
    Breach {
        name: "NCMD subscribed to with QoS 0",
        commit: |capture| {
            let node = capture.of_node();
            capture.records.iter_mut().filter(|record| node.contains(&record.connection)).find_map(|record| {
                let What::Sent(Packet::Subscribe(subscribe)) = &mut record.what else { return None };
                let filter = subscribe.filters.iter_mut().find(|filter| filter.path.contains("/NCMD/"))?;
                filter.qos = QoS::AtMostOnce;
                Some(())
            })
        },
        breaks: &["message-flow-edge-node-ncmd-subscribe"],
    },
    Breach {
        name: "data between the request for births and the births",
        commit: data_after_request,
        breaks: &["operational-behavior-data-commands-rebirth-action-1"],
    },
    Breach {
        name: "a birth without a word from the host",
        commit: |capture| {
            let birth = *capture.places(Kind::NodeBirth).first()?;
            let session = capture.records[birth].connection;
            let mut place = 0;
            capture.records.retain(|record| {
                place += 1;
                record.connection != session || record.kind() != Some(Kind::State) || place > birth
            });
            Some(())
        },
        breaks: &[
            "message-flow-edge-node-birth-publish-phid-wait",
            "operational-behavior-edge-node-birth-sequence-wait",
            "message-flow-edge-node-birth-publish-phid-wait-id",
        ],
    },
    Breach {
        name: "a node that stays when its host has gone",
        commit: |capture| {
            let farewell = farewell(capture)?;
            capture.records[farewell].at_ms -= LONG_MS;
            Some(())
        },
        breaks: &[
            "message-flow-edge-node-birth-publish-phid-offline",
            "operational-behavior-edge-node-termination-host-offline",
        ],
    },
    Breach {
        name: "a node that comes back to the broker that its host left",
        commit: |capture| {
            let farewell = farewell(capture)?;
            let (left, server) = (capture.records[farewell].connection, capture.records[farewell].server);
            let sessions = capture.of_node();
            let next = *sessions.iter().skip_while(|session| **session != left).nth(1)?;
            let back = capture.records.iter_mut().filter(|record| record.connection == next);
            back.for_each(|record| record.server = server);
            Some(())
        },
        breaks: &[
            "operational-behavior-edge-node-termination-host-offline-reconnect",
            "operational-behavior-primary-application-state-with-multiple-servers-walk",
        ],
    },
    Breach {
        name: "a second connection beside the first",
        commit: |capture| {
            // One that did not say goodbye.
            let sessions = capture.of_node();
            let left = |session: &usize| {
                let mut records = capture.records.iter().filter(|record| record.connection == *session);
                records.any(|record| matches!(record.what, What::Sent(Packet::Disconnect)))
            };
            let lost = *sessions.iter().find(|session| !left(session))?;
            let end = capture
                .records
                .iter()
                .position(|record| record.connection == lost && matches!(record.what, What::Ended))?;
            let record = capture.records.remove(end);
            capture.records.push(record);
            Some(())
        },
        breaks: &["operational-behavior-primary-application-state-with-multiple-servers-single-server"],
    },
    Breach {
        name: "another client that speaks for the node",
        commit: |capture| {
            let host = *capture.connections(&capture.cast.host.clone()).first()?;
            let data = *capture.places(Kind::NodeData).first()?;
            capture.copy(data, data)?;
            capture.records[data].connection = host;
            Some(())
        },
        breaks: &[
            "intro-edge-node-id-uniqueness",
            "payloads-nbirth-edge-node-descriptor",
            "topic-structure-namespace-unique-edge-node-descriptor",
        ],
    },
    Breach {
        name: "a host whose birth has another time than its will",
        commit: |capture| {
            let host = *capture.connections(&capture.cast.host.clone()).first()?;
            let birth = (0..capture.records.len()).find(|place| {
                let record = &capture.records[*place];
                record.connection == host && record.kind() == Some(Kind::State) && capture.is_sent(*place)
            })?;
            let publish = capture.publish(birth)?;
            let mut state: serde_json::Value = serde_json::from_slice(&publish.payload).ok()?;
            state["timestamp"] = (state["timestamp"].as_u64()? + 1).into();
            publish.payload = state.to_string().into_bytes().into();
            Some(())
        },
        breaks: &["payloads-state-birth-payload"],
    },
];

/// From the second of two DDATA in a row on, every number is one too high.
fn gap(capture: &mut Capture) -> Option<()> {
    let data = capture.places(Kind::DeviceData);
    let numbered = capture.places_of(&Kind::NUMBERED);
    let at = *data.get(1)?;
    let session = capture.records[at].connection;
    let rest = numbered.into_iter().skip_while(|place| *place < at);
    let rest: Vec<_> = rest.filter(|place| capture.records[*place].connection == session).collect();
    for place in rest {
        if capture.records[place].kind() == Some(Kind::NodeBirth) {
            break;
        }
        inside(capture.publish(place)?, |payload| payload.seq = payload.seq.map(|seq| (seq + 1) % 256));
    }
    Some(())
}

/// The STATE offline that ended a session of the node: the last thing it heard before its NDEATH.
fn farewell(capture: &Capture) -> Option<usize> {
    let node = capture.of_node();
    let topic = format!("spBv1.0/STATE/{}", capture.cast.host);
    capture.records.iter().enumerate().find_map(|(place, record)| {
        let What::Received(Packet::Publish(publish)) = &record.what else { return None };
        let state: serde_json::Value = serde_json::from_slice(&publish.payload).ok()?;
        let offline = node.contains(&record.connection) && publish.topic == topic && state["online"] == false;
        let mut next = capture.records[place..].iter().filter(|next| next.connection == record.connection);
        let dies = next.find_map(|next| next.kind().filter(|kind| *kind != Kind::State));
        (offline && dies == Some(Kind::NodeDeath)).then_some(place)
    })
}

/// One message of data, half way between a request and its answer.
fn data_after_request(capture: &mut Capture) -> Option<()> {
    let node = capture.of_node();
    let request = capture.records.iter().position(|record| {
        node.contains(&record.connection)
            && record.kind() == Some(Kind::NodeCommand)
            && matches!(&record.what, What::Received(Packet::Publish(publish)) if asks_for_births(publish))
    })?;
    let session = capture.records[request].connection;
    let ours = |capture: &Capture, place: &usize| capture.records[*place].connection == session;
    let birth =
        capture.places(Kind::NodeBirth).into_iter().find(|place| *place > request && ours(capture, place))?;
    let data =
        capture.places_of(&Kind::DATA).into_iter().rfind(|place| *place < birth && ours(capture, place))?;
    capture.copy(data, birth)?;
    inside(capture.publish(birth)?, |payload| {
        let alias = payload.metrics.last().and_then(|metric| metric.alias);
        let stamp = payload.metrics.last().and_then(|metric| metric.timestamp);
        payload.metrics = vec![nothing(alias, stamp)];
    });
    capture.renumber(session);
    // However soon the births came.
    capture.records[request].at_ms -= LONG_MS;
    Some(())
}

fn asks_for_births(publish: &rumqttc::Publish) -> bool {
    let payload: Option<Payload> = read(publish);
    let named =
        |payload: &Payload| payload.metrics.iter().any(|metric| super::is(metric, "Node Control/Rebirth"));
    !publish.retain && payload.as_ref().is_some_and(named)
}
