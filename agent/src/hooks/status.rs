//! What is known about each hook, small enough to be copied every cycle.

use std::fmt::{self, Display, Formatter};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use eisbach_protocol::units::Millis;

/// A hook of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// No new work for this node.
    Drain,
    /// Work again.
    Undrain,
    /// The jobs stand still.
    Freeze,
    /// They go on.
    Thaw,
    /// The node is to be stopped.
    Stop,
}

impl Hook {
    /// Number of hooks.
    pub const COUNT: usize = Self::ALL.len();
    /// Every hook, in the order of every list.
    pub const ALL: [Self; 5] = [Self::Drain, Self::Undrain, Self::Freeze, Self::Thaw, Self::Stop];

    /// Section of the configuration and name in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Undrain => "undrain",
            Self::Freeze => "freeze",
            Self::Thaw => "thaw",
            Self::Stop => "stop",
        }
    }
}

/// Where a hook stands in its episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookState {
    /// Nothing is asked of it.
    #[default]
    Idle,
    /// Its process runs.
    Running,
    /// It has done what it should.
    Done,
    /// It has failed as often as it may in one episode.
    Failed,
    /// It is to run as soon as its shortest interval is over.
    Waiting,
}

impl HookState {
    /// One stable word for the status document and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }
}

/// How a hook's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With exit code 0.
    Success,
    /// With another exit code.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// By us, since it was not over in time.
    Timeout(Duration),
    /// By us, since the agent stops.
    Stopped,
    /// It could not be started.
    NotStarted(ErrorKind),
}

impl Display for Ending {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success => f.write_str("exit code 0"),
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => write!(f, "ended by signal {number}"),
            Self::Timeout(limit) => write!(f, "not over after {} ms, ended", limit.as_millis()),
            Self::Stopped => f.write_str("ended with the agent"),
            Self::NotStarted(kind) => write!(f, "cannot be started: {kind}"),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(0), _) => Self::Success,
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// What became of a hook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookStatus {
    /// Where it stands.
    pub state: HookState,
    /// Since when.
    pub since: Millis,
    /// Times it was started.
    pub runs: u32,
    /// Times it failed.
    pub failures: u32,
    /// It failed last time, and what it is for is still to be done.
    pub failing: bool,
    /// How its last run ended.
    pub last_exit: Option<Ending>,
    /// Why it was last run.
    pub last_reason: Option<&'static str>,
}
