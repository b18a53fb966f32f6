//! What all conversations of one proxy share: the fault that is set, and what is counted and kept for it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::watch;

use super::Line;
use super::fault::WireFault;
use super::framing::Framing;
use super::injection::Injection;
use crate::devices::mbap::Frame;

/// Distinct reads that a frozen wire remembers; those beyond pass.
const MOST_FROZEN: usize = 256;
/// One place for each kind of fault, and one for no fault.
const PLACES: usize = WireFault::ALL.len() + 1;

/// Frames that passed while a fault was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests and replies.
    pub seen: u64,
    /// What the fault did: frames changed, delayed, added or swallowed, connections refused, registers written.
    pub changed: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setting {
    pub(super) injection: Option<Injection>,
    /// How often all connections have been cut. A conversation ends when this differs from what it was at its start.
    pub(super) cuts: u64,
}

pub(super) struct State {
    pub(super) line: Line,
    setting: watch::Sender<Setting>,
    kept: Mutex<Kept>,
}

struct Kept {
    counts: [Counts; PLACES],
    /// First reply to each request, by unit and PDU.
    frozen: HashMap<(u8, Vec<u8>), Vec<u8>>,
    /// The reply that the last conversation of an RTU line did not live to get.
    left_over: Option<Vec<u8>>,
}

impl State {
    pub(super) fn new(line: Line) -> Self {
        let kept = Kept { counts: [Counts::default(); PLACES], frozen: HashMap::new(), left_over: None };
        Self { line, setting: watch::Sender::new(Setting::default()), kept: Mutex::new(kept) }
    }

    pub(super) const fn framing(&self) -> Framing {
        match self.line {
            Line::Tcp => Framing::Mbap,
            Line::RtuOverTcp | Line::Pty => Framing::Rtu,
        }
    }

    pub(super) fn set(&self, mut injection: Injection) {
        let restart = matches!(injection.fault, WireFault::UnitRestart { .. });
        if restart {
            injection.times = Some(1);
        }
        self.forget();
        self.setting.send_modify(|setting| {
            setting.injection = Some(injection);
            setting.cuts += u64::from(restart);
        });
    }

    pub(super) fn clear(&self) {
        self.setting.send_modify(|setting| setting.injection = None);
        self.forget();
    }

    pub(super) fn injection(&self) -> Option<Injection> {
        self.setting.borrow().injection
    }

    pub(super) fn watch(&self) -> watch::Receiver<Setting> {
        self.setting.subscribe()
    }

    /// The fault that touches a request with this function, and its reply.
    pub(super) fn fault_on(&self, function: u8) -> Option<WireFault> {
        self.injection().filter(|injection| injection.on.contain(function)).map(|injection| injection.fault)
    }

    /// A frame has passed.
    pub(super) fn saw(&self, fault: Option<WireFault>) {
        self.count(fault, |counts| counts.seen += 1);
    }

    /// The fault has done something; one that was set for a number of times may be over now.
    pub(super) fn changed(&self, fault: WireFault) {
        self.count(Some(fault), |counts| counts.changed += 1);
        self.setting.send_if_modified(|setting| match &mut setting.injection {
            Some(injection) if injection.fault == fault => match &mut injection.times {
                Some(1) => {
                    setting.injection = None;
                    true
                }
                Some(times) => {
                    *times -= 1;
                    false
                }
                None => false,
            },
            Some(_) | None => false,
        });
    }

    pub(super) fn counts(&self, fault: Option<WireFault>) -> Counts {
        self.kept().counts.get(place(fault)).copied().unwrap_or_default()
    }

    /// The first reply that `request` got since the fault was set; `reply` if this is it.
    pub(super) fn first_reply(&self, request: &Frame, reply: &Frame) -> Vec<u8> {
        let mut kept = self.kept();
        let key = (request.unit, request.pdu.clone());
        if kept.frozen.len() >= MOST_FROZEN && !kept.frozen.contains_key(&key) {
            return reply.pdu.clone();
        }
        kept.frozen.entry(key).or_insert_with(|| reply.pdu.clone()).clone()
    }

    /// A serial line does not know who listens: what one conversation leaves, the next one gets.
    pub(super) fn take_left_over(&self) -> Option<Vec<u8>> {
        self.kept().left_over.take()
    }

    pub(super) fn leave(&self, reply: Option<Vec<u8>>) {
        if self.framing() == Framing::Rtu {
            self.kept().left_over = reply;
        }
    }

    fn forget(&self) {
        let mut kept = self.kept();
        kept.frozen.clear();
        kept.left_over = None;
    }

    fn count(&self, fault: Option<WireFault>, add: impl FnOnce(&mut Counts)) {
        if let Some(counts) = self.kept().counts.get_mut(place(fault)) {
            add(counts);
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last place is for no fault.
fn place(fault: Option<WireFault>) -> usize {
    let same = |fault: WireFault| WireFault::ALL.iter().position(|known| known.name() == fault.name());
    fault.and_then(same).unwrap_or(WireFault::ALL.len())
}
