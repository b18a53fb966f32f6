//! DSX Flex: the grid's signed words about power, on a real broker and on simulated GPUs.

use std::time::Duration;

use eisbach_hil_tests::{
    MINUTE, Mosquitto, Observer, Rig, RigOptions, Signer, flex_event, rfc3339, until, until_some,
};
use serde_json::{Value, json};

use crate::contract::Contract;

const SET: &str = "grid/v1/isv/acme/loadtarget/set";
const ISV: &str = "//grid/v1/isv/acme";
const BREACH: &str = "grid/v1/dsx-flex-agent/maxlps/powerbreach";
const AGENT: &str = "//grid/v1/dsx-flex-agent/maxlps";
const ENFORCEMENT: &str = "grid/v1/infra/node-0001/powerbreach/enforcement";

fn watts(value: f64) -> Value {
    json!({"value": value, "unit": "watt"})
}

/// The sum of the limits that the driver holds, W.
fn limits(rig: &Rig) -> f64 {
    let truth = rig.truth();
    (0..8).map(|gpu| truth.number(&format!("/requests/{gpu}/limit_watts"))).sum()
}

/// Each limit is rounded to a milliwatt, so that eight of them may add up to a little more.
fn within(limits: f64, cap: f64) -> bool {
    limits <= cap + 0.01
}

/// A node whose power words come from somebody with this key, in this folder.
fn rig(port: u16, acme: &Signer, maxlps: &Signer, own: &Signer, folder: &std::path::Path) -> Rig {
    let text = |path: &std::path::Path| toml::Value::from(path.display().to_string());
    let issuer = |role: &str, name: &str, kid: &str, key: &std::path::Path| {
        let mut table = toml::Table::new();
        table.insert("role".into(), role.into());
        table.insert("name".into(), name.into());
        table.insert("keys".into(), toml::Table::from_iter([(kid.to_owned(), text(key))]).into());
        toml::Value::from(table)
    };
    let (acme, maxlps, (_, own)) = (acme.write(folder).0, maxlps.write(folder).0, own.write(folder));
    let issuers = vec![issuer("isv", "acme", "a1", &acme), issuer("dsx-flex-agent", "maxlps", "m1", &maxlps)];
    Rig::start(&RigOptions {
        settings: vec![
            ("exchange", "brokers", vec![format!("mqtt://127.0.0.1:{port}")].into()),
            ("exchange.flex", "feeds", vec!["main-a"].into()),
            ("exchange.flex", "ramp_watts_per_s", 5000.0.into()),
            ("exchange.flex", "issuers", issuers.into()),
            ("exchange.flex.signing", "kid", "node-1".into()),
            ("exchange.flex.signing", "key", text(&own)),
            ("exchange.json", "prefix", "plain".into()),
        ],
        ..RigOptions::default()
    })
}

/// The events about power that the plain face has told.
fn told(observer: &Observer) -> Vec<Value> {
    let events = observer.all().into_iter().filter(|seen| seen.topic == "plain/node-0001/event");
    let events = events.map(|seen| serde_json::from_slice::<Value>(&seen.payload).expect("JSON"));
    events.filter(|event| event["kind"] == "power").collect()
}

#[test]
fn only_what_its_issuer_signed_lowers_the_limits_and_what_came_of_hints_is_told_signed() {
    let (acme, maxlps, own) = (Signer::new("a1"), Signer::new("m1"), Signer::new("node-1"));
    let stranger = Signer::new("a1");
    let broker = Mosquitto::start();
    let observer = Observer::start(broker.port());
    let folder = tempfile::tempdir().unwrap();
    let rig = rig(broker.port(), &acme, &maxlps, &own, folder.path());
    let say = |topic: &str, event: &Value| observer.publish(topic, event.to_string().into_bytes(), false);
    let set = |power: f64| json!({"targets": [{"interval": {}, "feed_tags": ["main-a"], "load_constraint": watts(power)}]});
    let whole = limits(&rig);
    assert!(whole > 5000.0, "{whole}");

    // What is refused changes nothing, and says why.
    let kind = "grid.loadtarget.set.v1";
    say(SET, &flex_event(ISV, kind, &set(3000.0)));
    say(SET, &flex_event(ISV, kind, &json!(stranger.sign(&set(3000.0)))));
    let mut old = flex_event(ISV, kind, &json!(acme.sign(&set(3000.0))));
    old["time"] = json!(rfc3339(-120));
    say(SET, &old);
    let mut foreign = set(3000.0);
    foreign["targets"][0]["feed_tags"] = json!(["main-b"]);
    say(SET, &flex_event(ISV, kind, &json!(acme.sign(&foreign))));
    let reasons = || {
        told(&observer)
            .iter()
            .filter_map(|told| told["reason"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    until("a reason for each", MINUTE, reasons, |reasons| {
        ["unsigned", "wrong_signature", "expired", "foreign_feed"]
            .iter()
            .all(|word| reasons.iter().any(|told| told == word))
    });
    assert_eq!(limits(&rig), whole);

    let first = flex_event(ISV, kind, &json!(acme.sign(&set(4000.0))));
    say(SET, &first);
    until("limits within the target", MINUTE, || limits(&rig), |limits| within(*limits, 4000.0));
    say(SET, &first);
    until("the replay's reason", MINUTE, reasons, |reasons| reasons.iter().any(|told| told == "replayed"));

    let hints = json!([{"resource_id": "node-0001", "resource_type": "node", "action": "power_cap", "priority": 1, "target_power": watts(3500.0)}]);
    let breach = |status: &str, hints: &Value| {
        json!({
            "feed_tag": "main-a", "status": status, "severity": "warning",
            "breach": {"breach_id": "6f9619ff-8b86-4011-b42d-00c04fc964ff", "detected_at": rfc3339(-1)},
            "target": {"correlation_id": first["correlationid"], "load_constraint": watts(4000.0)},
            "measured_load": watts(4100.0), "shed_hints": hints, "infrastructure_actions": [],
        })
    };
    let kind = "grid.powerbreach.alert.v1";
    say(BREACH, &flex_event(AGENT, kind, &json!(maxlps.sign(&breach("active", &hints)))));
    until("limits within the hint", MINUTE, || limits(&rig), |limits| within(*limits, 3500.0));
    let outcomes = || observer.all().into_iter().filter(|seen| seen.topic == ENFORCEMENT).collect::<Vec<_>>();
    let outcome = |place: usize| {
        let seen = until_some("an outcome", Duration::from_secs(20), || outcomes().into_iter().nth(place));
        let event: Value = serde_json::from_slice(&seen.payload).unwrap();
        let words = own.open(event["data"].as_str().expect("signed words")).expect("our own signature");
        (event, words)
    };
    let (applied, words) = outcome(0);
    assert_eq!((&words["action"], &words["code"]), (&json!("applied"), &json!("success")));
    assert!(
        words["results"][0]["applied_power"]["value"].as_f64().is_some_and(|power| power <= 3516.0),
        "{words}"
    );
    say(BREACH, &flex_event(AGENT, kind, &json!(maxlps.sign(&breach("resolved", &json!([]))))));
    let (reverted, gone) = outcome(1);
    assert_eq!(gone["action"], "reverted");
    if let Some(mut contract) = Contract::load("dsx-flex.yaml") {
        for (event, words) in [(&applied, &words), (&reverted, &gone)] {
            contract.validate("#/components/schemas/PowerBreachEnforcementEvent", event).unwrap();
            contract.validate("#/components/schemas/PowerBreachEnforcementData", words).unwrap();
        }
        // Our own idea of the other side's words holds too.
        contract.validate("#/components/schemas/LoadTargetSetEvent", &first).unwrap();
        contract.validate("#/components/schemas/PowerBreachAlertData", &breach("active", &hints)).unwrap();
        eprintln!("outcomes judged by NVIDIA's dsx-flex.yaml");
    }
    assert!(within(limits(&rig), 4000.0), "the target still holds");
}
