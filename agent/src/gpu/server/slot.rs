//! The one place where a GPU's worker and the supervisor meet. Locked for moments only, never across a call.
//!
//! ```text
//!   supervisor ── put(request) ──► latest wins ──► worker       wakes at once
//!   supervisor ◄── look ────────── sample ◄──────── worker      readings with the time they were taken
//! ```

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use eisbach_protocol::gpu_link::{GpuSample, Throttle};
use eisbach_protocol::units::Millis;

use super::watch::CallWatch;
use crate::clock::Clock;
use crate::gpu::lock;

/// A throttle frame, and where its answer goes: each client counts its own frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) connection: u64,
    pub(super) sequence: u32,
    pub(super) throttle: Throttle,
}

/// What a worker is told to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// The agent asks.
    Throttle(Request),
    /// The process stops: give limits back if `restore`, then end.
    Leave { restore: bool },
    /// Nothing came until the time given.
    Nothing,
}

/// Shared between one worker and the supervisor.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) index: u8,
    pub(super) watch: Arc<CallWatch>,
    clock: Clock,
    desk: Mutex<Desk>,
    bell: Condvar,
    face: Mutex<Face>,
}

#[derive(Debug, Default)]
struct Desk {
    waiting: Option<Request>,
    in_hand: Option<Request>,
    leave: Option<bool>,
}

#[derive(Debug)]
struct Face {
    sample: GpuSample,
    taken: Option<Millis>,
}

impl Slot {
    pub(super) fn new(index: u8, clock: Clock) -> Self {
        Self {
            index,
            watch: Arc::new(CallWatch::new(clock)),
            clock,
            desk: Mutex::default(),
            bell: Condvar::new(),
            face: Mutex::new(Face { sample: GpuSample { index, ..GpuSample::default() }, taken: None }),
        }
    }

    /// Hands a request to the worker. Returns the one that it takes the place of.
    pub(super) fn put(&self, request: Request) -> Option<Request> {
        let replaced = lock(&self.desk).waiting.replace(request);
        self.bell.notify_one();
        replaced
    }

    /// Tells the worker to end.
    pub(super) fn leave(&self, restore: bool) {
        lock(&self.desk).leave = Some(restore);
        self.bell.notify_one();
    }

    /// Takes the word back that the worker is to end.
    pub(super) fn stay(&self) {
        lock(&self.desk).leave = None;
    }

    /// Requests that have no answer yet.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Request> + use<> {
        let desk = lock(&self.desk);
        [desk.in_hand, desk.waiting].into_iter().flatten()
    }

    /// Waits for an order, at most until `until`. Taking one says that the one before is answered.
    pub(super) fn wait(&self, until: Millis) -> Order {
        let mut desk = lock(&self.desk);
        desk.in_hand = None;
        loop {
            if let Some(restore) = desk.leave {
                return Order::Leave { restore };
            }
            if let Some(request) = desk.waiting.take() {
                desk.in_hand = Some(request);
                return Order::Throttle(request);
            }
            let left = until.since(self.clock.now());
            if left == Millis::ZERO {
                return Order::Nothing;
            }
            let waited = self.bell.wait_timeout(desk, Duration::from_millis(left.get()));
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Changes what is shown of the GPU.
    pub(super) fn show(&self, change: impl FnOnce(&mut GpuSample)) {
        change(&mut lock(&self.face).sample);
    }

    /// Shows fresh readings.
    pub(super) fn show_fresh(&self, sample: GpuSample, taken: Millis) {
        *lock(&self.face) = Face { sample, taken: Some(taken) };
    }

    /// What is shown of the GPU, with its age at `now`.
    pub(super) fn look(&self, now: Millis) -> GpuSample {
        let face = lock(&self.face);
        let age = face.taken.map_or(Millis::FOREVER, |taken| now.since(taken));
        GpuSample { age_ms: u32::try_from(age.get()).unwrap_or(u32::MAX), ..face.sample.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(sequence: u32) -> Request {
        Request { connection: 1, sequence, throttle: Throttle::nothing(0) }
    }

    #[test]
    fn the_latest_request_wins() {
        let slot = Slot::new(0, Clock::start());
        assert_eq!(slot.put(request(1)), None);
        assert_eq!(slot.put(request(2)), Some(request(1)));
        assert_eq!(slot.wait(Millis::ZERO), Order::Throttle(request(2)));
        assert_eq!(slot.wait(Millis::ZERO), Order::Nothing);
    }

    #[test]
    fn a_request_in_hand_is_unanswered_until_the_worker_asks_for_the_next() {
        let slot = Slot::new(0, Clock::start());
        slot.put(request(1));
        assert_eq!(slot.wait(Millis::ZERO), Order::Throttle(request(1)));
        slot.put(request(2));
        assert_eq!(slot.unanswered().collect::<Vec<_>>(), [request(1), request(2)]);
        assert_eq!(slot.wait(Millis::ZERO), Order::Throttle(request(2)));
        assert_eq!(slot.wait(Millis::ZERO), Order::Nothing);
        assert_eq!(slot.unanswered().count(), 0);
    }

    #[test]
    fn i11_readings_age_while_nothing_fresh_is_shown() {
        let slot = Slot::new(3, Clock::start());
        assert_eq!(slot.look(Millis::new(5)).age_ms, u32::MAX, "never read");
        slot.show_fresh(GpuSample { index: 3, ..GpuSample::default() }, Millis::new(1000));
        slot.show(|sample| sample.guarded = true);
        let shown = slot.look(Millis::new(1700));
        assert_eq!((shown.index, shown.age_ms, shown.guarded), (3, 700, true));
    }
}
