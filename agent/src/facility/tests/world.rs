//! A small node, and a session on a transport that writes down what it is given.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use eisbach_protocol::catalogue::{Kind, Owner, PointId, PointValue, points_of};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::sparkplug::{Metric, Payload, REBIRTH, Value};
use eisbach_protocol::units::Millis;

use crate::facility::counters::Counters;
use crate::facility::face::{Inbound, Moment, Next};
use crate::facility::link::{Carrier, Delivery, Refused, Transport};
use crate::facility::sparkplug::{SparkplugFace, SparkplugSettings};
use crate::report::{ObjectReport, Report};

/// UTC at the start of every test, milliseconds.
pub(super) const EPOCH_MS: u64 = 1_790_000_000_000;

/// What a session did with its transport.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sent {
    Subscribe(String),
    Publish { topic: String, payload: Payload },
    Disconnect,
}

impl Sent {
    /// The third level of the topic, or what else it was.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Subscribe(_) => "SUBSCRIBE".into(),
            Self::Publish { topic, .. } => {
                let levels: Vec<_> = topic.split('/').collect();
                [&levels[2..3], &levels[4..]].concat().join(" ")
            }
            Self::Disconnect => "DISCONNECT".into(),
        }
    }

    pub(super) fn payload(&self) -> &Payload {
        match self {
            Self::Publish { payload, .. } => payload,
            Self::Subscribe(_) | Self::Disconnect => panic!("{self:?} has no payload"),
        }
    }
}

/// A transport that takes `room` more messages and writes them down.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Rc<RefCell<Tape>>);

#[derive(Debug, Default)]
struct Tape {
    sent: Vec<Sent>,
    room: usize,
}

impl Recorder {
    fn take(&self, sent: Sent) -> Result<(), Refused> {
        let mut tape = self.0.borrow_mut();
        tape.room = tape.room.checked_sub(1).ok_or(Refused)?;
        tape.sent.push(sent);
        Ok(())
    }
}

impl Transport for Recorder {
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.take(Sent::Subscribe(filter.to_owned()))
    }

    fn publish(&mut self, topic: &str, payload: Vec<u8>, delivery: Delivery) -> Result<(), Refused> {
        assert_eq!(delivery, Delivery::Once, "{topic}");
        let payload = Payload::decode(&payload).expect("our own payloads decode");
        self.take(Sent::Publish { topic: topic.to_owned(), payload })
    }

    fn unconfirmed(&self) -> usize {
        0
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        self.take(Sent::Disconnect)
    }
}

/// A session, its transport, its time and the node it speaks for.
#[derive(Debug)]
pub(super) struct World {
    pub(super) session: Carrier<Recorder>,
    pub(super) counters: Arc<Counters>,
    pub(super) report: Report,
    recorder: Recorder,
    now: Millis,
}

impl World {
    /// Offline, with two GPUs and a pump, and a transport that takes everything.
    pub(super) fn new() -> Self {
        Self::of(&settings(), false)
    }

    /// The same, for a primary host, and with more than one broker to go to or not.
    pub(super) fn of(settings: &SparkplugSettings, walks: bool) -> Self {
        let counters = Arc::new(Counters::default());
        let recorder = Recorder::default();
        recorder.0.borrow_mut().room = usize::MAX;
        let face =
            SparkplugFace::new(settings, "node-7", (walks, Millis::from_secs(10)), Arc::clone(&counters))
                .unwrap();
        let session = Carrier::new(vec![Box::new(face)], Arc::clone(&counters));
        Self { session, counters, report: report(), recorder, now: Millis::ZERO }
    }

    /// The same, born, with its births read.
    pub(super) fn born() -> Self {
        let mut world = Self::new();
        world.connect(7);
        world.cycle();
        world.sent();
        world
    }

    pub(super) fn connect(&mut self, bd_seq: u8) {
        self.session.connected(self.recorder.clone(), bd_seq, self.moment());
    }

    /// Hands over the report as it is now.
    pub(super) fn cycle(&mut self) {
        self.report.at = self.now;
        self.report.wall_ms = self.moment().wall_ms;
        self.session.report(Arc::new(self.report.clone()), self.moment());
    }

    pub(super) fn pass(&mut self, time: Millis) {
        self.now += time;
    }

    /// Takes it and hands over the next report.
    pub(super) fn command(&mut self, inbound: &Inbound) {
        self.session.message(inbound, self.moment());
        self.cycle();
    }

    pub(super) fn stop(&mut self) -> bool {
        self.session.stop(self.moment())
    }

    /// Where the session wants to go instead of this broker.
    pub(super) fn wants_to_leave(&self) -> Option<Next> {
        self.session.wants_to_leave()
    }

    /// From now on the transport takes so many more messages.
    pub(super) fn room(&self, room: usize) {
        self.recorder.0.borrow_mut().room = room;
    }

    /// What was sent since the last look.
    pub(super) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.recorder.0.borrow_mut().sent)
    }

    /// The same, as words: `NBIRTH`, `DDATA gpu0`.
    pub(super) fn words(&self) -> Vec<String> {
        self.sent().iter().map(Sent::word).collect()
    }

    pub(super) fn object(&mut self, name: &str) -> &mut ObjectReport {
        self.report.objects.iter_mut().find(|object| object.name == name).unwrap()
    }

    pub(super) fn set(&mut self, name: &str, point: PointId, reading: Reading<PointValue>) {
        let points = &mut self.object(name).points;
        points.iter_mut().find(|(id, _)| *id == point).unwrap().1 = reading;
    }

    fn moment(&self) -> Moment {
        Moment { at: self.now, wall_ms: EPOCH_MS + self.now.get() }
    }
}

/// Of a node that tells whoever is there.
pub(super) fn settings() -> SparkplugSettings {
    SparkplugSettings { group: "dc1".into(), primary_host: None }
}

/// A node with two GPUs and a pump, all well.
pub(super) fn report() -> Report {
    let object = |name: &str, owner| ObjectReport {
        name: name.to_owned(),
        owner,
        online: true,
        note: None,
        points: points_of(owner).map(|def| (def.id, well(def.kind))).collect(),
    };
    let objects = vec![
        object("node", Owner::Node),
        object("gpu0", Owner::Gpu),
        object("gpu1", Owner::Gpu),
        object("pump", Owner::Pump),
    ];
    Report { wall_ms: EPOCH_MS, objects, ..Report::default() }
}

fn well(kind: Kind) -> Reading<PointValue> {
    match kind {
        Kind::Float => float(50.0),
        Kind::Int => good(PointValue::Int(3)),
        Kind::Bool => good(PointValue::Bool(true)),
        Kind::Text => good(PointValue::Text("well")),
    }
}

pub(super) fn float(value: f32) -> Reading<PointValue> {
    good(PointValue::Float(value))
}

pub(super) fn good(value: PointValue) -> Reading<PointValue> {
    Reading::measured(value, Millis::ZERO)
}

/// A host asks for births.
pub(super) fn rebirth_request() -> Inbound {
    let metrics = vec![Metric::named(REBIRTH, Value::Boolean(true))];
    let payload = Payload { metrics, ..Payload::default() }.encode();
    Inbound { topic: "spBv1.0/dc1/NCMD/node-7".into(), payload, retained: false }
}
