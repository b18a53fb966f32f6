//! The BMS event bus of the DSX Exchange, on a real mosquitto and on a real NATS server, as the Exchange runs one.

use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Mosquitto, Nats, Observer, Rig, RigOptions, Seen, until, until_some};
use serde_json::{Value, json};

use crate::contract::Contract;

const SUPPLY_TARGET: &str = "BMS/v1/PUB/Value/CDU/LiquidTemperature/site1/r12/loop/SupplySetpoint";
const REQUEST: &str =
    "BMS/v1/MEPAI/Value/CDU/LiquidTemperatureSpRequest/site1/r12/loop/LiquidTemperatureSpRequest";
const THEIR_BEAT: &str = "BMS/v1/MEPAI/Value/System/HeartbeatTimestampIntegration/site1/r12/system/MEPAI";
const OUR_BEAT: &str = "Value/System/HeartbeatTimestampBms/";

fn rig(port: u16) -> Rig {
    let text = |text: &str| toml::Value::from(text);
    Rig::start(&RigOptions {
        settings: vec![
            ("exchange", "brokers", vec![format!("mqtt://127.0.0.1:{port}")].into()),
            ("exchange.dsx", "rack_id", text("r-12")),
            ("exchange.dsx", "rack_name", text("Row 3, rack 12")),
            ("exchange.dsx", "tag_path", text("site1/r12")),
            ("exchange.dsx", "points", text("all")),
            ("exchange.dsx", "requests", text("own")),
            ("exchange.dsx", "integration", text("MEPAI")),
            ("exchange.dsx", "supply_kelvin_per_min", 10.0.into()),
        ],
        ..RigOptions::default()
    })
}

/// Ours, as JSON.
fn ours(observer: &Observer) -> Vec<(Seen, Value)> {
    let ours = observer.all().into_iter().filter(|seen| seen.topic.starts_with("BMS/v1/PUB/"));
    ours.map(|seen| (seen.clone(), serde_json::from_slice(&seen.payload).expect("JSON"))).collect()
}

fn newest(observer: &Observer, part: &str) -> Option<Value> {
    ours(observer).into_iter().rev().find(|(seen, _)| seen.topic.contains(part)).map(|(_, payload)| payload)
}

fn count(observer: &Observer, part: &str) -> usize {
    observer.all().iter().filter(|seen| seen.topic.contains(part)).count()
}

/// Waits for everything that is told at the beginning and for two beats, and judges every message.
fn judge_everything(observer: &Observer, port: u16) {
    until("two heartbeats", MINUTE, || count(observer, OUR_BEAT), |beats| *beats >= 2);
    let all = ours(observer);
    let (metadata, values): (Vec<_>, Vec<_>) =
        all.iter().partition(|(seen, _)| seen.topic.starts_with("BMS/v1/PUB/Metadata/"));
    assert!(metadata.len() > 200, "{} points are described", metadata.len());
    for (seen, payload) in &values {
        let keys: Vec<_> = payload.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["quality", "timestamp", "value"], "{}", seen.topic);
        let described = seen.topic.replacen("Value", "Metadata", 1);
        assert!(metadata.iter().any(|(seen, _)| seen.topic == described), "{described}");
        assert!(!seen.topic.contains([' ', '.', '+', '#']), "{}", seen.topic);
    }
    if let Some(mut contract) = Contract::load("bms.yaml") {
        let wrong: Vec<_> =
            all.iter().filter_map(|(seen, payload)| contract.judge(&seen.topic, payload).err()).collect();
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
        // The contract has teeth: one key more, and it is none of its messages.
        let mut spoiled = all[0].1.clone();
        spoiled["more"] = json!(1);
        assert!(contract.judge(&all[0].0.topic, &spoiled).is_err());
        eprintln!("{} messages judged by NVIDIA's bms.yaml, {} of them metadata", all.len(), metadata.len());
    }
    let late = Observer::start_as("late", port);
    let kept = || late.all().iter().filter(|seen| seen.retained).count();
    until("what the broker has kept", MINUTE, kept, |kept| *kept >= metadata.len());
    for seen in late.all().iter().filter(|seen| seen.retained) {
        assert!(seen.topic.starts_with("BMS/v1/PUB/Metadata/"), "{} is kept", seen.topic);
    }
}

/// An integration that lives and asks for a colder supply moves our own set-point, and hears itself back.
fn ask(observer: &Observer) {
    let say = |topic: &str, value: u64| {
        let stamp = eisbach_hil_tests::wall_ms();
        let payload = json!({"value": value, "timestamp": stamp, "quality": 1});
        observer.publish(topic, payload.to_string().into_bytes(), false);
    };
    let beat = eisbach_hil_tests::wall_ms();
    say(THEIR_BEAT, beat);
    until(
        "our echo",
        Duration::from_secs(10),
        || newest(observer, "Value/System/HeartbeatEchoBms/"),
        |echo| echo.as_ref().is_some_and(|echo| echo["value"] == beat),
    );
    let before =
        newest(observer, SUPPLY_TARGET).and_then(|told| told["value"].as_f64()).expect("a set-point");
    say(REQUEST, 30);
    until(
        "a colder set-point of our own",
        Duration::from_secs(10),
        || newest(observer, SUPPLY_TARGET).and_then(|told| told["value"].as_f64()),
        |now| now.is_some_and(|now| now < before - 0.2),
    );
}

#[test]
fn every_word_on_the_bms_bus_is_what_the_contract_says_on_mosquitto_and_on_nats() {
    let (mosquitto, nats) = (Mosquitto::start(), Nats::start());
    let observer = Observer::start(mosquitto.port());
    let mut rig = rig(mosquitto.port());
    rig.event("silence-room");
    until_some("a reading that is none", MINUTE, || {
        newest(&observer, "Value/Sensor/AirTemperature/").filter(|told| told["value"].is_null())
    });
    ask(&observer);
    judge_everything(&observer, mosquitto.port());

    assert!(rig.agent.stop(Duration::from_secs(10)).success());
    let text = std::fs::read_to_string(rig.config()).unwrap();
    let port = nats.ports()[0];
    let text = text.replace(&format!("127.0.0.1:{}", mosquitto.port()), &format!("127.0.0.1:{port}"));
    std::fs::write(rig.config(), text).unwrap();
    let observer = Observer::start(port);
    rig.start_agent();
    until_some("a set-point", MINUTE, || newest(&observer, SUPPLY_TARGET));
    ask(&observer);
    judge_everything(&observer, port);
}
