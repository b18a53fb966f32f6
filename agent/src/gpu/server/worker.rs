//! One thread for one GPU: it reads, watches over its GPU, and sets its limits. Only it may be stuck in a call.
//!
//! ```text
//!            ┌──────────────── every sampling period ────────────────┐
//!            ▼                                                       │
//!   open ─► read ─► defend limits ─► guard ─► show ──► wait ── request ─► apply ─► answer
//!    ▲       │                                          │
//!    └ lost ─┘ a fresh handle                           └─ leave ─► give back, if cooling is proven ─► end
//!              every REOPEN
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use eisbach_protocol::gpu_link::{GpuHealth, GpuSample, Verdict};
use eisbach_protocol::units::Millis;

use super::driver::{ClockMhz, Driver, DriverError, Fault, Gpu, Milliwatts};
use super::errors::ErrorBoard;
use super::guard::{Danger, Evidence, Guard, Rules};
use super::journal::Scribe;
use super::limits::Limits;
use super::plan::Wish;
use super::pulse::Pulse;
use super::slot::{Order, Request, Slot};
use super::supervisor::Event;
use crate::clock::Clock;

/// A GPU that is gone is asked for this often. Each attempt may cost seconds inside a sick driver.
const REOPEN: Millis = Millis::from_secs(3);
/// The guard repeats itself this often while the danger lasts: a write may fail, or be undone by somebody else.
const INSIST: Millis = Millis::from_secs(1);

/// What all workers share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) period: Millis,
    pub(super) rules: Rules,
    pub(super) pulse: Pulse,
    pub(super) scribe: Scribe,
    /// Whether the driver lets us set limits, as far as is known.
    pub(super) permitted: AtomicBool,
    pub(super) errors: ErrorBoard,
    pub(super) events: SyncSender<Event>,
}

/// The thread's state.
pub(super) struct Worker {
    common: Arc<Common>,
    driver: Arc<dyn Driver>,
    slot: Arc<Slot>,
    handle: Option<Handle>,
    reopen_at: Millis,
    health: GpuHealth,
    guard: Guard,
    danger: Option<Danger>,
    guarded: bool,
    insist_at: Millis,
    /// A request that found nobody home, and when to try it again.
    unmet: Option<(Request, Millis)>,
}

struct Handle {
    gpu: Box<dyn Gpu>,
    limits: Limits,
}

impl Worker {
    pub(super) fn new(common: Arc<Common>, driver: Arc<dyn Driver>, slot: Arc<Slot>) -> Self {
        Self {
            common,
            driver,
            slot,
            handle: None,
            reopen_at: Millis::ZERO,
            health: GpuHealth::Unknown,
            guard: Guard::default(),
            danger: None,
            guarded: false,
            insist_at: Millis::ZERO,
            unmet: None,
        }
    }

    /// Runs until told to leave.
    pub(super) fn run(mut self) {
        let mut next = self.common.clock.now();
        loop {
            self.round();
            next = (next + self.common.period).max(self.common.clock.now());
            loop {
                match self.slot.wait(next) {
                    Order::Nothing => break,
                    Order::Throttle(request) => self.throttle(request),
                    Order::Leave { restore } => return self.leave(restore),
                }
            }
        }
    }

    fn round(&mut self) {
        let now = self.common.clock.now();
        if self.handle.is_none() {
            if now < self.reopen_at {
                return;
            }
            self.open();
        }
        let began = self.common.clock.micros();
        if let Some(handle) = &mut self.handle {
            match handle.gpu.read(now) {
                Ok(sample) => {
                    let batch_us = self.common.clock.micros().saturating_sub(began);
                    let batch_us = u32::try_from(batch_us).unwrap_or(u32::MAX);
                    self.defend(&sample, now);
                    self.watch_over(&sample);
                    self.show(GpuSample { batch_us, ..sample }, now);
                }
                Err(error) => {
                    self.fail(&error);
                    self.watch_over(&GpuSample::default());
                }
            }
        }
        self.try_unmet();
        self.show_held();
        self.tell(Event::Fresh(self.slot.index));
    }

    fn open(&mut self) {
        let opened = self.driver.open(self.slot.index, Arc::clone(&self.slot.watch)).and_then(|mut gpu| {
            let mut limits = Limits::new(&gpu.card().uuid, self.common.scribe.clone());
            limits.hold(gpu.as_mut())?;
            Ok(Handle { gpu, limits })
        });
        match opened {
            Ok(handle) => {
                self.handle = Some(handle);
                self.unmet = self.unmet.map(|(request, _)| (request, Millis::ZERO));
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &DriverError) {
        if self.handle.is_none() || error.fault.ends_handle() {
            self.handle = None;
            self.reopen_at = self.common.clock.now() + REOPEN;
        }
        let health = error.fault.health();
        if self.health != health {
            tracing::error!(gpu = self.slot.index, health = health.as_str(), %error, "GPU does not answer");
        }
        self.health = health;
        self.slot.show(|sample| sample.health = health);
        match error.fault {
            Fault::Replaced => self.tell(Event::DriverReplaced),
            Fault::Absent(_) => self.tell(Event::DriverGone),
            Fault::Lost
            | Fault::ResetRequired
            | Fault::NotSupported
            | Fault::NotPermitted
            | Fault::OutOfRange
            | Fault::Other(_) => {}
        }
    }

    fn show(&mut self, sample: GpuSample, taken: Millis) {
        if self.health != GpuHealth::Ok {
            tracing::info!(gpu = self.slot.index, uuid = sample.uuid.as_str(), "GPU answers");
        }
        self.health = GpuHealth::Ok;
        let mut sample = GpuSample { index: self.slot.index, health: GpuHealth::Ok, ..sample };
        // In one move: whoever sees a margin must see what is held, too, or would take the GPU for free.
        self.fill_in_held(&mut sample);
        self.slot.show_fresh(sample, taken);
    }

    fn show_held(&self) {
        self.slot.show(|sample| self.fill_in_held(sample));
    }

    fn fill_in_held(&self, sample: &mut GpuSample) {
        sample.guarded = self.guarded;
        let Some(Handle { limits, .. }) = &self.handle else { return };
        let (claim, foreign, now) = (limits.claim(), limits.foreign(), self.common.clock.now());
        sample.held_cap = claim.power.map(|power| power.cap.watts());
        sample.held_clock = claim.clock.map(ClockMhz::megahertz);
        sample.held_profile = claim.low_power_profile;
        sample.held_smoothing = claim.smoothing;
        sample.foreign_changes = foreign.changes;
        sample.foreign_age_ms =
            foreign.last.map_or(u32::MAX, |last| u32::try_from(now.since(last).get()).unwrap_or(u32::MAX));
    }

    /// Somebody else may have changed the limit that we hold.
    fn defend(&mut self, sample: &GpuSample, now: Millis) {
        if let (Some(requested), Some(Handle { gpu, limits })) =
            (sample.limit_requested.value(), &mut self.handle)
        {
            limits.defend(gpu.as_mut(), Milliwatts::of(requested), now);
        }
    }

    /// Lowers the GPU without being asked, if nobody else will.
    fn watch_over(&mut self, sample: &GpuSample) {
        let now = self.common.clock.now();
        let evidence = Evidence {
            margin: sample.margin.value(),
            temperature: sample.temperature.value(),
            heard_at: self.common.pulse.heard_at(),
            leaving: self.common.pulse.leaving(),
            now,
        };
        self.danger = self.guard.judge(&evidence, &self.common.rules);
        let (Some(danger), Some(handle)) = (self.danger, &self.handle) else { return };
        let lowest = Wish::lowest(handle.gpu.card());
        if !self.guarded {
            let (gpu, danger) = (self.slot.index, danger.as_str());
            tracing::error!(gpu, danger, "guard: GPU goes to its lowest power and clock");
            self.guarded = true;
            self.insist_at = now;
        }
        if now >= self.insist_at {
            self.insist_at = now + INSIST;
            self.apply(lowest);
        }
    }

    fn throttle(&mut self, request: Request) {
        let now = self.common.clock.now();
        let verdict = if self.guarded && !self.may_hand_back(now) {
            Verdict::Guarded
        } else {
            self.apply(Wish::asked(&request.throttle, self.common.pulse.cooling_proven(now)))
        };
        if self.guarded && verdict == Verdict::Applied {
            tracing::info!(gpu = self.slot.index, "guard: GPU handed back to the agent");
            self.guarded = false;
        }
        self.unmet = (verdict == Verdict::Unreachable).then(|| (request, now + REOPEN));
        self.show_held();
        self.tell(Event::Answer { request, verdict });
    }

    /// The guard steps back only for an agent that is there, and never from a GPU without margin.
    fn may_hand_back(&self, now: Millis) -> bool {
        self.common.pulse.is_alive(now) && self.danger != Some(Danger::MarginGone)
    }

    fn try_unmet(&mut self) {
        if let Some((request, due)) = self.unmet
            && self.common.clock.now() >= due
        {
            self.throttle(request);
        }
    }

    fn apply(&mut self, wish: Wish) -> Verdict {
        let Some(Handle { gpu, limits }) = &mut self.handle else { return Verdict::Unreachable };
        let verdict = limits.apply(gpu.as_mut(), wish);
        if let Some(permitted) = limits.permitted() {
            self.common.permitted.store(permitted, Ordering::Relaxed);
        }
        verdict
    }

    fn leave(mut self, restore: bool) {
        if restore && !self.guarded {
            self.apply(Wish::release(true));
        }
        self.tell(Event::Left(self.slot.index));
    }

    fn tell(&self, event: Event) {
        // The supervisor is gone only when the process is about to be.
        let _gone = self.common.events.send(event);
    }
}
