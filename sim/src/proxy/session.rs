//! One conversation between a master and a device.
//!
//! ```text
//!            ┌───────────── on_request ── forward ─────────────►┐
//!   master ──┤              │      └── swallow, reset           ├── device
//!            │              └── answer at once                  │
//!            └◄─ Deliveries ◄── on_reply ◄──────────────────────┘
//!                 (time)        as it is, spoiled, late, held, halved, in drops
//! ```
//!
//! Everything that goes to the master goes through [`Deliveries`], so that a late reply delays those behind it as it
//! does on a wire, and never the requests.

use std::collections::VecDeque;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tracing::debug;

use super::delivery::Deliveries;
use super::fault::WireFault;
use super::framing::{Deframer, Framing};
use super::spoil::spoil;
use super::state::State;
use crate::devices::mbap::Frame;
use crate::devices::rtu::{SILENCE, Speaker};

/// Requests that wait for their reply; of more the oldest is forgotten, and its reply passes as it is.
const MOST_PENDING: usize = 16;

/// How a conversation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// One side has gone.
    Quiet,
    /// A fault ends it with a reset.
    Reset,
}

/// Carry everything between the two until one side goes or a fault ends it.
pub(super) async fn converse<M>(state: &State, master: &mut M, device: &mut TcpStream) -> End
where
    M: AsyncRead + AsyncWrite + Unpin,
{
    let mut setting = state.watch();
    let cuts = setting.borrow().cuts;
    let mut session = Session::new(state);
    let mut requests = state.framing().deframer(Speaker::Master);
    let mut replies = state.framing().deframer(Speaker::Unit);
    let (mut from_master, mut from_device) = ([0; 512], [0; 512]);
    loop {
        let ended = tokio::select! {
            () = async { drop(setting.wait_for(|setting| setting.cuts != cuts).await) } => Some(End::Reset),
            read = master.read(&mut from_master) => match read {
                Ok(read @ 1..) => {
                    requests.push(from_master.get(..read).unwrap_or_default());
                    session.take_requests(&mut requests, device).await
                }
                Ok(0) | Err(_) => Some(End::Quiet),
            },
            read = device.read(&mut from_device) => match read {
                Ok(read @ 1..) => {
                    replies.push(from_device.get(..read).unwrap_or_default());
                    session.take_replies(&mut replies)
                }
                Ok(0) | Err(_) => Some(End::Quiet),
            },
            bytes = session.deliveries.next() => {
                master.write_all(&bytes).await.is_err().then_some(End::Quiet)
            }
            () = sleep(SILENCE), if requests.minds_silence() || replies.minds_silence() => {
                requests.silence();
                replies.silence();
                None
            }
        };
        if let Some(end) = ended {
            let (noise, lost) = (requests.dropped() + replies.dropped(), session.deliveries.lost());
            debug!(?end, noise, lost, "a conversation has ended");
            state.leave(session.held);
            return end;
        }
    }
}

struct Session<'a> {
    state: &'a State,
    pending: VecDeque<Frame>,
    deliveries: Deliveries,
    /// The reply that waits for the next request.
    held: Option<Vec<u8>>,
    /// The device has died in the middle of a frame.
    mute: bool,
}

/// What becomes of a request.
enum Course {
    Forward,
    Swallow,
    Reset,
}

impl<'a> Session<'a> {
    fn new(state: &'a State) -> Self {
        let held = state.take_left_over();
        Self { state, pending: VecDeque::new(), deliveries: Deliveries::default(), held, mute: false }
    }

    async fn take_requests(&mut self, requests: &mut Deframer, device: &mut TcpStream) -> Option<End> {
        loop {
            let request = match requests.next() {
                Ok(Some(request)) => request,
                Ok(None) => return None,
                Err(_not_modbus) => return Some(End::Quiet),
            };
            match self.on_request(&request) {
                Course::Forward => {
                    if device.write_all(&self.state.framing().encode(&request)).await.is_err() {
                        return Some(End::Quiet);
                    }
                    self.expect(request);
                }
                Course::Swallow => {}
                Course::Reset => return Some(End::Reset),
            }
        }
    }

    fn take_replies(&mut self, replies: &mut Deframer) -> Option<End> {
        loop {
            match replies.next() {
                Ok(Some(reply)) => self.on_reply(&reply),
                Ok(None) => return None,
                Err(_not_modbus) => return Some(End::Quiet),
            }
        }
    }

    fn on_request(&mut self, request: &Frame) -> Course {
        let fault = self.state.fault_on(request.function());
        self.state.saw(fault);
        if let Some(held) = self.held.take() {
            self.deliveries.now(held);
        }
        let Some(fault) = fault else { return Course::Forward };
        let framing = self.state.framing();
        let course = match fault {
            WireFault::AcceptSilent => Course::Swallow,
            WireFault::SilentUnit(unit) if unit == request.unit => Course::Swallow,
            WireFault::Reset => Course::Reset,
            WireFault::Exception(code) => {
                let refused = Frame { pdu: vec![request.function() | 0x80, code], ..*request };
                self.deliveries.now(framing.encode(&refused));
                Course::Swallow
            }
            WireFault::Echo => {
                self.deliveries.now(framing.encode(request));
                self.state.changed(fault);
                return Course::Forward;
            }
            WireFault::OneBehind
            | WireFault::SilentUnit(_)
            | WireFault::LateReply { .. }
            | WireFault::HalfFrame
            | WireFault::WrongTransaction
            | WireFault::WrongUnit
            | WireFault::WrongFunction
            | WireFault::WrongLength(_)
            | WireFault::WrongEcho(_)
            | WireFault::CrcFlip
            | WireFault::ConnectionLimit(_)
            | WireFault::Marker(_)
            | WireFault::Frozen
            | WireFault::ForeignWriter { .. }
            | WireFault::UnitRestart { .. }
            | WireFault::SlowDrip { .. }
            | WireFault::Babble => return Course::Forward,
        };
        self.state.changed(fault);
        course
    }

    fn on_reply(&mut self, reply: &Frame) {
        let request = self.answered_by(reply);
        let bytes = self.state.framing().encode(reply);
        let fault = self.state.fault_on(reply.function() & 0x7F);
        self.state.saw(fault);
        if self.mute {
            return;
        }
        let changed = match fault {
            None => false,
            Some(fault) => self.harm(fault, request, reply, &bytes),
        };
        match fault {
            Some(fault) if changed => self.state.changed(fault),
            Some(_) | None => self.deliveries.now(bytes),
        }
    }

    /// Deliver what the fault makes of the reply; `false` if it makes nothing of it, and nothing is delivered.
    fn harm(&mut self, fault: WireFault, request: Option<Frame>, reply: &Frame, bytes: &[u8]) -> bool {
        let framing = self.state.framing();
        match fault {
            WireFault::LateReply { ms } => self.deliveries.after(ms, bytes.to_vec()),
            WireFault::SlowDrip { ms } => {
                for (before, byte) in (1..).zip(bytes) {
                    self.deliveries.after(ms * before, vec![*byte]);
                }
            }
            WireFault::OneBehind => self.held = Some(bytes.to_vec()),
            WireFault::HalfFrame => {
                self.deliveries.now(bytes.get(..bytes.len() / 2).unwrap_or_default().to_vec());
                self.mute = framing == Framing::Mbap;
            }
            WireFault::Babble => {
                self.deliveries.now([framing.babble(reply.unit), bytes.to_vec()].concat());
            }
            WireFault::Frozen => {
                let Some(request) = request.filter(|request| matches!(request.function(), 1..=4)) else {
                    return false;
                };
                let first = self.state.first_reply(&request, reply);
                if first == reply.pdu {
                    return false;
                }
                self.deliveries.now(framing.encode(&Frame { pdu: first, ..*reply }));
            }
            WireFault::WrongTransaction
            | WireFault::WrongUnit
            | WireFault::WrongFunction
            | WireFault::WrongLength(_)
            | WireFault::WrongEcho(_)
            | WireFault::CrcFlip
            | WireFault::Marker(_) => match spoil(fault, framing, reply) {
                Some(wrong) => self.deliveries.now(wrong),
                None => return false,
            },
            WireFault::Reset
            | WireFault::AcceptSilent
            | WireFault::ConnectionLimit(_)
            | WireFault::ForeignWriter { .. }
            | WireFault::UnitRestart { .. }
            | WireFault::Exception(_)
            | WireFault::SilentUnit(_)
            | WireFault::Echo => return false,
        }
        true
    }

    fn expect(&mut self, request: Frame) {
        if self.state.framing() == Framing::Rtu {
            self.pending.clear(); // a serial line has one request at a time
        } else if self.pending.len() == MOST_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(request);
    }

    fn answered_by(&mut self, reply: &Frame) -> Option<Frame> {
        let same = |request: &Frame| {
            (request.transaction, request.unit) == (reply.transaction, reply.unit)
                || (self.state.framing() == Framing::Rtu && request.unit == reply.unit)
        };
        let place = self.pending.iter().position(same)?;
        self.pending.remove(place)
    }
}
