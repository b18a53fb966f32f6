//! One process of a hook, from start to end. It never outlives its time, and neither does anything in its group.
//!
//! ```text
//!   start ──► ends by itself ────────────────────────────────┐
//!     │                                                      ▼
//!     └─────► time is over, or the agent stops ──► SIGTERM ──► grace ──► SIGKILL to the group ──► reaped
//! ```
//!
//! Signals go to the whole group, and only while its leader is not yet reaped: until then nobody else can have its
//! number.

use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::output::Tail;
use super::status::{Ending, Hook};

/// How often a process is looked at. Its end must be seen before it is reaped, which no event says.
const LOOK: Duration = Duration::from_millis(20);
/// From SIGTERM to SIGKILL; within the time that links have to end.
const GRACE: Duration = Duration::from_secs(1);
/// A process that SIGKILL does not end hangs in the kernel; it is no longer waited for, and reaped when it ends.
const KILLED: Duration = Duration::from_millis(500);
/// Output that is still on its way when the process has ended.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What is to be run.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) hook: Hook,
    /// Program and arguments.
    pub(super) command: Vec<String>,
    pub(super) timeout: Duration,
    pub(super) node: String,
    pub(super) reason: &'static str,
}

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) ending: Ending,
    /// The end of its standard output and error.
    pub(super) output: String,
    pub(super) errors: String,
}

impl Ended {
    const fn not_started(kind: std::io::ErrorKind) -> Self {
        Self { ending: Ending::NotStarted(kind), output: String::new(), errors: String::new() }
    }
}

/// Runs the order to its end.
pub(super) async fn run(order: Order, token: CancellationToken) -> Ended {
    let mut child = match start(&order) {
        Ok(child) => child,
        Err(error) => return Ended::not_started(error.kind()),
    };
    let Some(leader) = child.id().and_then(|id| i32::try_from(id).ok()) else {
        return Ended::not_started(std::io::ErrorKind::Other);
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut output, mut errors) = (Tail::default(), Tail::default());
    let over = CancellationToken::new();
    let ending = async {
        let group = Group { leader: Pid::from_raw(leader), reaped: false };
        let ending = to_its_end(&mut child, group, order.timeout, &token).await;
        over.cancel();
        ending
    };
    let listening = async {
        tokio::select! {
            _both_ended = async { tokio::join!(output.fill(out), errors.fill(err)) } => {}
            // Whoever has left the group may hold the pipes for ever.
            () = async { over.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => {}
        }
    };
    let (ending, ()) = tokio::join!(ending, listening);
    Ended { ending, output: output.text(), errors: errors.text() }
}

fn start(order: &Order) -> std::io::Result<Child> {
    let mut words = order.command.iter();
    let program = words.next().ok_or(std::io::ErrorKind::InvalidInput)?;
    Command::new(program)
        .args(words)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("EISBACH_NODE", &order.node)
        .env("EISBACH_HOOK", order.hook.as_str())
        .env("EISBACH_REASON", order.reason)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Waits for the end and brings it about where it does not come by itself.
async fn to_its_end(
    child: &mut Child,
    mut group: Group,
    timeout: Duration,
    token: &CancellationToken,
) -> Ending {
    let ours = tokio::select! {
        biased;
        () = group.leader_ended() => None,
        () = token.cancelled() => Some(Ending::Stopped),
        () = tokio::time::sleep(timeout) => Some(Ending::Timeout(timeout)),
    };
    if ours.is_some() {
        group.signal(Signal::SIGTERM);
        let _by_itself = tokio::time::timeout(GRACE, group.leader_ended()).await;
    }
    // What is left of the group, the leader too.
    group.signal(Signal::SIGKILL);
    group.reaped = true;
    let reaped = tokio::time::timeout(KILLED, child.wait()).await;
    ours.unwrap_or_else(|| match reaped {
        Ok(Ok(status)) => status.into(),
        Ok(Err(_)) | Err(_) => Ending::Timeout(timeout),
    })
}

/// A process group of ours. Whatever happens to the task that watches it, it ends.
struct Group {
    leader: Pid,
    /// From here on its number may be anybody's.
    reaped: bool,
}

impl Group {
    /// Returns when the leader has ended; it is not yet reaped then.
    async fn leader_ended(&self) {
        let mut look = tokio::time::interval(LOOK);
        loop {
            look.tick().await;
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
            match waitid(Id::Pid(self.leader), flags) {
                Ok(WaitStatus::StillAlive) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    fn signal(&self, signal: Signal) {
        // None left is what we want.
        let _gone = killpg(self.leader, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.reaped {
            self.signal(Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests;
