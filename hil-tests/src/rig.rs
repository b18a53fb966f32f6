//! A whole node under test: simulator, GPU process, agent.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{Binary, binary};
use crate::configuration::Configuration;
use crate::process::Process;
use crate::simulator::Simulator;
use crate::truth::Truth;
use crate::wait::until;

/// How long an agent may take to control.
const UP: Duration = Duration::from_secs(30);

/// What kind of node to build.
#[derive(Clone, Debug)]
pub struct RigOptions {
    /// Workload word of the simulator.
    pub workload: &'static str,
    /// Word of the GPU model.
    pub gpu_model: &'static str,
    /// Seed of plant and workload.
    pub seed: u64,
    /// Port of the broker, if there is one.
    pub broker: Option<u16>,
    /// Further keys of the configuration: section, key, value.
    pub settings: Vec<(&'static str, &'static str, toml::Value)>,
    /// Further environment of the GPU process.
    pub gpu_environment: Vec<(&'static str, PathBuf)>,
}

impl Default for RigOptions {
    fn default() -> Self {
        Self {
            workload: "full",
            seed: 7,
            broker: None,
            gpu_model: "h200",
            settings: Vec::new(),
            gpu_environment: Vec::new(),
        }
    }
}

/// The node. Dropping it ends everything it started.
#[derive(Debug)]
pub struct Rig {
    /// The agent's network process.
    pub agent: Process,
    /// The agent's GPU process.
    pub gpu: Process,
    /// The simulated world.
    pub simulator: Simulator,
    gpu_environment: Vec<(&'static str, PathBuf)>,
    folder: TempDir,
}

impl Rig {
    /// Starts everything and waits until the agent controls.
    pub fn start(options: &RigOptions) -> Self {
        let rig = Self::start_without_waiting(options);
        rig.settle();
        rig
    }

    /// Starts everything, with every device on Modbus TCP.
    pub fn start_without_waiting(options: &RigOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the rig");
        let seed = options.seed.to_string();
        let words = ["--workload", options.workload, "--gpu-model", options.gpu_model, "--seed", &seed];
        let simulator = Simulator::start(folder.path(), &words);
        let mut configuration = Configuration::of(folder.path(), &simulator);
        if let Some(port) = options.broker {
            configuration = configuration
                .set("facility", "brokers", vec![format!("mqtt://127.0.0.1:{port}")])
                .set("facility.sparkplug", "group", "test");
        }
        for (section, key, value) in &options.settings {
            configuration = configuration.set(section, key, value.clone());
        }
        Self::assemble_with(folder, simulator, &configuration, options.gpu_environment.clone())
    }

    /// Starts an agent for `simulator`, whose files are in `folder`, with this configuration.
    pub fn assemble(folder: TempDir, simulator: Simulator, configuration: &Configuration) -> Self {
        Self::assemble_with(folder, simulator, configuration, Vec::new())
    }

    fn assemble_with(
        folder: TempDir,
        simulator: Simulator,
        configuration: &Configuration,
        gpu_environment: Vec<(&'static str, PathBuf)>,
    ) -> Self {
        configuration.write();
        let gpu = gpu_process(folder.path(), &simulator, &gpu_environment);
        let agent = agent(folder.path());
        Self { agent, gpu, simulator, gpu_environment, folder }
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
        self.simulator.at("nvml_state").into()
    }

    /// Starts the agent's network process again after its end.
    pub fn start_agent(&mut self) {
        self.agent = agent(self.folder.path());
    }

    /// Starts the agent's GPU process again after its end.
    pub fn start_gpu(&mut self) {
        drop(self.replace_gpu());
    }

    /// Starts another GPU process, and returns the one before, which may not have ended.
    #[must_use]
    pub fn replace_gpu(&mut self) -> Process {
        let next = gpu_process(self.folder.path(), &self.simulator, &self.gpu_environment);
        std::mem::replace(&mut self.gpu, next)
    }

    /// Lets something happen in the simulated world.
    pub fn event(&self, word: &str) {
        self.simulator.event(word);
    }

    /// Lets the wire of a device or line fail, or mends it with `clear`; the simulator must serve with `--proxy`.
    pub fn fault(&self, wire: &str, words: &str) -> String {
        self.simulator.fault(wire, words)
    }

    /// What is really the case in the plant.
    pub fn truth(&self) -> Truth {
        self.simulator.truth()
    }

    /// The agent's status document; null while it does not answer.
    pub fn status(&self) -> Value {
        let mut document = String::new();
        let read = UnixStream::connect(self.folder().join("status.sock")).and_then(|mut socket| {
            socket.set_read_timeout(Some(Duration::from_secs(5)))?;
            socket.read_to_string(&mut document)
        });
        read.ok().and_then(|_| serde_json::from_str(&document).ok()).unwrap_or(Value::Null)
    }

    /// The agent's control state; empty while it does not answer.
    pub fn state(&self) -> String {
        self.status()["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Names of the alarms that stand and are shown.
    pub fn alarms(&self) -> Vec<String> {
        shown_alarms(&self.status())
    }

    /// An alarm as the agent tells it: state and the rest; null while there is nothing to tell.
    pub fn alarm(&self, name: &str) -> Value {
        let status = self.status();
        let mut alarms = status["alarms"].as_array().into_iter().flatten();
        alarms.find(|alarm| alarm["name"] == name).cloned().unwrap_or(Value::Null)
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
}

/// Names of the alarms that stand in a status document, and are neither put aside nor hidden behind their cause.
pub fn shown_alarms(status: &Value) -> Vec<String> {
    let alarms = status["alarms"].as_array().into_iter().flatten();
    let shown = alarms.filter(|alarm| alarm["shown"] == true);
    shown.filter_map(|alarm| alarm["name"].as_str().map(str::to_owned)).collect()
}

fn agent(folder: &Path) -> Process {
    let mut command = Command::new(binary(Binary::Agent));
    command.args(["run", "--config"]).arg(folder.join("agent.toml"));
    command.env("STATE_DIRECTORY", folder.join("agent-state"));
    Process::start("eisbach-agent run", command, folder.join("agent.log"))
}

fn gpu_process(folder: &Path, simulator: &Simulator, environment: &[(&str, PathBuf)]) -> Process {
    let mut command = Command::new(binary(Binary::Agent));
    command.args(["gpu", "--config"]).arg(folder.join("agent.toml"));
    command.env("EISBACH_NVML_STATE", simulator.at("nvml_state"));
    command.envs(environment.iter().map(|(key, value)| (key, value)));
    Process::start("eisbach-agent gpu", command, folder.join("gpu.log"))
}
