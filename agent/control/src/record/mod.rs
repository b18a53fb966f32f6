//! The flight record: what was known, what was decided, and the state that it was decided from, as bytes.
//!
//! ```text
//!   segment  magic · format ┬ Opened  why, when, by which version
//!                           ├ State   the whole controller, before the first step below
//!                           ├ Step    time, snapshot, decision                          in full
//!                           └ Step    the same, as what differs from the step before    … until the next segment
//!
//!   frame    kind u8 · length u16 · CRC-32C u32 · bytes                                 little-endian
//! ```
//!
//! A reader can start at any segment. Every frame is checked for itself: a torn or damaged one ends its segment and is
//! told, and reading goes on at the next segment. A float is its bits, so a controller that is read back is the one
//! that was written, and decides the same.
//!
//! The bytes follow the fields of the types (postcard). They carry no names, so each segment carries a fingerprint of
//! all names and kinds instead: see [`shape()`].

mod delta;
mod frame;
mod read;
mod shape;
#[cfg(test)]
mod tests;
mod write;

use core::fmt;

use eisbach_protocol::units::Millis;
use heapless::String;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::controller::Controller;
use crate::decision::Decision;
use crate::snapshot::Snapshot;

pub use frame::{LONGEST_FRAME, LONGEST_OPENING};
pub use read::{Found, Reader, Survey};
pub use shape::shape;
pub use write::Writer;

/// Number of the frame format; another one cannot be read.
pub const FORMAT: u16 = 1;
/// What every segment begins with. No kind of frame has the number of its first byte.
const MAGIC: [u8; 8] = *b"\xEBisbach\n";
/// Longest state or step, in bytes, as it is before the difference is taken: more than twice what 16 GPUs need.
pub const LONGEST: usize = 16 * 1024;

/// The first words of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// Why a segment begins here.
    pub why: Why,
    /// Time of the controller's clock, which starts with the program.
    pub now: Millis,
    /// The same moment, ms since 1970 in UTC, as the node's clock had it.
    pub wall_ms: u64,
    /// Version of the program that wrote it.
    pub made_by: String<32>,
    /// Fingerprint of the types that are in it.
    pub shape: u64,
}

/// Why a segment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// The controller started.
    Started,
    /// The segment before was long enough; nothing is missing between the two.
    Continued,
    /// The controller got new numbers.
    Retuned,
    /// Steps before this one were not recorded.
    AfterGap {
        /// How many.
        missing: u64,
    },
}

/// One step: what was known, and what was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Time of the controller's clock.
    pub now: Millis,
    /// What was known.
    pub snapshot: Snapshot,
    /// What was decided.
    pub decision: Decision,
}

impl Opening {
    /// The first words of a segment that this program writes.
    #[must_use]
    pub fn new(why: Why, now: Millis, wall_ms: u64, version: &str) -> Self {
        let mut made_by = String::new();
        // A version that is too long is cut off: it is for people.
        let _cut = version.chars().try_for_each(|c| made_by.push(c));
        Self { why, now, wall_ms, made_by, shape: shape() }
    }

    /// Whether state and steps of this segment have the types that this program has.
    ///
    /// # Errors
    /// If they have not: a program of the version named must be used.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.shape == shape() {
            Ok(())
        } else {
            Err(RecordError::OtherShape { made_by: self.made_by.clone() })
        }
    }
}

/// The controller that a state's bytes hold.
///
/// # Errors
/// If they hold none.
pub fn controller(state: &[u8]) -> Result<Controller, RecordError> {
    decode(state)
}

/// The step that its bytes hold.
///
/// # Errors
/// If they hold none.
pub fn step(bytes: &[u8]) -> Result<Step, RecordError> {
    decode(bytes)
}

/// The bytes of a controller, a snapshot or a decision: two that have the same bytes are the same, bit for bit.
///
/// # Errors
/// If `out` is too short.
pub fn bits<'a>(of: &impl Serialize, out: &'a mut [u8]) -> Result<&'a [u8], RecordError> {
    postcard::to_slice(of, out).map(|bytes| &*bytes).map_err(|_error| RecordError::TooLong)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RecordError> {
    match postcard::take_from_bytes(bytes) {
        Ok((value, [])) => Ok(value),
        Ok(_) | Err(_) => Err(RecordError::Nonsense),
    }
}

/// Why a record cannot be written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// It does not begin as a record does.
    NotARecord,
    /// Its frames have another format.
    OtherFormat {
        /// The number of that format.
        found: u16,
    },
    /// Its types are those of another version.
    OtherShape {
        /// That version.
        made_by: String<32>,
    },
    /// A frame whose checksum is right holds something else than it should.
    Nonsense,
    /// State, step or frame is longer than there is room for.
    TooLong,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => {
                f.write_str("this is no flight record; give a file that `record export` wrote")
            }
            Self::OtherFormat { found } => {
                write!(
                    f,
                    "record format {found}, and this program reads {FORMAT}; use the version that wrote it"
                )
            }
            Self::OtherShape { made_by } => write!(
                f,
                "recorded by version {made_by}, whose controller has other fields than this program's; replay it with \
                 the eisbach-sim of that version"
            ),
            Self::Nonsense => f.write_str(
                "a frame with a right checksum holds no step; the program that wrote it is at fault",
            ),
            Self::TooLong => f.write_str("a step or state is longer than a frame of the record may be"),
        }
    }
}

impl core::error::Error for RecordError {}
