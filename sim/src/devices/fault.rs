//! What can be wrong with a device, as its master sees it.

/// One fault of one device. A new one takes the place of the old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Connections are accepted and requests are read, but nothing is answered: a hung communication module. The
    /// requests do not reach the device, so its bus watchdog runs out.
    Silent,
    /// The port is closed: connections are cut and new ones refused, as from a device that is down.
    Refuse,
    /// Connections are cut with a TCP reset, new ones as soon as they come.
    Reset,
    /// Each reply comes late by this many milliseconds of real time.
    Late {
        /// The delay of each reply in ms.
        delay_ms: u64,
    },
    /// The measured values stand still; set-points and behaviour go on.
    Frozen,
    /// The measured values are not available: 0xFFFF, NaN, a rope fault, each as its vendor shows it.
    Unavailable,
    /// At most this many connections at a time; those already open stay.
    ConnectionLimit(usize),
}

/// State of the wire to one device.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// The fault that is set now.
    pub(super) fault: Option<Fault>,
    /// How often all connections have been cut. A connection ends when this differs from what it was at its start, so
    /// that a cut is not lost when the fault is cleared at once.
    pub(super) cuts: u64,
}

impl Line {
    pub(super) fn set(&mut self, fault: Fault) {
        self.fault = Some(fault);
        match fault {
            Fault::Refuse | Fault::Reset => self.cuts += 1,
            Fault::Silent
            | Fault::Late { .. }
            | Fault::Frozen
            | Fault::Unavailable
            | Fault::ConnectionLimit(_) => {}
        }
    }
}
