//! What the plain face says, word for word.

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::catalogue::{PointDef, PointValue, points_of};
use eisbach_protocol::reading::Quality;
use eisbach_protocol::units::Watts;
use serde_json::{Map, Value, json};

use crate::facility::shown::{Shown, reading_of};
use crate::report::events::{
    AlarmChange, AlarmEvent, Answer, AnswerState, Event, EventKind, PowerOutcome, Short,
};
use crate::report::{ObjectReport, Report};

/// The points of an object as they are told.
#[derive(Debug)]
pub(super) struct Fields {
    online: bool,
    all: Vec<(&'static PointDef, Shown, Quality)>,
}

impl Fields {
    pub(super) fn of(object: &ObjectReport) -> Self {
        let field = |def: &'static PointDef| {
            let reading = reading_of(object, def);
            (def, Shown::of(def.kind, &reading), reading.quality())
        };
        Self { online: object.online, all: points_of(object.owner).map(field).collect() }
    }

    /// Whether a listener that knows `told` needs to hear of these.
    pub(super) fn differ_from(&self, told: &Self) -> bool {
        self.online != told.online
            || self.all.iter().zip(&told.all).any(|((def, shown, quality), (_, before, quality_before))| {
                quality != quality_before || shown.differs_from(*before, def.dead_band)
            })
    }

    /// Flat, each point under its name; those that are not good are named again with their quality.
    pub(super) fn json(&self, wall_ms: u64, object: &ObjectReport) -> String {
        let mut fields = Map::new();
        fields.insert("timestamp".into(), wall_ms.into());
        fields.insert("online".into(), self.online.into());
        let mut doubts = Map::new();
        for (def, shown, quality) in &self.all {
            fields.insert(def.name.into(), shown.value().map_or(Value::Null, value));
            match quality {
                Quality::Good => {}
                Quality::Uncertain | Quality::Stale | Quality::Bad(_) => {
                    doubts.insert(def.name.into(), quality.as_str().into());
                }
            }
        }
        fields.insert("quality".into(), doubts.into());
        if let Some(note) = &object.note {
            fields.insert("note".into(), note.as_str().into());
        }
        Value::from(fields).to_string()
    }
}

fn value(value: PointValue) -> Value {
    match value {
        // As short as it can be written: 35.1 and not 35.099998474121094.
        PointValue::Float(value) => {
            value.to_string().parse::<f64>().map_or(Value::Null, |value| json!(value))
        }
        PointValue::Int(value) => value.into(),
        PointValue::Bool(value) => value.into(),
        PointValue::Text(value) => value.into(),
        PointValue::Label(value) => value.as_str().into(),
    }
}

/// Whether the node is there. The broker's own word has no time: it was written ahead.
pub(super) fn status(online: bool, wall_ms: Option<u64>) -> String {
    match wall_ms {
        Some(wall_ms) => json!({ "online": online, "timestamp": wall_ms }).to_string(),
        None => json!({ "online": online }).to_string(),
    }
}

/// An object that is no longer there.
pub(super) fn gone(wall_ms: u64) -> String {
    json!({ "timestamp": wall_ms, "online": false, "quality": {} }).to_string()
}

/// The alarms that there is something to tell about, as a list in a text.
pub(super) fn alarms(report: &Report) -> String {
    let list = report.alarms().filter(|(_, view)| view.is_of_interest()).map(|(def, view)| {
        json!({
            "name": def.name,
            "priority": def.priority.as_str(),
            "state": view.state.as_str(),
            "shown": view.is_shown(),
            "shelved_until": view.shelved_until_ms,
            "suppressed_by": view.suppressed_by.map(Alarm::as_str),
            "first_out": view.first_out,
            "since": view.on_ms,
            "acknowledged": view.ack_ms,
            "cleared": view.clear_ms,
            "consequence": def.consequence,
            "action": def.action,
        })
    });
    Value::from_iter(list).to_string()
}

/// A list of [`alarms`] with its time.
pub(super) fn with_time(wall_ms: u64, alarms: &str) -> String {
    format!(r#"{{"timestamp":{wall_ms},"alarms":{alarms}}}"#)
}

/// So many events could not be told.
pub(super) fn missed(wall_ms: u64, count: u64) -> String {
    json!({ "kind": "missed", "timestamp": wall_ms, "count": count }).to_string()
}

/// What happened, in the run of the agent that began to tell at `run_ms`.
pub(super) fn event(event: &Event, run_ms: u64) -> String {
    let number = event.number;
    let mut told = match &event.kind {
        EventKind::Alarm(event) => alarm_event(number, event),
        EventKind::Command(answer) => command_event(number, answer),
        EventKind::Power(outcome) => power_event(number, outcome),
    };
    if let Value::Object(fields) = &mut told {
        fields.insert("run".into(), run_ms.into());
    }
    told.to_string()
}

fn alarm_event(number: u64, event: &AlarmEvent) -> Value {
    let (change, first_out, until, cause) = match event.change {
        AlarmChange::Raised { first_out } => ("raised", Some(first_out), None, None),
        AlarmChange::Cleared => ("cleared", None, None, None),
        AlarmChange::Acknowledged => ("acknowledged", None, None, None),
        AlarmChange::Shelved { until_ms } => ("shelved", None, Some(until_ms), None),
        AlarmChange::Unshelved => ("unshelved", None, None, None),
        AlarmChange::Suppressed { by } => ("suppressed", None, None, Some(by.as_str())),
        AlarmChange::Unsuppressed => ("unsuppressed", None, None, None),
        AlarmChange::Reset => ("reset", None, None, None),
    };
    json!({
        "number": number,
        "kind": "alarm",
        "timestamp": event.wall_ms,
        "alarm": event.alarm.as_str(),
        "change": change,
        "first_out": first_out,
        "until": until,
        "cause": cause,
        "by": event.by.as_ref().map(Short::as_str),
    })
}

fn command_event(number: u64, answer: &Answer) -> Value {
    let (to, reason) = match &answer.state {
        AnswerState::Clamped { to } => (Some(value(PointValue::Float(*to))), None),
        AnswerState::Refused { reason } => (None, Some(reason.as_str())),
        AnswerState::Accepted | AnswerState::Done | AnswerState::Expired => (None, None),
    };
    json!({
        "number": number,
        "kind": "command",
        "timestamp": answer.wall_ms,
        "id": answer.id.as_str(),
        "issuer": answer.issuer.as_str(),
        "action": answer.action.as_str(),
        "state": answer.state.as_str(),
        "to": to,
        "reason": reason,
    })
}

fn power_event(number: u64, outcome: &PowerOutcome) -> Value {
    let watts = |watts: Option<Watts>| watts.map(|watts| value(PointValue::Float(watts.get())));
    json!({
        "number": number,
        "kind": "power",
        "timestamp": outcome.wall_ms,
        "id": outcome.id.as_str(),
        "target": outcome.target.as_str(),
        "enforcement": outcome.enforcement.as_str(),
        "asked_watts": watts(outcome.asked),
        "applied_watts": watts(outcome.applied),
        "reason": outcome.reason.as_ref().map(Short::as_str),
    })
}
