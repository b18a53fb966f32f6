//! The broker as we ship its configuration: a certificate lets a node speak for itself, and for nobody else.

use std::time::Duration;

use eisbach_hil_tests::{MINUTE, Mosquitto, Observer, Rig, RigOptions, Seen, known_as, until};
use eisbach_protocol::sparkplug::{Metric, Payload, REBIRTH, Value};
use rumqttc::{Client, Event, LastWill, MqttOptions, Outgoing, QoS};

const VICTIM: &str = "node-0001";
const ATTACKER: &str = "node-0002";

/// A node on the shipped broker, and the SCADA host, which sees everything.
struct Plant {
    broker: Mosquitto,
    scada: Observer,
    rig: Rig,
}

impl Plant {
    fn start() -> Self {
        let broker = Mosquitto::shipped(&[VICTIM, ATTACKER, "scada"]);
        let folder = broker.certificates();
        let scada = Observer::with(known_as("scada", "scada", &folder, broker.port()));
        scada.keep("spBv1.0/STATE/scada", state(true));
        let file = |name: &str| folder.join(name).display().to_string();
        let rig = Rig::start(&RigOptions {
            settings: vec![
                ("facility", "brokers", vec![format!("mqtts://127.0.0.1:{}", broker.port())].into()),
                ("facility.tls", "ca", file("ca.pem").into()),
                ("facility.tls", "certificate", file("node-0001.pem").into()),
                ("facility.tls", "key", file("node-0001.key").into()),
                ("facility.sparkplug", "group", "test".into()),
                ("facility.sparkplug", "primary_host", "scada".into()),
                ("facility.json", "prefix", "eisbach/v1".into()),
            ],
            ..RigOptions::default()
        });
        let plant = Self { broker, scada, rig };
        until("a birth", MINUTE, || plant.scada.count("NBIRTH"), |births| *births == 1);
        plant
    }

    /// Options of a client with the attacker's certificate.
    fn attacker(&self, client_id: &str) -> MqttOptions {
        known_as(ATTACKER, client_id, &self.broker.certificates(), self.broker.port())
    }

    /// Publishes all of it with the attacker's certificate, and waits until what it may say has come after that.
    fn attack(&self, messages: &[(String, Vec<u8>, bool)]) {
        let topic = format!("spBv1.0/test/NDATA/{ATTACKER}");
        let before = self.seen(&topic).len();
        let (client, mut connection) = Client::new(self.attacker(ATTACKER), 64);
        for (topic, payload, retain) in messages {
            client.publish(topic, QoS::AtLeastOnce, *retain, payload.clone()).unwrap();
        }
        client.publish(&topic, QoS::AtLeastOnce, false, Vec::new()).unwrap();
        let polls = std::thread::spawn(move || {
            for event in connection.iter() {
                if matches!(event.unwrap(), Event::Outgoing(Outgoing::Disconnect)) {
                    return;
                }
            }
        });
        until("its own word is let through", MINUTE, || self.seen(&topic).len(), |seen| *seen > before);
        client.disconnect().unwrap();
        polls.join().unwrap();
    }

    fn seen(&self, topic: &str) -> Vec<Seen> {
        self.scada.all().into_iter().filter(|seen| seen.topic == topic).collect()
    }

    fn cycles_pass(&self, cycles: i64) {
        let before = self.rig.cycles().0;
        until("cycles pass", MINUTE, || self.rig.cycles().0, |now| *now > before + cycles);
    }
}

fn state(online: bool) -> Vec<u8> {
    // Newer than any other word.
    format!(r#"{{"online":{online},"timestamp":4000000000000}}"#).into_bytes()
}

fn rebirth() -> Vec<u8> {
    let metrics = vec![Metric::named(REBIRTH, Value::Boolean(true))];
    Payload { timestamp_ms: Some(1), seq: None, metrics }.encode()
}

const MARK: &[u8] = b"forged";

#[test]
fn a_node_s_certificate_speaks_for_no_other_node_commands_nobody_and_is_no_host() {
    let plant = Plant::start();
    let forged: Vec<String> = ["NBIRTH", "NDATA", "NDEATH", "NCMD"]
        .map(|word| format!("spBv1.0/test/{word}/{VICTIM}"))
        .into_iter()
        .chain(["DBIRTH", "DDATA", "DDEATH", "DCMD"].map(|word| format!("spBv1.0/test/{word}/{VICTIM}/pump")))
        .chain(["status", "pump", "event", "command"].map(|leaf| format!("eisbach/v1/{VICTIM}/{leaf}")))
        .chain(["Value", "Metadata"].map(|word| format!("BMS/v1/PUB/{word}/Rack/RackPower/{VICTIM}/x")))
        .chain(
            ["spBv1.0/STATE/scada", "spBv1.0/STATE/other", "BMS/v1/MEPAI/Value/x", "grid/v1/x"]
                .map(str::to_owned),
        )
        .chain([format!("spBv1.0/test/NCMD/{ATTACKER}"), format!("eisbach/v1/{ATTACKER}/command")])
        .collect();
    let mut messages = Vec::new();
    for topic in &forged {
        messages.extend([false, true].map(|retain| (topic.clone(), MARK.to_vec(), retain)));
    }
    // Those that would do something if they came through.
    messages.push((format!("spBv1.0/test/NCMD/{VICTIM}"), rebirth(), false));
    messages.push(("spBv1.0/STATE/scada".to_owned(), state(false), true));
    plant.attack(&messages);
    plant.cycles_pass(70);
    let through: Vec<_> =
        plant.scada.all().into_iter().filter(|seen| seen.payload == MARK).map(|seen| seen.topic).collect();
    assert!(through.is_empty(), "{through:?}");
    assert_eq!(plant.scada.count("NBIRTH"), 1, "no birth was asked for");
    assert_eq!(plant.scada.count("NDEATH"), 0, "the host has not gone");
    assert_eq!(plant.seen(&format!("eisbach/v1/{VICTIM}/status")).len(), 1, "plain JSON is told");
}

#[test]
fn a_command_that_was_overheard_does_nothing_when_a_node_says_it_again() {
    let plant = Plant::start();
    let topic = format!("spBv1.0/test/NCMD/{VICTIM}");
    plant.scada.publish(&topic, rebirth(), false);
    until("births on request", MINUTE, || plant.scada.count("NBIRTH"), |births| *births == 2);
    let overheard = plant.seen(&topic).remove(0);
    plant.attack(&[(overheard.topic, overheard.payload, false)]);
    plant.cycles_pass(70);
    assert_eq!(plant.scada.count("NBIRTH"), 2);
}

#[test]
fn a_will_on_another_node_s_topic_is_not_delivered_and_no_client_id_throws_a_node_out() {
    let plant = Plant::start();
    // A foreign client id, and a foreign death as will; then a death that may be told.
    for (client_id, mourned) in [(VICTIM, VICTIM), (ATTACKER, ATTACKER)] {
        let mut options = plant.attacker(client_id);
        let will = LastWill::new(format!("spBv1.0/test/NDEATH/{mourned}"), MARK, QoS::AtLeastOnce, false);
        options.set_last_will(will);
        let (_client, mut connection) = Client::new(options, 8);
        // Accepted, and dropped without a goodbye.
        while !matches!(connection.recv_timeout(MINUTE).unwrap().unwrap(), Event::Incoming(_)) {}
    }
    let own = format!("spBv1.0/test/NDEATH/{ATTACKER}");
    until("the will that may be told", MINUTE, || plant.seen(&own).len(), |wills| *wills == 1);
    assert_eq!(plant.seen(&format!("spBv1.0/test/NDEATH/{VICTIM}")).len(), 0);
    plant.cycles_pass(20);
    assert_eq!(plant.scada.count("NBIRTH"), 1, "the node was not thrown out");
}

#[test]
fn nobody_gets_in_without_a_certificate_of_the_broker_s_authority() {
    let broker = Mosquitto::shipped(&[VICTIM]);
    let stranger = Mosquitto::shipped(&[VICTIM]);
    let mut plain = MqttOptions::new(VICTIM, "127.0.0.1", broker.port());
    plain.set_keep_alive(Duration::from_secs(5));
    for options in [plain, known_as(VICTIM, VICTIM, &stranger.certificates(), broker.port())] {
        let (_client, mut connection) = Client::new(options, 8);
        let refused = connection.iter().find(|event| !matches!(event, Ok(Event::Outgoing(_)))).unwrap();
        assert!(refused.is_err(), "{refused:?}");
    }
}
