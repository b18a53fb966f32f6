//! Alarms for people: one object each as JSON, and the table of `eisbach-agent alarms`.

use std::fmt::Write as _;
use std::time::Duration;

use eisbach_control::AlarmView;
use eisbach_protocol::alarm::{Alarm, AlarmDef};
use serde_json::{Value, json};

/// An alarm with all that is known of it.
pub(crate) fn document(def: &AlarmDef, view: &AlarmView) -> Value {
    json!({
        "name": def.name,
        "priority": def.priority.as_str(),
        "state": view.state.as_str(),
        "shown": view.is_shown(),
        "first_out": view.first_out,
        "suppressed_by": view.suppressed_by.map(Alarm::as_str),
        "explained_by": view.explained_by.map(Alarm::as_str),
        "shelved_until_ms": view.shelved_until_ms,
        "on_ms": view.on_ms,
        "ack_ms": view.ack_ms,
        "clear_ms": view.clear_ms,
        "consequence": def.consequence,
        "action": def.action,
    })
}

/// The alarms of a status document as a table.
#[must_use]
pub fn table(document: &Value) -> String {
    let now_ms = document.get("timestamp_ms").and_then(Value::as_u64).unwrap_or(0);
    let mut alarms: Vec<&Value> =
        document.get("alarms").and_then(Value::as_array).into_iter().flatten().collect();
    if alarms.is_empty() {
        return "no alarm\n".to_owned();
    }
    // First what began it, then what is most urgent.
    let priorities = ["critical", "high", "medium", "low"];
    alarms.sort_by_key(|alarm| {
        let urgency = priorities.iter().position(|priority| *priority == word(alarm, "priority"));
        (!is(alarm, "first_out"), !is(alarm, "shown"), urgency)
    });
    let rows = alarms.iter().map(|alarm| row(alarm, now_ms));
    let mut rows: Vec<[String; 6]> = std::iter::once(HEAD.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; 6];
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    let mut out = String::new();
    for row in &mut rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _infallible = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}

const HEAD: [&str; 6] = ["NAME", "PRIORITY", "STATE", "SINCE", "CAUSE", "ACTION"];

fn row(alarm: &Value, now_ms: u64) -> [String; 6] {
    let number = |key: &str| alarm.get(key).and_then(Value::as_u64);
    let state = word(alarm, "state").replace('_', " ");
    let state = match number("shelved_until_ms") {
        Some(until) => format!("{state}, shelved for {}", span(until.saturating_sub(now_ms))),
        None if !word(alarm, "suppressed_by").is_empty() => format!("{state}, suppressed"),
        None => state,
    };
    let since = number("clear_ms").or_else(|| number("on_ms"));
    let cause = match (is(alarm, "first_out"), word(alarm, "explained_by")) {
        (true, _) => "first-out",
        (false, explained_by) => explained_by,
    };
    [
        word(alarm, "name").to_owned(),
        word(alarm, "priority").to_owned(),
        state,
        since.map_or_else(String::new, |at| span(now_ms.saturating_sub(at))),
        cause.to_owned(),
        word(alarm, "action").to_owned(),
    ]
}

fn word<'a>(alarm: &'a Value, key: &str) -> &'a str {
    alarm.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is(alarm: &Value, key: &str) -> bool {
    alarm.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// A time in its two largest units.
fn span(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_control::AlarmState;

    #[test]
    fn the_table_begins_with_what_began_it_and_names_what_explains_the_rest() {
        let view = |state, first_out, by| AlarmView {
            state,
            first_out,
            suppressed_by: by,
            explained_by: by,
            on_ms: Some(1000),
            ..AlarmView::default()
        };
        let shelved = AlarmView { shelved_until_ms: Some(3_700_000), ..AlarmView::default() };
        let alarms = [
            (Alarm::LossOfFlow, view(AlarmState::Unacked, true, None)),
            (Alarm::OverTemperature, view(AlarmState::Unacked, false, Some(Alarm::LossOfFlow))),
            (Alarm::ConfigRefused, view(AlarmState::Acked, false, None)),
            (Alarm::MeterSilent, shelved),
        ];
        let alarms: Vec<_> = alarms.iter().rev().map(|(alarm, view)| document(alarm.def(), view)).collect();
        let text = table(&json!({ "timestamp_ms": 62_000, "alarms": alarms }));
        let lines: Vec<_> = text.lines().collect();
        let begins = ["NAME", "loss_of_flow", "config_refused", "over_temperature", "meter_silent"];
        for (line, begin) in lines.iter().zip(begins) {
            assert!(line.starts_with(begin), "{text}");
        }
        assert!(lines[1].contains("1 min") && lines[1].contains("first-out"), "{text}");
        assert!(lines[3].contains("unacked, suppressed") && lines[3].contains("loss_of_flow"), "{text}");
        assert!(lines[4].contains("normal, shelved for 1 h 0 min"), "{text}");
        assert_eq!(table(&json!({ "alarms": [] })), "no alarm\n");
    }
}
