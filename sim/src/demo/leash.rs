//! The leash: a child that does not outlive the demo, however the demo ends.
//!
//! ```text
//!   demo ── fork ──► eisbach-sim leash --parent PID -- CMD …
//!                       │ prctl(PR_SET_PDEATHSIG, SIGTERM)
//!                       │ parent still PID? otherwise it died meanwhile: stop
//!                       └ exec CMD …                  the kernel keeps the promise across exec
//! ```
//!
//! The kernel watches the thread that started the child, not the process: start children from the main thread only.
//! The promise is lost where CMD gains privileges (set-user-ID, file capabilities), which the agent's binary does not.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// `eisbach-sim leash`.
#[derive(Debug, clap::Args)]
pub struct LeashArguments {
    /// Process that the command must not outlive.
    #[arg(long)]
    parent: i32,
    /// The command.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// Why there is no leash.
#[derive(Debug, thiserror::Error)]
pub enum LeashError {
    /// The system refuses.
    #[error("the kernel does not take the parent-death signal: {0}")]
    Signal(#[from] nix::Error),
    /// The parent died before the leash was on.
    #[error("process {parent} is gone; nothing is started")]
    ParentGone {
        /// The process that was to be the parent.
        parent: i32,
    },
    /// The command cannot be run.
    #[error("cannot run {}: {source}", program.display())]
    Exec {
        /// The program.
        program: OsString,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Puts this process on the leash and becomes the command. It returns only if that fails.
#[must_use]
pub fn become_command(arguments: LeashArguments) -> LeashError {
    let LeashArguments { parent, command } = arguments;
    if let Err(error) = set_pdeathsig(Signal::SIGTERM) {
        return error.into();
    }
    if getppid() != Pid::from_raw(parent) {
        return LeashError::ParentGone { parent };
    }
    let mut words = command.into_iter();
    let program = words.next().unwrap_or_default();
    let source = Command::new(&program).args(words).exec();
    LeashError::Exec { program, source }
}

/// `program` on the leash of this process, in a process group of its own, so that Ctrl-C reaches only the demo.
#[must_use]
pub(crate) fn leashed(leash: &Path, program: &Path) -> Command {
    let mut command = Command::new(leash);
    command.arg("leash").arg("--parent").arg(std::process::id().to_string()).arg("--").arg(program);
    command.process_group(0);
    command
}
