//! A wire that fails on command, between the agent and a simulated device.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::binaries::{Binary, binary};
use crate::control_socket::ask;
use crate::process::Process;
use crate::wait::until_some;

/// How long it may take to be up.
const UP: Duration = Duration::from_secs(30);

/// The master's side of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Line {
    /// Modbus TCP.
    Tcp,
    /// RTU frames on a TCP connection.
    RtuOverTcp,
    /// RTU frames on a pseudo terminal.
    Rtu,
}

impl Line {
    /// For tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::RtuOverTcp => "RTU over TCP",
            Self::Rtu => "RTU",
        }
    }
}

/// A running `eisbach-sim proxy`.
#[derive(Debug)]
pub struct Proxy {
    _process: Process,
    line: Line,
    reached: String,
    control: PathBuf,
}

impl Proxy {
    /// Starts one whose files are in `folder`. `upstream` is the device's TCP port; for the RTU lines one that speaks
    /// RTU over TCP.
    pub fn start(folder: &Path, line: Line, upstream: &str) -> Self {
        let control = folder.join("proxy.sock");
        let mut command = Command::new(binary(Binary::Sim));
        command.args(["proxy", "--json", "--upstream", upstream, "--control"]).arg(&control);
        match line {
            Line::Tcp => {}
            Line::RtuOverTcp => {
                command.arg("--rtu");
            }
            Line::Rtu => {
                command.arg("--pty").arg(folder.join("wire"));
            }
        }
        let process = Process::start("eisbach-sim proxy", command, folder.join("proxy.log"));
        let reached = until_some("the proxy says where it is reached", UP, || {
            process.json_lines().first().and_then(|doors| doors["listen"].as_str().map(str::to_owned))
        });
        Self { _process: process, line, reached, control }
    }

    /// For `address` in the agent's configuration.
    pub fn address(&self) -> String {
        match self.line {
            Line::Tcp => self.reached.clone(),
            Line::RtuOverTcp => format!("rtu-tcp:{}", self.reached),
            Line::Rtu => format!("rtu:{}", self.reached),
        }
    }

    /// What this line is.
    pub fn line(&self) -> Line {
        self.line
    }

    /// Where it is reached.
    pub fn reached(&self) -> &str {
        &self.reached
    }

    /// Lets the wire fail, for example `late-reply 700 only reads`.
    pub fn fail(&self, words: &str) {
        assert_eq!(ask(&self.control, words), "ok", "{words}");
    }

    /// Mends the wire.
    pub fn clear(&self) {
        assert_eq!(ask(&self.control, "clear"), "ok");
    }

    /// Faults that this line can have, by name.
    pub fn faults(&self) -> Vec<String> {
        ask(&self.control, "faults").split_whitespace().map(str::to_owned).collect()
    }

    /// How many messages the fault of this name has changed so far.
    pub fn changed(&self, fault: &str) -> u64 {
        self.count(fault, "changed")
    }

    /// How many messages have passed under the fault of this name so far, changed or not.
    pub fn seen(&self, fault: &str) -> u64 {
        self.count(fault, "seen")
    }

    fn count(&self, fault: &str, which: &str) -> u64 {
        let counts: serde_json::Value =
            serde_json::from_str(&ask(&self.control, "counts")).expect("counts are JSON");
        counts[fault][which].as_u64().unwrap_or(0)
    }
}
