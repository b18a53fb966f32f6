//! What is told, when, and in which order.

use std::collections::{HashMap, HashSet};

use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::Millis;
use serde_json::{Value, json};

use super::*;

#[test]
fn every_point_is_described_before_its_first_value() {
    for points in [Points::Rack, Points::All] {
        let mut world = World::new(&settings(points, None));
        let sent = world.seconds(60);
        assert_eq!(world.carrier.state(), FacilityState::Birthed);
        for (at, value) in sent.iter().enumerate().filter(|(_, sent)| !sent.is_metadata()) {
            assert_eq!(value.delivery, Delivery::Once, "{}", value.topic);
            let topic = value.topic.replace("/PUB/Value/", "/PUB/Metadata/");
            let heart = value.topic.contains("Heartbeat");
            let before = sent[..at].iter().find(|sent| sent.topic == topic);
            assert!(heart || before.is_some_and(|sent| sent.delivery == Delivery::Kept), "{topic}");
        }
    }
}

#[test]
fn the_rack_alone_is_told_unless_all_is_chosen() {
    let objects = |points| {
        let sent = World::new(&settings(points, None)).seconds(60);
        let mut objects: Vec<_> =
            sent.iter().filter_map(|sent| sent.topic.split('/').nth(4)).map(str::to_owned).collect();
        objects.sort();
        objects.dedup();
        objects
    };
    assert_eq!(objects(Points::Rack), ["Rack", "System"]);
    assert_eq!(
        objects(Points::All),
        ["CDU", "GenericObject", "HX", "Pump", "Rack", "Sensor", "System", "Valve"]
    );
}

#[test]
fn metadata_have_a_unit_or_states_and_one_identity() {
    let sent = World::new(&settings(Points::All, Some(requests(Described::ByUs, false)))).seconds(60);
    let metadata: Vec<_> = sent.iter().filter(|sent| sent.is_metadata()).collect();
    let mut tags = HashSet::new();
    for Sent { topic, payload, .. } in &metadata {
        let levels: Vec<_> = topic.splitn(7, '/').collect();
        assert_eq!(
            (payload["objectType"].as_str(), payload["pointType"].as_str()),
            (Some(levels[4]), Some(levels[5]))
        );
        assert!(tags.insert(topic), "{topic} is told once in a minute");
        let (unit, states) = (payload.get("engUnit").is_some(), payload.get("stateText").is_some());
        let plain = levels[5] == "GenericPoint" || levels[5].starts_with("Heartbeat");
        assert!(unit != states || (plain && !unit), "{topic}");
        let keys: &[&str] = if levels[4] == "Rack" {
            &["rackLocationName", "rackLocationId"]
        } else {
            &["objectName", "objectId"]
        };
        assert!(keys.iter().all(|key| payload[key].is_string()), "{topic}");
        assert!(levels[4] != "Rack" || payload.get("processArea").is_none(), "{topic}");
        assert!(levels[5] != "GenericPoint" || payload["processArea"].is_array(), "{topic}");
        let request = levels[5].ends_with("Request") || levels[5].ends_with("Integration");
        assert_eq!(payload["integration"] == "MEPAI", request, "{topic}");
    }
    assert!(metadata.len() > 80, "{}", metadata.len());
}

#[test]
fn everything_is_said_again_within_a_hundred_seconds_and_the_heart_beats_each_ten() {
    let mut world = World::new(&settings(Points::All, None));
    let sent = world.seconds(400);
    let mut last: HashMap<&str, Millis> = HashMap::new();
    for Sent { at, topic, .. } in &sent {
        if let Some(before) = last.insert(topic, *at) {
            assert!(at.since(before) <= Millis::from_secs(100), "{topic}");
        }
    }
    for (topic, at) in &last {
        assert!(world.now.since(*at) <= Millis::from_secs(100), "{topic} fell silent");
    }
    let beats: Vec<_> = of(&sent, "Value/System/HeartbeatTimestampBms").iter().map(|sent| sent.at).collect();
    assert_eq!(beats.len(), 40);
    assert!(beats.windows(2).all(|pair| pair[1].since(pair[0]) == Millis::from_secs(10)));
}

#[test]
fn nothing_is_said_without_a_change_before_its_time() {
    let mut world = World::new(&settings(Points::Rack, None));
    world.seconds(10);
    let sent = world.seconds(80);
    assert!(sent.iter().all(|sent| sent.topic.contains("HeartbeatTimestampBms")), "{sent:?}");
}

#[test]
fn a_number_that_changes_is_told_within_a_second_and_a_state_at_once() {
    let mut world = World::new(&settings(Points::Rack, None));
    world.seconds(10);
    let float = |value| Reading::measured(PointValue::Float(value), Millis::new(300));
    world.set(PointId::MeterFlow, float(50.01));
    assert_eq!(of(&world.seconds(5), "RackLiquidFlow").len(), 0, "within its dead-band");
    for tenth in 0..30_u8 {
        world.set(PointId::MeterFlow, float(51.0 + f32::from(tenth)));
        world.set(PointId::LeakDetected, Reading::measured(PointValue::Bool(true), Millis::ZERO));
        let sent = world.after(Millis::new(100));
        assert_eq!(of(&sent, "RackLeakDetect").len(), usize::from(tenth == 0));
        let flow = of(&sent, "RackLiquidFlow");
        assert_eq!(flow.len(), usize::from(tenth % 10 == 0), "{tenth}");
        if let Some(flow) = flow.first() {
            let wall = world.moment().wall_ms - 300;
            assert_eq!(
                flow.payload,
                json!({"value": 51.0 + f64::from(tenth), "timestamp": wall, "quality": 1})
            );
        }
    }
}

#[test]
fn a_reading_that_is_none_is_null_and_a_guess_is_not_good() {
    let mut world = World::new(&settings(Points::Rack, None));
    world.seconds(10);
    world.set(PointId::MeterSupply, Reading::bad(BadReason::CommLost));
    world.set(PointId::NodePower, Reading::estimated(PointValue::Float(5000.0), Millis::ZERO));
    world.set(PointId::MeterReturn, Reading::measured(PointValue::Float(f32::NAN), Millis::ZERO));
    let sent = world.seconds(2);
    let payload = |part: &str| of(&sent, part)[0].payload.clone();
    let supply = payload("RackLiquidSupplyTemperature");
    assert_eq!((&supply["value"], &supply["quality"]), (&Value::Null, &json!(0)));
    let power = payload("RackPower");
    assert_eq!((&power["value"], &power["quality"]), (&json!(5.0), &json!(0)));
    assert_eq!(payload("RackLiquidReturnTemperature")["value"], Value::Null);
}

#[test]
fn an_object_that_is_gone_is_null_once_and_nobody_waits_for_it() {
    let mut world = World::new(&settings(Points::All, None));
    world.seconds(60);
    let at = world.report.objects.iter().position(|object| object.name == "gpu0").unwrap();
    let gpu = world.report.objects.remove(at);
    let sent = world.seconds(30);
    let last: Vec<_> = of(&sent, "/gpu0/").into_iter().filter(|sent| !sent.is_metadata()).collect();
    let topics: HashSet<_> = last.iter().map(|sent| sent.topic.as_str()).collect();
    assert!(!last.is_empty() && topics.len() == last.len(), "once each");
    assert!(last.iter().all(|sent| sent.payload["value"].is_null() && sent.payload["quality"] == 0));
    assert_eq!(of(&world.seconds(200), "/gpu0/").len(), 0, "and never again");
    world.carrier.lost();
    world.carrier.connected(world.recorder.clone(), 1, world.moment());
    world.seconds(30);
    assert_eq!(world.carrier.state(), FacilityState::Birthed);
    world.report.objects.push(gpu);
    let back = world.seconds(10);
    let back: Vec<_> = of(&back, "/gpu0/").into_iter().filter(|sent| !sent.is_metadata()).collect();
    assert_eq!(back.len(), last.len());
    assert!(back.iter().all(|sent| sent.payload["quality"] == 1));
}

#[test]
fn what_the_transport_refuses_is_due_again() {
    let mut world = World::new(&settings(Points::Rack, None));
    for _ in 0..100 {
        world.recorder.0.borrow_mut().room = Some(1);
        world.after(Millis::new(100));
    }
    assert_eq!(world.carrier.state(), FacilityState::Birthed);
}

#[test]
fn a_new_connection_is_told_everything_again() {
    let mut world = World::new(&settings(Points::Rack, None));
    let first = world.seconds(9).len();
    world.carrier.lost();
    assert_eq!(world.carrier.state(), FacilityState::Offline);
    world.seconds(5);
    world.carrier.connected(world.recorder.clone(), 1, world.moment());
    assert_eq!(world.seconds(9).len(), first);
}
