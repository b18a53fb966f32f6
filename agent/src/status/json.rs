//! The report as JSON: one object a point, never a bare number.

use eisbach_protocol::catalogue::{POINTS, PointDef, PointId, PointValue};
use eisbach_protocol::reading::{Origin, Reading};
use eisbach_protocol::units::Millis;
use serde_json::{Map, Value, json};

use super::driver::Driver;
use crate::alarms;
use crate::facility::FacilityStatus;
use crate::hooks::{Hook, HookState};
use crate::report::{ObjectReport, Report};

/// The whole report.
pub(super) fn document(report: &Report, driver: &Driver) -> Value {
    let objects: Map<String, Value> =
        report.objects.iter().map(|object| (object.name.clone(), one_object(object))).collect();
    let of_interest = report.alarms().filter(|(_, view)| view.is_of_interest());
    let alarms: Vec<Value> = of_interest.map(|(def, view)| alarms::document(def, view)).collect();
    let word = |id| match report.node_point(id) {
        Some(PointValue::Text(word)) => Value::from(word),
        Some(PointValue::Label(label)) => Value::from(label.as_str()),
        Some(PointValue::Float(_) | PointValue::Int(_) | PointValue::Bool(_)) | None => Value::Null,
    };
    json!({
        "timestamp_ms": report.wall_ms,
        "state": word(PointId::NodeState),
        "leader": word(PointId::NodeLeader),
        "reason": word(PointId::NodeReason),
        "alarms": alarms,
        "driver": driver.document(),
        "hooks": hooks(report),
        "facility": report.facility.iter().map(connection).collect::<Vec<_>>(),
        "objects": objects,
    })
}

/// One connection to the facility.
fn connection(status: &FacilityStatus) -> Value {
    json!({
        "section": status.section,
        "state": status.state.as_str(),
        "certificate_expires_ms": status.certificates.expires_ms,
        "counters": status.counters,
    })
}

/// The hooks that have ever been asked for.
fn hooks(report: &Report) -> Value {
    let asked = Hook::ALL
        .iter()
        .zip(&report.hooks)
        .filter(|(_, status)| status.state != HookState::Idle || status.runs > 0);
    let hooks: Map<String, Value> = asked
        .map(|(hook, status)| {
            let told = json!({
                "state": status.state.as_str(),
                "runs": status.runs,
                "failures": status.failures,
                "last_exit": status.last_exit.map(|exit| exit.to_string()),
                "reason": status.last_reason,
            });
            (hook.as_str().to_owned(), told)
        })
        .collect();
    Value::from(hooks)
}

fn one_object(object: &ObjectReport) -> Value {
    let points: Map<String, Value> = object
        .points
        .iter()
        .filter_map(|(id, reading)| definition(*id).map(|def| (def.name.to_owned(), one_point(def, reading))))
        .collect();
    let mut shown = json!({ "online": object.online, "points": points });
    if let (Some(note), Some(fields)) = (&object.note, shown.as_object_mut()) {
        fields.insert("why".to_owned(), Value::from(note.as_str()));
    }
    shown
}

fn one_point(def: &PointDef, reading: &Reading<PointValue>) -> Value {
    let value = match reading.last_known() {
        // A float is shown with the digits it has, not with those of its binary neighbour.
        Some(PointValue::Float(number)) => number.to_string().parse::<f64>().map_or(Value::Null, Value::from),
        Some(PointValue::Int(number)) => Value::from(number),
        Some(PointValue::Bool(flag)) => Value::from(flag),
        Some(PointValue::Text(word)) => Value::from(word),
        Some(PointValue::Label(label)) => Value::from(label.as_str()),
        None => Value::Null,
    };
    let origin = match reading.origin() {
        Origin::Measured => "measured",
        Origin::Estimated => "estimated",
        Origin::Substituted => "substituted",
    };
    let age = (reading.age() != Millis::FOREVER).then(|| reading.age().get());
    json!({ "value": value, "unit": def.unit, "quality": reading.quality().as_str(), "age_ms": age, "origin": origin })
}

fn definition(id: PointId) -> Option<&'static PointDef> {
    POINTS.iter().find(|def| def.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::catalogue::Owner;
    use eisbach_protocol::reading::BadReason;

    #[test]
    fn i11_every_value_leaves_with_its_quality_and_age() {
        let stale = Reading::measured(PointValue::Float(63.4), Millis::new(9000))
            .aged(Millis::ZERO, Millis::new(1000));
        let report = Report {
            objects: vec![ObjectReport {
                name: "meter".into(),
                owner: Owner::Meter,
                online: false,
                points: vec![
                    (PointId::MeterReturn, stale),
                    (PointId::MeterFlow, Reading::bad(BadReason::CommLost)),
                ],
                note: None,
            }],
            ..Report::default()
        };
        let points = &one_object(&report.objects[0])["points"];
        assert_eq!(points["ReturnTemperature"]["quality"], "stale");
        assert_eq!(points["ReturnTemperature"]["value"], 63.4);
        assert_eq!(points["ReturnTemperature"]["age_ms"], 9000);
        assert_eq!(points["Flow"]["value"], Value::Null);
        assert_eq!(points["Flow"]["quality"], "comm_lost");
    }
}
