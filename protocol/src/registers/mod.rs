//! Register profiles: what a Modbus device means, as data; and the codec between registers and values.
//!
//! ```text
//!   profile (TOML) ──► Profile ──► points   ── decode(words) ──► value in the signal's own unit, or BadReason
//!                              ├─► commands ── encode(value) ──► word, or EncodeError
//!                              └─► link, identity, presets, watchdog, authority, slots
//! ```
//!
//! A profile carries scale and word order for every line, because devices that share a layout differ there, and a
//! source with a grade, because not every line was seen in the vendor's manual. Addresses are zero-based wire
//! addresses. Nothing is read or written here.

mod codec;
mod command;
mod layout;
mod meaning;
mod point;
mod profile;
#[cfg(feature = "schema")]
mod schema;

pub use codec::{EncodeError, Words, decode, encode, raw};
pub use command::{Command, CommandForm, Effect, Persistence, ReadBack};
pub use layout::{Encoding, Table, WordOrder};
pub use meaning::{Control, Signal};
pub use point::{Grade, Point, PollClass};
pub use profile::{
    Action, Authority, Expect, Identity, LinkLimits, NoSlot, Preset, Profile, Slots, Timeout, Watchdog,
};

/// Most points a profile may list.
pub const MAX_POINTS: usize = 40;
/// Most commands a profile may list.
pub const MAX_COMMANDS: usize = 4;
