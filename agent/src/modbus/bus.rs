//! What a link says to a wire and hears from it, whatever the wire is.
//!
//! ```text
//!   Connector ── connect ──► Bus ── call(unit, Request) ──► Response, unchecked
//! ```
//!
//! There are two requests, and that is on purpose: no other function can be sent, whoever asks. A `Bus` is used by
//! one owner, one call at a time, and is dropped after any [`CallError`] but an exception: what arrives later on
//! the same connection could belong to an earlier request. Whether dropping is enough, [`Medium`] says.

use std::io;

use eisbach_protocol::registers::Table;
use thiserror::Error;

/// Neighbouring registers of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) table: Table,
    pub(super) first: u16,
    pub(super) count: u16,
}

impl Span {
    /// One holding register.
    pub(super) const fn register(address: u16) -> Self {
        Self { table: Table::Holding, first: address, count: 1 }
    }
}

/// Everything the agent ever asks of a Modbus device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// Functions 01, 02, 03 and 04.
    Read(Span),
    /// Function 06.
    Write { address: u16, word: u16 },
}

/// What came back, as it came. It becomes a value only through `check`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response {
    /// Function 01. The wire carries whole bytes, so there may be up to seven coils too many.
    Coil(Vec<bool>),
    /// Function 02, with up to seven inputs too many for the same reason.
    Discrete(Vec<bool>),
    /// Function 03.
    Holding(Vec<u16>),
    /// Function 04.
    Input(Vec<u16>),
    /// Function 06, echoed.
    Written { address: u16, word: u16 },
    /// Any other function.
    Other(u8),
}

/// Why a call brought no response.
#[derive(Debug, Error)]
pub(super) enum CallError {
    /// The wire failed.
    #[error("{0}")]
    Transport(#[from] io::Error),
    /// The frame's header belongs to another request, or it is no frame.
    #[error("{0}")]
    Header(String),
    /// Unit 0 is every device of a bus at once, and none of them answers. Nothing was sent.
    #[error("unit 0 speaks to every device at once and is never used; set the device's own unit, 1 to 255")]
    Broadcast,
    /// The device answered with an exception. The connection stays sound.
    #[error("exception {0}")]
    Exception(u8),
}

/// What ties an answer to its request, and with it what a timeout costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Medium {
    /// Answers carry a transaction id and die with their connection: after a timeout a new connection is clean.
    Transactions,
    /// Answers carry nothing but unit and function, and outlive a connection: a serial line has none, and a gateway
    /// may deliver a late answer on the next one. After a timeout the bus must stay quiet for the worst response
    /// time, and answer a request of another length, before its data are trusted again.
    Anonymous,
}

/// A live connection.
pub(super) trait Bus: Send {
    /// One request and its response. No deadline: the caller sets it, and drops the bus when it has passed.
    fn call(
        &mut self,
        unit: u8,
        request: Request,
    ) -> impl Future<Output = Result<Response, CallError>> + Send;

    /// Stale bytes thrown away so far.
    fn drained(&self) -> u64 {
        0
    }
}

/// Makes connections.
pub(super) trait Connector: Send + Sync {
    /// What it makes.
    type Bus: Bus;
    /// A new connection, within the connector's own deadline.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Bus>> + Send;
    /// What it connects over.
    fn medium(&self) -> Medium;
}
