//! One connection to one device: every exchange under a deadline, checked and counted.
//!
//! ```text
//!   request ─► call ─► in time? ─► exception? ─► belongs to the request? ─► words
//!                        │ no          │ yes            │ no
//!                        ▼             ▼                ▼
//!                      Broken       Declined          Broken
//!               (the connection is    (it stays; busy is
//!                dropped at once)      asked again, bounded)
//! ```

use std::time::Duration;
use std::{fmt, io};

use thiserror::Error;
use tokio::time::{sleep, timeout};

use super::bus::{Bus, CallError, Request, Response, Span};
use super::check::{self, Foul, Refusal};
use super::state::LinkCounters;
use crate::clock::Clock;

/// Waits before a busy device is asked again. Together well below the time after which control data are stale.
const BUSY_PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(80)];

/// A connection in use.
pub(super) struct Session<B> {
    pub(super) counters: LinkCounters,
    /// Gone once it can no longer be trusted: nothing can be sent or heard on it after that.
    bus: Option<B>,
    unit: u8,
    deadline: Duration,
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
    #[error("no answer within {0:?}")]
    Late(Duration),
    /// The connection failed.
    #[error("connection failed: {0}")]
    Transport(#[source] io::Error),
    /// The frame answers another request, or none.
    #[error("answer to something else: {0}")]
    Header(String),
    /// The content answers another request.
    #[error("wrong answer: {0}")]
    Foul(#[from] Foul),
    /// It broke earlier.
    #[error("the connection is gone")]
    Gone,
}

/// What a register held after it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// What was written.
    Held,
    /// Something else.
    Holds(u16),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held => f.write_str("held"),
            Self::Holds(found) => write!(f, "written, but the device holds {found}"),
        }
    }
}

impl<B: Bus> Session<B> {
    /// A session on a new connection that goes on counting from `counters`.
    pub(super) const fn new(bus: B, unit: u8, timeout_ms: u32, clock: Clock, counters: LinkCounters) -> Self {
        Self { counters, bus: Some(bus), unit, deadline: Duration::from_millis(timeout_ms as u64), clock }
    }

    /// The words of `span`, one for each register or input.
    pub(super) async fn read(&mut self, span: Span) -> Result<Vec<u16>, Failure> {
        let response = self.exchange(Request::Read(span)).await?;
        check::read(span, response).map_err(|foul| self.broken(foul.into()))
    }

    /// One register or input.
    pub(super) async fn read_one(&mut self, span: Span) -> Result<u16, Failure> {
        let words = self.read(Span { count: 1, ..span }).await?;
        words.first().copied().ok_or_else(|| self.broken(Foul::Length { asked: 1, got: 0 }.into()))
    }

    /// Writes one holding register and reads it back.
    pub(super) async fn set(&mut self, address: u16, word: u16) -> Result<Proof, Failure> {
        let response = self.exchange(Request::Write { address, word }).await?;
        check::write(address, word, &response).map_err(|foul| self.broken(foul.into()))?;
        self.counters.writes += 1;
        let held = self.read_one(Span::register(address)).await?;
        if held == word {
            self.counters.verified += 1;
            Ok(Proof::Held)
        } else {
            self.counters.mismatches += 1;
            Ok(Proof::Holds(held))
        }
    }

    async fn exchange(&mut self, request: Request) -> Result<Response, Failure> {
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
        let Some(bus) = &mut self.bus else {
            return Err(Broken::Gone.into());
        };
        self.counters.requests += 1;
        let sent = micros(self.clock);
        let outcome = match timeout(self.deadline, bus.call(self.unit, request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(CallError::Exception(code))) => {
                self.counters.exceptions += 1;
                Err(Refusal::of(code).into())
            }
            Ok(Err(CallError::Transport(error))) => return Err(self.broken(Broken::Transport(error))),
            Ok(Err(CallError::Header(message))) => return Err(self.broken(Broken::Header(message))),
            Err(_elapsed) => return Err(self.broken(Broken::Late(self.deadline))),
        };
        let latency = micros(self.clock).saturating_sub(sent);
        self.counters.latency_last_us = latency;
        self.counters.latency_max_us = self.counters.latency_max_us.max(latency);
        outcome
    }

    /// Drops the connection.
    fn broken(&mut self, broken: Broken) -> Failure {
        self.bus = None;
        match broken {
            Broken::Late(_) => self.counters.timeouts += 1,
            Broken::Transport(_) | Broken::Header(_) | Broken::Foul(_) => self.counters.broken += 1,
            Broken::Gone => {}
        }
        broken.into()
    }
}

/// Time since the clock's start. A round trip is often shorter than the millisecond that the clock counts in.
fn micros(clock: Clock) -> u64 {
    let start = clock.instant(eisbach_protocol::units::Millis::ZERO);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Stays silent on the first call and counts all.
    struct Mute<'a>(&'a AtomicUsize);

    impl Bus for Mute<'_> {
        async fn call(&mut self, _unit: u8, _request: Request) -> Result<Response, CallError> {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                pending().await
            } else {
                Ok(Response::Holding(vec![7]))
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_late_answer_nothing_is_sent_or_heard_on_the_same_connection() {
        let calls = AtomicUsize::new(0);
        let mut session = Session::new(Mute(&calls), 1, 500, Clock::start(), LinkCounters::default());
        let first = session.read(Span::register(0)).await;
        assert!(matches!(first, Err(Failure::Broken(Broken::Late(_)))));
        let second = session.read(Span::register(0)).await;
        assert!(matches!(second, Err(Failure::Broken(Broken::Gone))));
        assert_eq!((session.counters.timeouts, session.counters.requests), (1, 1));
        assert_eq!(calls.load(Ordering::Relaxed), 1);
    }
}
