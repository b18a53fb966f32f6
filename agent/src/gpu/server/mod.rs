//! `eisbach-agent gpu`: the privileged process that owns NVML and has no network.
//!
//! ```text
//!                     ┌──────────────── supervisor (one loop, never waits) ─────────────┐
//!   agent ◄─ socket ─►│                                                                 │
//!                     └──▲───────────────▲──────────────▲─────────────▲──────────────▲──┘
//!                        │ slot          │ slot         │ events      │ found, free  │ pulse of the agent
//!                     worker 0 …      worker n        ears         tenure            │
//!                       read, guard, limits ◄────────────────────────────────────────┘
//!                        │
//!                     driver (NVML)       journal (its own thread)
//! ```
//!
//! Threads, not tasks: every one of them may block for ever except the supervisor, and a stuck one must cost
//! nothing but itself. The process ends by returning from `main`; stuck threads are not joined.

mod driver;
mod ears;
mod errors;
mod guard;
mod handover;
mod journal;
mod limits;
mod nvml;
mod plan;
mod plausible;
mod pulse;
mod seat;
mod slot;
mod socket;
mod supervisor;
mod tenure;
mod watch;
mod worker;

#[cfg(test)]
pub(in crate::gpu) mod bench;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use eisbach_protocol::units::{Kelvin, Millis};

use self::driver::Load;
use self::errors::ErrorBoard;
use self::guard::Rules;
use self::journal::{Journal, Scribe};
use self::nvml::NvmlLoader;
use self::pulse::Pulse;
use self::socket::Listener;
use self::supervisor::Supervisor;
use self::tenure::Tenure;
use self::worker::Common;
use crate::clock::Clock;
use crate::gpu::lock;

/// Faster sampling than this is a mistake in the settings and would only load the driver.
const SHORTEST_PERIOD: Millis = Millis::new(10);
/// Room for a burst from sixteen workers and a client; who finds it full waits a moment for the supervisor.
const EVENTS: usize = 256;

/// How the GPU process runs.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Path of the Unix socket. Its folder exists; the socket's group is this process's group.
    pub socket: PathBuf,
    /// NVML library; without one, `libnvidia-ml.so.1` wherever the loader finds it.
    pub library: Option<PathBuf>,
    /// Time from one batch of readings to the next. Data-centre drivers refresh every 100 ms; faster is futile.
    pub sample_period_ms: u64,
    /// A driver call that takes longer is stuck. Sound ones take 50 µs to some 20 ms.
    pub call_deadline_ms: u64,
    /// Folder of the journal of limits. It outlives a reboot: what was held is asked for again until cooling is proven.
    pub state_dir: PathBuf,
    /// The only user that may connect; without one, whoever the socket's mode lets in.
    pub allowed_uid: Option<u32>,
    /// An agent that has not completed a cycle for this long is silent.
    pub silence_ms: u64,
    /// While the agent is silent, a GPU with less margin than this is lowered.
    pub guard_margin: Kelvin,
}

impl ServerSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>, state_dir: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            library: None,
            sample_period_ms: 200,
            call_deadline_ms: 1000,
            state_dir: state_dir.into(),
            allowed_uid: None,
            silence_ms: 3000,
            guard_margin: Kelvin::new(10.0),
        }
    }
}

/// Why the GPU process cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The socket could not be made.
    #[error("cannot listen on {path}, check that its folder exists and is ours: {source}")]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start thread {name}, check the limit on tasks: {source}")]
    Thread {
        /// Which.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The driver was replaced while this process had its old library loaded.
    #[error("the NVIDIA driver was replaced under this process: start it anew to load the new library")]
    DriverReplaced,
    /// The driver went away while a GPU hung in it.
    #[error("the NVIDIA driver went away while a GPU hangs in it: only a new process can look for it again")]
    DriverGone,
}

/// Ends [`run`] from another thread.
#[derive(Clone, Debug, Default)]
pub struct StopFlag {
    shared: Arc<(Mutex<bool>, Condvar)>,
}

impl StopFlag {
    /// Asks [`run`] to end. Not for use inside a signal handler.
    pub fn raise(&self) {
        *lock(&self.shared.0) = true;
        self.shared.1.notify_all();
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *lock(&self.shared.0)
    }

    /// Waits until it is raised, at most for `limit`, and says whether it is.
    #[must_use]
    pub fn wait(&self, limit: Duration) -> bool {
        let (raised, bell) = &*self.shared;
        let waited = bell.wait_timeout_while(lock(raised), limit, |raised| !*raised);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Serves the GPUs of this node until `stop` is raised. Calls `ready` once, when clients may connect, and `alive` each
/// time the supervisor has been round all workers: a hung worker does not stop that, a hung supervisor does.
///
/// Returns within some 100 ms even when GPUs hang, and within `call_deadline_ms` when limits are given back.
/// Threads stuck in the driver live on: end the process without joining them.
///
/// # Errors
/// If the socket or a thread cannot be made, or the driver was replaced and only a new process can load it.
pub fn run(
    settings: ServerSettings,
    clock: Clock,
    stop: &StopFlag,
    ready: impl FnOnce(),
    alive: impl FnMut(),
) -> Result<(), ServerError> {
    let loader = NvmlLoader::new(settings.library.clone());
    serve(settings, clock, stop, loader, (ready, alive))
}

/// [`run`], on any driver.
fn serve(
    settings: ServerSettings,
    clock: Clock,
    stop: &StopFlag,
    loader: impl Load,
    (ready, alive): (impl FnOnce(), impl FnMut()),
) -> Result<(), ServerError> {
    let listener = Listener::bind(&settings.socket, settings.allowed_uid)
        .map_err(|source| ServerError::Listen { path: settings.socket, source })?;
    let scribe = Scribe::start(Journal::new(&settings.state_dir))
        .map_err(|source| ServerError::Thread { name: "journal", source })?;
    let (events, queue) = sync_channel(EVENTS);
    let silence = Millis::new(settings.silence_ms);
    let common = Arc::new(Common {
        clock,
        period: Millis::new(settings.sample_period_ms).max(SHORTEST_PERIOD),
        rules: Rules { silence, margin: settings.guard_margin },
        pulse: Pulse::new(clock.now(), silence),
        scribe,
        permitted: AtomicBool::new(true),
        errors: ErrorBoard::default(),
        events,
    });
    let tenure = Tenure::start(Arc::clone(&common), Arc::new(loader), &settings.state_dir)
        .map_err(|source| ServerError::Thread { name: "driver", source })?;
    let call_deadline = Millis::new(settings.call_deadline_ms);
    let supervisor = Supervisor::new(common, call_deadline, queue, listener, tenure);
    ready();
    supervisor.run(stop, alive)
}
