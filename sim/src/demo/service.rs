//! The agent's processes, looked after as systemd would.
//!
//! ```text
//!            start                ends by itself, or killed
//!   ───────────────────► [Up] ─────────────────────────────► [Down]
//!                         ▲ │                                  │ 0.5 s later
//!                         │ │ SIGTERM, patience, SIGKILL       │
//!                         │ └──────────────► [Over]            │
//!                         └────────────────────────────────────┘
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tracing::warn;

use super::leash::leashed;

/// Pause before a process that ended is started again (`RestartSec=` of the agent's units).
const RESTART_AFTER: Duration = Duration::from_millis(500);
/// A process that ends more often than this will not get better.
const MOST_RESTARTS: u32 = 20;
/// Longest time for a process to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(8);
/// Lines of the log that are shown when a process gives up.
const TAIL_LINES: usize = 12;

/// How a process is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// This program, for the leash.
    pub(crate) leash: PathBuf,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Environment besides ours.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

/// A process that is started again when it ends.
#[derive(Debug)]
pub(crate) struct Service {
    launch: Launch,
    life: Life,
    restarts: u32,
}

#[derive(Debug)]
enum Life {
    Up(Child),
    Down { again: Duration },
    Over,
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It ended.
    Ended(ExitStatus),
    /// It was started again.
    Restarted,
}

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// It cannot be started.
    #[error("cannot start {name} ({}): {source}", program.display())]
    Start {
        /// Its name.
        name: &'static str,
        /// Its program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Its state cannot be asked for.
    #[error("cannot look after {name}: {source}")]
    Watch {
        /// Its name.
        name: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ends again and again.
    #[error("{name} ended {MOST_RESTARTS} times; its last words were:\n{tail}")]
    GivenUp {
        /// Its name.
        name: &'static str,
        /// End of its log.
        tail: String,
    },
}

impl Service {
    /// Starts the process. Call it from the main thread only, see [`super::leash`].
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn start(launch: Launch) -> Result<Self, ServiceError> {
        let life = Life::Up(launch.spawn()?);
        Ok(Self { launch, life, restarts: 0 })
    }

    /// Its name in messages.
    #[must_use]
    pub(crate) const fn name(&self) -> &'static str {
        self.launch.name
    }

    /// How often it was started again.
    #[must_use]
    pub(crate) const fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Looks whether it ended, and starts it again when it is time. Main thread only.
    ///
    /// # Errors
    /// If it cannot be started, or ends again and again.
    pub(crate) fn tend(&mut self, now: Duration) -> Result<Option<Change>, ServiceError> {
        match &mut self.life {
            Life::Up(child) => {
                let ended = child.try_wait();
                let ended = ended.map_err(|source| ServiceError::Watch { name: self.launch.name, source })?;
                Ok(ended.map(|status| {
                    self.life = Life::Down { again: now + RESTART_AFTER };
                    Change::Ended(status)
                }))
            }
            Life::Down { again } if now < *again => Ok(None),
            Life::Down { .. } if self.restarts == MOST_RESTARTS => {
                Err(ServiceError::GivenUp { name: self.launch.name, tail: self.launch.tail() })
            }
            Life::Down { .. } => {
                self.life = Life::Up(self.launch.spawn()?);
                self.restarts += 1;
                Ok(Some(Change::Restarted))
            }
            Life::Over => Ok(None),
        }
    }

    /// Kills it without warning. It is started again later.
    pub(crate) fn kill(&mut self) {
        match &mut self.life {
            Life::Up(child) => {
                if let Err(error) = child.start_kill() {
                    warn!(name = self.launch.name, %error, "the process cannot be killed");
                }
            }
            Life::Down { .. } | Life::Over => {}
        }
    }

    /// Ends it for good: SIGTERM, and SIGKILL for one that does not listen.
    pub(crate) async fn stop(&mut self) {
        let Life::Up(mut child) = std::mem::replace(&mut self.life, Life::Over) else { return };
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        if pid.is_some_and(|pid| kill(Pid::from_raw(pid), Signal::SIGTERM).is_ok())
            && tokio::time::timeout(PATIENCE, child.wait()).await.is_ok()
        {
            return;
        }
        if let Err(error) = child.kill().await {
            warn!(name = self.launch.name, %error, "the process does not end");
        }
    }
}

impl Launch {
    fn spawn(&self) -> Result<Child, ServiceError> {
        let failed = |source| ServiceError::Start { name: self.name, program: self.program.clone(), source };
        let log = File::options().create(true).append(true).open(&self.log).map_err(failed)?;
        let mut command = leashed(&self.leash, &self.program);
        command.args(&self.arguments).envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
        Command::from(command).kill_on_drop(true).spawn().map_err(failed)
    }

    fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string());
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}
