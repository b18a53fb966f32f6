//! What became of the writes to one device, as the cycle sees it.
//!
//! ```text
//!   asked ─► yielded? local? budget? ─► written ─► held? ─► effective? ─► WriteState, one a command
//!                                                                     └─► Heartbeats, one a device
//! ```

use eisbach_protocol::units::Millis;
use thiserror::Error;

/// What became of the writes of one command.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WriteState {
    /// The last set-point that the device was seen to hold. Nothing before the first, after one that it did not
    /// take or that somebody else wrote over, while a person has the device, and after the connection was lost.
    pub verified: Option<Verified>,
    /// Why the last request is not in force, if it is not.
    pub trouble: Option<WriteTrouble>,
    /// Another master writes to this register, and the agent has given way: until it stops, the agent only ever asks
    /// for more cooling than the device holds.
    pub yielded: bool,
    /// A person has taken the device over: nothing is written.
    pub local: bool,
    /// A request was held back because too few of today's writes are left.
    pub budget_spent: bool,
    /// Writes since midnight UTC, of earlier runs too where the register has a daily budget.
    pub writes_today: u32,
    /// Times that the register was found changed by somebody else.
    pub foreign_events: u32,
    /// Times that requests ran out because the cycle did not renew them.
    pub expired: u32,
    /// Times that requests began to be none that the profile allows.
    pub refused: u32,
}

/// A set-point that the device was seen to hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verified {
    /// In the control's unit, as the register resolves it.
    pub value: f32,
    /// When it was read back.
    pub at: Millis,
}

/// Why a request is not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WriteTrouble {
    /// The profile does not allow it; nothing was written.
    #[error("outside the profile, not written")]
    Forbidden,
    /// The device declined it, or holds what it held before.
    #[error("not taken by the device")]
    Rejected,
    /// The device holds neither that nor what it held before: somebody else writes, or the device corrects.
    #[error("the device holds something else; is there another master?")]
    Overwritten,
    /// The device took it and declines to be read back.
    #[error("taken, but the device does not let itself be read back")]
    Unproven,
    /// The device holds it, and what it shall bring about does not come.
    #[error("held by the device, but not effective")]
    NotEffective,
}

/// What became of the heartbeats to one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heartbeats {
    /// Heartbeats that the device has taken.
    pub sent: u64,
    /// The device declines them, or its echo does not follow: it is frozen, and so may be its actuators.
    pub ignored: bool,
}
