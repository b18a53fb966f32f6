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
/// A life shorter than this is a failed start.
const SHORT_LIFE: Duration = Duration::from_secs(2);
/// After so many failed starts one after the other the next will not do better (`StartLimitBurst=` of systemd).
const MOST_FAILED_STARTS: u32 = 5;
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
    born: Duration,
    failed_starts: u32,
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
    #[error("{name} cannot be kept running; its last words were:\n{tail}")]
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
    pub(crate) fn start(launch: Launch, now: Duration) -> Result<Self, ServiceError> {
        let life = Life::Up(launch.spawn()?);
        Ok(Self { launch, life, born: now, failed_starts: 0, restarts: 0 })
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
                    self.failed_starts =
                        if now < self.born + SHORT_LIFE { self.failed_starts + 1 } else { 0 };
                    self.life = Life::Down { again: now + RESTART_AFTER };
                    Change::Ended(status)
                }))
            }
            Life::Down { again } if now < *again => Ok(None),
            Life::Down { .. } if self.failed_starts >= MOST_FAILED_STARTS => {
                Err(ServiceError::GivenUp { name: self.launch.name, tail: self.launch.tail() })
            }
            Life::Down { .. } => {
                self.life = Life::Up(self.launch.spawn()?);
                self.born = now;
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
        if text.is_empty() {
            return "(none)".to_owned();
        }
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(TAIL_LINES);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sh -c script`, on a leash of paper.
    fn launch(script: &str, folder: &std::path::Path) -> Launch {
        let leash = folder.join("leash");
        std::fs::write(&leash, "#!/bin/sh\nshift 4\nexec \"$@\"\n").unwrap();
        std::fs::set_permissions(&leash, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Launch {
            name: "test",
            leash,
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("WORD".into(), "hello".into())],
            log: folder.join("log"),
        }
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    async fn ended(service: &mut Service, now: Duration) {
        while service.tend(now).unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_ends_is_started_again_after_a_pause() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Service::start(launch("echo $WORD", folder.path()), s(0)).unwrap();
        ended(&mut service, s(10)).await;
        assert_eq!(service.tend(s(10)).unwrap(), None);
        assert_eq!(service.tend(s(11)).unwrap(), Some(Change::Restarted));
        assert_eq!(service.restarts(), 1);
        assert_eq!(std::fs::read_to_string(folder.path().join("log")).unwrap().lines().next(), Some("hello"));
        service.stop().await;
        assert_eq!(service.tend(s(20)).unwrap(), None, "and then it is over");
    }

    #[tokio::test]
    async fn what_cannot_be_kept_running_is_given_up_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Service::start(launch("echo no such file; exit 1", folder.path()), s(0)).unwrap();
        for start in 1..=5 {
            ended(&mut service, s(start)).await;
            if start < 5 {
                assert_eq!(service.tend(s(start + 1)).unwrap(), Some(Change::Restarted));
            }
        }
        let error = service.tend(s(100)).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }

    #[tokio::test]
    async fn long_lives_are_restarted_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Service::start(launch("exit 1", folder.path()), s(0)).unwrap();
        for life in 1..=20 {
            ended(&mut service, s(10 * life)).await;
            assert_eq!(service.tend(s(10 * life + 1)).unwrap(), Some(Change::Restarted));
        }
        service.stop().await;
    }

    #[tokio::test]
    async fn stopping_is_polite() {
        let folder = tempfile::tempdir().unwrap();
        let script = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done";
        let mut service = Service::start(launch(script, folder.path()), s(0)).unwrap();
        let log = folder.path().join("log");
        while !std::fs::read_to_string(&log).unwrap().contains("up") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        service.stop().await;
        assert!(std::fs::read_to_string(&log).unwrap().contains("bye"));
    }
}
