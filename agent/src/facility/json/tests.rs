use std::cell::RefCell;
use std::rc::Rc;

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::catalogue::{Owner, PointId, PointValue, points_of};
use eisbach_protocol::reading::{BadReason, Reading};
use serde_json::Value;

use super::*;
use crate::facility::FacilityState;
use crate::facility::counters::Counters;
use crate::facility::link::{Carrier, Transport};
use crate::report::events::{AlarmChange, AlarmEvent, EventKind, Events, KEPT};

#[derive(Clone, Debug, Default)]
struct Tape(Rc<RefCell<Vec<(String, String, Delivery)>>>, Rc<RefCell<usize>>);

impl Transport for Tape {
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.0.borrow_mut().push((filter.to_owned(), "subscribe".into(), Delivery::Once));
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: Vec<u8>, delivery: Delivery) -> Result<(), Refused> {
        self.0.borrow_mut().push((topic.to_owned(), String::from_utf8(payload).unwrap(), delivery));
        Ok(())
    }

    fn unconfirmed(&self) -> usize {
        *self.1.borrow()
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        Ok(())
    }
}

struct World {
    carrier: Carrier<Tape>,
    tape: Tape,
    report: Report,
    now: Millis,
    counters: Arc<Counters>,
}

impl World {
    fn new() -> Self {
        Self::of(Some("homeassistant"))
    }

    fn of(discovery: Option<&str>) -> Self {
        let settings = JsonSettings {
            prefix: "eisbach/v1".into(),
            period: Millis::from_secs(1),
            discovery: discovery.map(String::from),
        };
        let counters = Arc::new(Counters::default());
        let face = JsonFace::new(settings, "node-7");
        let carrier = Carrier::new(vec![Box::new(face)], Arc::clone(&counters));
        let objects = [("node", Owner::Node), ("pump", Owner::Pump)].map(|(name, owner)| ObjectReport {
            name: name.into(),
            owner,
            online: true,
            note: None,
            points: points_of(owner).map(|def| (def.id, Reading::default())).collect(),
        });
        let report = Report { objects: objects.into(), ..Report::default() };
        Self { carrier, tape: Tape::default(), report, now: Millis::ZERO, counters }
    }

    /// Online, with all that is told first read.
    fn met() -> Self {
        let mut world = Self::of(None);
        world.connect();
        world.cycle();
        world.said();
        world
    }

    fn moment(&self) -> Moment {
        Moment { at: self.now, wall_ms: 1_790_000_000_000 + self.now.get() }
    }

    fn connect(&mut self) {
        let now = self.moment();
        self.carrier.connected(self.tape.clone(), 0, now);
    }

    fn cycle(&mut self) {
        self.report.wall_ms = self.moment().wall_ms;
        let now = self.moment();
        self.carrier.report(Arc::new(self.report.clone()), now);
    }

    fn pass(&mut self, ms: u64) {
        self.now += Millis::new(ms);
        self.cycle();
    }

    fn set(&mut self, point: PointId, reading: Reading<PointValue>) {
        for object in &mut self.report.objects {
            object.points.iter_mut().filter(|(id, _)| *id == point).for_each(|(_, old)| *old = reading);
        }
    }

    fn said(&self) -> Vec<(String, String, Delivery)> {
        std::mem::take(&mut self.tape.0.borrow_mut())
    }

    /// The last levels of what was said.
    fn topics(&self) -> Vec<String> {
        self.said().iter().map(|(topic, ..)| topic.replace("eisbach/v1/node-7/", "")).collect()
    }

    fn happens(&mut self, count: u64) {
        for wall_ms in 1..=count {
            let event =
                AlarmEvent { alarm: Alarm::PumpSilent, change: AlarmChange::Cleared, by: None, wall_ms };
            Events::push(&mut self.report.events, EventKind::Alarm(event));
        }
    }

    /// The numbers of the events told.
    fn numbers(&self) -> Vec<u64> {
        let told = self.said();
        let events = told.iter().filter(|(topic, ..)| topic.ends_with("/event"));
        events.filter_map(|(_, payload, _)| json(payload)["number"].as_u64()).collect()
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn good(value: f32) -> Reading<PointValue> {
    Reading::measured(PointValue::Float(value), Millis::ZERO)
}

#[test]
fn first_comes_the_subscription_then_discovery_status_alarms_and_objects() {
    let mut world = World::new();
    world.connect();
    world.cycle();
    assert_eq!(
        world.topics(),
        [
            "command",
            "homeassistant/device/node-7-node/config",
            "homeassistant/device/node-7-pump/config",
            "status",
            "alarms",
            "node",
            "pump"
        ]
    );
    assert_eq!(world.carrier.state(), FacilityState::Birthed);
}

#[test]
fn points_are_flat_numbers_and_doubts_are_named() {
    let mut world = World::of(None);
    world.set(PointId::PumpSpeed, good(35.1));
    world.set(PointId::PumpHead, Reading::bad(BadReason::CommLost));
    world.set(PointId::PumpPower, Reading::estimated(PointValue::Float(80.0), Millis::ZERO));
    world.connect();
    world.cycle();
    let said = world.said();
    let (_, pump, delivery) = said.iter().find(|(topic, ..)| topic.ends_with("/pump")).unwrap();
    assert_eq!(*delivery, Delivery::Kept);
    assert!(pump.contains(r#""Speed":35.1,"#), "{pump}");
    let pump = json(pump);
    assert_eq!(pump["Head"], Value::Null);
    assert_eq!(pump["quality"]["Head"], "comm_lost");
    assert_eq!(pump["quality"]["Speed"], Value::Null);
    assert_eq!(pump["quality"]["Power"], "uncertain", "an estimate is no measurement");
    assert_eq!(pump["timestamp"], 1_790_000_000_000_u64);
}

#[test]
fn an_object_is_told_on_change_at_most_once_a_period_and_at_least_each_minute() {
    let mut world = World::met();
    for tenth in 0..9_u8 {
        world.set(PointId::PumpSpeed, good(f32::from(tenth)));
        world.pass(100);
    }
    assert_eq!(world.topics(), [""; 0]);
    world.pass(100);
    assert_eq!(world.topics(), ["pump"]);
    for _ in 0..589 {
        world.pass(100);
    }
    assert_eq!(world.topics(), [""; 0], "nothing changed");
    world.pass(100);
    assert_eq!(world.topics(), ["status", "node"]);
    world.pass(1000);
    assert_eq!(world.topics(), ["pump"]);
}

#[test]
fn i11_an_object_that_is_gone_is_told_gone_once() {
    let mut world = World::met();
    world.report.objects.pop();
    world.pass(100);
    let said = world.said();
    let (topic, payload, delivery) = said.first().unwrap();
    assert_eq!((topic.as_str(), *delivery), ("eisbach/v1/node-7/pump", Delivery::Kept));
    assert_eq!(json(payload)["online"], false);
    world.pass(60_000);
    assert!(!world.topics().contains(&"pump".to_owned()));
}

#[test]
fn an_event_s_number_is_its_own_with_the_run_it_belongs_to() {
    let mut world = World::met();
    world.happens(1);
    world.pass(100);
    let said = world.said();
    let (_, event, _) = said.iter().find(|(topic, ..)| topic.ends_with("/event")).unwrap();
    assert_eq!(
        (json(event)["number"].as_u64(), json(event)["run"].as_u64()),
        (Some(1), Some(1_790_000_000_000))
    );
}

#[test]
fn events_are_numbered_and_told_once() {
    let mut world = World::met();
    world.happens(20);
    world.pass(100);
    assert_eq!(world.numbers(), (1..=16).collect::<Vec<_>>(), "a flood leaves room for the rest");
    world.pass(100);
    assert_eq!(world.numbers(), [17, 18, 19, 20]);
    world.pass(100);
    assert_eq!(world.numbers(), [0; 0]);
}

#[test]
fn what_happened_while_away_is_told_afterwards() {
    let mut world = World::met();
    world.carrier.lost();
    world.happens(3);
    world.pass(100);
    assert_eq!(world.numbers(), [0; 0]);
    world.connect();
    assert_eq!(world.numbers(), [1, 2, 3]);
}

#[test]
fn an_event_that_the_broker_has_not_confirmed_is_told_again() {
    let mut world = World::met();
    world.happens(2);
    world.pass(100);
    world.pass(100);
    *world.tape.1.borrow_mut() = 1;
    world.happens(1);
    world.pass(100);
    assert_eq!(world.numbers(), [1, 2, 3]);
    world.carrier.lost();
    *world.tape.1.borrow_mut() = 0;
    world.connect();
    assert_eq!(world.numbers(), [3]);
}

#[test]
fn events_that_were_overwritten_are_counted_and_said() {
    let mut world = World::met();
    world.carrier.lost();
    world.happens(u64::try_from(KEPT).unwrap() + 4);
    world.connect();
    world.pass(100);
    let said = world.said();
    let (_, first, delivery) = said.iter().find(|(topic, ..)| topic.ends_with("/event")).unwrap();
    assert_eq!((json(first)["kind"].as_str(), json(first)["count"].as_u64()), (Some("missed"), Some(4)));
    assert_eq!((world.counters.snapshot().events_missed, *delivery), (4, Delivery::Sure));
}

#[test]
fn the_last_word_is_that_it_is_gone_and_so_says_the_will() {
    let mut world = World::met();
    let now = world.moment();
    assert!(world.carrier.stop(now));
    let (topic, payload, delivery) = world.said().pop().unwrap();
    assert_eq!((topic.as_str(), delivery), ("eisbach/v1/node-7/status", Delivery::SureKept));
    assert_eq!(json(&payload)["online"], false);
    let settings = JsonSettings { prefix: "p".into(), period: Millis::from_secs(1), discovery: None };
    assert_eq!(
        JsonFace::new(settings, "n").will(),
        ("p/n/status".to_owned(), r#"{"online":false}"#.to_owned())
    );
}

#[test]
fn discovery_names_every_number_with_its_unit_and_where_it_stands() {
    let mut world = World::new();
    world.connect();
    world.cycle();
    let said = world.said();
    let (_, pump, delivery) =
        said.iter().find(|(topic, ..)| topic == "homeassistant/device/node-7-pump/config").unwrap();
    assert_eq!(*delivery, Delivery::Kept);
    let pump = json(pump);
    let speed = &pump["cmps"]["node-7-pump-Speed"];
    assert_eq!(speed["unit_of_measurement"], "%");
    assert_eq!(speed["value_template"], "{{ value_json.Speed }}");
    assert_eq!(pump["state_topic"], "eisbach/v1/node-7/pump");
    assert_eq!(pump["cmps"]["node-7-pump-ShaftSpeed"]["unit_of_measurement"], "rpm");
}
