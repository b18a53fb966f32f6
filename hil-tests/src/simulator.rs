//! The simulated world: plant, devices, NVML state, in one process.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::binaries::{Binary, binary};
use crate::control_socket::ask;
use crate::process::Process;
use crate::truth::Truth;
use crate::wait::until_some;

/// How long it may take to be up.
const UP: Duration = Duration::from_secs(30);

/// The simulated devices.
pub(crate) const DEVICES: [&str; 5] = ["pump", "valve", "meter", "room", "leak"];

/// A running `eisbach-sim serve`.
#[derive(Debug)]
pub struct Simulator {
    process: Process,
    doors: Value,
}

impl Simulator {
    /// Starts `eisbach-sim serve` with these further words; its files go to `folder`.
    pub fn start(folder: &Path, words: &[&str]) -> Self {
        let mut command = Command::new(binary(Binary::Sim));
        command.args(["serve", "--json", "--dir"]).arg(folder).args(words);
        let process = Process::start("eisbach-sim serve", command, folder.join("sim.log"));
        let doors =
            until_some("the simulator says where it serves", UP, || process.json_lines().into_iter().next());
        Self { process, doors }
    }

    /// What to connect to, by name: `pump`, `control`, `/serial/path` and so on.
    ///
    /// # Panics
    /// If there is no such door.
    pub fn at(&self, name: &str) -> &str {
        let door = if name.starts_with('/') { self.doors.pointer(name) } else { self.doors.get(name) };
        door.and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {}", self.doors))
    }

    /// A number that it tells beside its doors.
    ///
    /// # Panics
    /// If it does not.
    pub fn number(&self, name: &str) -> f64 {
        self.doors[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {}", self.doors))
    }

    /// GPUs of the node.
    pub fn gpus(&self) -> u8 {
        let gpus = self.doors["gpus"].as_u64().expect("serve tells how many GPUs there are");
        u8::try_from(gpus).expect("a node has few GPUs")
    }

    /// Modbus unit of a device.
    pub fn unit(&self, device: &str) -> u8 {
        let place = DEVICES.iter().position(|known| *known == device).expect("one of the five devices");
        let unit = self.doors["units"][place].as_u64().expect("serve names the units");
        u8::try_from(unit).expect("a unit is a byte")
    }

    /// Lets something happen; it has happened when this returns.
    pub fn event(&self, word: &str) {
        let answer = ask(self.at("control"), word);
        assert_eq!(answer, "ok", "{word}");
    }

    /// What the proxy before a device or line answers to `words`, `late-reply 700` or `clear`.
    pub fn fault(&self, wire: &str, words: &str) -> String {
        ask(self.at("control"), &format!("fault {wire} {words}"))
    }

    /// What is really the case in the plant.
    pub fn truth(&self) -> Truth {
        Truth::new(serde_json::from_str(&ask(self.at("control"), "truth")).expect("truth is JSON"))
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
