//! The primary host and the walk over the brokers, on the bare session.

use eisbach_protocol::sparkplug::{Metric, NEXT_SERVER, Payload, Value};
use eisbach_protocol::units::Millis;

use super::world::{Sent, World, settings};
use crate::facility::FacilityState;
use crate::facility::face::{Inbound, Next};
use crate::facility::sparkplug::SparkplugSettings;

fn hosted(walks: bool) -> World {
    let settings = SparkplugSettings { primary_host: Some("scada".into()), ..settings() };
    World::of(&settings, walks)
}

fn state(online: bool, timestamp: u64) -> Inbound {
    Inbound {
        topic: "spBv1.0/STATE/scada".into(),
        payload: format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#).into_bytes(),
        // The host's word stands at the broker.
        retained: true,
    }
}

fn next_server() -> Inbound {
    let metrics = vec![Metric::named(NEXT_SERVER, Value::Boolean(true))];
    let payload = Payload { metrics, ..Payload::default() }.encode();
    Inbound { topic: "spBv1.0/dc1/NCMD/node-7".into(), payload, retained: false }
}

#[test]
fn the_birth_waits_for_the_primary_host() {
    let mut world = hosted(false);
    world.connect(7);
    for _ in 0..200 {
        world.cycle();
        world.pass(Millis::new(100));
    }
    assert_eq!(world.words(), ["SUBSCRIBE", "SUBSCRIBE", "SUBSCRIBE"]);
    assert_eq!(world.session.state(), FacilityState::Connected);
    assert_eq!(world.wants_to_leave(), None, "there is nowhere else");
    world.command(&state(true, 1));
    assert_eq!(world.words(), ["NBIRTH", "DBIRTH gpu0", "DBIRTH gpu1", "DBIRTH pump"]);
}

#[test]
fn the_state_of_exactly_one_host_is_subscribed() {
    let mut world = hosted(false);
    world.connect(7);
    assert!(world.sent().contains(&Sent::Subscribe("spBv1.0/STATE/scada".into())));
}

#[test]
fn a_host_that_goes_away_is_left_with_last_words() {
    let mut world = hosted(true);
    world.connect(7);
    world.command(&state(true, 5));
    world.cycle();
    world.sent();
    world.command(&state(false, 4));
    assert_eq!(world.wants_to_leave(), None, "the late will of an older session");
    world.command(&state(false, 5));
    assert_eq!(world.wants_to_leave(), Some(Next::NextBroker));
    world.cycle();
    assert_eq!(world.words(), [""; 0], "no data for nobody");
    assert!(world.stop());
    assert_eq!(world.words(), ["NDEATH", "DISCONNECT"]);
}

#[test]
fn a_broker_without_the_host_is_left_after_a_while_for_the_next() {
    let mut world = hosted(true);
    world.connect(7);
    world.cycle();
    world.pass(Millis::from_secs(9));
    world.cycle();
    assert_eq!(world.wants_to_leave(), None);
    world.pass(Millis::from_secs(1));
    world.cycle();
    assert_eq!(world.wants_to_leave(), Some(Next::NextBroker));
}

#[test]
fn each_broker_has_to_tell_of_the_host_anew() {
    let mut world = hosted(true);
    world.connect(7);
    world.command(&state(true, 5));
    world.cycle();
    world.session.lost();
    world.connect(8);
    world.sent();
    world.cycle();
    assert_eq!(world.words(), [""; 0]);
    world.command(&state(true, 5));
    assert_eq!(world.words().first().map(String::as_str), Some("NBIRTH"));
}

#[test]
fn a_state_that_is_none_changes_nothing_and_is_counted() {
    let mut world = hosted(false);
    world.connect(7);
    world.cycle();
    for payload in ["", "ONLINE", "{}", "[1]"] {
        world.command(&Inbound { payload: payload.into(), ..state(true, 1) });
    }
    assert_eq!(world.session.state(), FacilityState::Connected);
    assert_eq!(world.counters.snapshot().host_states_refused, 4);
}

#[test]
fn next_server_leads_to_the_next_broker_if_there_is_one() {
    let mut alone = World::born();
    alone.command(&next_server());
    assert_eq!((alone.wants_to_leave(), alone.counters.snapshot().commands_refused), (None, 1));

    let mut world = World::of(&settings(), true);
    world.connect(7);
    world.cycle();
    world.command(&next_server());
    assert_eq!(world.wants_to_leave(), Some(Next::NextBroker));
    world.command(&Inbound { retained: true, ..next_server() });
    assert_eq!(world.counters.snapshot().commands_refused, 1, "a retained one is refused");
}

#[test]
fn only_a_node_with_another_broker_offers_the_next_one() {
    for (walks, offered) in [(false, 0), (true, 1)] {
        let mut world = World::of(&settings(), walks);
        world.connect(7);
        world.cycle();
        let sent = world.sent();
        let birth = sent.iter().find(|sent| sent.word() == "NBIRTH").unwrap();
        let named = birth.payload().metrics.iter().filter(|metric| metric.name() == Some(NEXT_SERVER));
        assert_eq!(named.count(), offered);
    }
}
