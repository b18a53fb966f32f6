//! The agent's end of the GPU link: one task that keeps connected, and cells that the cycle reads and writes.
//!
//! ```text
//!   cycle ── throttle, beat ──► latest wins ──► task ──► GPU process
//!   cycle ◄── view ──────────── latest value ◄── task ◄── Hello, Sample, Outcome, Event, CallStat
//!   person ── hand over ──────► one at a time ─► task ──► GPU process ──► HandedOver ──► person
//!
//!            ┌──────────────── connected, nothing heard yet ─────┐
//!   Down ────┤ at once, then after 100 ms … 1 s                  ├── Hello ──► Up
//!    ▲       └───────────────────────────────────────────────────┘             │
//!    └── closed, malformed, silent for 3 s, not reading ◄──────────────────────┘
//! ```
//!
//! No method waits. After a reconnect the latest request of each GPU is sent again, since the GPU process may be
//! a new one. A beat is never sent again: it stands for a cycle completed just now.

mod cells;
mod conversation;
#[cfg(test)]
mod tests;
mod view;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use eisbach_protocol::gpu_link::{Beat, CallStat, Detach, DriverState, HandedOver, MAX_GPUS, Throttle};
use eisbach_protocol::units::{Megahertz, Millis, Quantity, Watts};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::cells::{HandOverInHand, Sent, Shared};
use self::conversation::keep_connected;
pub(crate) use self::view::GPU_LINK_GONE;
pub use self::view::{GpuEntry, GpuRequest, GpuView, LinkCounters, LinkState};
use super::lock;
use crate::clock::Clock;

/// How the link behaves.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// Path of the GPU process's socket.
    pub socket: PathBuf,
    /// Wait before the second attempt to connect; the first is made at once. Doubles from attempt to attempt.
    pub first_retry_ms: u64,
    /// Longest wait between attempts.
    pub longest_retry_ms: u64,
    /// A GPU process that says nothing for so long is gone. It speaks at least once a second.
    pub silence_ms: u64,
}

impl ClientSettings {
    /// The usual settings.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), first_retry_ms: 100, longest_retry_ms: 1000, silence_ms: 3000 }
    }
}

/// What a person asks of the GPU process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOverWish {
    /// Let go of the driver.
    Detach(Detach),
    /// Take it again.
    Attach,
}

/// Why a wish was not even heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// There is no connection.
    #[error("the GPU process cannot be reached; see eisbach-gpu.service")]
    LinkDown,
    /// Somebody else's wish is under way.
    #[error("another detach or attach is under way; try again when it has ended")]
    Busy,
    /// The connection went while it was under way.
    #[error("the GPU process went away meanwhile; see eisbach-gpu.service")]
    Lost,
}

/// Handle of the link. Copies share it.
#[derive(Clone, Debug)]
pub struct GpuLink {
    shared: Arc<Shared>,
}

impl GpuLink {
    /// Starts the task that keeps the link. When `token` is cancelled it still sends what is waiting, such as a
    /// beat that says farewell, and ends.
    pub fn spawn(
        tasks: &mut JoinSet<()>,
        settings: ClientSettings,
        clock: Clock,
        token: CancellationToken,
    ) -> Self {
        let shared = Arc::new(Shared { clock, cells: Mutex::default(), outgoing: Notify::new() });
        tasks.spawn(keep_connected(Arc::clone(&shared), settings, token));
        Self { shared }
    }

    /// The latest that was heard.
    #[must_use]
    pub fn view(&self) -> GpuView {
        let cells = lock(&self.shared.cells);
        let requests = cells.requests.values().map(|sent| sent.request).collect();
        GpuView {
            link: if cells.up_since.is_some() { LinkState::Up } else { LinkState::Down },
            driver: cells.hello.as_ref().map_or(DriverState::Starting, |hello| hello.driver),
            driver_version: cells
                .hello
                .as_ref()
                .map_or_else(heapless::String::new, |hello| hello.driver_version.clone()),
            heard_at: cells.hello_at,
            detached_left: cells
                .hello
                .as_ref()
                .map_or(Millis::ZERO, |hello| Millis::new(hello.detached_left_ms.into())),
            may_throttle: cells.hello.as_ref().is_some_and(|hello| hello.may_throttle),
            gpus: cells.gpus.values().cloned().collect(),
            requests,
            errors: cells.errors.values().copied().collect(),
        }
    }

    /// How long driver calls take, call by call, as far as heard.
    #[must_use]
    pub fn call_stats(&self) -> Vec<CallStat> {
        lock(&self.shared.cells).stats.values().cloned().collect()
    }

    /// Asks the GPU process to let go of the driver, or to take it again, and waits for its answer. Not for the cycle.
    ///
    /// # Errors
    /// If the wish cannot be brought to the GPU process.
    pub async fn hand_over(&self, wish: HandOverWish) -> Result<HandedOver, NotHeard> {
        let (answer, answered) = oneshot::channel();
        {
            let mut cells = lock(&self.shared.cells);
            if cells.up_since.is_none() {
                return Err(NotHeard::LinkDown);
            }
            if cells.hand_over.as_ref().is_some_and(|waiting| !waiting.answer.is_closed()) {
                return Err(NotHeard::Busy);
            }
            cells.hand_over = Some(HandOverInHand { wish, sequence: None, answer });
        }
        self.shared.outgoing.notify_one();
        answered.await.map_err(|_| NotHeard::Lost)
    }

    /// Asks for limits on one GPU, in place of what was asked before. A limit that is no finite number becomes
    /// the lowest there is: on the wire it would mean "no limit".
    pub fn throttle(&self, throttle: Throttle) {
        let throttle = Throttle {
            power_cap: throttle.power_cap.map(|cap| finite_or(cap, Watts::ZERO)),
            sm_clock_max: throttle.sm_clock_max.map(|clock| finite_or(clock, Megahertz::ZERO)),
            ..throttle
        };
        let mut cells = lock(&self.shared.cells);
        if usize::from(throttle.gpu) >= MAX_GPUS {
            cells.counters.requests_refused += 1;
            return;
        }
        let fresh = Sent { request: GpuRequest { throttle, verdict: None }, sequence: None };
        let replaced = cells.requests.insert(throttle.gpu, fresh);
        if replaced.is_some_and(|before| before.sequence.is_none()) {
            cells.counters.requests_replaced += 1;
        }
        drop(cells);
        self.shared.outgoing.notify_one();
    }

    /// Asks the GPU process to take the driver again, without waiting for what comes of it: the view tells.
    pub fn take_back(&self) {
        lock(&self.shared.cells).take_back = true;
        self.shared.outgoing.notify_one();
    }

    /// Tells that a control cycle was completed. Only the cycle may call this.
    pub fn beat(&self, beat: Beat) {
        let mut cells = lock(&self.shared.cells);
        if cells.beat.replace(beat).is_some() {
            cells.counters.beats_dropped += 1;
        }
        drop(cells);
        self.shared.outgoing.notify_one();
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> LinkCounters {
        lock(&self.shared.cells).counters
    }
}

fn finite_or<Q: Quantity>(value: Q, otherwise: Q) -> Q {
    if value.get().is_finite() { value } else { otherwise }
}
