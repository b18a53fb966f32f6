//! A whole node under test: simulator, broker, GPU process, agent.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{Binary, binary};
use crate::process::Process;
use crate::truth::Truth;
use crate::wait::{until, until_some};

/// How long anything that starts may take to be up.
const UP: Duration = Duration::from_secs(30);

/// What kind of node to build.
#[derive(Clone, Debug)]
pub struct RigOptions {
    /// Workload word of the simulator.
    pub workload: &'static str,
    /// Seed of plant and workload.
    pub seed: u64,
    /// Port of the broker, if there is one.
    pub broker: Option<u16>,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self { workload: "full", seed: 7, broker: None }
    }
}

/// The node. Dropping it ends everything it started.
#[derive(Debug)]
pub struct Rig {
    /// The agent's network process.
    pub agent: Process,
    /// The agent's GPU process.
    pub gpu: Process,
    simulator: Process,
    endpoints: Value,
    folder: TempDir,
}

impl Rig {
    /// Starts everything and waits until the agent controls.
    pub fn start(options: &RigOptions) -> Self {
        let rig = Self::start_without_waiting(options);
        rig.settle();
        rig
    }

    /// Starts everything.
    pub fn start_without_waiting(options: &RigOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the rig");
        let (simulator, endpoints) = simulator(folder.path(), options);
        for state in ["agent-state", "gpu-state"] {
            std::fs::create_dir(folder.path().join(state)).expect("a state folder");
        }
        let text = configuration(folder.path(), &endpoints, options.broker);
        std::fs::write(folder.path().join("agent.toml"), text).expect("a configuration file");
        let gpu = gpu_process(folder.path(), &endpoints);
        let agent = agent(folder.path());
        Self { agent, gpu, simulator, endpoints, folder }
    }

    /// Waits until the agent controls in ordinary operation and has come to know its loop: it learns which head
    /// belongs to which speed in its first seconds, and until then only the slower meter tells a loss of flow.
    pub fn settle(&self) {
        until("the agent runs", UP, || self.state(), |state| state == "running");
        until("it knows its loop", UP, || self.cycles().0, |cycles| *cycles > 100);
    }

    /// The rig's folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The agent's configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder().join("agent.toml")
    }

    /// The file in which the stand-in NVML keeps its state.
    pub fn nvml_state(&self) -> PathBuf {
        self.endpoints["nvml_state"].as_str().expect("serve names it").into()
    }

    /// Starts the agent's network process again after its end.
    pub fn start_agent(&mut self) {
        self.agent = agent(self.folder.path());
    }

    /// Starts the agent's GPU process again after its end.
    pub fn start_gpu(&mut self) {
        self.gpu = gpu_process(self.folder.path(), &self.endpoints);
    }

    /// Lets something happen in the simulated world; its plant time.
    pub fn event(&self, word: &str) {
        let answer = self.ask(word);
        assert_eq!(answer.trim(), "ok", "{word}");
    }

    /// What is really the case in the plant.
    pub fn truth(&self) -> Truth {
        Truth::new(serde_json::from_str(&self.ask("truth")).expect("truth is JSON"))
    }

    /// The agent's status document; null while it does not answer.
    pub fn status(&self) -> Value {
        let mut command = Command::new(binary(Binary::Agent));
        command.args(["status", "--json", "--socket"]).arg(self.folder().join("status.sock"));
        let output = command.output().expect("the agent's binary can be started");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// The agent's control state; empty while it does not answer.
    pub fn state(&self) -> String {
        self.status()["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Names of the alarms that stand.
    pub fn alarms(&self) -> Vec<String> {
        let status = self.status();
        let names = status["alarms"].as_array().into_iter().flatten();
        names.filter_map(|alarm| alarm["name"].as_str().map(str::to_owned)).collect()
    }

    /// A point as the agent tells it: value, quality and the rest.
    pub fn point(&self, object: &str, point: &str) -> Value {
        self.status()["objects"][object]["points"][point].clone()
    }

    /// A number as the agent tells it.
    pub fn number(&self, object: &str, point: &str) -> Option<f64> {
        self.point(object, point)["value"].as_f64()
    }

    /// Control cycles completed and cycles that overran.
    pub fn cycles(&self) -> (i64, i64) {
        let status = self.status();
        let value = |point: &str| status["objects"]["node"]["points"][point]["value"].as_i64().unwrap_or(0);
        (value("Cycles"), value("CycleOverruns"))
    }

    /// Waits until the agent is in `state`.
    pub fn reaches(&self, state: &str, limit: Duration) {
        until(&format!("state {state}"), limit, || self.state(), |seen| seen == state);
    }

    /// Waits until `alarm` stands, or does not.
    pub fn alarm_is(&self, alarm: &str, standing: bool, limit: Duration) {
        let what = format!("alarm {alarm} standing: {standing}");
        until(&what, limit, || self.alarms(), |alarms| alarms.iter().any(|name| name == alarm) == standing);
    }

    /// Freezes or thaws the agent without its knowledge.
    pub fn freeze_agent(&self, frozen: bool) {
        self.agent.signal(if frozen { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// What the simulator has logged.
    pub fn simulator_log(&self) -> String {
        self.simulator.log()
    }

    fn ask(&self, line: &str) -> String {
        let path = self.endpoints["control"].as_str().expect("serve names its control socket");
        let mut stream = UnixStream::connect(path).expect("the simulator's control socket answers");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        writeln!(stream, "{line}").expect("a line can be written");
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).expect("the simulator answers");
        answer
    }
}

fn simulator(folder: &Path, options: &RigOptions) -> (Process, Value) {
    let mut command = Command::new(binary(Binary::Sim));
    command.args(["serve", "--json", "--workload", options.workload, "--seed", &options.seed.to_string()]);
    command.arg("--dir").arg(folder).stdin(Stdio::null());
    let process = Process::start("eisbach-sim serve", command, folder.join("sim.log"));
    let endpoints = until_some("the simulator says where it serves", UP, || {
        process
            .log()
            .lines()
            .find_map(|line| serde_json::from_str::<Value>(line).ok().filter(Value::is_object))
    });
    (process, endpoints)
}

fn agent(folder: &Path) -> Process {
    let mut command = Command::new(binary(Binary::Agent));
    command.args(["run", "--config"]).arg(folder.join("agent.toml"));
    command.env("STATE_DIRECTORY", folder.join("agent-state"));
    Process::start("eisbach-agent run", command, folder.join("agent.log"))
}

fn gpu_process(folder: &Path, endpoints: &Value) -> Process {
    let mut command = Command::new(binary(Binary::Agent));
    command.args(["gpu", "--config"]).arg(folder.join("agent.toml"));
    command.env("EISBACH_NVML_STATE", endpoints["nvml_state"].as_str().expect("serve names it"));
    Process::start("eisbach-agent gpu", command, folder.join("gpu.log"))
}

fn configuration(folder: &Path, endpoints: &Value, broker: Option<u16>) -> String {
    let at = |name: &str| endpoints[name].as_str().unwrap_or_else(|| panic!("serve names {name}")).to_owned();
    let folder = folder.display();
    let mut text = format!(
        r#"
[node]
name = "node-0001"
gpus = 8

[gpu]
socket = "{folder}/gpu.sock"
state = "{folder}/gpu-state"
library = "{library}"

[paths]
state = "{folder}/agent-state"
status_socket = "{folder}/status.sock"
"#,
        library = at("nvml_library"),
    );
    for (unit, device) in (1..).zip(["pump", "valve", "meter", "room", "leak"]) {
        text.push_str(&format!("\n[{device}]\naddress = \"{}\"\nunit = {unit}\n", at(device)));
    }
    if let Some(port) = broker {
        text.push_str(&format!("\n[facility]\nbroker = \"127.0.0.1:{port}\"\ngroup = \"test\"\n"));
    }
    text
}
