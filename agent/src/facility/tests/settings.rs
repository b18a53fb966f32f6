//! What cannot work is refused at start, by name, and not at each connection.

use eisbach_protocol::catalogue::Owner;
use eisbach_protocol::sparkplug::{Id, TopicError};

use crate::facility::transport::MAX_PACKET_BYTES;
use crate::facility::{FacilityError, FacilitySettings, births};

fn settings() -> FacilitySettings {
    FacilitySettings {
        host: "broker.plant".into(),
        port: 1883,
        group: "dc1".into(),
        node: "node-7".into(),
        client_id: "node-7".into(),
        keep_alive_s: 10,
        state_dir: "/var/lib/eisbach".into(),
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
    assert_eq!(refusal(|settings| settings.group = "dc.1".into()), dot("group"));
    assert_eq!(refusal(|settings| settings.node = "node.7".into()), dot("node"));
    assert_eq!(refusal(|settings| settings.client_id = "node.7".into()), dot("client id"));
    let empty = FacilityError::Id { what: "node", reason: TopicError::EmptyId };
    assert_eq!(refusal(|settings| settings.node = String::new()), Some(empty));
}

#[test]
fn a_broker_without_host_or_port_is_refused() {
    assert_eq!(refusal(|settings| settings.host = " ".into()), Some(FacilityError::Host));
    assert_eq!(refusal(|settings| settings.port = 0), Some(FacilityError::Port));
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
    let longest = births::longest();
    assert!((2_000..MAX_PACKET_BYTES / 8).contains(&longest), "{longest} bytes");
}

#[test]
fn every_kind_of_object_has_a_name_that_is_an_id() {
    for owner in Owner::ALL {
        assert!(Id::new(owner.as_str()).is_ok());
    }
}
