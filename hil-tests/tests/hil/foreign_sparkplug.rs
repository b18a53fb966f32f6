//! Two codecs that are not ours read what a node says, and tell it what to do.

use std::collections::BTreeMap;
use std::time::Duration;

use eisbach_hil_tests::{Codec, MINUTE, Mosquitto, Observer, Rig, RigOptions, Seen, until};
use eisbach_protocol::catalogue::{Kind, POINTS};
use eisbach_protocol::sparkplug::{DataType, Metric, Payload};
use serde_json::{Value, json};

const NODE_COMMAND: &str = "spBv1.0/test/NCMD/node-0001";

/// A node and everything it said: births, data, a device's death and return, its own death.
fn life() -> Vec<Seen> {
    let broker = Mosquitto::start();
    let observer = Observer::start(broker.port());
    let options = RigOptions { broker: Some(broker.port()), workload: "training", ..RigOptions::default() };
    let mut rig = Rig::start(&options);
    rig.event("silence-room");
    until("a device's death", MINUTE, || observer.count("DDEATH"), |deaths| *deaths > 0);
    let births = observer.count("DBIRTH");
    rig.event("answer-room");
    until("its return", MINUTE, || observer.count("DBIRTH"), |now| *now > births);
    let data = observer.count("DDATA");
    until("data", MINUTE, || observer.count("DDATA"), |now| *now > data + 20);
    rig.agent.kill();
    until("the node's death", MINUTE, || observer.count("NDEATH"), |deaths| *deaths > 0);
    observer.all()
}

/// A value as both sides would write it.
fn value_of(metric: &Metric, datatype: Option<DataType>) -> Value {
    use eisbach_protocol::sparkplug::Value as V;
    match metric.value(datatype).expect("our own metric") {
        None => Value::Null,
        Some(V::Boolean(value)) => value.into(),
        Some(V::Float(value)) => f64::from(value).into(),
        Some(V::Double(value)) => value.into(),
        Some(V::Int64(value)) => json!(value),
        Some(V::Int32(value)) => json!(value),
        Some(V::String(value) | V::Text(value)) => value.into(),
        Some(other) => panic!("{other:?} is not said by a node"),
    }
}

fn is_the_same(ours: &Value, theirs: &Value) -> bool {
    /// Decimal digits on the way from the codec to us.
    const LAST_DIGIT: f64 = 1e-14;
    match (ours.as_f64(), theirs.as_f64()) {
        (Some(ours), Some(theirs)) => (ours - theirs).abs() <= LAST_DIGIT * ours.abs(),
        (None | Some(_), None | Some(_)) => ours == theirs,
    }
}

/// Compares a message with what a codec makes of it. `types` are those that births told, by alias.
fn agree(codec: Codec, seen: &Seen, ours: &Payload, theirs: &Value, types: &BTreeMap<u64, DataType>) {
    let metrics = theirs["metrics"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(metrics.len(), ours.metrics.len(), "{codec:?}: {}", seen.topic);
    if seen.kind() != "NDEATH" {
        assert_eq!(theirs["timestamp"].as_u64(), ours.timestamp_ms, "{codec:?}: {}", seen.topic);
        assert_eq!(theirs["seq"].as_u64(), ours.seq.map(u64::from), "{codec:?}: {}", seen.topic);
    }
    let is_birth = seen.kind().ends_with("BIRTH");
    for (ours, theirs) in ours.metrics.iter().zip(metrics) {
        if ours.alias().is_some() {
            assert_eq!(theirs["alias"].as_u64(), ours.alias(), "{codec:?}: {theirs}");
        }
        if is_birth {
            assert_eq!(theirs["name"].as_str(), ours.name(), "{codec:?}: {theirs}");
        }
        // Tahu's codec reads values of data only with the births at hand, which it does not keep itself.
        if is_birth || codec == Codec::Pysparkplug {
            let datatype = ours.alias().and_then(|alias| types.get(&alias).copied());
            let value = value_of(ours, datatype);
            assert!(is_the_same(&value, &theirs["value"]), "{codec:?}: {theirs} instead of {value}");
        }
    }
}

#[test]
fn foreign_codecs_agree_with_ours_on_births_data_and_deaths() {
    let life = life();
    let mut types = BTreeMap::new();
    let said: Vec<Payload> = life.iter().map(Seen::payload).collect();
    for metric in said.iter().flat_map(|payload| &payload.metrics) {
        types.extend(metric.alias().zip(metric.datatype()));
    }
    for codec in Codec::ALL {
        for ((seen, ours), theirs) in life.iter().zip(&said).zip(codec.decode(&life)) {
            agree(codec, seen, ours, &theirs, &types);
        }
    }
    for kind in ["NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH", "NDEATH"] {
        assert!(life.iter().any(|seen| seen.kind() == kind), "no {kind} was compared");
    }
    every_point_is_born_with_type_unit_and_quality(&life);
}

fn every_point_is_born_with_type_unit_and_quality(life: &[Seen]) {
    let births: Vec<Seen> = life.iter().filter(|seen| seen.kind().ends_with("BIRTH")).cloned().collect();
    let mut names = Vec::new();
    for metric in Codec::Tahu.decode(&births).iter().filter_map(|birth| birth["metrics"].as_array()).flatten()
    {
        let name = metric["name"].as_str().expect("a birth names its metrics");
        assert!(metric["type"].is_string() || metric["type"].is_number(), "{name}: {metric}");
        let leaf = name.rsplit('/').next().unwrap();
        if let Some(def) = POINTS.iter().find(|def| def.name == leaf && def.kind == Kind::Float) {
            assert_eq!(metric["properties"]["engUnit"]["value"], def.unit, "{name}: {metric}");
        }
        if metric["value"].is_null() {
            assert_eq!(metric["properties"]["Quality"]["value"], 0, "{name} is null and says so: {metric}");
        }
        names.push(name.to_owned());
    }
    for def in &POINTS {
        assert!(names.iter().any(|name| name.ends_with(def.name)), "{} is in no birth", def.name);
    }
}

#[test]
fn commands_of_foreign_codecs_make_a_node_tell_its_births_and_go_to_its_next_broker() {
    let brokers = [Mosquitto::start(), Mosquitto::start()];
    let observers = brokers.each_ref().map(|broker| Observer::start(broker.port()));
    let addresses = brokers.each_ref().map(|broker| format!("mqtt://127.0.0.1:{}", broker.port()));
    let _rig = Rig::start(&RigOptions {
        settings: vec![
            ("facility", "brokers", addresses.to_vec().into()),
            ("facility.sparkplug", "group", "test".into()),
        ],
        ..RigOptions::default()
    });
    for (codec, (here, there)) in Codec::ALL.into_iter().zip([(0, 1), (1, 0)]) {
        let births = |at: usize| observers[at].count("NBIRTH");
        until("a birth", MINUTE, || births(here), |births| *births > 0);
        let before = births(here);
        let tells = |name: &str| {
            let command = codec.encode(&json!({ "name": name, "type": "Boolean", "value": true }));
            observers[here].publish(NODE_COMMAND, command, false);
        };
        tells("Node Control/Rebirth");
        until("births on request", MINUTE, || births(here), |now| *now > before);
        let before = births(there);
        tells("Node Control/Next Server");
        until("a birth at the next broker", Duration::from_secs(30), || births(there), |now| *now > before);
    }
}
