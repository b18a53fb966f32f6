//! Sparkplug conformance of a whole node: simulator, agent, two real brokers behind taps, a primary host.
//!
//! ```text
//!   agent ──► tap 0 ──► mosquitto     host at both brokers; each scene gives some rules their occasion
//!         └─► tap 1 ──► mosquitto
//! ```

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use eisbach_hil_tests::conformance::{Capture, Cast, Record, What, breaches, judge, table};
use eisbach_hil_tests::{Host, MINUTE, Mosquitto, Observer, Rig, RigOptions, Tap, Tape, until};
use eisbach_protocol::sparkplug::{Metric, Payload, REBIRTH, Value};
use rumqttc::Packet;

const GROUP: &str = "test";
const NODE: &str = "node-0001";
const HOST: &str = "scada";
/// Eight GPUs, pump, valve, meter, room and leak sensor.
const DEVICES: usize = 13;

/// What passed between node, brokers and host in all scenes.
fn capture() -> &'static Capture {
    static CAPTURE: OnceLock<Capture> = OnceLock::new();
    CAPTURE.get_or_init(|| Stage::set().play())
}

/// Everything that the scenes need.
struct Stage {
    brokers: [Mosquitto; 2],
    taps: [Tap; 2],
    tape: Tape,
    rig: Rig,
}

impl Stage {
    fn set() -> Self {
        let tape = Tape::default();
        let brokers = [Mosquitto::start(), Mosquitto::start()];
        let taps = [0, 1].map(|server| Tap::before(brokers[server].port(), server, &tape));
        let addresses = taps.each_ref().map(|tap| format!("mqtt://127.0.0.1:{}", tap.port()));
        let rig = Rig::start_without_waiting(&RigOptions {
            workload: "training",
            settings: vec![
                ("facility", "brokers", addresses.to_vec().into()),
                ("facility.sparkplug", "group", GROUP.into()),
                ("facility.sparkplug", "primary_host", HOST.into()),
            ],
            ..RigOptions::default()
        });
        Self { brokers, taps, tape, rig }
    }

    fn play(mut self) -> Capture {
        let [here, there] = self.the_node_waits_for_its_host();
        self.it_is_born_and_tells_what_changes();
        self.it_is_asked_for_its_births(&here);
        self.a_device_goes_and_comes_back();
        self.an_old_word_of_the_host_is_ignored(&here);
        let here = self.it_follows_its_host_to_the_other_broker(&here);
        self.its_broker_is_gone();
        self.it_stops_starts_is_killed_and_starts();
        drop((here, there));
        self.tape.capture(&Cast { group: GROUP.into(), node: NODE.into(), host: HOST.into() })
    }

    fn the_node_waits_for_its_host(&self) -> [Host; 2] {
        let subscribed = |record: &Record| matches!(record.what, What::Sent(Packet::Subscribe(_)));
        until("the node listens", MINUTE, || self.tape.count(subscribed), |seen| *seen >= 3);
        self.cycles_pass(10);
        assert_eq!(self.said("NBIRTH"), 0);
        self.taps.each_ref().map(|tap| Host::start(tap.port(), HOST))
    }

    fn it_is_born_and_tells_what_changes(&self) {
        until("a birth", MINUTE, || self.said("NBIRTH"), |births| *births == 1);
        until("all devices are born", MINUTE, || self.said("DBIRTH"), |births| *births >= DEVICES);
        until(
            "data",
            MINUTE,
            || (self.said("NDATA"), self.said("DDATA")),
            |(node, device)| *node > 3 && *device > 3,
        );
    }

    fn it_is_asked_for_its_births(&self, host: &Host) {
        let metrics = vec![Metric::named(REBIRTH, Value::Boolean(true))];
        let request = Payload { timestamp_ms: Some(1), seq: None, metrics };
        host.commands(&format!("spBv1.0/{GROUP}/NCMD/{NODE}"), request.encode());
        until("births again", MINUTE, || self.said("NBIRTH"), |births| *births == 2);
        until("of all devices", MINUTE, || self.said("DBIRTH"), |births| *births >= 2 * DEVICES);
        self.data_follows();
    }

    fn a_device_goes_and_comes_back(&self) {
        self.rig.event("silence-room");
        until("its death", MINUTE, || self.said("DDEATH"), |deaths| *deaths > 0);
        let births = self.said("DBIRTH");
        self.rig.event("answer-room");
        until("its birth", MINUTE, || self.said("DBIRTH"), |now| *now > births);
        self.data_follows();
    }

    fn an_old_word_of_the_host_is_ignored(&self, host: &Host) {
        let stranger = Observer::start(self.brokers[0].port());
        let (topic, word) = host.old_death();
        stranger.publish(&topic, word, false);
        self.cycles_pass(30);
        assert_eq!(self.said("NDEATH"), 0);
    }

    /// Returns the host that has come back at the first broker.
    fn it_follows_its_host_to_the_other_broker(&self, host: &Host) -> Host {
        let (births, ends) = (self.said("NBIRTH"), self.ends());
        host.leave();
        until("a birth elsewhere", MINUTE, || self.said("NBIRTH"), |now| *now > births);
        until("node and host are gone", MINUTE, || self.ends(), |now| *now >= ends + 2);
        self.data_follows();
        Host::start(self.taps[0].port(), HOST)
    }

    fn its_broker_is_gone(&mut self) {
        let births = self.said("NBIRTH");
        // A broker that stops would first tell of its clients' wills, the host's too.
        self.brokers[1].kill();
        until("a birth at the first broker", MINUTE, || self.said("NBIRTH"), |now| *now > births);
        self.data_follows();
    }

    fn it_stops_starts_is_killed_and_starts(&mut self) {
        let limit = Duration::from_secs(15);
        assert!(self.rig.agent.stop(limit).success());
        self.it_starts();
        self.rig.agent.kill();
        self.it_starts();
        assert!(self.rig.agent.stop(limit).success());
        let ends = |tape: &Tape| tape.count(|record| matches!(record.what, What::Sent(Packet::Disconnect)));
        until("its goodbye", MINUTE, || ends(&self.tape), |now| *now >= 3);
    }

    fn it_starts(&mut self) {
        let births = self.said("NBIRTH");
        self.rig.start_agent();
        until("a birth", MINUTE, || self.said("NBIRTH"), |now| *now > births);
        self.data_follows();
    }

    fn data_follows(&self) {
        let before = (self.said("NDATA"), self.said("DDATA"));
        let look = || (self.said("NDATA"), self.said("DDATA"));
        until("data of node and devices", MINUTE, look, |now| now.0 > before.0 && now.1 > before.1 + 1);
    }

    fn cycles_pass(&self, cycles: i64) {
        let before = self.rig.cycles().0;
        until("cycles pass", MINUTE, || self.rig.cycles().0, |now| *now > before + cycles);
    }

    /// How many messages of this kind clients have sent.
    fn said(&self, word: &str) -> usize {
        let of_kind = |topic: &str| topic.split('/').nth(2) == Some(word);
        self.tape.count(
            |record| matches!(&record.what, What::Sent(Packet::Publish(publish)) if of_kind(&publish.topic)),
        )
    }

    fn ends(&self) -> usize {
        self.tape.count(|record| matches!(record.what, What::Ended))
    }
}

#[test]
fn the_node_keeps_every_assertion_of_the_edge_node_profile() {
    let verdicts = judge(capture());
    let not_kept: Vec<_> = verdicts.iter().filter(|verdict| !verdict.is_kept()).collect();
    assert!(not_kept.is_empty(), "{not_kept:#?}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md");
    let table = table(&verdicts);
    if std::env::var_os("EISBACH_WRITE_TABLE").is_some() {
        std::fs::write(path, table).unwrap();
    } else {
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written, table, "docs/conformance.md is not what was found; see there how it is written");
    }
}

#[test]
fn a_fault_put_into_what_the_node_said_is_found_by_the_rules_it_breaks() {
    for breach in breaches() {
        let mut capture = capture().clone();
        assert!((breach.commit)(&mut capture).is_some(), "no place for: {}", breach.name);
        let verdicts = judge(&capture);
        let mut broken: Vec<_> =
            verdicts.iter().filter(|verdict| verdict.outcome.is_err()).map(|verdict| verdict.id).collect();
        let mut expected = breach.breaks.to_vec();
        broken.sort_unstable();
        expected.sort_unstable();
        assert_eq!(broken, expected, "{}", breach.name);
    }
}
