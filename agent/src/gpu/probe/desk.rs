//! What a GPU's thread has found so far, and which call it is inside. Its thread writes, the probe looks on.
//!
//! ```text
//!   thread ── call(name) ──► inside since … ──► back     probe: longer than the deadline? named, and left
//! ```

use std::sync::Mutex;
use std::time::Duration;

use super::report::GpuFound;
use crate::clock::Clock;
use crate::gpu::lock;

/// A call that takes longer counts as hung.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// Initialising is slower: without persistence mode the driver wakes each GPU for it (estimate).
pub(super) const INIT_DEADLINE: Duration = Duration::from_secs(15);

/// One GPU's desk.
#[derive(Debug)]
pub(super) struct Desk {
    clock: Clock,
    progress: Mutex<Progress>,
}

#[derive(Debug)]
struct Progress {
    inside: Option<Inside>,
    found: GpuFound,
}

/// The call that a thread is inside.
#[derive(Clone, Copy, Debug)]
struct Inside {
    call: &'static str,
    since: Duration,
    deadline: Duration,
}

impl Desk {
    pub(super) fn new(index: u32, clock: Clock) -> Self {
        let found = GpuFound { index, ..GpuFound::default() };
        Self { clock, progress: Mutex::new(Progress { inside: None, found }) }
    }

    /// Makes a call in view of the probe. Its result and how long it took, in microseconds.
    pub(super) fn call<T>(&self, call: &'static str, make: impl FnOnce() -> T) -> (T, u64) {
        self.call_within(DEADLINE, call, make)
    }

    /// As [`call`](Self::call), with a deadline of its own.
    pub(super) fn call_within<T>(
        &self,
        deadline: Duration,
        call: &'static str,
        make: impl FnOnce() -> T,
    ) -> (T, u64) {
        let since = self.clock.elapsed();
        lock(&self.progress).inside = Some(Inside { call, since, deadline });
        let result = make();
        lock(&self.progress).inside = None;
        let took = self.clock.elapsed().saturating_sub(since);
        (result, u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
    }

    /// Adds to what has been found.
    pub(super) fn note(&self, add: impl FnOnce(&mut GpuFound)) {
        add(&mut lock(&self.progress).found);
    }

    /// What has been found, once there is no more to wait for: all of it, or up to the call that hangs. `give_up` ends
    /// the patience with a GPU that answers, but slowly.
    pub(super) fn settled(&self, give_up: bool) -> Option<GpuFound> {
        let now = self.clock.elapsed();
        let progress = lock(&self.progress);
        let hangs_in = progress
            .inside
            .filter(|inside| now.saturating_sub(inside.since) > inside.deadline)
            .map(|inside| inside.call);
        let settled = progress.found.complete || hangs_in.is_some() || give_up;
        settled.then(|| GpuFound { hangs_in, ..progress.found.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_does_not_come_back_is_named_with_what_was_found_before() {
        let desk = Desk::new(3, Clock::start());
        desk.note(|found| found.margin.rounds = 7);
        let (named, _) = desk.call_within(Duration::ZERO, "nvmlDeviceGetName", || desk.settled(false));
        let named = named.unwrap();
        assert_eq!((named.index, named.hangs_in, named.margin.rounds), (3, Some("nvmlDeviceGetName"), 7));
        assert!(desk.settled(false).is_none(), "it came back after all");
    }

    #[test]
    fn a_slow_gpu_is_given_up_without_being_called_hung() {
        let desk = Desk::new(0, Clock::start());
        let found = desk.settled(true).unwrap();
        assert_eq!((found.hangs_in, found.complete), (None, false));
    }
}
