//! One wire and everything on it: the only task that ever touches it. Nobody else can, and nobody can interrupt it.
//!
//! ```text
//!   ┌─► Down ── backoff ──► Connecting ── connected ──► Settling ── every unit's pause ──► Up ─┐
//!   │                        │   ▲                                                            │
//!   │      refused, too late │   └───────── quiet for the worst response time ── Quarantine   │
//!   │                        │                                                       ▲        │ broken
//!   └────────────────────────┴───────────────────────────────────────────────────────┴────────┘
//!
//!   while Up, one exchange at a time:   units ─► jobs ─► agenda ─► the most urgent ─► turn
//! ```
//!
//! Broken is a late answer, a failed connection, or an answer to something else: the connection is dropped, so that
//! nothing from it can be taken for an answer again. Where answers carry no transaction and outlive a connection, the
//! wire is quiet as well until the lost one can no longer come. What a device declines does not break a connection.
//! A lost answer is one unit's affair; the others go on as soon as the wire is there again (see [`unit`]).
//! The task never ends by itself; it may be dropped at any point.

mod unit;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tokio::sync::Notify;
use tokio::time::sleep_until;

pub(super) use self::unit::Unit;
use self::unit::{Damage, Job};
use super::agenda::{Agenda, Next};
use super::backoff::apart;
use super::bus::{Connector, Medium};
use super::session::{Broken, Line};
use super::state::Phase;
use crate::clock::Clock;

/// A connection that lived for so long starts the backoff anew.
const STEADY: Millis = Millis::from_secs(10);
/// Longest sleep when nothing is due; a wish of the cycle ends it at once.
const LONGEST_REST: Millis = Millis::from_secs(3600);
/// The worst response time, in the longest deadline of the units on the wire. A deadline is above what the maker
/// states for the device alone; a gateway's queue or a device that stores its parameters can take as long again.
const QUIET_FACTOR: u64 = 2;

/// One wire and its units.
pub(super) struct Endpoint<C> {
    connector: C,
    /// For the backoff's jitter.
    who: String,
    units: Vec<Unit>,
    agenda: Agenda,
    /// The cycle wishes something new.
    wake: Arc<Notify>,
    clock: Clock,
    /// Attempts to connect since the wire was last sound, and when the latest began.
    attempt: u32,
    attempted_at: Millis,
    connected_before: bool,
}

enum State<B> {
    /// Not before then.
    Down {
        until: Millis,
    },
    Connecting,
    Settling(Line<B>),
    Up(Line<B>),
}

impl<C: Connector> Endpoint<C> {
    /// The wire of `connector` with its `units`, whose cells wake `wake`. `who` is the same for the same wire.
    pub(super) fn new(connector: C, who: String, units: Vec<Unit>, wake: Arc<Notify>, clock: Clock) -> Self {
        Self {
            connector,
            who,
            units,
            agenda: Agenda::default(),
            wake,
            clock,
            attempt: 0,
            attempted_at: Millis::ZERO,
            connected_before: false,
        }
    }

    pub(super) async fn run(mut self) -> Infallible {
        let mut state = State::Connecting;
        loop {
            state = self.step(state).await;
        }
    }

    async fn step(&mut self, state: State<C::Bus>) -> State<C::Bus> {
        match state {
            State::Down { until } => {
                self.sleep(until).await;
                State::Connecting
            }
            State::Connecting => self.connect().await,
            State::Settling(line) => {
                self.tell(&Phase::Settling);
                let pause = self.units.iter().map(Unit::settling_time).max().unwrap_or(Millis::ZERO);
                self.sleep(self.clock.now() + pause).await;
                State::Up(line)
            }
            State::Up(line) => self.serve(line).await,
        }
    }

    async fn connect(&mut self) -> State<C::Bus> {
        self.tell(&Phase::Connecting);
        self.attempted_at = self.clock.now();
        match self.connector.connect().await {
            Ok(bus) => {
                let again = std::mem::replace(&mut self.connected_before, true);
                self.units.iter_mut().for_each(|unit| unit.connected(again));
                State::Settling(Line::new(bus))
            }
            Err(error) => {
                self.units.iter_mut().for_each(|unit| unit.lost(&error));
                self.attempt = self.attempt.saturating_add(1);
                self.retry()
            }
        }
    }

    async fn serve(&mut self, mut line: Line<C::Bus>) -> State<C::Bus> {
        let connected_at = self.clock.now();
        loop {
            let now = self.clock.now();
            let jobs = self
                .units
                .iter_mut()
                .enumerate()
                .flat_map(|(index, unit)| unit.jobs(now).map(move |(job, due)| ((index, job), due)));
            match self.agenda.next(jobs, now) {
                Next::Rest(until) => self.rest(until).await,
                Next::Now((index, job)) => {
                    if let Err(broken) = self.turn(index, job, &mut line).await {
                        return self.broken(index, &broken, connected_at);
                    }
                    if let Some(until) = self.strangers_until() {
                        return State::Down { until };
                    }
                }
            }
        }
    }

    async fn turn(&mut self, index: usize, job: Job, line: &mut Line<C::Bus>) -> Result<(), Broken> {
        let others_answer = self.others_answer(index);
        match self.units.get_mut(index) {
            Some(unit) => unit.turn(job, line, others_answer).await,
            None => Ok(()),
        }
    }

    /// The connection is gone, over an exchange with the unit at `index`.
    fn broken(&mut self, index: usize, broken: &Broken, connected_at: Millis) -> State<C::Bus> {
        let now = self.clock.now();
        let others_answer = self.others_answer(index);
        let steady = others_answer || now.since(connected_at) >= STEADY;
        self.attempt = if steady { 0 } else { self.attempt.saturating_add(1) };
        let wire_down = !broken.is_the_units();
        for (other, unit) in self.units.iter_mut().enumerate() {
            if wire_down || other == index {
                unit.lost(broken);
            }
        }
        let quiet_until = now + self.worst_response();
        let quarantine =
            (self.connector.medium() == Medium::Anonymous).then(|| broken.unanswered()).flatten();
        let damage = self.units.get_mut(index).and_then(|unit| {
            unit.failed(others_answer, now);
            quarantine.map(|request| unit.quarantine(request, quiet_until))
        });
        match damage {
            Some(Damage::Wire) => State::Down { until: quiet_until },
            Some(Damage::Unit) | None => self.retry(),
        }
    }

    fn retry(&self) -> State<C::Bus> {
        State::Down { until: self.attempted_at + apart(&self.who, self.attempt) }
    }

    /// After a lost answer an anonymous wire is quiet for so long.
    fn worst_response(&self) -> Millis {
        let deadline = self.units.iter().map(Unit::deadline).max().unwrap_or(Millis::ZERO);
        Millis::new(deadline.get().saturating_mul(QUIET_FACTOR))
    }

    /// Whether another unit has answered since the one at `index` began to fail.
    fn others_answer(&self, index: usize) -> bool {
        let Some(since) = self.units.get(index).and_then(Unit::failing_since) else {
            return false;
        };
        let others = self.units.iter().enumerate().filter(|(other, _)| *other != index);
        others.filter_map(|(_, unit)| unit.answered_at()).any(|at| at > since)
    }

    /// When the first stranger is looked at again, if there is nothing but strangers: they need no connection.
    fn strangers_until(&self) -> Option<Millis> {
        self.units.iter().map(Unit::stranger_until).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    fn tell(&self, phase: &Phase) {
        self.units.iter().for_each(|unit| unit.tell_wire(phase));
    }

    async fn sleep(&self, until: Millis) {
        if until > self.clock.now() {
            sleep_until(self.clock.instant(until).into()).await;
        }
    }

    /// Until then, or until the cycle wishes something.
    async fn rest(&self, until: Millis) {
        let until = until.min(self.clock.now() + LONGEST_REST);
        tokio::select! {
            () = self.sleep(until) => {}
            () = self.wake.notified() => {}
        }
    }
}

impl<C> fmt::Debug for Endpoint<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("who", &self.who)
            .field("units", &self.units.len())
            .finish_non_exhaustive()
    }
}
