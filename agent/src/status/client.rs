//! `eisbach-agent status`: fetch the document, show it to people.

use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Longest time for the agent to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Longest document that is read.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// Nobody answers.
    #[error("{}: no agent answers ({source}); is eisbach-agent.service running, and may you read its socket?", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody answers who is no agent of this version.
    #[error("{}: the answer is no status document ({source})", socket.display())]
    Unreadable {
        /// The socket.
        socket: PathBuf,
        /// What does not parse.
        source: serde_json::Error,
    },
}

/// The status document of the agent behind `socket`.
///
/// # Errors
/// If nobody answers in time, or not with a document.
pub fn fetch(socket: &Path) -> Result<Value, StatusError> {
    let unreachable = |source| StatusError::Unreachable { socket: socket.to_owned(), source };
    let stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(unreachable)?;
    let mut text = String::new();
    stream.take(LONGEST).read_to_string(&mut text).map_err(unreachable)?;
    serde_json::from_str(&text)
        .map_err(|source| StatusError::Unreadable { socket: socket.to_owned(), source })
}

/// The document as a table for people.
#[must_use]
pub fn render(document: &Value) -> String {
    let word = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut out = format!("state {}   leader {}   {}\n", word("state"), word("leader"), word("reason"));
    for alarm in document.get("alarms").and_then(Value::as_array).into_iter().flatten() {
        let part = |key: &str| alarm.get(key).and_then(Value::as_str).unwrap_or("?");
        let shown = alarm.get("shown").and_then(Value::as_bool).unwrap_or(true);
        let _infallible = writeln!(
            out,
            "{} {} ({}, {}): {} {}",
            if shown { "ALARM" } else { "alarm" },
            part("name"),
            part("priority"),
            part("state"),
            part("consequence"),
            part("action")
        );
    }
    for (name, object) in document.get("objects").and_then(Value::as_object).into_iter().flatten() {
        if let Some(why) = object.get("why").and_then(Value::as_str) {
            let _infallible = writeln!(out, "{name} {why}");
        }
    }
    for (name, object) in document.get("objects").and_then(Value::as_object).into_iter().flatten() {
        let online = object.get("online").and_then(Value::as_bool).unwrap_or(false);
        let _infallible = writeln!(out, "\n{name}{}", if online { "" } else { "  (does not answer)" });
        for (point, reading) in object.get("points").and_then(Value::as_object).into_iter().flatten() {
            let _infallible = writeln!(out, "  {point:<20} {}", one_value(reading));
        }
    }
    out
}

fn one_value(reading: &Value) -> String {
    let quality = reading.get("quality").and_then(Value::as_str).unwrap_or("?");
    let unit = reading.get("unit").and_then(Value::as_str).unwrap_or("");
    let value = match reading.get("value") {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Number(number)) if number.is_f64() => {
            number.as_f64().map_or_else(String::new, |number| format!("{number:.1}"))
        }
        Some(Value::String(word)) => word.clone(),
        Some(other) => other.to_string(),
    };
    let note = if quality == "good" { String::new() } else { format!("  [{quality}]") };
    format!("{value:>10} {unit}{note}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_that_is_not_good_says_so() {
        let document = json!({
            "state": "hot", "leader": "silent_part", "reason": "r", "alarms": [],
            "objects": { "meter": { "online": false, "points": { "Flow": { "value": 8.25, "unit": "L/min", "quality": "stale" } } } },
        });
        let text = render(&document);
        assert!(text.contains("meter  (does not answer)"));
        assert!(text.contains("8.2 L/min  [stale]") || text.contains("8.3 L/min  [stale]"), "{text}");
    }

    #[test]
    fn without_an_agent_the_message_says_what_to_check() {
        let error = fetch(Path::new("/nonexistent/status.sock")).unwrap_err().to_string();
        assert!(error.contains("eisbach-agent.service"), "{error}");
    }
}
