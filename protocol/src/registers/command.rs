//! One value that can be written, and everything that limits and proves the write.

use heapless::String;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::schema;
use super::{Control, Grade, Signal, Table};

/// One value that can be written, always to a single holding register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What it asks for.
    pub control: Control,
    /// Holding register, zero-based. For a slotted command: in slot 0.
    pub address: u16,
    /// Meaning of the register.
    pub form: CommandForm,
    /// The same request is repeated at least this often, to feed a device's bus watchdog.
    pub refresh_ms: u32,
    /// Two different requests are at least this far apart.
    pub min_interval_ms: u32,
    /// Most writes in a day (UTC), over restarts too. Needed unless the register is volatile. The last tenth is
    /// kept for writes towards more cooling.
    #[serde(default)]
    pub daily_budget: Option<u32>,
    /// What a write costs the device.
    pub persistence: Persistence,
    /// Where the written word is read back.
    #[serde(default)]
    pub read_back: ReadBack,
    /// What the write must bring about.
    #[serde(default)]
    pub effect: Option<Effect>,
    /// Value that is safe when nobody is in control any more, in the control's unit. A leak overrules it.
    pub safe: f32,
    /// Word that hands the device back to its own regulation, where it has one.
    #[serde(default)]
    pub release: Option<u16>,
    /// It lies in the slot of this agent.
    #[serde(default)]
    pub slotted: bool,
    /// Which of the profile's sources says so.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
    pub source: String<16>,
    /// How well this line is known.
    pub grade: Grade,
}

/// How a request becomes a register value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandForm {
    /// A number: raw = value / scale.
    Number {
        /// Value per count.
        scale: f32,
        /// Lowest value the device takes, in the control's unit.
        low: f32,
        /// Highest value the device takes, in the control's unit.
        high: f32,
        /// Changes smaller than this are not written, in the control's unit.
        dead_band: f32,
    },
    /// A whole control word for each wish. Never read-modify-write.
    Word {
        /// Written for 1.
        on: u16,
        /// Written for 0.
        off: u16,
        /// Written for 2, where the device forgets an alarm on a rising edge; like 1 where it has no such thing.
        #[serde(default)]
        reset: Option<u16>,
        /// Written right before `on` whenever the device does not hold `on` yet, where it starts on an edge.
        #[serde(default)]
        arm: Option<u16>,
        /// The only bits that may ever be set, whatever else is asked.
        allow_mask: u16,
    },
}

/// Whether a written register survives a power cycle, and so wears out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Kept in RAM: it may be written as often as the bus allows.
    Volatile,
    /// Kept in EEPROM: about 100 000 writes and it is worn out.
    Eeprom,
    /// The vendor does not say; treated like EEPROM.
    Unknown,
}

/// Where and when a written word is found again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReadBack {
    /// The register, zero-based, if it is another than the written one. It moves with the slot as the command does.
    pub address: Option<u16>,
    /// Its table.
    pub table: Table,
    /// Largest difference that counts as held, in counts.
    pub tolerance: u16,
    /// Bits that the device changes by itself.
    pub ignore_mask: u16,
    /// The device may take so long to take the word over, ms.
    pub within_ms: u32,
}

impl Default for ReadBack {
    /// The written register itself, at once, exactly.
    fn default() -> Self {
        Self { address: None, table: Table::Holding, tolerance: 0, ignore_mask: 0, within_ms: 0 }
    }
}

/// What a held set-point must bring about, measured by the device itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// The point to look at.
    pub signal: Signal,
    /// Largest difference to the set-point that counts as reached, in the signal's unit.
    pub tolerance: f32,
    /// The device may take so long, ms.
    pub within_ms: u32,
}
