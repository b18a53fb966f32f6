//! Hooks: programs that ask for help outside the node, each only if the configuration names one.
//!
//! ```text
//!   cycle ── Wanted (latest value) ──► task ──► episodes: drain, freeze, stop ──► one process each
//!     ▲                                 │                                            │ exit, last words
//!     └──────── HookStatus ◄────────────┴────────────────────────────────────────────┘
//! ```
//!
//! A hook runs when its wish begins, or ends, and not while it lasts. The cycle hands over what it wants and reads what
//! became of it; it never waits. Processes, retries and output are bounded.

mod episode;
mod output;
mod process;
mod record;
mod status;
mod task;

use std::path::PathBuf;

use eisbach_protocol::units::Millis;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use status::{Ending, Hook, HookState, HookStatus};

use crate::clock::Clock;
use crate::config::HooksConfig;

/// What the controller wants from outside the node, each with its reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// No new work for this node.
    pub drain: Option<&'static str>,
    /// The jobs stand still.
    pub freeze: Option<&'static str>,
    /// The node is to be stopped.
    pub stop: Option<&'static str>,
    /// Ordinary operation: nothing is amiss that an earlier run of the agent may have asked for help with.
    pub well: bool,
}

/// What the hooks need to know.
#[derive(Clone, Debug)]
pub struct HookSettings {
    /// The programs.
    pub hooks: HooksConfig,
    /// Name of the node, for the programs.
    pub node: String,
    /// Where the record of what is in effect lies.
    pub state: PathBuf,
}

/// What is wanted, and since when.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    wanted: Wanted,
    since: Millis,
}

/// The cycle's side of the hooks.
#[derive(Debug)]
pub struct Hooks {
    wish: watch::Sender<Wish>,
    status: watch::Receiver<[HookStatus; Hook::COUNT]>,
}

impl Hooks {
    /// Starts the task that runs the hooks; it ends with `token`, and what it runs ends with it.
    pub fn start(
        tasks: &mut JoinSet<()>,
        settings: HookSettings,
        clock: Clock,
        token: CancellationToken,
    ) -> Self {
        let (wish, wishes) = watch::channel(Wish::default());
        let (told, status) = watch::channel([HookStatus::default(); Hook::COUNT]);
        tasks.spawn(task::run(settings, wishes, told, clock, token));
        Self { wish, status }
    }

    /// Hands over what is wanted now. Never waits; what has not changed costs nothing.
    pub fn want(&self, wanted: Wanted, now: Millis) {
        self.wish.send_if_modified(|wish| {
            let changed = wish.wanted != wanted;
            if changed {
                *wish = Wish { wanted, since: now };
            }
            changed
        });
    }

    /// What became of each hook, in the order of [`Hook::ALL`].
    #[must_use]
    pub fn status(&self) -> [HookStatus; Hook::COUNT] {
        *self.status.borrow()
    }

    /// Whether a hook has failed and has not yet done since what it should.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.status.borrow().iter().any(|hook| hook.failing)
    }
}
