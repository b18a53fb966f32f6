//! A device, as data: who it is, how it is spoken to, what it says and takes, and what it does when nobody speaks.

use heapless::{LinearMap, String, Vec};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use super::schema;
use super::{Command, Grade, MAX_COMMANDS, MAX_POINTS, Point, Signal, Table};

/// A device, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name by which a configuration refers to it.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<32>"))]
    pub name: String<32>,
    /// Maker and model, for people.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<64>"))]
    pub device: String<64>,
    /// Where the lines come from, each under a short word.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Texts<192, 6>"))]
    pub sources: LinearMap<String<16>, String<192>, 6>,
    /// How it is spoken to.
    pub link: LinkLimits,
    /// Proof of identity, where the device has one.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// Registers to set after connect.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::List<Preset, 4>"))]
    pub presets: Vec<Preset, 4>,
    /// What it does when nobody writes to it. Needed where there are commands.
    #[serde(default)]
    pub watchdog: Option<Watchdog>,
    /// Who may command it.
    #[serde(default)]
    pub authority: Authority,
    /// Where several agents share it, each with registers of its own.
    #[serde(default)]
    pub slots: Option<Slots>,
    /// What can be read.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::List<Point, MAX_POINTS>"))]
    pub points: Vec<Point, MAX_POINTS>,
    /// What can be asked.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::List<Command, MAX_COMMANDS>"))]
    pub commands: Vec<Command, MAX_COMMANDS>,
}

/// How a device is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkLimits {
    /// Longest read the device takes, in registers.
    pub max_words: u16,
    /// Deadline for one request, above the device's worst case, ms.
    pub timeout_ms: u32,
    /// Least time between an answer and the next request, ms.
    #[serde(default)]
    pub min_gap_ms: u32,
    /// The device needs so long after a connect before it answers, ms.
    #[serde(default)]
    pub post_connect_ms: u32,
    /// Most connections at a time, where the vendor says.
    #[serde(default)]
    pub max_connections: Option<u8>,
    /// Unit as shipped.
    #[serde(default)]
    pub unit: Option<u8>,
    /// Serial line as shipped, for example `19200 8E1`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Text<16>>"))]
    pub serial: Option<String<16>>,
    /// What the first register is called in the manual, for people: 0, 1, 30001, 40001.
    #[serde(default)]
    pub manual_counts_from: u32,
    /// It answers a read over registers that it does not have with zeros instead of an exception. Reads then never
    /// bridge a gap, and each holds a sentinel.
    #[serde(default)]
    pub zero_fills: bool,
}

/// Registers whose content proves that this is the device the profile describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where it is read.
    pub table: Table,
    /// The first register, zero-based.
    pub address: u16,
    /// What must be there.
    pub expect: Expect,
}

/// What identity registers must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// One register with one of these values.
    OneOf(#[cfg_attr(feature = "schema", schemars(with = "schema::List<u16, 8>"))] Vec<u16, 8>),
    /// These registers. A float constant written so proves the word order too.
    Words(#[cfg_attr(feature = "schema", schemars(with = "schema::List<u16, 8>"))] Vec<u16, 8>),
    /// This text, two characters a register, the first in the high byte. More may follow it.
    Text(#[cfg_attr(feature = "schema", schemars(with = "schema::Text<32>"))] String<32>),
}

impl Expect {
    /// How many registers it takes.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::OneOf(_) => 1,
            Self::Words(words) => words.len(),
            Self::Text(text) => text.len().div_ceil(2),
        }
    }

    /// Whether `found` is what was expected.
    #[must_use]
    pub fn is(&self, found: &[u16]) -> bool {
        match (self, found) {
            (Self::OneOf(values), [value]) => values.contains(value),
            (Self::OneOf(_), _) => false,
            (Self::Words(words), found) => words.as_slice() == found,
            (Self::Text(text), found) => {
                let mut bytes = found.iter().flat_map(|word| word.to_be_bytes());
                found.len() == self.count() && text.bytes().all(|wanted| bytes.next() == Some(wanted))
            }
        }
    }
}

/// A register written once after each connect, so that commands have the meaning the profile gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The register, zero-based.
    pub address: u16,
    /// The word it must hold; written only if it holds another.
    pub value: u16,
    /// What it selects, for people.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<64>"))]
    pub meaning: String<64>,
    /// Which of the profile's sources says so.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
    pub source: String<16>,
    /// How well this line is known.
    pub grade: Grade,
}

/// What the device does when nobody writes to it. The agent reads the registers and never changes them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Watchdog {
    /// It holds its last set-point for ever.
    None {
        /// Which of the profile's sources says so.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
        source: String<16>,
        /// How well this is known.
        grade: Grade,
    },
    /// It goes to what was set at its panel; no register tells what that is.
    LocalMode {
        /// What must be set there, for people.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Text<128>"))]
        commission: String<128>,
        /// Which of the profile's sources says so.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
        source: String<16>,
        /// How well this is known.
        grade: Grade,
    },
    /// After a time without a write it does what was chosen.
    Timer {
        /// The time.
        timeout: Timeout,
        /// What was chosen, where that can be chosen.
        action: Option<Action>,
        /// Which of the profile's sources says so.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
        source: String<16>,
        /// How well this is known.
        grade: Grade,
    },
    /// It watches a counter that the agent counts up after each completed cycle.
    Heartbeat {
        /// The holding register, zero-based. It moves with the slot, where there are slots.
        address: u16,
        /// Time between two counts, ms; a third of the device's patience or less.
        period_ms: u32,
        /// Where the device shows the last count it saw, in the same table.
        echo: Option<u16>,
        /// Which of the profile's sources says so.
        #[cfg_attr(feature = "schema", schemars(with = "schema::Text<16>"))]
        source: String<16>,
        /// How well this is known.
        grade: Grade,
    },
}

/// The register that holds a watchdog's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// Where it is read.
    pub table: Table,
    /// The register, zero-based.
    pub address: u16,
    /// Milliseconds a count.
    pub ms_per_count: u32,
    /// Fewest counts that protect; fewer switch it off.
    pub low: u16,
    /// Most counts that still protect in time.
    pub high: u16,
}

/// The register that holds what a watchdog does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Where it is read.
    pub table: Table,
    /// The register, zero-based.
    pub address: u16,
    /// The choices that are safe.
    #[cfg_attr(feature = "schema", schemars(with = "schema::List<u16, 4>"))]
    pub one_of: Vec<u16, 4>,
}

/// Who may command the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Authority {
    /// This agent alone.
    #[default]
    Exclusive,
    /// This agent, unless a person has taken the device over.
    LocalRemote {
        /// The point that is 1 while a person has it.
        local: Signal,
    },
    /// Each agent asks in its own slot, and the device decides.
    Slot,
}

/// Registers of several agents, one block behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Slots {
    /// Registers from one slot to the next.
    pub stride: u16,
    /// How many there are.
    pub count: u16,
}

/// Why a profile has no such slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlot {
    /// How many the profile has; zero if it knows no slots.
    pub count: u16,
}

impl Profile {
    /// The same profile with every slotted register moved to `slot`.
    ///
    /// # Errors
    /// If the profile does not have that slot.
    pub fn in_slot(mut self, slot: u16) -> Result<Self, NoSlot> {
        let slots = self.slots.ok_or(NoSlot { count: 0 })?;
        let moved = (slot < slots.count).then(|| slots.stride.checked_mul(slot)).flatten();
        let offset = moved.ok_or(NoSlot { count: slots.count })?;
        let place = |address: &mut u16| {
            *address = address.checked_add(offset).ok_or(NoSlot { count: slots.count })?;
            Ok(())
        };
        for point in self.points.iter_mut().filter(|point| point.slotted) {
            place(&mut point.address)?;
        }
        for command in self.commands.iter_mut().filter(|command| command.slotted) {
            place(&mut command.address)?;
            command.read_back.address.as_mut().map_or(Ok(()), place)?;
        }
        if let Some(Watchdog::Heartbeat { address, echo, .. }) = &mut self.watchdog {
            place(address)?;
            echo.as_mut().map_or(Ok(()), place)?;
        }
        Ok(self)
    }
}
