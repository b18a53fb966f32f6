//! The rules of the BMS event bus, under virtual time.

mod asked;
mod told;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use eisbach_protocol::catalogue::{Kind, Owner, PointId, PointValue, points_of};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Millis};
use serde_json::{Value, json};

use super::{Described, DsxFace, DsxSettings, Points, RequestSettings};
use crate::facility::FacilityState;
use crate::facility::counters::Counters;
use crate::facility::face::{Inbound, Moment};
use crate::facility::link::{Carrier, Delivery, Refused, Transport};
use crate::facility::standing::{Cell, Standing, all, post};
use crate::report::{ObjectReport, Report};

const EPOCH_MS: u64 = 1_790_000_000_000;
const SUPPLY_REQUEST: &str =
    "BMS/v1/MEPAI/Value/CDU/LiquidTemperatureSpRequest/site1/r12/loop/LiquidTemperatureSpRequest";
const ISOLATION_REQUEST: &str =
    "BMS/v1/MEPAI/Value/Rack/RackLiquidIsolationRequest/site1/r12/rack/RackLiquidIsolationRequest";
const THEIR_BEAT: &str = "BMS/v1/MEPAI/Value/System/HeartbeatTimestampIntegration/site1/r12/system/MEPAI";

/// A message that was published.
#[derive(Clone, Debug)]
struct Sent {
    at: Millis,
    topic: String,
    payload: Value,
    delivery: Delivery,
}

impl Sent {
    fn is_metadata(&self) -> bool {
        self.topic.starts_with("BMS/v1/PUB/Metadata/")
    }
}

#[derive(Debug, Default)]
struct Tape {
    sent: Vec<Sent>,
    filters: Vec<String>,
    room: Option<usize>,
    now: Millis,
}

#[derive(Clone, Debug, Default)]
struct Recorder(Rc<RefCell<Tape>>);

impl Transport for Recorder {
    fn subscribe(&mut self, filter: &str) -> Result<(), Refused> {
        self.0.borrow_mut().filters.push(filter.to_owned());
        Ok(())
    }

    fn publish(&mut self, topic: &str, payload: Vec<u8>, delivery: Delivery) -> Result<(), Refused> {
        let mut tape = self.0.borrow_mut();
        if let Some(room) = &mut tape.room {
            *room = room.checked_sub(1).ok_or(Refused)?;
        }
        let (at, payload) = (tape.now, serde_json::from_slice(&payload).unwrap());
        tape.sent.push(Sent { at, topic: topic.to_owned(), payload, delivery });
        Ok(())
    }

    fn unconfirmed(&self) -> usize {
        0
    }

    fn disconnect(&mut self) -> Result<(), Refused> {
        Ok(())
    }
}

/// A connected node and the ten cycles of each second.
struct World {
    carrier: Carrier<Recorder>,
    recorder: Recorder,
    counters: Arc<Counters>,
    report: Report,
    cell: Cell,
    now: Millis,
}

fn settings(points: Points, requests: Option<RequestSettings>) -> DsxSettings {
    DsxSettings {
        rack_name: "R12".into(),
        rack_id: "r-12".into(),
        tag_path: "site1/r12".into(),
        points,
        rack_power: true,
        requests,
    }
}

fn requests(described: Described, isolation: bool) -> RequestSettings {
    RequestSettings {
        integration: "MEPAI".into(),
        described,
        supply_min: Celsius::new(20.0),
        supply_max: Celsius::new(40.0),
        kelvin_per_min: 60.0,
        supply_own: Celsius::new(35.0),
        isolation,
    }
}

fn report() -> Report {
    let well = |kind| match kind {
        Kind::Float => PointValue::Float(50.0),
        Kind::Int => PointValue::Int(3),
        Kind::Bool => PointValue::Bool(false),
        Kind::Text => PointValue::Text("running"),
    };
    let object = |name: &str, owner| ObjectReport {
        name: name.to_owned(),
        owner,
        online: true,
        note: None,
        points: points_of(owner)
            .map(|def| (def.id, Reading::measured(well(def.kind), Millis::new(200))))
            .collect(),
    };
    let mut objects: Vec<_> = Owner::ALL.map(|owner| object(owner.as_str(), owner)).into();
    objects[1].name = "gpu0".into();
    Report { objects, ..Report::default() }
}

impl World {
    fn new(settings: &DsxSettings) -> Self {
        let (post, cell) = post();
        let counters = Arc::new(Counters::default());
        let face = DsxFace::new(settings, "node-7", post);
        let carrier = Carrier::new(vec![Box::new(face)], Arc::clone(&counters));
        let recorder = Recorder::default();
        let mut world =
            Self { carrier, recorder, counters, report: report(), cell, now: Millis::from_secs(1000) };
        world.carrier.connected(world.recorder.clone(), 0, world.moment());
        world
    }

    fn moment(&self) -> Moment {
        Moment { at: self.now, wall_ms: EPOCH_MS + self.now.get() }
    }

    fn after(&mut self, time: Millis) -> Vec<Sent> {
        let end = self.now + time;
        while self.now < end {
            self.now += Millis::new(100);
            self.recorder.0.borrow_mut().now = self.now;
            (self.report.at, self.report.wall_ms) = (self.now, self.moment().wall_ms);
            self.carrier.report(Arc::new(self.report.clone()), self.moment());
        }
        std::mem::take(&mut self.recorder.0.borrow_mut().sent)
    }

    fn seconds(&mut self, seconds: u64) -> Vec<Sent> {
        self.after(Millis::from_secs(seconds))
    }

    fn set(&mut self, id: PointId, reading: Reading<PointValue>) {
        let points = self.report.objects.iter_mut().flat_map(|object| &mut object.points);
        points.filter(|(known, _)| *known == id).for_each(|(_, old)| *old = reading);
    }

    fn hear(&mut self, topic: &str, payload: &str, retained: bool) {
        let inbound = Inbound { topic: topic.to_owned(), payload: payload.into(), retained };
        self.carrier.message(&inbound, self.moment());
    }

    /// A good value of now.
    fn asks(&mut self, topic: &str, value: f64) {
        let payload = json!({"value": value, "timestamp": self.moment().wall_ms, "quality": 1});
        self.hear(topic, &payload.to_string(), false);
    }

    /// The integration's heart beats for so long.
    fn beating(&mut self, seconds: u64) -> Vec<Sent> {
        let mut sent = Vec::new();
        for _ in 0..seconds / 10 {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since 1970 are whole numbers of f64"
            )]
            self.asks(THEIR_BEAT, self.moment().wall_ms as f64);
            sent.extend(self.seconds(10));
        }
        sent
    }

    fn standing(&self) -> Standing {
        all(std::slice::from_ref(&self.cell), self.now)
    }

    fn requests_refused(&self) -> u64 {
        self.counters.snapshot().commands_refused
    }

    fn filters(&self) -> Vec<String> {
        self.recorder.0.borrow().filters.clone()
    }
}

fn of<'a>(sent: &'a [Sent], part: &str) -> Vec<&'a Sent> {
    sent.iter().filter(|sent| sent.topic.contains(part)).collect()
}
