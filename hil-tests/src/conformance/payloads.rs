//! What is inside a payload: names, aliases, types, times, properties.

use std::collections::BTreeMap;

use super::rule::{Outcome, Rule, each, must};
use super::story::{Kind, Message, Said, Session, Story};
use super::wire::{Metric, Property, PropertyValue, Value};

/// Codes of the specification, up to arrays.
const DATATYPES: std::ops::RangeInclusive<u32> = 1..=34;
/// What a property may be: the basic types, and sets of properties.
const PROPERTY_TYPES: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 20, 21];
const INT32: u32 = 3;
/// A measurement may be older than its message, but by less than any shift of time zones.
const OLDEST_MS: u64 = 25 * 60_000;
/// Clocks of one machine.
const AHEAD_MS: u64 = 5_000;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &["payloads-timestamp-in-UTC"],
        says: "the time of a message is in UTC milliseconds",
        holds: |story| {
            each(
                sent(story).filter(|said| said.message.payload.is_some()),
                |Said { message, step, .. }| {
                    let stamp = message.payload.as_ref().and_then(|payload| payload.timestamp);
                    must(stamp.is_none_or(|stamp| near(stamp, step.at_ms)), || {
                        format!("{} of {stamp:?}", message.topic)
                    })
                },
            )
        },
    },
    Rule {
        ids: &["payloads-metric-timestamp-in-UTC"],
        says: "the time of a metric is in UTC milliseconds",
        holds: |story| {
            live_metrics(story, |said, metric| {
                let stamp = metric.timestamp;
                must(stamp.is_none_or(|stamp| near(stamp, said.step.at_ms)), || {
                    format!("{metric:?} sent at {}", said.step.at_ms)
                })
            })
        },
    },
    Rule {
        ids: &["payloads-name-birth-data-requirement"],
        says: "every metric of births and data has a time",
        holds: |story| {
            live_metrics(story, |_, metric| must(metric.timestamp.is_some(), || format!("{metric:?}")))
        },
    },
    Rule {
        ids: &["payloads-name-requirement"],
        says: "every metric has a name or an alias",
        holds: |story| {
            live_metrics(story, |_, metric| {
                must(metric.name.is_some() || metric.alias.is_some(), || format!("{metric:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-alias-birth-requirement"],
        says: "every metric of a birth has name and alias, but for bdSeq and Node Control/…",
        holds: |story| {
            metrics(story, &Kind::BIRTHS, |_, metric| {
                let name = metric.name.as_deref();
                must(name.is_some_and(|name| metric.alias.is_some() || is_of_session(name)), || {
                    format!("{metric:?}")
                })
            })
        },
    },
    Rule {
        ids: &["payloads-alias-data-cmd-requirement"],
        says: "data and commands name a metric by its alias alone, but for Node Control/…",
        holds: aliases_alone,
    },
    Rule {
        ids: &["payloads-alias-uniqueness"],
        says: "an alias stands for one metric of the whole node",
        holds: aliases_are_unique,
    },
    Rule {
        ids: &["payloads-metric-datatype-req"],
        says: "every metric of a birth has a type",
        holds: |story| {
            metrics(story, &Kind::BIRTHS, |_, metric| {
                must(metric.datatype.is_some(), || format!("{metric:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-metric-datatype-not-req"],
        says: "no metric of data has a type",
        holds: |story| {
            metrics(story, &Kind::DATA, |_, metric| must(metric.datatype.is_none(), || format!("{metric:?}")))
        },
    },
    Rule {
        ids: &["payloads-metric-datatype-value"],
        says: "a type is one of the specification's",
        holds: |story| {
            live_metrics(story, |_, metric| {
                must(metric.datatype.is_none_or(|code| DATATYPES.contains(&code)), || format!("{metric:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-metric-datatype-value-type"],
        says: "a type is a number of 32 bits, and the value has the form of its type",
        holds: |story| {
            metrics(story, &Kind::BIRTHS, |_, metric| {
                must(has_form_of_type(metric), || format!("{metric:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size"],
        says: "a property set has as many keys as values",
        holds: |story| {
            live_metrics(story, |_, metric| {
                let pairs = metric.properties.as_ref().is_none_or(|set| set.keys.len() == set.values.len());
                must(pairs, || format!("{metric:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-metric-propertyvalue-type-req"],
        says: "every property in a birth has a type",
        holds: |story| {
            properties(story, &Kind::BIRTHS, |key, property| {
                must(property.datatype.is_some(), || format!("{key}: {property:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-metric-propertyvalue-type-type"],
        says: "the type of a property is a number of 32 bits, and its value has the form of its type",
        holds: |story| {
            properties(story, &Kind::BIRTHS, |key, property| {
                must(property_has_form_of_type(property), || format!("{key}: {property:?}"))
            })
        },
    },
    Rule {
        ids: &["payloads-metric-propertyvalue-type-value"],
        says: "the type of a property is one of the specification's",
        holds: |story| {
            properties(story, &Kind::NUMBERED, |key, property| {
                must(property.datatype.is_none_or(|code| PROPERTY_TYPES.contains(&code)), || {
                    format!("{key}: {property:?}")
                })
            })
        },
    },
    Rule {
        ids: &["payloads-propertyset-quality-value-type"],
        says: "the property Quality is an Int32",
        holds: |story| {
            qualities(story, |property| must(property.datatype == Some(INT32), || format!("{property:?}")))
        },
    },
    Rule {
        ids: &["payloads-propertyset-quality-value-value"],
        says: "the property Quality is 0, 192 or 500",
        holds: |story| {
            qualities(story, |property| {
                let known = matches!(property.value, Some(PropertyValue::Int(0 | 192 | 500)));
                must(known, || format!("{property:?}"))
            })
        },
    },
];

fn near(stamp: u64, sent_ms: u64) -> bool {
    stamp + OLDEST_MS > sent_ms && stamp < sent_ms + AHEAD_MS
}

fn is_of_session(name: &str) -> bool {
    name == "bdSeq" || name.starts_with("Node Control/")
}

fn sent(story: &Story) -> impl Iterator<Item = Said<'_>> {
    story.node().flat_map(Session::said)
}

fn metrics(
    story: &Story,
    kinds: &[Kind],
    keeps: impl Fn(&Said<'_>, &Metric) -> Result<(), String>,
) -> Outcome {
    let mut kept = 0;
    for said in story.said(kinds) {
        kept += each(said.message.metrics(), |metric| keeps(&said, metric))?;
    }
    Ok(kept)
}

/// Metrics of everything that a node says in order.
fn live_metrics(story: &Story, keeps: impl Fn(&Said<'_>, &Metric) -> Result<(), String>) -> Outcome {
    metrics(story, &Kind::NUMBERED, keeps)
}

fn properties(
    story: &Story,
    kinds: &[Kind],
    keeps: impl Fn(&str, &Property) -> Result<(), String>,
) -> Outcome {
    let mut kept = 0;
    for set in story
        .said(kinds)
        .flat_map(|said| said.message.metrics())
        .filter_map(|metric| metric.properties.as_ref())
    {
        kept += each(set.keys.iter().zip(&set.values), |(key, property)| keeps(key, property))?;
    }
    Ok(kept)
}

fn qualities(story: &Story, keeps: impl Fn(&Property) -> Result<(), String>) -> Outcome {
    let sets = story.said(&Kind::NUMBERED).flat_map(|said| said.message.metrics());
    let pairs =
        sets.filter_map(|metric| metric.properties.as_ref()).flat_map(|set| set.keys.iter().zip(&set.values));
    each(pairs.filter(|(key, _)| *key == "Quality"), |(_, property)| keeps(property))
}

fn aliases_alone(story: &Story) -> Outcome {
    let commands = story
        .host()
        .flat_map(Session::said)
        .filter(|said| matches!(said.message.kind, Kind::NodeCommand | Kind::DeviceCommand));
    let alone = |message: &Message| {
        each(message.metrics(), |metric| {
            let control = metric.name.as_deref().is_some_and(is_of_session);
            let fits = if control {
                metric.alias.is_none()
            } else {
                metric.name.is_none() && metric.alias.is_some()
            };
            must(fits, || format!("{} has {metric:?}", message.topic))
        })
    };
    let mut kept = 0;
    for said in story.said(&Kind::DATA).chain(commands) {
        kept += alone(said.message)?;
    }
    Ok(kept)
}

fn aliases_are_unique(story: &Story) -> Outcome {
    let mut kept = 0;
    for session in story.node() {
        let mut known = BTreeMap::new();
        for Said { message, .. } in session.said().filter(|said| Kind::BIRTHS.contains(&said.message.kind)) {
            if message.kind == Kind::NodeBirth {
                known.clear();
            }
            let mut seen = BTreeMap::new();
            for metric in message.metrics() {
                let Some(alias) = metric.alias else { continue };
                let owner = (message.device(), metric.name.as_deref());
                let other = known.insert(alias, owner).filter(|other| *other != owner);
                let twin = seen.insert(alias, metric.name.as_deref());
                must(other.is_none() && twin.is_none(), || {
                    format!("{alias} is {owner:?} and {other:?}{twin:?}")
                })?;
                kept += 1;
            }
        }
    }
    Ok(kept)
}

fn has_form_of_type(metric: &Metric) -> bool {
    let Some(code) = metric.datatype else { return true };
    match &metric.value {
        None => true,
        Some(Value::Int(_)) => matches!(code, 1..=3 | 5..=7),
        Some(Value::Long(_)) => matches!(code, 4 | 7 | 8 | 13),
        Some(Value::Float(_)) => code == 9,
        Some(Value::Double(_)) => code == 10,
        Some(Value::Boolean(_)) => code == 11,
        Some(Value::Text(_)) => matches!(code, 12 | 14),
    }
}

fn property_has_form_of_type(property: &Property) -> bool {
    let Some(code) = property.datatype else { return true };
    match &property.value {
        None => true,
        Some(PropertyValue::Int(_)) => matches!(code, 1..=3 | 5..=7),
        Some(PropertyValue::Long(_)) => matches!(code, 4 | 7 | 8 | 13),
        Some(PropertyValue::Float(_)) => code == 9,
        Some(PropertyValue::Double(_)) => code == 10,
        Some(PropertyValue::Boolean(_)) => code == 11,
        Some(PropertyValue::Text(_)) => matches!(code, 12 | 14),
    }
}
