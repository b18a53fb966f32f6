//! Commands from afar on a real broker: what is obeyed, what is refused and with which word, over a restart too.

use std::cell::Cell;
use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Mosquitto, Observer, Rig, RigOptions, until, until_some};
use eisbach_protocol::sparkplug::{Metric, Payload, Value as Wire};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(20);
const TOPIC: &str = "eisbach/v1/node-0001/command";

/// A node, its broker, and somebody who gives orders.
struct Facility {
    rig: Rig,
    observer: Observer,
    counter: Cell<u64>,
    _broker: Mosquitto,
}

impl Facility {
    fn start() -> Self {
        let broker = Mosquitto::start();
        let observer = Observer::start(broker.port());
        let issuer: toml::Table = toml::from_str("name = 'scada-1'\nmay = ['manual', 'isolate']").unwrap();
        let rig = Rig::start(&RigOptions {
            broker: Some(broker.port()),
            settings: vec![
                ("facility.json", "prefix", "eisbach/v1".into()),
                ("commands", "issuers", vec![toml::Value::from(issuer)].into()),
            ],
            ..RigOptions::default()
        });
        let facility = Self { rig, observer, counter: Cell::new(0), _broker: broker };
        facility.is_online();
        facility
    }

    fn is_online(&self) {
        let status =
            || self.observer.all().into_iter().rfind(|seen| seen.topic == "eisbach/v1/node-0001/status");
        until_some("the node is online", MINUTE, || {
            status().filter(|seen| String::from_utf8_lossy(&seen.payload).contains("true")).map(drop)
        });
    }

    fn envelope(&self, issuer: &str, action: &str, params: &Value) -> Value {
        self.counter.set(self.counter.get() + 1);
        let now = self.wall_ms();
        json!({
            "id": format!("c-{}", self.counter.get()), "issuer": issuer, "target": "node-0001",
            "issued_at": now, "expires_at": now + 30_000, "counter": self.counter.get(),
            "action": action, "params": params,
        })
    }

    /// The node's time of day.
    fn wall_ms(&self) -> u64 {
        self.rig.status()["timestamp_ms"].as_u64().expect("the agent knows the time")
    }

    /// What is answered to this envelope: its state, or why it was refused.
    fn says(&self, envelope: &Value) -> String {
        let before = self.answers(&envelope["id"]).len();
        self.observer.publish(TOPIC, envelope.to_string().into_bytes(), false);
        self.answer(&envelope["id"], before)
    }

    fn asks(&self, issuer: &str, action: &str, params: &Value) -> String {
        self.says(&self.envelope(issuer, action, params))
    }

    fn answer(&self, id: &Value, before: usize) -> String {
        until_some(&format!("an answer to {id}"), LIMIT, || self.answers(id).get(before).cloned())
    }

    /// All answers to a command of this id, in order.
    fn answers(&self, id: &Value) -> Vec<String> {
        let all = self.observer.all();
        let events = all.iter().filter(|seen| seen.topic == "eisbach/v1/node-0001/event");
        let events = events.filter_map(|seen| serde_json::from_slice::<Value>(&seen.payload).ok());
        let ours = events.filter(|event| event["kind"] == "command" && event["id"] == *id);
        ours.map(|event| event["reason"].as_str().or_else(|| event["state"].as_str()).unwrap().to_owned())
            .collect()
    }

    fn node(&self, point: &str) -> Value {
        self.rig.point("node", point)["value"].clone()
    }

    fn speed_reaches(&self, percent: f64) {
        let what = format!("the pump turns at {percent} %");
        until(
            &what,
            MINUTE,
            || self.rig.number("pump", "Speed"),
            |speed| speed.is_some_and(|speed| (speed - percent).abs() < 1.5),
        );
    }
}

#[test]
fn i04_anybody_gets_more_cooling_and_nobody_else_gets_anything_else() {
    let mut facility = Facility::start();
    assert_eq!(facility.asks("stranger", "pump_at_least", &json!({"percent": 97, "for_s": 60})), "accepted");
    facility.speed_reaches(97.0);
    assert_eq!(facility.rig.point("pump", "Leader")["value"], "remote");

    let manual = json!({"pump_percent": 99, "for_s": 300});
    assert_eq!(facility.asks("stranger", "manual", &manual), "not_allowed");
    let held = facility.envelope("scada-1", "manual", &manual);
    assert_eq!(facility.says(&held), "accepted");
    until("it is manual", LIMIT, || facility.node("Mode"), |mode| mode == "manual");
    facility.speed_reaches(99.0);
    assert!(facility.node("ModeUntil").as_u64() > Some(facility.wall_ms()));

    // What is retained, replayed, old or no envelope at all changes nothing.
    let retained = facility.envelope("scada-1", "isolate", &json!({}));
    facility.rig.agent.kill();
    let text = retained.to_string().into_bytes();
    facility.observer.publish(TOPIC, text.clone(), true);
    // Only what the broker has before the agent comes is a kept one to it.
    let kept = || facility.observer.all().into_iter().find(|seen| seen.payload == text).map(drop);
    until_some("the broker has it", LIMIT, kept);
    facility.rig.start_agent();
    assert_eq!(facility.answer(&retained["id"], 0), "retained");
    facility.observer.publish(TOPIC, Vec::new(), true);
    facility.rig.reaches("running", MINUTE);
    assert_eq!(facility.node("Mode"), "auto", "an order does not outlive the agent");

    let mut replayed = held;
    replayed["id"] = "replayed".into();
    assert_eq!(facility.says(&replayed), "counter_not_newer");
    replayed["expires_at"] = replayed["issued_at"].clone();
    assert_eq!(facility.says(&replayed), "expired");
    assert_eq!(facility.says(&json!({"id": "torn"})), "malformed");
    assert_eq!(facility.node("CommandLastReason"), "malformed");
    assert_eq!(facility.node("State"), "running");
}

#[test]
fn i04_a_host_asks_for_less_power_and_a_person_at_the_node_has_the_last_word() {
    let facility = Facility::start();
    let write = |topic: &str, metric| {
        let payload = Payload { timestamp_ms: Some(1), seq: None, metrics: vec![metric] };
        facility.observer.publish(topic, payload.encode(), false);
    };
    write("spBv1.0/test/NCMD/node-0001", Metric::named("PowerBudget", Wire::Float(3000.0)));
    assert_eq!(facility.answer(&"sparkplug-1".into(), 0), "accepted");
    until(
        "the GPUs keep the budget",
        MINUTE,
        || facility.rig.number("node", "GpuPower"),
        |watts| watts.is_some_and(|watts| watts <= 3010.0),
    );
    assert_eq!(facility.node("PowerBudget"), 3000.0);
    write("spBv1.0/test/DCMD/node-0001/pump", Metric::named("SpeedAtLeast", Wire::Float(96.0)));
    assert_eq!(facility.answer(&"sparkplug-2".into(), 0), "accepted");
    facility.speed_reaches(96.0);

    let envelope = facility.envelope("scada-1", "manual", &json!({"pump_percent": 98, "for_s": 300}));
    write(
        "spBv1.0/test/NCMD/node-0001",
        Metric::named("CommandEnvelope", Wire::String(envelope.to_string())),
    );
    assert_eq!(facility.answer(&envelope["id"], 0), "accepted");
    facility.speed_reaches(98.0);
    let switched = facility.rig.ask(&["maintenance", "on"]);
    assert!(switched.status.success(), "{switched:?}");
    assert_eq!(facility.answer(&envelope["id"], 1), "done");
    assert_eq!(facility.node("Mode"), "maintenance");
    assert_eq!(facility.asks("scada-1", "manual", &json!({"pump_percent": 98, "for_s": 60})), "local");
    assert_eq!(facility.asks("stranger", "pump_at_least", &json!({"percent": 97, "for_s": 60})), "accepted");
    assert!(facility.rig.ask(&["maintenance", "off"]).status.success());
    assert_eq!(facility.asks("scada-1", "manual", &json!({"pump_percent": 98, "for_s": 60})), "accepted");
}
