//! What a link tells the cycle: its state, its counters and the latest value of each point.
//!
//! ```text
//!   link task ── send_modify ──► Image ── borrow ──► cycle
//!   link task ◄── changed ────── Wishes ◄── send_modify ── cycle
//! ```
//!
//! Both are "latest value" cells: nobody waits for anybody, and nothing queues up.

use std::fmt;

use eisbach_protocol::reading::BadReason;
use eisbach_protocol::registers::{MAX_COMMANDS, MAX_POINTS};
use eisbach_protocol::units::Millis;
use tokio::sync::watch;

use super::gate::Wish;

/// Where a link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// The present step.
    pub phase: Phase,
    /// When the link last went up, or last stopped being up.
    pub since: Millis,
}

/// The steps of a link, see the picture in [`link`](super).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No connection; the next attempt waits for its time.
    Down,
    /// An attempt is under way.
    Connecting,
    /// Connected; identity and presets are looked at.
    Probing,
    /// Polling and obeying.
    Up,
    /// Another device than the profile describes. Nothing is read or written; looked at again every 10 s.
    Refused(Stranger),
}

/// A device that is not the one its profile describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// The identity register, zero-based.
    pub address: u16,
    /// What it may hold.
    pub expected: heapless::Vec<u16, 8>,
    /// What it holds; nothing if the device has no such register.
    pub found: Option<u16>,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, expected, found } = self;
        match found {
            Some(found) => {
                write!(f, "register {address} holds {found}, the profile expects one of {expected:?}")
            }
            None => {
                write!(f, "there is no register {address}, the profile expects one of {expected:?} there")
            }
        }
    }
}

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
    /// Connections made after the first.
    pub reconnects: u64,
    /// Registers written and echoed.
    pub writes: u64,
    /// Writes whose read-back agreed.
    pub verified: u64,
    /// Writes whose read-back did not agree.
    pub mismatches: u64,
    /// Requests of the cycle that were dropped: out of the profile's range, or for a control it does not have.
    pub refused: u64,
    /// Round trip of the last answered request, µs.
    pub latency_last_us: u64,
    /// Longest round trip of an answered request, µs.
    pub latency_max_us: u64,
}

/// A set-point that the device was seen to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verified {
    /// In the control's unit, as the register resolves it.
    pub value: f32,
    /// When it was read back.
    pub at: Millis,
}

/// The cells between one link and the cycle.
#[derive(Debug)]
pub(super) struct Cells {
    pub(super) image: watch::Sender<Image>,
    pub(super) wishes: watch::Sender<Wishes>,
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
    pub(super) points: [Option<Sample>; MAX_POINTS],
    pub(super) verified: [Option<Verified>; MAX_COMMANDS],
}

/// One point as last read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    pub(super) outcome: Result<f32, BadReason>,
    /// When it was asked for, so that its age is never understated.
    pub(super) at: Millis,
}

impl Cells {
    pub(super) fn new(now: Millis) -> Self {
        let image = Image {
            state: LinkState { phase: Phase::Connecting, since: now },
            lost: false,
            counters: LinkCounters::default(),
            points: [None; MAX_POINTS],
            verified: [None; MAX_COMMANDS],
        };
        Self { image: watch::Sender::new(image), wishes: watch::Sender::new([None; MAX_COMMANDS]) }
    }
}

impl Image {
    /// The point at `index` was read. A device out of reach says nothing about the value, so what was known of it
    /// stays and grows old.
    pub(super) fn sample(&mut self, index: usize, outcome: Result<f32, BadReason>, at: Millis) {
        let Some(cell) = self.points.get_mut(index) else {
            return;
        };
        let known = matches!(cell, Some(Sample { outcome: Ok(_), .. }));
        if !(known && outcome == Err(BadReason::CommLost)) {
            *cell = Some(Sample { outcome, at });
        }
    }
}
