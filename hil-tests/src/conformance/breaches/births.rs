//! Faults of births.

use rumqttc::QoS;

use super::{Breach, FREE_ALIAS, is};
use crate::conformance::capture::Capture;
use crate::conformance::story::Kind;
use crate::conformance::wire::{Metric, Property, PropertyValue, Value};

pub(super) const BREACHES: &[Breach] = &[
    Breach {
        name: "NBIRTH with QoS 1",
        commit: |capture| capture.first(Kind::NodeBirth, |publish| publish.qos = QoS::AtLeastOnce),
        breaks: &[
            "message-flow-edge-node-birth-publish-nbirth-qos",
            "payloads-nbirth-qos",
            "topics-nbirth-mqtt",
        ],
    },
    Breach {
        name: "DBIRTH retained",
        commit: |capture| capture.first(Kind::DeviceBirth, |publish| publish.retain = true),
        breaks: &[
            "message-flow-device-birth-publish-dbirth-retained",
            "payloads-dbirth-retain",
            "topics-dbirth-mqtt",
        ],
    },
    Breach {
        name: "NBIRTH numbered 256",
        commit: |capture| capture.inside_first(Kind::NodeBirth, |payload| payload.seq = Some(256)),
        breaks: &[
            "message-flow-edge-node-birth-publish-nbirth-payload-seq",
            "payloads-nbirth-seq",
            "topics-nbirth-seq-num",
            "payloads-sequence-num-req-nbirth",
        ],
    },
    Breach {
        name: "NBIRTH without bdSeq",
        commit: |capture| {
            capture.inside_first(Kind::NodeBirth, |payload| {
                payload.metrics.retain(|metric| !is(metric, "bdSeq"));
            })
        },
        breaks: &[
            "payloads-nbirth-bdseq",
            "topics-nbirth-bdseq-included",
            "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
            "payloads-nbirth-bdseq-repeat",
            "topics-nbirth-bdseq-matching",
            "payloads-ndeath-bdseq",
        ],
    },
    Breach {
        name: "Node Control/Rebirth with an alias",
        commit: |capture| {
            capture.metric(Kind::NodeBirth, is_rebirth, |metric| metric.alias = Some(FREE_ALIAS))
        },
        breaks: &["operational-behavior-data-commands-rebirth-name-aliases"],
    },
    Breach {
        name: "Node Control/Rebirth true at birth",
        commit: |capture| {
            capture.metric(Kind::NodeBirth, is_rebirth, |metric| metric.value = Some(Value::Boolean(true)))
        },
        breaks: &[
            "operational-behavior-data-commands-rebirth-value",
            "payloads-nbirth-rebirth-req",
            "topics-nbirth-rebirth-metric",
        ],
    },
    Breach {
        name: "two metrics whose names differ in case alone",
        commit: |capture| {
            capture.inside_first(Kind::NodeBirth, |payload| {
                let twin = payload.metrics.iter().rfind(|metric| metric.alias.is_some()).cloned();
                payload.metrics.extend(twin.map(|twin| Metric {
                    name: twin.name.as_deref().map(str::to_lowercase),
                    alias: Some(FREE_ALIAS),
                    ..twin
                }));
            })
        },
        breaks: &["case-sensitivity-metric-names"],
    },
    Breach {
        name: "a metric of DBIRTH without a type",
        commit: |capture| capture.metric(Kind::DeviceBirth, |_| true, |metric| metric.datatype = None),
        breaks: &["topics-dbirth-metrics", "payloads-metric-datatype-req"],
    },
    Breach {
        name: "a null that has a value",
        commit: |capture| {
            capture.metric(
                Kind::DeviceBirth,
                |metric| metric.value.is_some(),
                |metric| metric.is_null = Some(true),
            )
        },
        breaks: &["operational-behavior-data-publish-dbirth-values"],
    },
    Breach {
        name: "a Float that calls itself Boolean",
        commit: |capture| {
            let float = |metric: &Metric| matches!(metric.value, Some(Value::Float(_)));
            capture.metric(Kind::DeviceBirth, float, |metric| metric.datatype = Some(11))
        },
        breaks: &["payloads-metric-datatype-value-type"],
    },
    Breach {
        name: "one alias for two metrics",
        commit: |capture| {
            capture.inside_first(Kind::DeviceBirth, |payload| {
                let twin = payload.metrics.last().cloned();
                payload.metrics.extend(twin.map(|twin| Metric { name: Some("Twin".to_owned()), ..twin }));
            })
        },
        breaks: &["payloads-alias-uniqueness"],
    },
    Breach {
        name: "a property key without a value",
        commit: |capture| {
            capture.metric(
                Kind::DeviceBirth,
                |_| true,
                |metric| {
                    metric.properties.get_or_insert_default().keys.push("lonely".to_owned());
                },
            )
        },
        breaks: &["payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size"],
    },
    Breach {
        name: "a quality that the specification does not know",
        commit: |capture| {
            capture.metric(
                Kind::DeviceBirth,
                |_| true,
                |metric| {
                    let set = metric.properties.get_or_insert_default();
                    let value =
                        Property { datatype: Some(3), is_null: None, value: Some(PropertyValue::Int(1)) };
                    set.keys.push("Quality".to_owned());
                    set.values.push(value);
                },
            )
        },
        breaks: &["payloads-propertyset-quality-value-value"],
    },
    Breach {
        name: "a DBIRTH after data",
        commit: late_device_birth,
        breaks: &[
            "payloads-dbirth-order",
            "payloads-ndata-order",
            "payloads-ddata-order",
            "operational-behavior-data-commands-rebirth-action-2",
        ],
    },
];

fn is_rebirth(metric: &Metric) -> bool {
    is(metric, "Node Control/Rebirth")
}

/// The last birth on request comes behind the data that follows it.
fn late_device_birth(capture: &mut Capture) -> Option<()> {
    let data = capture.places_of(&Kind::DATA);
    let births = capture.places(Kind::DeviceBirth);
    // A birth that is not the first of its session, so that the devices were there before.
    let again = capture.places(Kind::NodeBirth).into_iter().find(|again| {
        let session = capture.records[*again].connection;
        let before =
            births.iter().filter(|birth| capture.records[**birth].connection == session && *birth < again);
        before.count() > 0
    })?;
    let session = capture.records[again].connection;
    let data = data.into_iter().find(|data| *data > again && capture.records[*data].connection == session)?;
    let device = capture.device(data);
    let late = births.into_iter().find(|birth| {
        (again..data).contains(birth)
            && capture.records[*birth].connection == session
            && capture.device(*birth) != device
    })?;
    let record = capture.records.remove(late);
    // Everything behind it has moved up by one.
    capture.records.insert(data, record);
    capture.renumber(session);
    Some(())
}
