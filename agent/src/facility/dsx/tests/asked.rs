//! What is asked of us, and what comes of it.

use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Millis};
use serde_json::json;

use super::*;

#[test]
fn a_request_moves_our_own_set_point_and_ends_with_the_heartbeat() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByUs, false))));
    let sent = world.seconds(5);
    let asked = of(&sent, "Metadata/CDU/LiquidTemperatureSpRequest")[0];
    assert_eq!(asked.payload["integration"], "MEPAI");
    assert_eq!(asked.topic.replace("PUB/Metadata", "MEPAI/Value"), SUPPLY_REQUEST);
    assert!(world.filters().contains(&SUPPLY_REQUEST.to_owned()));
    assert_eq!(of(&sent, "Value/CDU/LiquidTemperature/").len(), 1, "our own set-point confirms");
    let echo = world.beating(10);
    assert_eq!(of(&echo, "Value/System/HeartbeatEchoBms")[0].payload["value"], json!(EPOCH_MS + 1_005_000));
    world.asks(SUPPLY_REQUEST, 30.0);
    world.beating(20);
    assert_eq!(world.standing().supply_target, Some(Celsius::new(30.0)));
    world.asks(SUPPLY_REQUEST, 99.0);
    world.beating(20);
    assert_eq!(world.standing().supply_target, Some(Celsius::new(40.0)), "held at the rail");
    world.seconds(60);
    assert_eq!(world.standing(), Standing::default(), "the heart stands still");
    assert_eq!(world.requests_refused(), 0);
}

#[test]
fn a_request_holds_while_the_broker_is_away_only_as_long_as_its_heartbeat() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByUs, false))));
    world.beating(10);
    world.asks(SUPPLY_REQUEST, 30.0);
    world.beating(10);
    world.carrier.lost();
    world.seconds(15);
    assert_eq!(world.standing().supply_target, Some(Celsius::new(30.0)));
    world.seconds(30);
    assert_eq!(world.standing(), Standing::default());
}

#[test]
fn isolation_that_is_not_allowed_is_refused_by_our_own_state() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByUs, false))));
    world.beating(10);
    world.asks(ISOLATION_REQUEST, 1.0);
    let sent = world.beating(100);
    assert_eq!((world.standing().isolate, world.requests_refused()), (false, 1));
    let status = of(&sent, "Value/Rack/RackLiquidIsolationStatus");
    assert!(!status.is_empty() && status.iter().all(|sent| sent.payload["value"] == 0));
}

#[test]
fn isolation_that_is_allowed_is_asked_for_and_its_status_is_what_the_pump_does() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByUs, true))));
    world.set(PointId::PumpRunning, Reading::measured(PointValue::Bool(true), Millis::ZERO));
    world.beating(10);
    world.asks(ISOLATION_REQUEST, 1.0);
    world.beating(10);
    assert!(world.standing().isolate);
    world.set(PointId::PumpRunning, Reading::measured(PointValue::Bool(false), Millis::ZERO));
    assert_eq!(of(&world.seconds(1), "IsolationStatus").len(), 0, "a pump that fails isolates nothing");
    world.set(PointId::PumpLeader, Reading::measured(PointValue::Text("leak_interlock"), Millis::ZERO));
    assert_eq!(of(&world.seconds(1), "IsolationStatus")[0].payload["value"], 1);
}

#[test]
fn retained_malformed_and_foreign_requests_are_refused_and_counted() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByUs, true))));
    world.beating(10);
    let good = json!({"value": 30, "timestamp": world.moment().wall_ms, "quality": 1}).to_string();
    world.hear(SUPPLY_REQUEST, &good, true);
    world.hear(SUPPLY_REQUEST, "30", false);
    world.hear(&SUPPLY_REQUEST.replace("r12", "r13"), &good, false);
    world.hear(&SUPPLY_REQUEST.replace("MEPAI", "PUB"), &good, false);
    world.seconds(5);
    assert_eq!((world.standing(), world.requests_refused()), (Standing::default(), 4));
}

#[test]
fn points_that_another_bms_describes_are_found_by_our_rack_and_integration() {
    let mut world = World::new(&settings(Points::Rack, Some(requests(Described::ByMetadata, true))));
    world.seconds(5);
    let supply = json!({"objectType": "CDU", "pointType": "LiquidTemperatureSpRequest", "engUnit": "C", "integration": "MEPAI",
        "objectName": "cdu5", "objectId": "cdu5", "servesId": ["r-12"]});
    let topic = "BMS/v1/PUB/Metadata/CDU/LiquidTemperatureSpRequest/hall/cdu5";
    let mut other = supply.clone();
    other["servesId"] = json!(["r-13"]);
    world.hear(&topic.replace("cdu5", "cdu6"), &other.to_string(), true);
    other["servesId"] = json!(["r-12"]);
    other["integration"] = json!("SOMEBODY");
    world.hear(&topic.replace("cdu5", "cdu7"), &other.to_string(), true);
    world.hear(topic, &supply.to_string(), true);
    world.hear(topic, &supply.to_string(), true);
    let beat = json!({"objectType": "System", "pointType": "HeartbeatTimestampIntegration", "objectName": "MEPAI",
        "objectId": "MEPAI", "integration": "MEPAI"});
    world.hear(
        "BMS/v1/PUB/Metadata/System/HeartbeatTimestampIntegration/hall/mepai",
        &beat.to_string(),
        true,
    );
    let found = [
        "BMS/v1/MEPAI/Value/CDU/LiquidTemperatureSpRequest/hall/cdu5",
        "BMS/v1/MEPAI/Value/System/HeartbeatTimestampIntegration/hall/mepai",
    ];
    assert_eq!(world.filters().split_off(3), found);
    for _ in 0..3 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are whole numbers of f64")]
        world.asks(found[1], world.moment().wall_ms as f64);
        world.asks(found[0], 25.0);
        world.seconds(5);
    }
    assert_eq!((world.standing().supply_target, world.requests_refused()), (Some(Celsius::new(25.0)), 0));
    world.hear("BMS/v1/PUB/Metadata/CDU/LiquidTemperatureSpRequest/x", "{}", true);
    for n in 0..20 {
        world.hear(&format!("{topic}-{n}"), &supply.to_string(), true);
    }
    assert_eq!(world.requests_refused(), 1 + 13, "no more than eight of a kind");
}
