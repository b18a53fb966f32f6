//! How this process comes by the driver, and how it lets go of it.
//!
//! ```text
//!            found                       detach, or the driver is gone
//!  Looking ────────► Held ─────────────────────────────────────────────► Ending
//!     ▲  ▲                                                                 │ workers and ears have ended
//!     │  └───────────── the driver was gone ──┐                            ▼
//!     └── attach, or the time is over ── Away ◄── the driver is free ── LettingGo
//! ```
//!
//! Looking and letting go happen on threads of their own, since both may block for ever in the driver: the last share
//! of a driver is never dropped on the supervisor's thread. A look that is called off is waited for before the driver
//! is said to be free. A marker in the state folder makes a process that is started meanwhile keep away too, until its
//! time is over or the node has been rebooted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use eisbach_protocol::gpu_link::DriverState;
use eisbach_protocol::units::Millis;

use super::StopFlag;
use super::driver::{Driver, DriverError, Fault, Load};
use super::ears::Ears;
use super::supervisor::{Asker, Event};
use super::watch::CallWatch;
use super::worker::Common;
use crate::clock::Clock;

/// A missing driver is looked for this often.
const LOOK_AGAIN: Duration = Duration::from_secs(3);
/// File in the state folder that says until when the driver is to be left alone, in ms since 1970, and in which boot.
const MARKER: &str = "detached-until";

/// This process and the driver.
pub(super) struct Tenure {
    common: Arc<Common>,
    loader: Arc<dyn Load>,
    watch: Arc<CallWatch>,
    marker: PathBuf,
    phase: Phase,
}

enum Phase {
    Looking {
        stop: StopFlag,
        looker: JoinHandle<()>,
        seen: DriverState,
    },
    Held(Hold),
    Ending {
        hold: Hold,
        since: Millis,
        purpose: Purpose,
    },
    LettingGo {
        since: Millis,
        purpose: Purpose,
        /// What a look found that was called off in the same moment.
        late: Option<Arc<dyn Driver>>,
    },
    Away {
        until: Millis,
    },
}

/// What is held.
struct Hold {
    driver: Arc<dyn Driver>,
    ears: Option<Ears>,
}

/// Why the driver is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody asked, for so long.
    Detach { by: Asker, for_ms: u32 },
    /// It is gone: a new one has to be looked for.
    Reload,
}

/// What has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) purpose: Purpose,
    pub(super) took: Millis,
}

impl Tenure {
    /// Looks for the driver at once, unless the marker says to keep away.
    pub(super) fn start(common: Arc<Common>, loader: Arc<dyn Load>, state_dir: &Path) -> io::Result<Self> {
        let marker = state_dir.join(MARKER);
        let now = common.clock.now();
        let left = marked(&marker, Clock::wall_ms(), &boot());
        let watch = Arc::new(CallWatch::new(common.clock));
        let phase = Phase::Away { until: now + left };
        let mut tenure = Self { common, loader, watch, marker, phase };
        if left == Millis::ZERO {
            tenure.look()?;
        } else {
            tracing::warn!(left_s = left.get() / 1000, "detached: the driver is left alone");
        }
        Ok(tenure)
    }

    /// State of the driver, for the agent.
    pub(super) fn state(&self, now: Millis, deadline: Millis) -> DriverState {
        let hangs = self.watch.stuck(now, deadline).is_some();
        match &self.phase {
            Phase::Looking { .. } | Phase::LettingGo { .. } if hangs => DriverState::Hanging,
            Phase::Looking { seen, .. } => *seen,
            Phase::Held(_) | Phase::Ending { .. } | Phase::LettingGo { .. } => DriverState::Ready,
            Phase::Away { .. } => DriverState::Detached,
        }
    }

    /// The driver's version; empty while there is none.
    pub(super) fn version(&self) -> heapless::String<32> {
        match &self.phase {
            Phase::Held(hold) | Phase::Ending { hold, .. } => hold.driver.version(),
            Phase::Looking { .. } | Phase::LettingGo { .. } | Phase::Away { .. } => heapless::String::new(),
        }
    }

    /// Time until the driver is looked for by itself.
    pub(super) fn away_left(&self, now: Millis) -> Millis {
        match self.phase {
            Phase::Away { until } => until.since(now),
            Phase::Looking { .. } | Phase::Held(_) | Phase::Ending { .. } | Phase::LettingGo { .. } => {
                Millis::ZERO
            }
        }
    }

    /// Whether workers may use the driver.
    pub(super) const fn is_held(&self) -> bool {
        matches!(self.phase, Phase::Held(_))
    }

    /// The driver that workers may use.
    pub(super) const fn driver(&self) -> Option<&Arc<dyn Driver>> {
        match &self.phase {
            Phase::Held(hold) => Some(&hold.driver),
            Phase::Looking { .. } | Phase::Ending { .. } | Phase::LettingGo { .. } | Phase::Away { .. } => {
                None
            }
        }
    }

    /// Whether the driver is being let go.
    pub(super) const fn is_on_its_way_out(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. } | Phase::LettingGo { .. })
    }

    /// Whether the driver was let go.
    pub(super) const fn is_away(&self) -> bool {
        matches!(self.phase, Phase::Away { .. })
    }

    /// The call in which looking or letting go is stuck, if it is.
    pub(super) fn stuck(&self, now: Millis, deadline: Millis) -> Option<&'static str> {
        self.watch.stuck(now, deadline)
    }

    /// A driver was found. A look that was called off meanwhile brings nothing.
    pub(super) fn found(&mut self, driver: Arc<dyn Driver>, gpus: u8) -> bool {
        match &mut self.phase {
            Phase::Looking { .. } => {
                let ears = Ears::open(&driver, gpus, &self.common);
                let ears = ears
                    .inspect_err(|error| tracing::warn!(%error, "errors of GPUs are not listened to"))
                    .ok();
                self.phase = Phase::Held(Hold { driver, ears });
                true
            }
            Phase::LettingGo { late, .. } => {
                *late = Some(driver);
                false
            }
            // Every look ends before its phase does.
            Phase::Held(_) | Phase::Ending { .. } | Phase::Away { .. } => false,
        }
    }

    /// There was no driver. Returns whether that is news.
    pub(super) fn not_found(&mut self, error: &DriverError) -> bool {
        let now = if error.fault == Fault::Replaced { DriverState::Mismatch } else { DriverState::Absent };
        match &mut self.phase {
            Phase::Looking { seen, .. } => std::mem::replace(seen, now) != now,
            Phase::Held(_) | Phase::Ending { .. } | Phase::LettingGo { .. } | Phase::Away { .. } => false,
        }
    }

    /// Begins to let go: the workers have been told to end. Where nothing is held, the look is called off.
    pub(super) fn end(&mut self, purpose: Purpose, now: Millis) -> io::Result<()> {
        let letting_go = Phase::LettingGo { since: now, purpose, late: None };
        match std::mem::replace(&mut self.phase, letting_go) {
            Phase::Held(hold) => {
                hold.ears.iter().for_each(Ears::close);
                self.phase = Phase::Ending { hold, since: now, purpose };
                Ok(())
            }
            Phase::Looking { stop, looker, .. } => {
                stop.raise();
                self.release(None, Some(looker), purpose)
            }
            Phase::Away { .. } => self.release(None, None, purpose),
            busy @ (Phase::Ending { .. } | Phase::LettingGo { .. }) => {
                self.phase = busy;
                Ok(())
            }
        }
    }

    /// Goes on holding the driver after all.
    pub(super) fn keep(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Away { until: Millis::ZERO }) {
            Phase::Ending { hold, .. } => Phase::Held(hold),
            other => other,
        };
    }

    /// Listens again once ears have closed that were told to, though the driver is held after all. Ears that are stuck in
    /// the driver stay the only ones: whoever lets go must wait for them.
    pub(super) fn listen_again(&mut self, gpus: u8) {
        if let Phase::Held(Hold { driver, ears }) = &mut self.phase
            && ears.as_ref().is_some_and(Ears::have_closed_as_told)
        {
            *ears = Ears::open(driver, gpus, &self.common).ok();
        }
    }

    /// Since when it has been ending, and why.
    pub(super) const fn ending(&self) -> Option<(Purpose, Millis)> {
        match self.phase {
            Phase::Ending { purpose, since, .. } => Some((purpose, since)),
            Phase::Looking { .. } | Phase::Held(_) | Phase::LettingGo { .. } | Phase::Away { .. } => None,
        }
    }

    /// The workers have ended: lets go once the ears have too.
    pub(super) fn let_go(&mut self) -> io::Result<()> {
        let Phase::Ending { hold, since, purpose } = &self.phase else { return Ok(()) };
        if hold.ears.as_ref().is_some_and(|ears| !ears.are_closed()) {
            return Ok(());
        }
        let letting_go = Phase::LettingGo { since: *since, purpose: *purpose, late: None };
        match std::mem::replace(&mut self.phase, letting_go) {
            Phase::Ending { hold, purpose, .. } => self.release(Some(hold.driver), None, purpose),
            Phase::Looking { .. } | Phase::Held(_) | Phase::LettingGo { .. } | Phase::Away { .. } => Ok(()),
        }
    }

    /// Lets go on a thread of its own, once a look that was called off has ended, and leaves the marker.
    fn release(
        &self,
        driver: Option<Arc<dyn Driver>>,
        looker: Option<JoinHandle<()>>,
        purpose: Purpose,
    ) -> io::Result<()> {
        let (watch, events, marker) =
            (Arc::clone(&self.watch), self.common.events.clone(), self.marker.clone());
        std::thread::Builder::new().name("release".to_owned()).spawn(move || {
            if let Some(looker) = looker {
                // One that panicked has ended too.
                let _ended = looker.join();
            }
            if let Purpose::Detach { for_ms, .. } = purpose {
                leave_marker(&marker, Clock::wall_ms() + u64::from(for_ms), &boot());
            }
            let inside = watch.enter("nvmlShutdown");
            drop(driver);
            drop(inside);
            let _gone = events.send(Event::LetGo);
        })?;
        Ok(())
    }

    /// The driver is free, unless a look has brought another share of it at the last moment.
    pub(super) fn is_free(&mut self, now: Millis) -> io::Result<Option<Done>> {
        let Phase::LettingGo { since, purpose, late } = &mut self.phase else { return Ok(None) };
        let (since, purpose) = (*since, *purpose);
        if let Some(driver) = late.take() {
            self.release(Some(driver), None, purpose)?;
            return Ok(None);
        }
        match purpose {
            Purpose::Detach { for_ms, .. } => {
                self.phase = Phase::Away { until: now + Millis::new(for_ms.into()) };
            }
            Purpose::Reload => self.look()?,
        }
        Ok(Some(Done { purpose, took: now.since(since) }))
    }

    /// Looks for the driver until it is found, on a thread of its own.
    pub(super) fn look(&mut self) -> io::Result<()> {
        let stop = StopFlag::default();
        let (loader, events, watch) =
            (Arc::clone(&self.loader), self.common.events.clone(), Arc::clone(&self.watch));
        let (flag, marker) = (stop.clone(), self.marker.clone());
        let looker = std::thread::Builder::new().name("driver".to_owned()).spawn(move || {
            remove_marker(&marker);
            while !flag.is_raised() {
                let found = loader.load(&watch).map(|(driver, gpus)| Event::Loaded { driver, gpus });
                if flag.is_raised() {
                    // Called off: what was found is let go here, which may take its time.
                    let _inside = watch.enter("nvmlShutdown");
                    return drop(found);
                }
                let done = found.is_ok();
                let heard = events.send(found.unwrap_or_else(Event::NoDriver));
                if done || heard.is_err() || flag.wait(LOOK_AGAIN) {
                    return;
                }
            }
        })?;
        self.phase = Phase::Looking { stop, looker, seen: DriverState::Starting };
        Ok(())
    }
}

impl Drop for Tenure {
    /// The process ends, and whatever it has open with it: a sick driver must not hold that up.
    fn drop(&mut self) {
        match std::mem::replace(&mut self.phase, Phase::Away { until: Millis::ZERO }) {
            Phase::Looking { stop, .. } => stop.raise(),
            Phase::Held(hold) | Phase::Ending { hold, .. } => std::mem::forget(hold.driver),
            Phase::LettingGo { late, .. } => std::mem::forget(late),
            Phase::Away { .. } => {}
        }
    }
}

/// Time for which the marker keeps this process away. One of another boot is void: the node runs again, and with it
/// perhaps its work.
fn marked(marker: &Path, wall_ms: u64, boot: &str) -> Millis {
    let text = fs::read_to_string(marker).unwrap_or_default();
    let mut words = text.split_whitespace();
    let until: Option<u64> = words.next().and_then(|word| word.parse().ok());
    if words.next() != Some(boot) {
        return Millis::ZERO;
    }
    // A clock that was set back must not keep it away for longer than anybody may ask.
    Millis::new(until.unwrap_or(0).saturating_sub(wall_ms)).min(super::handover::LONGEST)
}

fn leave_marker(marker: &Path, until_wall_ms: u64, boot: &str) {
    if let Err(error) = fs::write(marker, format!("{until_wall_ms} {boot}\n")) {
        tracing::warn!(%error, marker = %marker.display(), "a restart of this process would take the driver again");
    }
}

/// What names this boot of the node.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned())
}

fn remove_marker(marker: &Path) {
    if let Err(error) = fs::remove_file(marker)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, marker = %marker.display(), "a restart of this process would leave the driver alone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: &str = "0d5a6bd5-8c1f-4a4c-9d1c-1c3c1f0a2b11";

    #[test]
    fn a_marker_keeps_away_until_its_time_and_never_longer_than_anybody_may_ask() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join(MARKER);
        assert_eq!(marked(&marker, 1000, BOOT), Millis::ZERO);
        leave_marker(&marker, 61_000, BOOT);
        assert_eq!(marked(&marker, 1000, BOOT), Millis::from_secs(60));
        assert_eq!(marked(&marker, 61_000, BOOT), Millis::ZERO);
        leave_marker(&marker, u64::MAX, BOOT);
        assert_eq!(marked(&marker, 0, BOOT), super::super::handover::LONGEST);
        fs::write(&marker, "soon").unwrap();
        assert_eq!(marked(&marker, 0, BOOT), Millis::ZERO);
        remove_marker(&marker);
        assert!(!marker.exists());
    }

    #[test]
    fn a_marker_from_before_a_reboot_keeps_nobody_away() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join(MARKER);
        leave_marker(&marker, 61_000, BOOT);
        assert_eq!(marked(&marker, 1000, "another"), Millis::ZERO);
    }
}
