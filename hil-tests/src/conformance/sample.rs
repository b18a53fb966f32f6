//! A capture without fault, in which every rule is put to the test.
//!
//! ```text
//!   broker 0   host ──────────────────────────────────── offline
//!              node  born · data · births again · device gone and back · leaves with its host
//!   broker 1   host ────────────────────────────────────────────────────────────────────
//!              node                                      born · killed    born · stops
//! ```

use prost::Message as _;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, LastWill, Packet, Publish, QoS, Subscribe, SubscribeFilter,
};

use super::capture::{Capture, Cast, Record, What};
use super::wire::{Metric, Payload, Property, PropertySet, PropertyValue, Value};

const BEGAN_MS: u64 = 1_800_000_000_000;
/// When the host connected, which is the time of its will.
const HOST_MS: u64 = BEGAN_MS;
const FLOAT: u32 = 9;
const INT64: u32 = 4;
const BOOLEAN: u32 = 11;

/// The capture.
pub(super) fn sample() -> Capture {
    let mut tape = Tape::default();
    let (one, other) = (0, 1);
    tape.host(one, 0);
    tape.host(other, 1);
    let mut node = tape.node(one, 2, 0);
    node.births();
    node.device_data("pump", 11.0);
    node.device_data("gpu0", 12.0);
    node.node_data(13.0);
    node.asked_for_births();
    node.births();
    node.device_data("pump", 14.0);
    node.device_death("pump");
    node.node_data(15.0);
    node.device_birth("pump");
    node.device_data("pump", 16.0);
    node.hears_state(false, HOST_MS - 1);
    node.node_data(17.0);
    node.tape.says(0, state(false, HOST_MS));
    node.hears_state(false, HOST_MS);
    node.leaves();
    let mut node = tape.node(other, 3, 1);
    node.births();
    node.node_data(18.0);
    node.ends();
    let mut node = tape.node(other, 4, 2);
    node.births();
    node.node_data(19.0);
    node.device_data("gpu0", 20.0);
    node.leaves();
    tape.capture
}

#[derive(Debug, Default)]
struct Tape {
    capture: Capture,
    servers: Vec<(usize, usize)>,
}

/// A session of the node in the making.
struct Node<'a> {
    tape: &'a mut Tape,
    connection: usize,
    bd_seq: u64,
    seq: u64,
}

impl Tape {
    fn write(&mut self, connection: usize, what: What) {
        self.capture.cast = Cast { group: "dc1".into(), node: "node-7".into(), host: "scada".into() };
        let server = self.servers.iter().find(|(known, _)| *known == connection).expect("it connected").1;
        self.capture.records.push(Record { at_ms: self.now(), server, connection, what });
    }

    /// A hundredth of a second goes by with every record.
    fn now(&self) -> u64 {
        BEGAN_MS + 10 * u64::try_from(self.capture.records.len()).expect("a short capture")
    }

    fn says(&mut self, connection: usize, publish: Publish) {
        self.write(connection, What::Sent(Packet::Publish(publish)));
    }

    fn connects(&mut self, server: usize, connection: usize, client: &str, will: Publish) {
        self.servers.push((connection, server));
        let mut connect = Connect::new(client);
        connect.last_will = Some(LastWill {
            topic: will.topic,
            message: will.payload,
            qos: QoS::AtLeastOnce,
            retain: will.retain,
        });
        self.write(connection, What::Sent(Packet::Connect(connect)));
        let accepted = ConnAck { session_present: false, code: ConnectReturnCode::Success };
        self.write(connection, What::Received(Packet::ConnAck(accepted)));
    }

    fn host(&mut self, server: usize, connection: usize) {
        self.connects(server, connection, "scada", state(false, HOST_MS));
        self.says(connection, state(true, HOST_MS));
    }

    fn node(&mut self, server: usize, connection: usize, bd_seq: u64) -> Node<'_> {
        let will = message(
            "NDEATH",
            None,
            &Payload {
                timestamp: Some(self.now()),
                metrics: vec![bd_seq_metric(bd_seq, self.now())],
                seq: None,
            },
        );
        self.connects(server, connection, "node-7", will);
        let filters = ["spBv1.0/dc1/NCMD/node-7", "spBv1.0/dc1/DCMD/node-7/+", "spBv1.0/STATE/scada"];
        let filters = filters.map(|path| SubscribeFilter { path: path.into(), qos: QoS::AtLeastOnce });
        self.write(connection, What::Sent(Packet::Subscribe(Subscribe::new_many(filters))));
        let mut node = Node { tape: self, connection, bd_seq, seq: 0 };
        node.hears_state(true, HOST_MS);
        node
    }
}

impl Node<'_> {
    fn births(&mut self) {
        self.seq = 0;
        let now = self.tape.now();
        let rebirth = Metric {
            name: Some("Node Control/Rebirth".into()),
            timestamp: Some(now),
            datatype: Some(BOOLEAN),
            value: Some(Value::Boolean(false)),
            ..Metric::default()
        };
        let metrics = vec![
            bd_seq_metric(self.bd_seq, now),
            rebirth,
            born("PowerDraw", alias(""), now),
            null("River", now),
        ];
        self.says("NBIRTH", None, metrics);
        self.device_birth("gpu0");
        self.device_birth("pump");
    }

    fn device_birth(&mut self, device: &str) {
        let now = self.tape.now();
        self.says("DBIRTH", Some(device), vec![born("Temperature", alias(device), now)]);
    }

    fn device_death(&mut self, device: &str) {
        self.says("DDEATH", Some(device), Vec::new());
    }

    fn device_data(&mut self, device: &str, value: f32) {
        self.data("DDATA", Some(device), alias(device), value);
    }

    fn node_data(&mut self, value: f32) {
        self.data("NDATA", None, alias(""), value);
    }

    fn data(&mut self, word: &str, device: Option<&str>, alias: u64, value: f32) {
        let metric = Metric {
            alias: Some(alias),
            timestamp: Some(self.tape.now()),
            value: Some(Value::Float(value)),
            ..Metric::default()
        };
        self.says(word, device, vec![metric]);
    }

    fn says(&mut self, word: &str, device: Option<&str>, metrics: Vec<Metric>) {
        let payload = Payload { timestamp: Some(self.tape.now()), metrics, seq: Some(self.seq) };
        self.seq = (self.seq + 1) % 256;
        self.tape.says(self.connection, message(word, device, &payload));
    }

    fn hears_state(&mut self, online: bool, stamp: u64) {
        self.tape.write(self.connection, What::Received(Packet::Publish(state(online, stamp))));
    }

    fn asked_for_births(&mut self) {
        let rebirth = Metric {
            name: Some("Node Control/Rebirth".into()),
            datatype: Some(BOOLEAN),
            value: Some(Value::Boolean(true)),
            ..Metric::default()
        };
        let payload = Payload { timestamp: Some(self.tape.now()), metrics: vec![rebirth], seq: None };
        let command = message("NCMD", None, &payload);
        self.tape.says(0, command.clone());
        self.tape.write(self.connection, What::Received(Packet::Publish(command)));
    }

    fn leaves(&mut self) {
        let now = self.tape.now();
        let metrics = vec![bd_seq_metric(self.bd_seq, now)];
        let death = message("NDEATH", None, &Payload { timestamp: Some(now), metrics, seq: None });
        self.tape.says(self.connection, death);
        self.tape.write(self.connection, What::Sent(Packet::Disconnect));
        self.ends();
    }

    fn ends(&mut self) {
        self.tape.write(self.connection, What::Ended);
    }
}

fn message(word: &str, device: Option<&str>, payload: &Payload) -> Publish {
    let device = device.map(|device| format!("/{device}")).unwrap_or_default();
    Publish::new(format!("spBv1.0/dc1/{word}/node-7{device}"), QoS::AtMostOnce, payload.encode_to_vec())
}

fn state(online: bool, stamp: u64) -> Publish {
    let json = serde_json::json!({ "online": online, "timestamp": stamp });
    let mut publish = Publish::new("spBv1.0/STATE/scada", QoS::AtLeastOnce, json.to_string());
    publish.retain = true;
    publish
}

fn bd_seq_metric(bd_seq: u64, now: u64) -> Metric {
    Metric {
        name: Some("bdSeq".into()),
        timestamp: Some(now),
        datatype: Some(INT64),
        value: Some(Value::Long(bd_seq)),
        ..Metric::default()
    }
}

/// One alias a device, and one for the node itself.
fn alias(device: &str) -> u64 {
    match device {
        "" => 1,
        "gpu0" => 2,
        _ => 3,
    }
}

fn born(name: &str, alias: u64, now: u64) -> Metric {
    let unit = Property { datatype: Some(12), is_null: None, value: Some(PropertyValue::Text("°C".into())) };
    Metric {
        name: Some(name.into()),
        alias: Some(alias),
        timestamp: Some(now),
        datatype: Some(FLOAT),
        properties: Some(PropertySet { keys: vec!["engUnit".into()], values: vec![unit] }),
        value: Some(Value::Float(10.0)),
        ..Metric::default()
    }
}

fn null(name: &str, now: u64) -> Metric {
    let bad = Property { datatype: Some(3), is_null: None, value: Some(PropertyValue::Int(0)) };
    Metric {
        is_null: Some(true),
        value: None,
        properties: Some(PropertySet { keys: vec!["Quality".into()], values: vec![bad] }),
        ..born(name, 9, now)
    }
}
