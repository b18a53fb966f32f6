//! A server over fake GPUs on a real socket, for tests.

use std::path::PathBuf;
use std::thread::JoinHandle;

use eisbach_protocol::units::Kelvin;
use tempfile::TempDir;

use super::fake::{FakeGpu, FakeNode};
use super::{ServerError, ServerSettings, StopFlag, serve};
use crate::clock::Clock;

/// One node. The GPUs and the folder outlive the server, which may be stopped and started.
pub(in crate::gpu) struct Bench {
    pub(super) gpus: Vec<FakeGpu>,
    pub(super) settings: ServerSettings,
    pub(super) node: FakeNode,
    server: Option<(StopFlag, JoinHandle<Result<(), ServerError>>)>,
    _folder: TempDir,
}

impl Bench {
    /// A running server over so many GPUs. An agent may be silent for a minute before the guard minds.
    pub(in crate::gpu) fn start(gpus: u8) -> Self {
        Self::start_with(gpus, |_| {})
    }

    /// The same with other settings.
    pub(super) fn start_with(gpus: u8, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = usual_settings(&folder);
        change(&mut settings);
        Self::over((0..gpus).map(|index| FakeGpu::new(index, folder.path())).collect(), settings, folder)
    }

    /// The same over one GPU that has switches.
    pub(super) fn start_with_switches() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gpus = vec![FakeGpu::new(0, folder.path()).with_switches()];
        Self::over(gpus, usual_settings(&folder), folder)
    }

    fn over(gpus: Vec<FakeGpu>, settings: ServerSettings, folder: TempDir) -> Self {
        let node = FakeNode::new(gpus.clone());
        let mut bench = Self { gpus, settings, node, server: None, _folder: folder };
        bench.restart();
        bench
    }

    /// A new server, as after a stop.
    pub(in crate::gpu) fn restart(&mut self) {
        let _stopped = self.stop();
        let (stop, settings, node) = (StopFlag::default(), self.settings.clone(), self.node.clone());
        let flag = stop.clone();
        let (ready, when_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            serve(settings, Clock::start(), &flag, node, (|| ready.send(()).unwrap(), || {}))
        });
        when_ready.recv().unwrap();
        self.server = Some((stop, thread));
    }

    /// Stops the server, if it runs, and says how it ended.
    pub(in crate::gpu) fn stop(&mut self) -> Option<Result<(), ServerError>> {
        let (stop, thread) = self.server.take()?;
        stop.raise();
        Some(thread.join().unwrap())
    }

    /// Where clients connect.
    pub(in crate::gpu) fn socket(&self) -> PathBuf {
        self.settings.socket.clone()
    }

    /// The limit that stands on a GPU, in watts.
    pub(in crate::gpu) fn limit_watts(&self, gpu: usize) -> u32 {
        self.gpus[gpu].with(|state| state.requested_mw / 1000)
    }

    /// Sets the margin that a GPU tells.
    pub(in crate::gpu) fn set_margin(&self, gpu: usize, kelvin: f32) {
        self.gpus[gpu].with(|state| state.margin = Some(kelvin));
    }

    /// Makes calls of a GPU hang, or come back.
    pub(in crate::gpu) fn hang(&self, gpu: usize, hangs: bool) {
        self.gpus[gpu].with(|state| state.hangs = hangs);
    }
}

fn usual_settings(folder: &TempDir) -> ServerSettings {
    ServerSettings {
        sample_period_ms: 20,
        call_deadline_ms: 200,
        silence_ms: 60_000,
        guard_margin: Kelvin::new(10.0),
        ..ServerSettings::new(folder.path().join("gpu.sock"), folder.path())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _stopped = self.stop();
        // Threads left hanging end with the test.
        self.gpus.iter().for_each(|gpu| gpu.with(|state| state.hangs = false));
    }
}
