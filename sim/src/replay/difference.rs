//! What differs between two decisions, by name.

use std::collections::BTreeMap;
use std::io::{self, Write};

use eisbach_control::{Decision, Devices};
use serde_json::Value;

use super::account::clock;
use super::player::Again;

/// Lines about the first difference.
const MOST: usize = 12;

/// The first step that came out otherwise.
#[derive(Clone, Debug)]
pub(super) struct FirstDifference {
    /// When.
    pub(super) at: String,
    /// Each field: as recorded, and as decided now.
    pub(super) what: Vec<String>,
}

/// How often a field differs, and how far.
#[derive(Clone, Debug)]
struct Field {
    steps: u64,
    first: String,
    example: String,
    widest: f64,
}

/// Compares what was recorded with what is decided now, step by step.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    steps: u64,
    different: u64,
    first: Option<FirstDifference>,
    fields: BTreeMap<String, Field>,
}

/// A field that differs: its path, the two values.
type Pair = (String, Value, Value);

impl Comparison {
    pub(super) fn step(&mut self, again: &Again) {
        self.steps += 1;
        if again.same {
            return;
        }
        self.different += 1;
        let pairs = between(&again.step.decision, &again.decision);
        let at = clock(again.wall_ms);
        if self.first.is_none() {
            let mut what: Vec<String> = pairs.iter().take(MOST).map(line).collect();
            match pairs.len().checked_sub(MOST) {
                None if pairs.is_empty() => {
                    what.push("the bits of a number: a NaN, or the sign of a zero".into());
                }
                Some(more) if more > 0 => what.push(format!("and {more} fields more")),
                None | Some(_) => {}
            }
            self.first = Some(FirstDifference { at: format!("{at} ({})", again.step.now), what });
        }
        for pair in &pairs {
            let apart = apart(pair);
            let field = self.fields.entry(kind(&pair.0)).or_insert_with(|| Field {
                steps: 0,
                first: at.clone(),
                example: line(pair),
                widest: 0.0,
            });
            field.steps += 1;
            field.widest = field.widest.max(apart);
        }
    }

    pub(super) const fn first(&self) -> Option<&FirstDifference> {
        self.first.as_ref()
    }

    /// What would have been decided otherwise.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "The plant's answer is not simulated: what was measured is as recorded, whatever would have been decided."
        )?;
        if self.different == 0 {
            return writeln!(out, "nothing would have been decided otherwise, in {} steps", self.steps);
        }
        writeln!(out, "{} of {} decisions would have been others:", self.different, self.steps)?;
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by(|a, b| b.1.steps.cmp(&a.1.steps).then(a.0.cmp(b.0)));
        for (name, field) in fields {
            let Field { steps, first, example, widest } = field;
            let far = if *widest > 0.0 { format!(", up to {widest:.2} apart") } else { String::new() };
            writeln!(out, "  {name}: {steps} times{far}; first at {first}: {example}")?;
        }
        Ok(())
    }
}

/// All fields in which two decisions differ.
fn between(recorded: &Decision, now: &Decision) -> Vec<Pair> {
    let mut pairs = Vec::new();
    // A decision has names for keys and no maps: it can always be shown so.
    if let (Ok(recorded), Ok(now)) = (shown(recorded), shown(now)) {
        descend("", &recorded, &now, &mut pairs);
    }
    pairs
}

/// A decision by the names of its fields, and its sets by what is in them: a set is one number in a record.
fn shown(decision: &Decision) -> serde_json::Result<Value> {
    let mut shown = serde_json::to_value(decision)?;
    let alarms: Vec<&str> = decision.alarms.iter().map(|alarm| alarm.def().name).collect();
    let devices = [
        (Devices::PUMP, "pump"),
        (Devices::VALVE, "valve"),
        (Devices::METER, "meter"),
        (Devices::ROOM, "room"),
        (Devices::LEAK, "leak detector"),
    ];
    let ignoring: Vec<&str> = devices
        .into_iter()
        .filter_map(|(device, name)| device.is_within(decision.ignoring).then_some(name))
        .collect();
    for (field, names) in [("alarms", alarms), ("ignoring", ignoring)] {
        if let Some(value) = shown.get_mut(field) {
            *value = Value::String(if names.is_empty() { "none".into() } else { names.join(", ") });
        }
    }
    Ok(shown)
}

fn descend(path: &str, a: &Value, b: &Value, pairs: &mut Vec<Pair>) {
    match (a, b) {
        (Value::Object(a_fields), Value::Object(b_fields)) if a_fields.keys().eq(b_fields.keys()) => {
            for ((name, a), b) in a_fields.iter().zip(b_fields.values()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                descend(&path, a, b, pairs);
            }
        }
        (Value::Array(a_items), Value::Array(b_items)) if a_items.len() == b_items.len() => {
            for (index, (a, b)) in a_items.iter().zip(b_items).enumerate() {
                descend(&format!("{path}[{index}]"), a, b, pairs);
            }
        }
        (a, b) if a == b => {}
        (a, b) => pairs.push((path.to_owned(), a.clone(), b.clone())),
    }
}

fn line((path, recorded, now): &Pair) -> String {
    format!("{path}: {} recorded, {} now", word(recorded), word(now))
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |number| format!("{number}"))
        }
        other @ (Value::Bool(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
    }
}

fn apart((_, recorded, now): &Pair) -> f64 {
    recorded.as_f64().zip(now.as_f64()).map_or(0.0, |(recorded, now)| (recorded - now).abs())
}

/// The path without the number of the GPU: eight of them are one line.
fn kind(path: &str) -> String {
    let mut kind = String::new();
    let mut inside = false;
    for letter in path.chars() {
        inside = (inside || letter == '[') && letter != ']';
        if letter == ']' {
            kind.push_str("[…]");
        } else if !inside {
            kind.push(letter);
        }
    }
    kind
}
