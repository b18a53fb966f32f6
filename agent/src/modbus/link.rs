//! The link to one device: a task that owns its connection and keeps it, come what may.
//!
//! ```text
//!   ┌─► Down ── backoff ──► Connecting ── connected ──► Probing ── the profile's device ──► Up ─┐
//!   │                        │   ▲                       │   │                                  │
//!   │      refused, too late │   └──── 10 s ── Refused ◄─┘   │ broken                           │ broken
//!   └────────────────────────┴───────────────────────────────┴──────────────────────────────────┘
//! ```
//!
//! Broken is a late answer, a failed connection, or an answer to something else: the connection is dropped, so that
//! nothing from it can be taken for an answer again. What a device declines does not break a connection.
//! The task never ends by itself; it may be dropped at any point.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use eisbach_protocol::units::Millis;
use tokio::time::sleep_until;
use tracing::{info, warn};

use super::backoff::apart;
use super::bus::Connector;
use super::commander::Commander;
use super::device::DeviceSettings;
use super::poller::Poller;
use super::probe::{ProbeError, probe};
use super::session::{Broken, Session};
use super::state::{Cells, Phase, Stranger};
use crate::clock::Clock;

/// Time between two looks at a device that is not the profile's.
const REFUSED_PAUSE: Millis = Millis::from_secs(10);
/// A link that was up for so long starts its backoff anew.
const STEADY: Millis = Millis::from_secs(10);
/// Longest sleep when nothing is due; a wish of the cycle ends it at once.
const LONGEST_REST: Millis = Millis::from_secs(3600);

/// The task's own part.
pub(super) struct Link<C> {
    settings: Arc<DeviceSettings>,
    cells: Arc<Cells>,
    clock: Clock,
    connector: C,
    commander: Commander,
    /// Attempts to connect since the link was last steadily up, and when the latest began.
    attempt: u32,
    attempted_at: Millis,
    connected_before: bool,
}

enum State<B> {
    Down { until: Millis },
    Connecting,
    Probing(Session<B>),
    Up(Session<B>),
    Refused { until: Millis },
}

impl<C: Connector> Link<C> {
    pub(super) fn new(settings: Arc<DeviceSettings>, cells: Arc<Cells>, clock: Clock, connector: C) -> Self {
        let commander = Commander::new(Arc::clone(&settings), Arc::clone(&cells), clock);
        Self {
            settings,
            cells,
            clock,
            connector,
            commander,
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
            State::Down { until } | State::Refused { until } => {
                sleep_until(self.clock.instant(until).into()).await;
                State::Connecting
            }
            State::Connecting => self.connect().await,
            State::Probing(session) => self.probe(session).await,
            State::Up(session) => self.serve(session).await,
        }
    }

    async fn connect(&mut self) -> State<C::Bus> {
        self.enter(Phase::Connecting);
        self.attempted_at = self.clock.now();
        match self.connector.connect().await {
            Ok(bus) => {
                let mut counters = self.cells.image.borrow().counters;
                counters.reconnects += u64::from(std::mem::replace(&mut self.connected_before, true));
                let (unit, timeout_ms) = (self.settings.unit, self.settings.profile.timeout_ms);
                State::Probing(Session::new(bus, unit, timeout_ms, self.clock, counters))
            }
            Err(error) => self.down(&error),
        }
    }

    async fn probe(&mut self, mut session: Session<C::Bus>) -> State<C::Bus> {
        self.enter(Phase::Probing);
        let outcome = probe(&mut session, &self.settings.profile, &self.settings.name).await;
        self.count(&session);
        match outcome {
            Ok(()) => self.up(session),
            Err(ProbeError::Stranger(stranger)) => self.refused(stranger),
            Err(ProbeError::Failed(failure)) => self.down(&failure),
        }
    }

    async fn serve(&mut self, mut session: Session<C::Bus>) -> State<C::Bus> {
        let mut poller = Poller::new(Arc::clone(&self.settings), Arc::clone(&self.cells), self.clock);
        loop {
            let next = self.round(&mut session, &mut poller).await;
            self.count(&session);
            match next {
                Ok(until) => self.rest(until).await,
                Err(broken) => return self.down(&broken),
            }
        }
    }

    /// Commands first, then one read: neither keeps the other waiting for longer than one turn.
    async fn round(&mut self, session: &mut Session<C::Bus>, poller: &mut Poller) -> Result<Millis, Broken> {
        let next_write = self.commander.write_due(session).await?;
        let next_read = poller.read_due(session).await?;
        Ok(next_write.min(next_read))
    }

    async fn rest(&mut self, until: Millis) {
        let now = self.clock.now();
        if until > now {
            let until = self.clock.instant(until.min(now + LONGEST_REST));
            tokio::select! {
                () = sleep_until(until.into()) => {}
                () = self.commander.heard() => {}
            }
        }
    }

    fn up(&self, session: Session<C::Bus>) -> State<C::Bus> {
        self.enter(Phase::Up);
        info!(
            device = self.settings.name,
            address = self.settings.address,
            unit = self.settings.unit,
            "device up"
        );
        State::Up(session)
    }

    fn refused(&self, stranger: Stranger) -> State<C::Bus> {
        if !matches!(self.cells.image.borrow().state.phase, Phase::Refused(_)) {
            warn!(
                device = self.settings.name,
                address = self.settings.address,
                unit = self.settings.unit,
                found = %stranger,
                "not the device of its profile; it is left alone",
            );
        }
        self.enter(Phase::Refused(stranger));
        State::Refused { until: self.clock.now() + REFUSED_PAUSE }
    }

    fn down(&mut self, cause: &dyn fmt::Display) -> State<C::Bus> {
        let now = self.clock.now();
        let (was_lost, was_steady) = {
            let image = self.cells.image.borrow();
            (image.lost, image.state.phase == Phase::Up && now.since(image.state.since) >= STEADY)
        };
        if !was_lost {
            warn!(
                device = self.settings.name,
                address = self.settings.address,
                unit = self.settings.unit,
                %cause,
                "device out of reach; trying again until it answers",
            );
        }
        self.commander.doubt();
        self.enter(Phase::Down);
        self.attempt = if was_steady { 0 } else { self.attempt.saturating_add(1) };
        let who = format!("{} {}", self.settings.name, self.settings.address);
        State::Down { until: self.attempted_at + apart(&who, self.attempt) }
    }

    /// Tells the phase. A refused device is looked at in silence: what is told stays `Refused` until that changes.
    fn enter(&self, phase: Phase) {
        let now = self.clock.now();
        self.cells.image.send_modify(|image| {
            let passing = matches!(phase, Phase::Connecting | Phase::Probing);
            if passing && matches!(image.state.phase, Phase::Refused(_)) {
                return;
            }
            if (phase == Phase::Up) != (image.state.phase == Phase::Up) {
                image.state.since = now;
            }
            match phase {
                Phase::Up => image.lost = false,
                Phase::Down | Phase::Refused(_) => {
                    image.lost = true;
                    image.verified.fill(None);
                }
                Phase::Connecting | Phase::Probing => {}
            }
            image.state.phase = phase;
        });
    }

    fn count(&self, session: &Session<C::Bus>) {
        self.cells.image.send_modify(|image| image.counters = session.counters);
    }
}
