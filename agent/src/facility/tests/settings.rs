//! What cannot work is refused at start, by name, and not at each connection.

use eisbach_protocol::catalogue::Owner;
use eisbach_protocol::sparkplug::{Id, TopicError};

use crate::facility::link::MAX_PACKET_BYTES;
use crate::facility::sparkplug::longest_birth;
use crate::facility::{FacilityError, FacilitySettings, SparkplugSettings};

fn settings() -> FacilitySettings {
    FacilitySettings {
        section: "facility",
        brokers: vec!["mqtt://broker.plant".parse().unwrap()],
        tls: None,
        client_id: "node-7".into(),
        keep_alive_s: 10,
        node: "node-7".into(),
        state_dir: "/var/lib/eisbach".into(),
        desk: None,
        sparkplug: Some(SparkplugSettings { group: "dc1".into(), primary_host: None }),
        json: None,
        dsx: None,
        flex: None,
    }
}

fn refusal(change: impl FnOnce(&mut FacilitySettings)) -> Option<FacilityError> {
    let mut settings = settings();
    change(&mut settings);
    settings.check().err()
}

#[test]
fn good_settings_are_taken() {
    assert_eq!(refusal(|_| {}), None);
}

#[test]
fn ids_that_brokers_stumble_over_are_refused() {
    let dot = |what| Some(FacilityError::Id { what, reason: TopicError::IdCharacter { character: '.' } });
    assert_eq!(refusal(|settings| settings.sparkplug.as_mut().unwrap().group = "dc.1".into()), dot("group"));
    assert_eq!(refusal(|settings| settings.node = "node.7".into()), dot("node"));
    assert_eq!(refusal(|settings| settings.client_id = "node.7".into()), dot("client id"));
    let empty = FacilityError::Id { what: "node", reason: TopicError::EmptyId };
    assert_eq!(refusal(|settings| settings.node = String::new()), Some(empty));
}

#[test]
fn a_connection_that_leads_nowhere_or_tells_nothing_is_refused() {
    assert_eq!(refusal(|settings| settings.brokers.clear()), Some(FacilityError::NoBroker));
    assert_eq!(refusal(|settings| settings.sparkplug = None), Some(FacilityError::NoFace));
}

#[test]
fn a_broker_within_tls_wants_certificates() {
    let broker = "mqtts://broker.plant:8883";
    let refused = FacilityError::NoTls { broker: broker.into() };
    assert_eq!(refusal(|settings| settings.brokers.push(broker.parse().unwrap())), Some(refused));
}

#[test]
fn a_keep_alive_that_the_library_would_panic_over_is_refused() {
    for seconds in [0, 4, 301] {
        let refused = FacilityError::KeepAlive { seconds };
        assert_eq!(refusal(|settings| settings.keep_alive_s = seconds), Some(refused));
    }
}

#[test]
fn every_birth_is_far_from_the_packet_limit() {
    let longest = longest_birth();
    assert!((2_000..MAX_PACKET_BYTES / 8).contains(&longest), "{longest} bytes");
}

#[test]
fn every_kind_of_object_has_a_name_that_is_an_id() {
    for owner in Owner::ALL {
        assert!(Id::new(owner.as_str()).is_ok());
    }
}
