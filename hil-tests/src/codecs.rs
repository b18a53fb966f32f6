//! Sparkplug codecs that are not ours: they read what the node says, and write what it is told.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::observer::Seen;

/// A foreign codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// That of the Eclipse Tahu project: npm `sparkplug-payload`.
    Tahu,
    /// An independent one in Python: `pysparkplug`.
    Pysparkplug,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Tahu, Self::Pysparkplug];

    /// What it makes of messages, in order.
    ///
    /// # Panics
    /// If it does not take one of them.
    pub fn decode(self, messages: &[Seen]) -> Vec<Value> {
        let hex = |seen: &Seen| seen.payload.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let lines = messages.iter().map(|seen| format!("decode {} {}\n", seen.topic, hex(seen)));
        let answers = self.ask(lines.collect());
        assert_eq!(answers.len(), messages.len(), "{self:?} reads every message");
        answers
    }

    /// A command of one metric.
    ///
    /// # Panics
    /// If it cannot write it.
    pub fn encode(self, metric: &Value) -> Vec<u8> {
        let answers = self.ask(format!("encode {}\n", Value::from(vec![metric.clone()])));
        let hex = answers[0]["hex"].as_str().expect("a command in hex");
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits"))
            .collect()
    }

    fn ask(self, lines: String) -> Vec<Value> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = match self {
            Self::Tahu => {
                let mut node = Command::new("node");
                node.arg(here.join("foreign/sparkplug.js"));
                node
            }
            Self::Pysparkplug => {
                let mut python = Command::new(here.join(".venv/bin/python"));
                python.arg(here.join("foreign/sparkplug.py"));
                python
            }
        };
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{self:?}: {error}; run .ci/install"));
        let mut input = child.stdin.take().expect("it is piped");
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = child.wait_with_output().expect("it can be waited for");
        let _gone_when_it_failed = writer.join();
        assert!(output.status.success(), "{self:?} failed; run .ci/install");
        let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}
