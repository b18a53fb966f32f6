//! The service manager: readiness, watchdog, reload and stop, by `sd_notify`.
//!
//! ```text
//!   start ── first cycle that is not Boot, or 10 s ──► READY ── each completed cycle ──► WATCHDOG
//!   SIGHUP ──► RELOADING … READY          SIGTERM ──► STOPPING
//! ```
//!
//! Without a service manager all of it does nothing.

use eisbach_control::StateName;
use sd_notify::NotifyState;
use tracing::warn;

/// Cycles after which the service counts as ready even in Boot: it is cooling with all it has.
const READY_AT_LATEST: u32 = 100;

/// The way to the service manager.
#[derive(Debug, Default)]
pub struct Manager {
    cycles: u32,
    ready: bool,
    failed: bool,
}

impl Manager {
    /// A cycle has been completed: the only thing that feeds the watchdog.
    pub fn completed(&mut self, state: StateName) {
        self.cycles = self.cycles.saturating_add(1);
        if !self.ready && (state != StateName::Boot || self.cycles >= READY_AT_LATEST) {
            self.ready = true;
            self.notify(&[NotifyState::Ready, NotifyState::Status("controlling")]);
        }
        // Once a second: the watchdog's period is some seconds, and a send to the service manager can block.
        if self.cycles.is_multiple_of(10) {
            self.notify(&[NotifyState::Watchdog]);
        }
    }

    /// The configuration is being read again.
    pub fn reloading(&mut self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.notify(&[NotifyState::Reloading, now]),
            Err(error) => warn!(%error, "the monotonic clock cannot be read; reload is not announced"),
        }
    }

    /// The reload is over, either way.
    pub fn reloaded(&mut self) {
        self.notify(&[NotifyState::Ready]);
    }

    /// The service is going down in good order.
    pub fn stopping(&mut self) {
        self.notify(&[NotifyState::Stopping]);
    }

    /// The GPU process is ready to serve.
    pub fn ready(&mut self) {
        self.ready = true;
        self.notify(&[NotifyState::Ready]);
    }

    /// The GPU process has been round its workers.
    pub fn alive(&mut self) {
        self.cycles = self.cycles.saturating_add(1);
        if self.cycles.is_multiple_of(10) || self.cycles == 1 {
            self.notify(&[NotifyState::Watchdog]);
        }
    }

    fn notify(&mut self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states) {
            if !self.failed {
                warn!(%error, "the service manager cannot be reached; it may restart this service");
            }
            self.failed = true;
        }
    }
}
