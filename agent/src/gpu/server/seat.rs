//! One GPU as the supervisor sees it: its worker's thread, and whether that is stuck, dead or well.
//!
//! ```text
//!            a call past its deadline              fresh readings
//!   well ───────────────────────────────► hung ───────────────────► well
//!    │                                                               ▲
//!    └── panic ──► dead ──── after RESTART, a new thread ────────────┘
//! ```

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use eisbach_protocol::gpu_link::{CallStat, GpuHealth, GpuSample};
use eisbach_protocol::units::Millis;

use super::driver::Driver;
use super::errors::Errors;
use super::slot::Slot;
use super::worker::{Common, Worker};

/// A worker that panicked is started again after this.
const RESTART: Millis = Millis::from_secs(3);

/// A GPU, its worker and what was last said about it. It has no share of the driver: only the thread has, so that the
/// driver is let go of wherever its last share is dropped, and never here.
pub(super) struct Seat {
    pub(super) slot: Arc<Slot>,
    pub(super) said_at: Millis,
    pub(super) left: bool,
    thread: JoinHandle<()>,
    hung: bool,
    restart_at: Option<Millis>,
    /// The call whose statistics were told last.
    told: Option<&'static str>,
}

impl Seat {
    /// Starts the worker of one GPU.
    pub(super) fn start(index: u8, driver: &Arc<dyn Driver>, common: &Arc<Common>) -> io::Result<Self> {
        let slot = Arc::new(Slot::new(index, common.clock));
        let thread = start_worker(&slot, driver, common)?;
        Ok(Self {
            slot,
            said_at: Millis::ZERO,
            left: false,
            thread,
            hung: false,
            restart_at: None,
            told: None,
        })
    }

    /// Whether the worker is known to be stuck in the driver.
    pub(super) const fn is_hung(&self) -> bool {
        self.hung
    }

    /// Whether the worker's thread has ended, and with it its share of the driver.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// The GPU as the agent is to see it now.
    pub(super) fn look(&self, now: Millis, errors: Errors) -> GpuSample {
        let mut sample = self.slot.look(now);
        if self.hung {
            sample.health = GpuHealth::Hung;
        }
        sample.xid_count = errors.xid_count;
        sample.xid_last = errors.xid_last;
        sample
    }

    /// How long driver calls take: one kind after the other.
    pub(super) fn next_stat(&mut self) -> Option<CallStat> {
        let (name, stat) = self.slot.watch.stat_after(self.slot.index, self.told)?;
        self.told = Some(name);
        Some(stat)
    }

    /// Looks whether the worker has just got stuck: true once an episode.
    pub(super) fn has_got_stuck(&mut self, now: Millis, deadline: Millis) -> bool {
        let Some(call) = self.slot.watch.stuck(now, deadline) else { return false };
        if self.hung {
            return false;
        }
        tracing::error!(gpu = self.slot.index, call, "GPU hangs in the driver; the others go on");
        self.hung = true;
        true
    }

    /// The worker has shown something: whatever it was in, it is out of it.
    pub(super) fn heard(&mut self) {
        if self.hung {
            tracing::info!(gpu = self.slot.index, "GPU came back from the driver");
        }
        self.hung = false;
        self.restart_at = None;
    }

    /// Starts the worker again that was told to leave.
    pub(super) fn stay(&mut self, driver: &Arc<dyn Driver>, common: &Arc<Common>) -> io::Result<()> {
        self.slot.stay();
        if self.has_ended() {
            self.thread = start_worker(&self.slot, driver, common)?;
        } else {
            // It may have heard that it is to leave, and be on its way.
            self.restart_at = Some(Millis::ZERO);
        }
        self.left = false;
        Ok(())
    }

    /// Replaces a worker that panicked, though not at once: it might do so again.
    pub(super) fn restart_if_dead(&mut self, now: Millis, driver: &Arc<dyn Driver>, common: &Arc<Common>) {
        if !self.thread.is_finished() || self.left {
            return;
        }
        match self.restart_at {
            None => {
                tracing::error!(gpu = self.slot.index, "worker of GPU died, it will be started again");
                self.slot.show(|sample| sample.health = GpuHealth::Failed);
                self.hung = false;
                self.restart_at = Some(now + RESTART);
            }
            Some(at) if now < at => {}
            Some(_) => match start_worker(&self.slot, driver, common) {
                Ok(thread) => {
                    self.thread = thread;
                    self.restart_at = None;
                }
                Err(_) => self.restart_at = Some(now + RESTART),
            },
        }
    }
}

fn start_worker(
    slot: &Arc<Slot>,
    driver: &Arc<dyn Driver>,
    common: &Arc<Common>,
) -> io::Result<JoinHandle<()>> {
    let (slot, driver, common) = (Arc::clone(slot), Arc::clone(driver), Arc::clone(common));
    std::thread::Builder::new()
        .name(format!("gpu{}", slot.index))
        .spawn(move || Worker::new(common, driver, slot).run())
}
