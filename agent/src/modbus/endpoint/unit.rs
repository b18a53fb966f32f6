//! One device on a wire: where it stands, what it wants from the wire, and what its failures cost.
//!
//! ```text
//!               ┌── 10 s ── Stranger ◄── another device ──┐
//!               ▼                                         │
//!   ┌───────► Probing ── the profile's device, presets ───┴──► Up: commands, reads, watchdog every 5 min
//!   │           ▲                                              │
//!   │ backoff   │ 1 s … 8 s                                    │ no answer, wrong answer
//!   │           └── Dormant ◄── 3 failures, others answer ─────┤
//!   └──────────────────────────────────────────────────────────┘   or a gateway that does not reach it
//! ```
//!
//! A unit that another one's failure cost the connection stays where it is: answers carry their unit, so nothing that
//! comes late can be taken for its own.

mod failing;
mod told;

use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tracing::{info, warn};

pub(super) use self::failing::Damage;
use crate::clock::Clock;
use crate::modbus::agenda::{Class, Due};
use crate::modbus::breaker::Breaker;
use crate::modbus::bus::{Bus, Request};
use crate::modbus::check::Refusal;
use crate::modbus::commander::Commander;
use crate::modbus::commission::{self, LOOK_EVERY, Protection};
use crate::modbus::device::DeviceSettings;
use crate::modbus::poller::Poller;
use crate::modbus::probe::{Patience, Probe, ProbeError, Progress, Step};
use crate::modbus::session::{Broken, Failure, Line, Session};
use crate::modbus::state::{Cells, LinkCounters, Phase, Stranger};

/// Time between two looks at a device that is not the profile's.
const STRANGER_PAUSE: Millis = Millis::from_secs(10);

/// Answers in a row that a step of the probe may lose before it is passed over.
const LOSSES: u8 = 2;

/// A device that never answered is looked for in this rhythm, if the wire has time.
const NEVER_SEEN_PERIOD: Millis = Millis::from_secs(1);

/// One device on a wire.
pub(in crate::modbus) struct Unit {
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    clock: Clock,
    commander: Commander,
    poller: Poller,
    breaker: Breaker,
    counters: LinkCounters,
    standing: Standing,
    patience: Patience,
    /// Its watchdog is not looked at before: the last look cost the connection.
    inspected_again_at: Millis,
    /// Since when it answers, but declines to say who it is.
    nameless_since: Option<Millis>,
    /// The last request without an answer of its own, on a wire where that may come yet.
    unanswered: Option<Request>,
    /// Failures since it last was up.
    failures: u32,
    failing_since: Option<Millis>,
    answered_at: Option<Millis>,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    Probing { probe: Probe, not_before: Millis },
    Stranger { until: Millis },
    Up { inspect_at: Millis },
}

/// What a unit wants from the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Probe,
    Write,
    Read,
    Inspect,
}

impl Unit {
    /// A unit that was never seen yet.
    pub(in crate::modbus) fn new(
        settings: Arc<DeviceSettings>,
        cells: Arc<Cells>,
        commander: Commander,
        clock: Clock,
    ) -> Self {
        let poller = Poller::new(Arc::clone(&settings), Arc::clone(&cells), clock);
        Self {
            settings,
            cells,
            clock,
            commander,
            poller,
            breaker: Breaker::default(),
            counters: LinkCounters::default(),
            standing: Standing::Probing { probe: Probe::new(None), not_before: Millis::ZERO },
            patience: Patience::new(LOSSES),
            inspected_again_at: Millis::ZERO,
            nameless_since: None,
            unanswered: None,
            failures: 0,
            failing_since: None,
            answered_at: None,
        }
    }

    /// How long it needs after a connect.
    pub(super) fn settling_time(&self) -> Millis {
        Millis::new(self.settings.profile.link.post_connect_ms.into())
    }

    /// How long it is given for an answer.
    pub(super) fn deadline(&self) -> Millis {
        Millis::new(self.settings.profile.link.timeout_ms.into())
    }

    /// When it began to fail, if it does.
    pub(super) const fn failing_since(&self) -> Option<Millis> {
        self.failing_since
    }

    /// When it last answered.
    pub(super) const fn answered_at(&self) -> Option<Millis> {
        self.answered_at
    }

    /// When it is looked at again, if it is a stranger.
    pub(super) const fn stranger_until(&self) -> Option<Millis> {
        match self.standing {
            Standing::Stranger { until } => Some(until),
            Standing::Probing { .. } | Standing::Up { .. } => None,
        }
    }

    /// What it wants from the wire, as things stand at `now`.
    pub(super) fn jobs(&mut self, now: Millis) -> impl Iterator<Item = (Job, Due)> + use<> {
        self.look_anew_if_given_back(now);
        let jobs = match self.standing {
            Standing::Probing { not_before, .. } => {
                [Some((Job::Probe, self.probe_due(not_before, now))), None, None]
            }
            Standing::Stranger { until } => {
                let look = Due::read(Class::SlowPoll, until, STRANGER_PAUSE, now);
                [Some((Job::Probe, look)), None, None]
            }
            Standing::Up { inspect_at } => {
                let look = Due::read(Class::SlowPoll, inspect_at, LOOK_EVERY, now);
                [
                    self.commander.next(now).map(|due| (Job::Write, due)),
                    self.poller.next(now).map(|due| (Job::Read, due)),
                    Some((Job::Inspect, look)),
                ]
            }
        };
        jobs.into_iter().flatten()
    }

    /// A person has given the device back, and may have changed whatever the presets say: it is looked at anew.
    fn look_anew_if_given_back(&mut self, now: Millis) {
        if matches!(self.standing, Standing::Up { .. }) && self.commander.is_given_back(now) {
            self.standing = Standing::Probing { probe: Probe::new(None), not_before: now };
        }
    }

    /// A device that works is looked at first of all, so that it can be commanded; one that has failed comes behind
    /// those that work, and one that never answered last.
    fn probe_due(&self, at: Millis, now: Millis) -> Due {
        match (self.breaker.is_in_debt(), self.answered_at) {
            (false, _) => Due { class: Class::Control, at },
            (true, Some(_)) => Due { class: Class::FastPoll, at },
            (true, None) => Due::read(Class::SlowPoll, at, NEVER_SEEN_PERIOD, now),
        }
    }

    /// Does one job.
    ///
    /// # Errors
    /// If the connection broke. The unit has not been [`lost`](Self::lost) yet.
    pub(super) async fn turn<B: Bus>(
        &mut self,
        job: Job,
        line: &mut Line<B>,
        others_answer: bool,
    ) -> Result<(), Broken> {
        let unreachable = self.counters.unreachable();
        let outcome = match job {
            Job::Probe => self.probe(line).await,
            Job::Write => self.write(line).await,
            Job::Read => {
                self.poller.turn(&mut session(&self.settings, line, self.clock, &mut self.counters)).await
            }
            Job::Inspect => self.inspect(line).await,
        };
        let now = self.clock.now();
        if outcome.is_ok() && self.counters.unreachable() == unreachable {
            self.answered_at = Some(now);
            self.failing_since = None;
            self.breaker.answered();
        } else if outcome.is_ok() {
            if self.is_cut_off(now) {
                self.lost(&Refusal::Unreachable);
            }
            self.failed(others_answer, now);
        }
        self.count();
        outcome
    }

    async fn probe<B: Bus>(&mut self, line: &mut Line<B>) -> Result<(), Broken> {
        let mut probe = match self.standing {
            Standing::Probing { probe, .. } => probe,
            Standing::Stranger { .. } | Standing::Up { .. } => Probe::new(None),
        };
        if self.breaker.dormant_until().is_none() {
            self.enter(Phase::Probing);
        }
        let (profile, device) = (&self.settings.profile, self.settings.name.as_str());
        let mut session = session(&self.settings, line, self.clock, &mut self.counters);
        let outcome = probe.turn(&mut session, profile, device, &mut self.patience).await;
        match outcome {
            Ok(Progress::More) => {
                self.unanswered = None;
                self.standing = Standing::Probing { probe, not_before: self.clock.now() };
            }
            Ok(Progress::Done) => self.up(),
            Err(ProbeError::Stranger(stranger)) => match self.starting_since(&stranger) {
                Some(since) => {
                    self.declined(&stranger);
                    self.nameless_since = Some(since);
                }
                None => self.stranger(stranger),
            },
            Err(ProbeError::Failed(Failure::Declined(refusal))) => self.declined(&refusal),
            Err(ProbeError::Failed(Failure::Broken(broken))) => return Err(broken),
        }
        Ok(())
    }

    async fn write<B: Bus>(&mut self, line: &mut Line<B>) -> Result<(), Broken> {
        let looks = self.commander.asks_who_commands();
        let mut session = session(&self.settings, line, self.clock, &mut self.counters);
        let outcome = self.commander.turn(&mut session).await;
        if looks { self.patience.note(Step::Switch, &self.settings.name, outcome) } else { outcome }
    }

    /// A look that is not answered costs the connection, so it is not made again with the next one.
    async fn inspect<B: Bus>(&mut self, line: &mut Line<B>) -> Result<(), Broken> {
        let mut session = session(&self.settings, line, self.clock, &mut self.counters);
        let outcome = commission::inspect(&mut session, &self.settings.profile).await;
        let inspect_at = self.clock.now() + LOOK_EVERY;
        match outcome {
            Ok(inspection) => {
                self.standing = Standing::Up { inspect_at };
                self.tell_protection(inspection.protection);
                Ok(())
            }
            Err(broken) => {
                self.inspected_again_at = inspect_at;
                self.tell_protection(Protection::unheard(&broken));
                Err(broken)
            }
        }
    }

    fn up(&mut self) {
        let (device, wire, unit) = (&self.settings.name, &self.settings.wire, self.settings.unit);
        info!(device, %wire, unit, "device up");
        self.failures = 0;
        self.unanswered = None;
        self.nameless_since = None;
        self.commander.reached(self.patience.passes_over(Step::Switch));
        self.patience.one_more_chance();
        self.poller.restart();
        self.standing = Standing::Up { inspect_at: self.inspected_again_at.max(self.clock.now()) };
        self.enter(Phase::Up);
    }

    fn stranger(&mut self, stranger: Stranger) {
        if !matches!(self.cells.image.borrow().state.phase, Phase::Refused(_)) {
            let (device, wire, unit) = (&self.settings.name, &self.settings.wire, self.settings.unit);
            warn!(device, %wire, unit, found = %stranger, "not the device of its profile; it is left alone");
        }
        self.standing = Standing::Stranger { until: self.clock.now() + STRANGER_PAUSE };
        self.enter(Phase::Refused(stranger));
    }

    /// A connection was made; `again` if not for the first time.
    pub(super) fn connected(&mut self, again: bool) {
        self.counters.reconnects += u64::from(again);
        self.count();
    }
}

fn session<'a, B: Bus>(
    settings: &DeviceSettings,
    line: &'a mut Line<B>,
    clock: Clock,
    counters: &'a mut LinkCounters,
) -> Session<'a, B> {
    Session::new(line, settings.unit, &settings.profile.link, clock, counters)
}
