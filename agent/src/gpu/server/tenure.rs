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
//! Looking and letting go happen on threads of their own, since both may block for ever in the driver. A marker in the
//! state folder makes a process that is started meanwhile keep away too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
/// File in the state folder that says until when the driver is to be left alone, in ms since 1970.
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
    Looking { stop: StopFlag, seen: DriverState },
    Held(Hold),
    Ending { hold: Hold, since: Millis, purpose: Purpose },
    LettingGo { since: Millis, purpose: Purpose },
    Away { until: Millis },
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
        let left = marked(&marker, Clock::wall_ms());
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
        if !matches!(self.phase, Phase::Looking { .. }) {
            return false;
        }
        let ears = Ears::open(&driver, gpus, &self.common);
        let ears =
            ears.inspect_err(|error| tracing::warn!(%error, "errors of GPUs are not listened to")).ok();
        self.phase = Phase::Held(Hold { driver, ears });
        true
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
    pub(super) fn end(&mut self, purpose: Purpose, now: Millis) {
        let before = std::mem::replace(&mut self.phase, Phase::LettingGo { since: now, purpose });
        match before {
            Phase::Held(hold) => {
                hold.ears.iter().for_each(Ears::close);
                self.phase = Phase::Ending { hold, since: now, purpose };
            }
            Phase::Looking { stop, .. } => {
                stop.raise();
                self.release(None, purpose);
            }
            Phase::Away { .. } => self.release(None, purpose),
            busy @ (Phase::Ending { .. } | Phase::LettingGo { .. }) => self.phase = busy,
        }
    }

    /// Goes on holding the driver after all.
    pub(super) fn keep(&mut self, gpus: u8) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Away { until: Millis::ZERO }) {
            Phase::Ending { hold, .. } => {
                let ears = Ears::open(&hold.driver, gpus, &self.common).ok();
                Phase::Held(Hold { driver: hold.driver, ears })
            }
            other => other,
        };
    }

    /// Since when it has been ending, and why.
    pub(super) const fn ending(&self) -> Option<(Purpose, Millis)> {
        match self.phase {
            Phase::Ending { purpose, since, .. } => Some((purpose, since)),
            Phase::Looking { .. } | Phase::Held(_) | Phase::LettingGo { .. } | Phase::Away { .. } => None,
        }
    }

    /// The workers have ended: lets go once the ears have too.
    pub(super) fn let_go(&mut self) {
        let Phase::Ending { hold, since, purpose } = &self.phase else { return };
        if hold.ears.as_ref().is_some_and(|ears| !ears.are_closed()) {
            return;
        }
        let (since, purpose) = (*since, *purpose);
        if let Phase::Ending { hold, .. } =
            std::mem::replace(&mut self.phase, Phase::LettingGo { since, purpose })
        {
            self.release(Some(hold.driver), purpose);
        }
    }

    /// Lets go on a thread of its own, and leaves the marker.
    fn release(&self, driver: Option<Arc<dyn Driver>>, purpose: Purpose) {
        let (watch, events, marker) =
            (Arc::clone(&self.watch), self.common.events.clone(), self.marker.clone());
        let started = std::thread::Builder::new().name("release".to_owned()).spawn(move || {
            if let Purpose::Detach { for_ms, .. } = purpose {
                leave_marker(&marker, Clock::wall_ms() + u64::from(for_ms));
            }
            let inside = watch.enter("nvmlShutdown");
            drop(driver);
            drop(inside);
            let _gone = events.send(Event::LetGo);
        });
        if let Err(error) = started {
            tracing::error!(%error, "the driver was let go without a thread; check the limit on tasks");
        }
    }

    /// The driver is free.
    pub(super) fn is_free(&mut self, now: Millis) -> io::Result<Option<Done>> {
        let Phase::LettingGo { since, purpose } = self.phase else { return Ok(None) };
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
        std::thread::Builder::new().name("driver".to_owned()).spawn(move || {
            remove_marker(&marker);
            loop {
                let found = loader.load(&watch).map(|(driver, gpus)| Event::Loaded { driver, gpus });
                let done = found.is_ok();
                let heard = events.send(found.unwrap_or_else(Event::NoDriver));
                if done || heard.is_err() || flag.wait(LOOK_AGAIN) {
                    return;
                }
            }
        })?;
        self.phase = Phase::Looking { stop, seen: DriverState::Starting };
        Ok(())
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if let Phase::Looking { stop, .. } = &self.phase {
            stop.raise();
        }
    }
}

/// Time for which the marker keeps this process away.
fn marked(marker: &Path, wall_ms: u64) -> Millis {
    let until: Option<u64> = fs::read_to_string(marker).ok().and_then(|text| text.trim().parse().ok());
    // A clock that was set back must not keep it away for longer than anybody may ask.
    Millis::new(until.unwrap_or(0).saturating_sub(wall_ms)).min(super::handover::LONGEST)
}

fn leave_marker(marker: &Path, until_wall_ms: u64) {
    if let Err(error) = fs::write(marker, format!("{until_wall_ms}\n")) {
        tracing::warn!(%error, marker = %marker.display(), "a restart of this process would take the driver again");
    }
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

    #[test]
    fn a_marker_keeps_away_until_its_time_and_never_longer_than_anybody_may_ask() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join(MARKER);
        assert_eq!(marked(&marker, 1000), Millis::ZERO);
        leave_marker(&marker, 61_000);
        assert_eq!(marked(&marker, 1000), Millis::from_secs(60));
        assert_eq!(marked(&marker, 61_000), Millis::ZERO);
        leave_marker(&marker, u64::MAX);
        assert_eq!(marked(&marker, 0), super::super::handover::LONGEST);
        fs::write(&marker, "soon").unwrap();
        assert_eq!(marked(&marker, 0), Millis::ZERO);
        remove_marker(&marker);
        assert!(!marker.exists());
    }
}
