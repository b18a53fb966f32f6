//! What a point of the exchange shows of a report.

use eisbach_protocol::catalogue::{PointId, PointValue};
use eisbach_protocol::reading::{Quality, Reading};
use eisbach_protocol::units::Millis;

use super::points::{Meaning, Point, STATES, Source, def};
use super::words::{Number, Value};
use crate::report::{ObjectReport, Report};

/// What dictates that a pump stands still on purpose.
const ON_PURPOSE: [&str; 2] = ["leak_interlock", "remote"];

/// The value of a point that is read from `object`.
pub(super) fn read(point: &Point, report: &Report, object: &ObjectReport) -> Value {
    let of = |id| object.points.iter().find(|(known, _)| *known == id).map(|(_, reading)| *reading);
    match point.source {
        Source::Answers(_) => whole(i64::from(object.online), report.wall_ms),
        Source::Point(id, factor) => {
            let reading = of(id).unwrap_or_default();
            shown(&reading, reading.usable().and_then(|value| number(id, value, factor)), report)
        }
        Source::Isolated => {
            let running = of(PointId::PumpRunning).unwrap_or_default();
            let leader = of(PointId::PumpLeader).and_then(|reading| reading.usable());
            let purpose = matches!(leader, Some(PointValue::Text(leader)) if ON_PURPOSE.contains(&leader));
            let isolated = running.usable().map(|running| running == PointValue::Bool(false) && purpose);
            shown(&running, isolated.map(|isolated| Number::Whole(isolated.into())), report)
        }
    }
}

/// Whether `now` is to be told to somebody who knows `told`.
pub(super) fn differs(point: &Point, told: &Value, now: &Value) -> bool {
    if told.quality != now.quality {
        return true;
    }
    match (told.value, now.value) {
        (Some(Number::Real(told)), Some(Number::Real(now))) => (told - now).abs() >= dead_band(point),
        (told, now) => told != now,
    }
}

/// Whether a change of it is told at once.
pub(super) const fn is_urgent(point: &Point) -> bool {
    match point.meaning {
        Meaning::States(_) => true,
        Meaning::Unit(_) | Meaning::Plain => false,
    }
}

fn dead_band(point: &Point) -> f32 {
    match point.source {
        Source::Point(id, factor) => def(id).map_or(0.0, |def| def.dead_band * factor),
        Source::Answers(_) | Source::Isolated => 0.0,
    }
}

fn number(id: PointId, value: PointValue, factor: f32) -> Option<Number> {
    match value {
        PointValue::Float(value) => Some(value * factor).filter(|value| value.is_finite()).map(Number::Real),
        PointValue::Int(value) => Some(Number::Whole(value)),
        PointValue::Bool(value) => Some(Number::Whole(value.into())),
        PointValue::Text(word) if id == PointId::NodeState => (0..)
            .zip(STATES)
            .find(|(_, state)| state.eq_ignore_ascii_case(word))
            .map(|(at, _)| Number::Whole(at)),
        PointValue::Text(_) | PointValue::Label(_) => None,
    }
}

/// Only what was measured or derived as intended is good; a guess keeps its number and says what it is.
fn shown(reading: &Reading<PointValue>, value: Option<Number>, report: &Report) -> Value {
    let good = value.is_some() && reading.quality() == Quality::Good;
    let age = if reading.age() == Millis::FOREVER { Millis::ZERO } else { reading.age() };
    Value { value, timestamp: report.wall_ms.saturating_sub(age.get()), quality: good.into() }
}

const fn whole(value: i64, wall_ms: u64) -> Value {
    Value { value: Some(Number::Whole(value)), timestamp: wall_ms, quality: 1 }
}
