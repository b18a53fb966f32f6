//! What each fault is, and what must follow from it.

use eisbach_hil_tests::Line;

/// What the fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    /// Requests that read.
    Reads,
    /// Requests that write.
    Writes,
}

/// What must follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// No value is good any more, and the pump counts as silent.
    Silent,
    /// The values of registers are not good any more, and the pump counts as silent.
    NoRegisters,
    /// Nothing is lost: all values stay good.
    Good,
    /// The set-point is not in force, or nobody knows, and that is an alarm; or it arrived all the same.
    Ignored,
    /// The fault passes by itself: the set-point is in force again.
    Restored,
    /// Another master is noticed and yielded to.
    Yielded,
    /// It has no meaning here.
    Nothing,
}

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// The proxy's words.
    pub(super) words: &'static str,
    /// On which lines.
    pub(super) lines: &'static [Line],
    /// What follows for reads.
    pub(super) reads: Then,
    /// What follows for writes.
    pub(super) writes: Then,
    /// A fault that must come first for this one to bite.
    pub(super) after: Option<&'static str>,
}

impl Fault {
    pub(super) fn name(&self) -> &'static str {
        self.words.split_whitespace().next().unwrap_or_default()
    }

    /// What must happen in the plant for it to bite: a frozen read-back is right until the set-point moves.
    pub(super) fn event(&self, on: On) -> Option<&'static str> {
        (self.name() == "frozen" && on == On::Writes).then_some("load-full")
    }

    pub(super) fn then(&self, on: On) -> Then {
        match on {
            On::Reads => self.reads,
            On::Writes => self.writes,
        }
    }
}

const ALL: &[Line] = &[Line::Tcp, Line::RtuOverTcp, Line::Rtu];
const SOCKETS: &[Line] = &[Line::Tcp, Line::RtuOverTcp];
const TCP: &[Line] = &[Line::Tcp];
const SERIAL: &[Line] = &[Line::RtuOverTcp, Line::Rtu];

const fn fault(words: &'static str, lines: &'static [Line], reads: Then, writes: Then) -> Fault {
    Fault { words, lines, reads, writes, after: None }
}

/// All faults. The deadline of a request is 300 ms. Those come last after which not all is
/// as before: the device is no real pump, so the plant does not follow a set-point that moves, and the agent remembers
/// who else writes.
pub(super) const FAULTS: &[Fault] = &[
    fault("late-reply 700", ALL, Then::Silent, Then::Ignored),
    fault("one-behind", ALL, Then::Silent, Then::Ignored),
    fault("half-frame", ALL, Then::Silent, Then::Ignored),
    fault("wrong-transaction", TCP, Then::Silent, Then::Ignored),
    fault("wrong-unit", ALL, Then::Silent, Then::Ignored),
    fault("wrong-function", ALL, Then::Silent, Then::Ignored),
    fault("wrong-length short", ALL, Then::NoRegisters, Then::Ignored),
    fault("wrong-length long", ALL, Then::NoRegisters, Then::Ignored),
    fault("wrong-echo address", ALL, Then::Nothing, Then::Ignored),
    fault("wrong-echo value", ALL, Then::Nothing, Then::Ignored),
    fault("crc-flip", ALL, Then::Silent, Then::Ignored),
    fault("reset", SOCKETS, Then::Silent, Then::Ignored),
    fault("accept-silent", ALL, Then::Silent, Then::Ignored),
    Fault { after: Some("reset"), ..fault("connection-limit 0", SOCKETS, Then::Silent, Then::Nothing) },
    fault("marker ffff", ALL, Then::NoRegisters, Then::Nothing),
    fault("marker nan", ALL, Then::NoRegisters, Then::Nothing),
    fault("marker 8000", ALL, Then::NoRegisters, Then::Nothing),
    fault("slow-drip 100", ALL, Then::Silent, Then::Ignored),
    fault("exception 4", ALL, Then::Silent, Then::Ignored),
    fault("exception 2", ALL, Then::Silent, Then::Ignored),
    fault("exception 6", ALL, Then::Silent, Then::Ignored),
    fault("silent-unit 1", ALL, Then::Silent, Then::Ignored),
    fault("babble", ALL, Then::Silent, Then::Ignored),
    fault("echo", SERIAL, Then::Silent, Then::Ignored),
    fault("frozen", ALL, Then::Good, Then::Ignored),
    fault("unit-restart 1 3103 9900", ALL, Then::Good, Then::Restored),
    fault("foreign-writer 1 3103 9900 250", ALL, Then::Good, Then::Yielded),
];
