//! The GPU process alone, on the stand-in library and a state file of the test's own: no plant, no agent.
//!
//! ```text
//!   test ── SharedState ──► nvml.state ◄── stand-in library ◄── eisbach-agent gpu ── gpu.sock ──► GpuPeer
//!                                                               gpu-limits.json
//! ```

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use eisbach_nvml_sim::{GpuCell, GpuSpec, STATE_ENV, SharedState};
use eisbach_protocol::gpu_link::{Frame, GpuHealth};
use serde_json::Value;
use tempfile::TempDir;

use crate::binaries::{Binary, binary};
use crate::configuration::Configuration;
use crate::gpu_link::GpuPeer;
use crate::process::Process;
use crate::wait::until_some;

/// How long the process may take to listen.
const UP: Duration = Duration::from_secs(30);

/// GPUs and the process that owns them. The GPUs outlive the process.
#[derive(Debug)]
pub struct GpuNode {
    /// The process, once it has been started.
    pub process: Option<Process>,
    nvml: SharedState,
    specs: Vec<GpuSpec>,
    folder: TempDir,
}

impl GpuNode {
    /// Such GPUs, and a configuration that samples them every `sample_ms`. Nothing is started.
    pub fn of(specs: Vec<GpuSpec>, sample_ms: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the node");
        let nvml = SharedState::create(&folder.path().join("nvml.state"), &specs).expect("a state file");
        // The build that makes the program makes the library that is loaded.
        let _built = binary(Binary::Agent);
        let library = eisbach_nvml_sim::library_path().expect("the stand-in library is built");
        Configuration::of_gpus(folder.path(), &library).set("gpu", "sample_ms", sample_ms).write();
        Self { process: None, nvml, specs, folder }
    }

    /// The GPUs.
    pub fn gpus(&self) -> &[GpuCell] {
        self.nvml.gpus()
    }

    /// Starts the process. What ran before has ended.
    pub fn start(&mut self) {
        let mut command = Command::new(binary(Binary::Agent));
        command.args(["gpu", "--config"]).arg(self.folder.path().join("agent.toml"));
        command.env(STATE_ENV, self.nvml_state());
        self.process = Some(Process::start("eisbach-agent gpu", command, self.folder.path().join("gpu.log")));
    }

    /// Kills it without a word.
    pub fn kill(&mut self) {
        self.process.take().expect("it has been started").kill();
    }

    /// The machine is power-cycled: the GPUs forget what was asked of them, files stay.
    pub fn power_cycle(&mut self) {
        self.process = None;
        self.nvml = SharedState::create(&self.nvml_state(), &self.specs).expect("a state file");
    }

    /// A client, as soon as there is somebody to connect to.
    pub fn connect(&self) -> GpuPeer {
        let socket = self.folder.path().join("gpu.sock");
        until_some("the GPU process listens", UP, || GpuPeer::connect(&socket).ok())
    }

    /// A client that has seen every GPU answer: whatever it asks now is met at once.
    pub fn connect_to_all(&self) -> GpuPeer {
        let mut peer = self.connect();
        let mut unseen: Vec<_> = (0..self.gpus().len()).collect();
        peer.until("every GPU answers", |frame| {
            if let Frame::Sample(sample) = frame
                && sample.health == GpuHealth::Ok
            {
                unseen.retain(|index| *index != usize::from(sample.index));
            }
            unseen.is_empty().then_some(())
        });
        peer
    }

    /// The file in which the process keeps what it holds.
    pub fn journal_file(&self) -> PathBuf {
        self.folder.path().join("gpu-state/gpu-limits.json")
    }

    /// What the journal says is held, by UUID; nothing where there is no journal yet.
    ///
    /// # Panics
    /// If there is one and it cannot be understood.
    pub fn journal(&self) -> Value {
        let Ok(text) = std::fs::read_to_string(self.journal_file()) else { return Value::Null };
        let journal: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert!(journal["gpus"].is_object(), "{text}");
        journal["gpus"].clone()
    }

    fn nvml_state(&self) -> PathBuf {
        self.folder.path().join("nvml.state")
    }
}
