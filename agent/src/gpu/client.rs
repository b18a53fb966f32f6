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

mod conversation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use eisbach_protocol::gpu_link::{
    Beat, CallStat, Detach, DriverState, Frame, GpuEvent, GpuSample, HandedOver, Hello, MAX_GPUS, Outcome,
    Throttle, Verdict,
};
use eisbach_protocol::units::{Megahertz, Millis, Quantity, Watts};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::conversation::keep_connected;
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

/// Whether the GPU process can be heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// No.
    #[default]
    Down,
    /// Yes.
    Up,
}

/// Everything the GPU process has told. While the link is down it is the last that was heard, and ages.
#[derive(Clone, Debug)]
pub struct GpuView {
    /// Whether the GPU process can be heard.
    pub link: LinkState,
    /// State of the driver, as last heard; starting until then.
    pub driver: DriverState,
    /// Version of the driver; empty while there is none.
    pub driver_version: heapless::String<32>,
    /// When the driver's state was last heard.
    pub heard_at: Option<Millis>,
    /// Time until the GPU process takes the driver again by itself, as last heard.
    pub detached_left: Millis,
    /// Whether the driver lets the GPU process set limits, as far as it knows.
    pub may_throttle: bool,
    /// GPUs heard of, by index.
    pub gpus: Vec<GpuEntry>,
    /// The latest request for each GPU that had one, by index.
    pub requests: Vec<GpuRequest>,
    /// When a GPU last reported an error that is not in its sample, by index.
    pub errors: Vec<(GpuEvent, Millis)>,
}

/// A GPU process speaks of its driver at least once a second. What it said longer ago than this is no news.
pub(crate) const GPU_LINK_GONE: Millis = Millis::from_secs(3);

impl GpuView {
    /// Whether the driver is let go because somebody asked. The word of a GPU process that is gone says nothing.
    #[must_use]
    pub fn is_detached(&self, now: Millis) -> bool {
        self.driver == DriverState::Detached && self.driver_age(now) <= GPU_LINK_GONE
    }

    /// Time since the driver's state was last heard; for ever if it never was.
    #[must_use]
    pub fn driver_age(&self, now: Millis) -> Millis {
        self.heard_at.map_or(Millis::FOREVER, |at| now.since(at))
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

#[cfg(test)]
impl GpuView {
    /// A node with one GPU, heard at time zero.
    pub(crate) fn of_one(sample: GpuSample) -> Self {
        Self {
            link: LinkState::Up,
            driver: DriverState::Ready,
            driver_version: heapless::String::new(),
            heard_at: None,
            detached_left: Millis::ZERO,
            may_throttle: true,
            gpus: vec![GpuEntry { sample: Arc::new(sample), received_at: Millis::ZERO }],
            requests: Vec::new(),
            errors: Vec::new(),
        }
    }
}

/// The latest readings of one GPU.
#[derive(Clone, Debug)]
pub struct GpuEntry {
    /// As the GPU process sent them. Shared, since the cycle looks at it ten times a second.
    pub sample: Arc<GpuSample>,
    /// When they arrived, on the agent's clock.
    pub received_at: Millis,
}

impl GpuEntry {
    /// Time since the readings were taken from the device; for ever if they never were.
    #[must_use]
    pub fn age(&self, now: Millis) -> Millis {
        if self.sample.age_ms == u32::MAX {
            return Millis::FOREVER;
        }
        Millis::new(self.sample.age_ms.into()) + now.since(self.received_at)
    }
}

/// The latest request for one GPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuRequest {
    /// What was asked.
    pub throttle: Throttle,
    /// What came of it; absent until the GPU process has answered on the present connection.
    pub verdict: Option<Verdict>,
}

/// What happened on the link since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Connections on which the GPU process was heard.
    pub connections: u64,
    /// Frames received.
    pub frames: u64,
    /// Frames refused, each at the cost of its connection.
    pub malformed: u64,
    /// Beats replaced by a newer one, or dropped, before they could be sent.
    pub beats_dropped: u64,
    /// Requests replaced by a newer one before they could be sent.
    pub requests_replaced: u64,
    /// Requests for a GPU that no node can have.
    pub requests_refused: u64,
    /// Errors of GPUs that were told.
    pub events: u64,
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

#[derive(Debug)]
struct Shared {
    clock: Clock,
    cells: Mutex<Cells>,
    outgoing: Notify,
}

/// Maps hold no index of `MAX_GPUS` or above: whoever inserts has looked.
#[derive(Debug, Default)]
struct Cells {
    up_since: Option<Millis>,
    hello: Option<Hello>,
    hello_at: Option<Millis>,
    gpus: BTreeMap<u8, GpuEntry>,
    requests: BTreeMap<u8, Sent>,
    errors: BTreeMap<u8, (GpuEvent, Millis)>,
    /// By GPU and name of the call.
    stats: BTreeMap<(u8, heapless::String<48>), CallStat>,
    hand_over: Option<HandOverInHand>,
    /// The cycle wants the driver taken again.
    take_back: bool,
    beat: Option<Beat>,
    sequence: u32,
    counters: LinkCounters,
}

/// A request, and the number under which it went out on the present connection.
#[derive(Debug)]
struct Sent {
    request: GpuRequest,
    sequence: Option<u32>,
}

/// A person's wish, and who waits for the answer.
#[derive(Debug)]
struct HandOverInHand {
    wish: HandOverWish,
    sequence: Option<u32>,
    answer: oneshot::Sender<HandedOver>,
}

/// Kinds of call that are remembered; the GPU process makes some thirty on each GPU.
const MOST_STATS: usize = 64 * MAX_GPUS;

impl Cells {
    fn hear_event(&mut self, event: GpuEvent, received_at: Millis) {
        self.counters.events += 1;
        if usize::from(event.gpu) < MAX_GPUS {
            self.errors.insert(event.gpu, (event, received_at));
        }
    }

    fn hear_stat(&mut self, stat: CallStat) {
        let key = (stat.gpu, stat.name.clone());
        if self.stats.len() < MOST_STATS || self.stats.contains_key(&key) {
            self.stats.insert(key, stat);
        }
    }

    fn hear_handed_over(&mut self, handed_over: HandedOver) {
        let answers = |waiting: &mut HandOverInHand| waiting.sequence == Some(handed_over.of);
        if let Some(waiting) = self.hand_over.take_if(answers) {
            // Whoever asked may have given up waiting.
            let _gave_up = waiting.answer.send(handed_over);
        }
    }

    fn hear_hello(&mut self, hello: Hello, received_at: Millis) {
        if self.up_since.is_none() {
            self.up_since = Some(received_at);
            self.counters.connections += 1;
            tracing::info!(gpus = hello.gpu_count, may_throttle = hello.may_throttle, "GPU link up");
        }
        if hello.driver == DriverState::Ready {
            self.gpus.retain(|index, _| *index < hello.gpu_count);
        }
        self.hello = Some(hello);
        self.hello_at = Some(received_at);
    }

    /// An answer to an older request says nothing about the latest.
    fn hear_outcome(&mut self, outcome: Outcome) {
        if let Some(sent) = self.requests.get_mut(&outcome.gpu)
            && sent.sequence == Some(outcome.of)
        {
            sent.request.verdict = Some(outcome.verdict);
        }
    }

    /// The beat first: what it says of the coolant decides on the requests behind it.
    fn take_outgoing(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Some(beat) = self.beat.take() {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend_from_slice(&Frame::Beat(beat).encode(self.sequence));
        }
        if std::mem::take(&mut self.take_back) {
            self.sequence = self.sequence.wrapping_add(1);
            bytes.extend_from_slice(&Frame::Attach.encode(self.sequence));
        }
        for sent in self.requests.values_mut().filter(|sent| sent.sequence.is_none()) {
            self.sequence = self.sequence.wrapping_add(1);
            sent.sequence = Some(self.sequence);
            bytes.extend_from_slice(&Frame::Throttle(sent.request.throttle).encode(self.sequence));
        }
        if let Some(waiting) = self.hand_over.as_mut().filter(|waiting| waiting.sequence.is_none()) {
            self.sequence = self.sequence.wrapping_add(1);
            waiting.sequence = Some(self.sequence);
            let frame = match waiting.wish {
                HandOverWish::Detach(detach) => Frame::Detach(detach),
                HandOverWish::Attach => Frame::Attach,
            };
            bytes.extend_from_slice(&frame.encode(self.sequence));
        }
        bytes
    }
}
