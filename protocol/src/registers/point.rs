//! One value that can be read, and how far it can be believed.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::schema;
use super::{Encoding, Signal, Table, WordOrder};

/// How well a line is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Grade {
    /// Read in the vendor's own manual.
    A,
    /// From a machine-readable profile in production elsewhere.
    B,
    /// From community code or listings.
    C,
    /// Inferred; check on the device before trusting it.
    D,
}

/// How often a value is worth reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PollClass {
    /// Control acts on it: read every period of the device.
    #[default]
    Fast,
    /// People and alarms look at it: read ten times less often, and only when nothing faster is due.
    Slow,
}

/// One value that can be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it means.
    pub signal: Signal,
    /// Where it is read.
    pub table: Table,
    /// First register, zero-based. For a slotted point: in slot 0.
    pub address: u16,
    /// How it lies there.
    pub encoding: Encoding,
    /// For 32-bit values.
    #[serde(default)]
    pub word_order: WordOrder,
    /// Value in the signal's unit = raw × scale + offset.
    #[serde(default = "one")]
    pub scale: f32,
    /// Added after scaling.
    #[serde(default)]
    pub offset: f32,
    /// Raw words that mean "not available".
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::List<u32, 2>"))]
    pub invalid: Vec<u32, 2>,
    /// Lowest possible value, in the signal's unit.
    pub low: f32,
    /// Highest possible value, in the signal's unit.
    pub high: f32,
    /// Fastest believable change, in the signal's unit a second. A faster one must be confirmed by the next reading.
    #[serde(default)]
    pub max_slew: Option<f32>,
    /// A live instrument does not show the very same raw value for so long; after it the value is uncertain, ms.
    #[serde(default)]
    pub frozen_after_ms: Option<u32>,
    /// How often it is read.
    #[serde(default)]
    pub poll: PollClass,
    /// Points with the same word are read in one request, so that they belong together.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Text<16>>"))]
    pub atomic: Option<String<16>>,
    /// Its raw value is never zero on a live device. A read in which it is zero was filled up by the device, and
    /// none of its values counts.
    #[serde(default)]
    pub sentinel: bool,
    /// It lies in the slot of this agent.
    #[serde(default)]
    pub slotted: bool,
    /// Which of the profile's sources says so.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
    pub source: String<16>,
    /// How well this line is known.
    pub grade: Grade,
}

const fn one() -> f32 {
    1.0
}
