//! One unit's view of the wire: every exchange under its deadline and gap, checked and counted.
//!
//! ```text
//!   request ─► gap ─► call ─► in time? ─► exception? ─► belongs to the request? ─► words
//!                              │ no          │ yes            │ no
//!                              ▼             ▼                ▼
//!                            Broken       Declined          Broken
//!                     (the connection is    (it stays)
//!                      dropped at once)
//! ```
//!
//! A [`Line`] is the connection, whoever uses it; a [`Session`] borrows it for one unit and one turn.

use std::io;
use std::time::Duration;

use eisbach_protocol::registers::LinkLimits;
use eisbach_protocol::units::Millis;
use thiserror::Error;
use tokio::time::{sleep, sleep_until, timeout};

use super::bus::{Bus, CallError, Request, Response, Span};
use super::check::{self, Foul, Refusal};
use super::permit::Permit;
use super::state::LinkCounters;
use crate::clock::Clock;

/// Waits before a busy device is asked again. Together well below the time after which control data are stale.
pub(super) const BUSY_PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(80)];

/// A connection in use.
pub(super) struct Line<B> {
    /// Gone once it can no longer be trusted: nothing can be sent or heard on it after that.
    bus: Option<B>,
    /// When the last exchange ended.
    heard_at: Millis,
    /// The unit that answered last wants quiet until then.
    quiet_until: Millis,
}

/// One unit's use of a line.
pub(super) struct Session<'a, B> {
    pub(super) counters: &'a mut LinkCounters,
    line: &'a mut Line<B>,
    unit: u8,
    deadline: Duration,
    gap: Millis,
    clock: Clock,
}

/// Why an exchange brought nothing.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The connection can no longer be trusted.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The device declined; the connection stays.
    #[error(transparent)]
    Declined(#[from] Refusal),
}

/// Why a connection can no longer be trusted.
#[derive(Debug, Error)]
pub(super) enum Broken {
    /// No answer in time. It may still come, and must not be taken for the answer to something else.
    #[error("no answer within {after:?}")]
    Late {
        /// What was asked.
        request: Request,
        /// How long was waited.
        after: Duration,
    },
    /// The connection failed.
    #[error("connection failed: {cause}")]
    Transport {
        /// What was asked.
        request: Request,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// What came is no answer to the request.
    #[error("wrong answer: {cause}")]
    Wrong {
        /// What was asked.
        request: Request,
        /// What is wrong with the answer.
        cause: Wrong,
    },
    /// The unit cannot be spoken to.
    #[error("{0}")]
    Unspeakable(String),
    /// It broke earlier.
    #[error("the connection is gone")]
    Gone,
}

/// What is wrong with an answer.
#[derive(Debug, Error)]
pub(super) enum Wrong {
    /// The frame answers another request, or is none.
    #[error("{0}")]
    Frame(String),
    /// The content answers another request.
    #[error(transparent)]
    Content(#[from] Foul),
}

impl Broken {
    /// The request whose answer is still out.
    pub(super) const fn unanswered(&self) -> Option<Request> {
        match self {
            Self::Late { request, .. } | Self::Transport { request, .. } | Self::Wrong { request, .. } => {
                Some(*request)
            }
            Self::Unspeakable(_) | Self::Gone => None,
        }
    }

    /// Whether it says nothing about the other units of the wire: they can be reached over another connection.
    pub(super) const fn is_the_units(&self) -> bool {
        match self {
            Self::Late { .. } | Self::Wrong { .. } | Self::Unspeakable(_) => true,
            Self::Transport { .. } | Self::Gone => false,
        }
    }
}

impl<B: Bus> Line<B> {
    /// A new connection.
    pub(super) const fn new(bus: B) -> Self {
        Self { bus: Some(bus), heard_at: Millis::ZERO, quiet_until: Millis::ZERO }
    }
}

impl<'a, B: Bus> Session<'a, B> {
    /// `line` as `unit` uses it.
    pub(super) const fn new(
        line: &'a mut Line<B>,
        unit: u8,
        limits: &LinkLimits,
        clock: Clock,
        counters: &'a mut LinkCounters,
    ) -> Self {
        let deadline = Duration::from_millis(limits.timeout_ms as u64);
        Self { counters, line, unit, deadline, gap: Millis::new(limits.min_gap_ms as u64), clock }
    }

    /// The words of `span`, one for each register or input. A busy device is asked again, a bounded number of times.
    pub(super) async fn read(&mut self, span: Span) -> Result<Vec<u16>, Failure> {
        let request = Request::Read(span);
        let response = self.patiently(request).await?;
        check::read(span, response).map_err(|foul| self.wrong(request, foul.into()))
    }

    /// As [`read`](Self::read), but a busy device is left alone, and the wire is free for others.
    pub(super) async fn read_once(&mut self, span: Span) -> Result<Vec<u16>, Failure> {
        let request = Request::Read(span);
        let response = self.once(request).await?;
        check::read(span, response).map_err(|foul| self.wrong(request, foul.into()))
    }

    /// One register or input.
    pub(super) async fn read_one(&mut self, span: Span) -> Result<u16, Failure> {
        let one = Span { count: 1, ..span };
        let words = self.read(one).await?;
        let missing = Foul::Length { asked: 1, got: 0 };
        words.first().copied().ok_or_else(|| self.wrong(Request::Read(one), missing.into()))
    }

    /// Writes one holding register; the device echoed it.
    pub(super) async fn write(&mut self, permit: Permit) -> Result<(), Failure> {
        let (address, word) = (permit.address(), permit.word());
        let request = Request::Write { address, word };
        let response = self.patiently(request).await?;
        check::write(address, word, &response).map_err(|foul| self.wrong(request, foul.into()))?;
        self.counters.writes += 1;
        Ok(())
    }

    async fn patiently(&mut self, request: Request) -> Result<Response, Failure> {
        let mut pauses = BUSY_PAUSES.iter();
        loop {
            match self.once(request).await {
                Err(Failure::Declined(Refusal::Busy)) => match pauses.next() {
                    Some(&pause) => sleep(pause).await,
                    None => return Err(Failure::Declined(Refusal::Busy)),
                },
                outcome => return outcome,
            }
        }
    }

    async fn once(&mut self, request: Request) -> Result<Response, Failure> {
        let may_send_at = self.may_send_at();
        if may_send_at > self.clock.now() {
            sleep_until(self.clock.instant(may_send_at).into()).await;
        }
        let Some(bus) = &mut self.line.bus else {
            return Err(Broken::Gone.into());
        };
        self.counters.requests += 1;
        let (sent, drained) = (micros(self.clock), bus.drained());
        let outcome = timeout(self.deadline, bus.call(self.unit, request)).await;
        self.counters.drained += bus.drained().saturating_sub(drained);
        let outcome = match outcome {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(CallError::Exception(code))) => {
                self.counters.exception(code);
                Err(Refusal::of(code).into())
            }
            Ok(Err(CallError::Header(message))) => return Err(self.wrong(request, Wrong::Frame(message))),
            Ok(Err(CallError::Transport(error))) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(self.wrong(request, Wrong::Frame(error.to_string())));
            }
            Ok(Err(CallError::Transport(cause))) => {
                return Err(self.broken(Broken::Transport { request, cause }));
            }
            Ok(Err(error @ CallError::Broadcast)) => {
                return Err(self.broken(Broken::Unspeakable(error.to_string())));
            }
            Err(_elapsed) => return Err(self.broken(Broken::Late { request, after: self.deadline })),
        };
        self.line.heard_at = self.clock.now();
        self.line.quiet_until = after_gap(self.line.heard_at, self.gap);
        self.counters.round_trip(micros(self.clock).saturating_sub(sent));
        outcome
    }

    /// Both the unit that answered last and the one that is asked next have their pause.
    fn may_send_at(&self) -> Millis {
        self.line.quiet_until.max(after_gap(self.line.heard_at, self.gap))
    }

    fn wrong(&mut self, request: Request, cause: Wrong) -> Failure {
        self.broken(Broken::Wrong { request, cause })
    }

    /// Drops the connection.
    fn broken(&mut self, broken: Broken) -> Failure {
        self.line.bus = None;
        match broken {
            Broken::Late { .. } => self.counters.timeouts += 1,
            Broken::Transport { .. } | Broken::Wrong { .. } => self.counters.broken += 1,
            Broken::Unspeakable(_) | Broken::Gone => {}
        }
        broken.into()
    }
}

/// The clock's milliseconds are cut off, so one more makes sure of the whole gap.
fn after_gap(heard_at: Millis, gap: Millis) -> Millis {
    if gap == Millis::ZERO { heard_at } else { heard_at + gap + Millis::new(1) }
}

/// Time since the clock's start. A round trip is often shorter than the millisecond that the clock counts in.
fn micros(clock: Clock) -> u64 {
    u64::try_from(clock.instant(Millis::ZERO).elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::profile::load;
    use std::future::pending;

    /// Stays silent on the first call and answers at once on all others.
    struct Mute {
        calls: u32,
    }

    impl Bus for Mute {
        async fn call(&mut self, _unit: u8, _request: Request) -> Result<Response, CallError> {
            self.calls += 1;
            if self.calls == 1 { pending().await } else { Ok(Response::Holding(vec![7])) }
        }
    }

    fn limits(min_gap_ms: u32) -> LinkLimits {
        let pump = load("grundfos-cim", None).unwrap();
        LinkLimits { timeout_ms: 500, min_gap_ms, ..pump.link }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_late_answer_nothing_is_sent_or_heard_on_the_same_connection() {
        let (mut line, mut counters) = (Line::new(Mute { calls: 0 }), LinkCounters::default());
        let mut session = Session::new(&mut line, 1, &limits(0), Clock::start(), &mut counters);
        let first = session.read(Span::register(0)).await;
        assert!(matches!(first, Err(Failure::Broken(Broken::Late { .. }))));
        let second = session.read(Span::register(0)).await;
        assert!(matches!(second, Err(Failure::Broken(Broken::Gone))));
        assert_eq!((counters.timeouts, counters.requests), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn each_unit_has_its_pause_before_and_after_its_own_exchange() {
        let (mut line, mut counters) = (Line::new(Mute { calls: 1 }), LinkCounters::default());
        let clock = Clock::start();
        let mut sent_at = Vec::new();
        for gap in [0, 50, 0, 0] {
            let mut session = Session::new(&mut line, 1, &limits(gap), clock, &mut counters);
            session.read(Span::register(0)).await.unwrap();
            sent_at.push(clock.now().get());
        }
        assert_eq!(sent_at, [0, 51, 102, 102]);
    }
}
