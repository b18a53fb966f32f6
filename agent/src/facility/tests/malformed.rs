//! Ten thousand messages that are none: nothing happens, nothing breaks, each is counted.

use std::sync::Arc;

use eisbach_protocol::sparkplug::{DataType, Metric, Payload, Value};
use eisbach_protocol::units::Millis;

use super::world::{EPOCH_MS, report};
use crate::facility::counters::Counters;
use crate::facility::face::{Inbound, Moment};
use crate::facility::json::{JsonFace, JsonSettings};
use crate::facility::link::{Carrier, Delivery, Refused, Transport};
use crate::facility::sparkplug::{SparkplugFace, SparkplugSettings};

const MESSAGES: u64 = 10_000;

/// A transport that takes everything and keeps nothing; the counters tell how much.
#[derive(Debug)]
struct Sink;

impl Transport for Sink {
    fn subscribe(&mut self, _: &str) -> Result<(), Refused> {
        Ok(())
    }

    fn publish(&mut self, _: &str, _: Vec<u8>, _: Delivery) -> Result<(), Refused> {
        Ok(())
    }

    fn unconfirmed(&self) -> usize {
        0
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        Ok(())
    }
}

/// The same dice in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        // SplitMix64, by Steele, Lea and Flood 2014.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(below).unwrap()).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.roll(most)).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }

    /// What is no word of a host, and asks for nothing.
    fn payload(&mut self) -> Vec<u8> {
        match self.roll(4) {
            0 => self.bytes(200),
            1 => vec![0; 60 * 1024 + self.roll(10 * 1024)],
            2 => self.damaged(),
            _ => self.twisted(),
        }
    }

    /// A command with some bytes changed and its end cut off.
    fn damaged(&mut self) -> Vec<u8> {
        let metrics = vec![
            Metric::named("Node Control/Reboot", Value::Boolean(true)),
            Metric::named_null("Setpoint", DataType::Float),
        ];
        let mut bytes = Payload { timestamp_ms: Some(1), seq: None, metrics }.encode();
        for _ in 0..self.roll(4) {
            let at = self.roll(bytes.len());
            bytes[at] = u8::try_from(self.roll(256)).unwrap();
        }
        bytes.truncate(self.roll(bytes.len() + 1));
        bytes
    }

    /// JSON that is none, too deep, or of the wrong kind.
    fn twisted(&mut self) -> Vec<u8> {
        let texts = [
            "{".repeat(self.roll(2000)),
            "[".repeat(self.roll(2000)),
            r#"{"online":1,"timestamp":"now"}"#.to_owned(),
            r#"{"online":true}"#.to_owned(),
            r#"{"online":true,"timestamp":-1}"#.to_owned(),
            r#"{"id":null,"action":{},"expires_at":1e400}"#.to_owned(),
            "\u{0}".repeat(self.roll(50)),
        ];
        texts[self.roll(texts.len())].clone().into_bytes()
    }

    /// Where we listen, and where we do not.
    fn topic(&mut self) -> String {
        let topics = [
            "spBv1.0/dc1/NCMD/node-7",
            "spBv1.0/dc1/DCMD/node-7/pump",
            "spBv1.0/STATE/scada",
            "eisbach/v1/node-7/command",
            "spBv1.0/dc1/NCMD/node-8",
            "spBv1.0/dc1/DCMD/node-7/",
            "spBv1.0//NCMD/",
            "",
        ];
        let mut topic = topics[self.roll(topics.len())].to_owned();
        if self.roll(4) == 0 {
            let at = self.roll(topic.len() + 1);
            topic.insert(at, ['/', '+', '#', '\u{0}', 'ß'][self.roll(5)]);
        }
        topic
    }
}

#[test]
fn i13_ten_thousand_messages_that_are_none_do_nothing_and_are_counted_each() {
    let counters = Arc::new(Counters::default());
    let settings = SparkplugSettings { group: "dc1".into(), primary_host: Some("scada".into()) };
    let sparkplug =
        SparkplugFace::new(&settings, "node-7", (true, Millis::from_secs(10)), Arc::clone(&counters))
            .unwrap();
    let json = JsonSettings { prefix: "eisbach/v1".into(), period: Millis::from_secs(1), discovery: None };
    let json = JsonFace::new(json, "node-7");
    let mut carrier = Carrier::new(vec![Box::new(sparkplug), Box::new(json)], Arc::clone(&counters));
    let now = Moment { at: Millis::from_secs(1), wall_ms: EPOCH_MS };
    let report = Arc::new(report());
    carrier.connected(Sink, 0, now);
    let online = br#"{"online":true,"timestamp":5}"#.to_vec();
    carrier.message(&Inbound { topic: "spBv1.0/STATE/scada".into(), payload: online, retained: true }, now);
    carrier.report(Arc::clone(&report), now);
    let born = counters.snapshot();
    assert!(born.published > 0);

    let mut dice = Dice(7);
    for number in 0..MESSAGES {
        let (topic, payload, retained) = (dice.topic(), dice.payload(), dice.roll(5) == 0);
        let refused = || counters.snapshot().commands_refused + counters.snapshot().host_states_refused;
        let before = refused();
        carrier.message(&Inbound { topic: topic.clone(), payload, retained }, now);
        assert!(refused() > before, "message {number} on {topic:?} is not counted");
        assert_eq!(carrier.wants_to_leave(), None, "message {number} on {topic:?}");
    }
    carrier.report(report, now);
    let after = counters.snapshot();
    assert_eq!((after.published, after.rebirths), (born.published, born.rebirths), "nothing was told anew");
    assert!(after.host_states_refused > 500 && after.commands_refused > 5_000, "{after:?}");
}
