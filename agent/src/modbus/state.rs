//! What a link tells the cycle: its state, its counters, its protection and the latest value of each point.
//!
//! ```text
//!   wire's task ── send_modify ──► Image ── borrow ─────────────► cycle
//!   wire's task ◄── wake ────────── Wishes, beat ◄── send_modify ── cycle
//! ```
//!
//! All are "latest value" cells: nobody waits for anybody, and nothing queues up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::{Expect, MAX_COMMANDS, MAX_POINTS};
use eisbach_protocol::units::Millis;
use tokio::sync::{Notify, watch};

use super::commission::Protection;
use super::gate::Wish;
use super::write_state::{Heartbeats, WriteState};

/// Where a link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The present step.
    pub phase: Phase,
    /// When the link last went up, or last stopped being up.
    pub since: Millis,
}

/// The steps of a link: the wire's, and once that stands, the unit's own. See the pictures in
/// [`endpoint`](super).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No connection; the next attempt waits for its time.
    Down,
    /// An attempt is under way.
    Connecting,
    /// Connected; the device needs a moment before it can answer.
    Settling,
    /// Identity, presets and watchdog are looked at.
    Probing,
    /// Polling and obeying.
    Up,
    /// An answer was lost, and the wire stays quiet until it can no longer come.
    Quarantine,
    /// It does not answer while others on the wire do. It is asked again only now and then.
    Dormant,
    /// Another device than the profile describes. Nothing is read or written; looked at again every 10 s.
    Refused(Stranger),
}

impl Phase {
    /// One stable word for every face.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Connecting => "connecting",
            Self::Settling => "settling",
            Self::Probing => "probing",
            Self::Up => "up",
            Self::Quarantine => "quarantine",
            Self::Dormant => "dormant",
            Self::Refused(_) => "refused",
        }
    }
}

/// A device that is not the one its profile describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The first identity register, zero-based.
    pub address: u16,
    /// What must be there.
    pub expected: Expect,
    /// What is there; nothing if the device has no such register.
    pub found: Option<Vec<u16>>,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, expected, found } = self;
        match (expected, found) {
            (Expect::Text(_), Some(found)) => write!(f, "register {address} holds `{}`", text(found))?,
            (Expect::OneOf(_) | Expect::Words(_), Some(found)) => {
                write!(f, "register {address} holds {found:?}")?;
            }
            (_, None) => write!(f, "there is no register {address}")?,
        }
        match expected {
            Expect::OneOf(values) => write!(f, ", the profile expects one of {values:?}"),
            Expect::Words(words) => write!(f, ", the profile expects {words:?}"),
            Expect::Text(text) => write!(f, ", the profile expects `{text}`"),
        }
    }
}

/// Two characters a register; what is no printable character is a dot.
fn text(words: &[u16]) -> String {
    let shown = |byte: u8| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' };
    words.iter().flat_map(|word| word.to_be_bytes()).map(shown).collect()
}

/// Exception codes that have a counter of their own, from 1; the rest shares the place 0.
const COUNTED_EXCEPTIONS: usize = 12;

/// What a link has done since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Requests sent, repeated ones too.
    pub requests: u64,
    /// Requests without an answer in time; each cost the connection.
    pub timeouts: u64,
    /// Answers that did not belong to their request, and broken connections; each cost the connection.
    pub broken: u64,
    /// Requests that the device declined.
    pub exceptions: u64,
    /// The same by exception code: 1 to 11 in their places, all other codes in place 0.
    pub exceptions_by_code: [u64; COUNTED_EXCEPTIONS],
    /// Connections made after the first.
    pub reconnects: u64,
    /// Stale bytes thrown away before a request.
    pub drained: u64,
    /// Times that the wire had to be quiet because an answer of this device was lost.
    pub quarantines: u64,
    /// Times that the device was given up while others on its wire answered.
    pub dormant: u64,
    /// Registers written and echoed.
    pub writes: u64,
    /// Writes whose read-back agreed.
    pub verified: u64,
    /// Writes whose read-back did not agree.
    pub mismatches: u64,
    /// Round trip of the last answered request, µs.
    pub latency_last_us: u64,
    /// Longest round trip of an answered request, µs.
    pub latency_max_us: u64,
}

impl LinkCounters {
    pub(super) fn exception(&mut self, code: u8) {
        self.exceptions += 1;
        let place = if usize::from(code) < COUNTED_EXCEPTIONS { usize::from(code) } else { 0 };
        if let Some(counter) = self.exceptions_by_code.get_mut(place) {
            *counter += 1;
        }
    }

    /// Requests that a gateway declined because it does not reach the device.
    pub(super) fn unreachable(&self) -> u64 {
        let of = |code: usize| self.exceptions_by_code.get(code).copied().unwrap_or(0);
        of(0x0A) + of(0x0B)
    }

    pub(super) fn round_trip(&mut self, latency_us: u64) {
        self.latency_last_us = latency_us;
        self.latency_max_us = self.latency_max_us.max(latency_us);
    }
}

/// The cells between one device and the cycle.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) image: watch::Sender<Image>,
    pub(super) wishes: watch::Sender<Wishes>,
    /// Number of the last completed cycle; zero before the first.
    beat: AtomicU64,
    /// Wakes the task of the device's wire.
    wake: Arc<Notify>,
}

/// The latest wish for each command of the profile.
pub(super) type Wishes = [Option<Wish>; MAX_COMMANDS];

/// The latest of everything, in the order of the profile.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) state: LinkState,
    /// The last attempt to reach the device failed, or the last connection was lost.
    pub(super) lost: bool,
    pub(super) counters: LinkCounters,
    pub(super) protection: Protection,
    pub(super) points: [Option<Sample>; MAX_POINTS],
    pub(super) writes: [WriteState; MAX_COMMANDS],
    pub(super) heartbeats: Heartbeats,
}

/// One point as last read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) outcome: Result<f32, BadReason>,
    /// Usable with caution: the instrument looks frozen.
    pub(super) doubtful: bool,
    /// When it was asked for, so that its age is never understated.
    pub(super) at: Millis,
}

impl Cells {
    /// Cells with a wire of their own.
    #[cfg(test)]
    pub(super) fn new(now: Millis) -> Self {
        Self::waking(Arc::default(), now)
    }

    /// Cells whose wishes wake `wake`.
    pub(super) fn waking(wake: Arc<Notify>, now: Millis) -> Self {
        let image = Image {
            state: LinkState { phase: Phase::Connecting, since: now },
            lost: false,
            counters: LinkCounters::default(),
            protection: Protection::unseen(),
            points: [None; MAX_POINTS],
            writes: [WriteState::default(); MAX_COMMANDS],
            heartbeats: Heartbeats::default(),
        };
        Self {
            image: watch::Sender::new(image),
            wishes: watch::Sender::new([None; MAX_COMMANDS]),
            beat: AtomicU64::new(0),
            wake,
        }
    }

    /// The wish of the cycle for the command at `index`.
    pub(super) fn wish(&self, index: usize, wish: Wish) {
        self.wishes.send_modify(|wishes| {
            if let Some(cell) = wishes.get_mut(index) {
                *cell = Some(wish);
            }
        });
        self.wake.notify_one();
    }

    /// Cycle number `count` is complete.
    pub(super) fn beat(&self, count: u64) {
        self.beat.store(count, Ordering::Release);
        self.wake.notify_one();
    }

    /// Number of the last completed cycle; zero before the first.
    pub(super) fn beats(&self) -> u64 {
        self.beat.load(Ordering::Acquire)
    }
}

impl Image {
    /// The point at `index` was read. A device out of reach says nothing about the value, so what was known of it
    /// stays and grows old.
    pub(super) fn sample(&mut self, index: usize, sample: Sample) {
        let Some(cell) = self.points.get_mut(index) else {
            return;
        };
        let known = matches!(cell, Some(Sample { outcome: Ok(_), .. }));
        if !(known && sample.outcome == Err(BadReason::CommLost)) {
            *cell = Some(sample);
        }
    }

    /// The point at `index` as it stands at `now`, stale beyond `limit`.
    pub(super) fn reading(&self, index: usize, limit: Millis, now: Millis) -> Reading<f32> {
        match self.points.get(index).copied().flatten() {
            Some(sample) => sample.reading(limit, now),
            None if matches!(self.state.phase, Phase::Refused(_)) => Reading::bad(BadReason::ConfigError),
            None if self.lost => Reading::bad(BadReason::CommLost),
            None => Reading::bad(BadReason::NeverRead),
        }
    }
}

impl Sample {
    fn reading(self, limit: Millis, now: Millis) -> Reading<f32> {
        let fresh = match self.outcome {
            Ok(value) => Reading::measured(value, now.since(self.at)),
            Err(reason) => return Reading::bad(reason),
        };
        let judged = if self.doubtful { fresh.doubted() } else { fresh };
        judged.aged(Millis::ZERO, limit)
    }
}
