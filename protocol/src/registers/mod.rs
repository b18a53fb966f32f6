//! Register profiles: what a Modbus device means, as data; and the codec between registers and values.
//!
//! ```text
//!   profile (TOML) ──► Profile ──► points   ── decode(words) ──► value in the signal's own unit, or BadReason
//!                              └─► commands ── encode(value) ──► words, or EncodeError
//! ```
//!
//! A profile carries scale and word order for every line, because devices that share a layout differ there.
//! Addresses are zero-based wire addresses. Nothing is read or written here.

mod codec;

pub use codec::{EncodeError, Words, decode, encode};

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

/// Most points a profile may list.
pub const MAX_POINTS: usize = 32;
/// Most commands a profile may list.
pub const MAX_COMMANDS: usize = 8;

/// What a value means to the agent, with its unit. The unit is part of the meaning: the profile's scale converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The drive turns the pump (0 or 1).
    PumpRunning,
    /// The drive reports an alarm (0 or 1).
    PumpAlarm,
    /// The device obeys the bus (0 or 1); 0 means a person or the device itself is in charge.
    PumpRemote,
    /// Speed as a share of full speed, %.
    PumpSpeed,
    /// Shaft speed, rpm.
    PumpRpm,
    /// Head over the pump, kPa.
    PumpHead,
    /// Electric power, W.
    PumpPower,
    /// The device's own alarm code.
    PumpAlarmCode,
    /// Pressure at the suction side, kPa.
    InletPressure,
    /// Coolant flow through the node loop, L/min.
    Flow,
    /// Coolant temperature into the cold plates, °C.
    SupplyTemperature,
    /// Coolant temperature out of the cold plates, °C.
    ReturnTemperature,
    /// Heat carried by the node loop, W.
    HeatPower,
    /// Recovery valve position, % (0 all to the river, 100 all to recovery).
    ValvePosition,
    /// Flow through the recovery branch, L/min.
    ValveFlow,
    /// Temperature into the recovery exchanger, °C.
    RecoveryInlet,
    /// Temperature out of the recovery exchanger, °C.
    RecoveryOutlet,
    /// Heat given to recovery, W.
    RecoveredPower,
    /// The valve cannot reach its set-point or its drive failed (0 or 1).
    ValveFault,
    /// Dew point of the room air, °C.
    DewPoint,
    /// Temperature of the room air, °C.
    AirTemperature,
    /// Relative humidity of the room air, %.
    RelativeHumidity,
    /// Water where none should be (0 or 1).
    Leak,
    /// The leak sensor itself is broken (0 or 1).
    LeakSensorFault,
}

/// What the agent can ask of a device, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Pump off (0), on (1), or on while forgetting an alarm (2); always together with taking remote control.
    PumpRun,
    /// Pump speed set-point, %.
    PumpSpeed,
    /// Recovery valve position set-point, %.
    ValvePosition,
}

/// Which of the four Modbus tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Function 03; writable by 06 and 16.
    Holding,
    /// Function 04.
    Input,
    /// Function 02.
    Discrete,
}

/// How a value lies in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// One register, unsigned.
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, unsigned.
    U32,
    /// Two registers, two's complement.
    I32,
    /// Two registers, IEEE 754 single.
    F32,
    /// One bit of one register, or a discrete input (bit 0).
    Bit(u8),
}

impl Encoding {
    /// How many registers (or discrete inputs) the value takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bit(_) => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
        }
    }
}

/// Which register of a pair carries the more significant half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WordOrder {
    /// The one at the lower address.
    #[default]
    HighFirst,
    /// The one at the higher address.
    LowFirst,
}

/// How well a line is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// One value that can be read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// What it means.
    pub signal: Signal,
    /// Where it is read.
    pub table: Table,
    /// First register, zero-based.
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
    pub invalid: Vec<u32, 2>,
    /// Lowest possible value, in the signal's unit.
    pub low: f32,
    /// Highest possible value, in the signal's unit.
    pub high: f32,
    /// How well this line is known.
    pub grade: Grade,
}

/// One value that can be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// What it asks for.
    pub control: Control,
    /// Holding register, zero-based.
    pub address: u16,
    /// Meaning of the register.
    pub form: CommandForm,
    /// The same request is repeated at least this often, to feed a device's bus watchdog.
    pub refresh_ms: u32,
    /// Two different requests are at least this far apart.
    pub min_interval_ms: u32,
    /// How well this line is known.
    pub grade: Grade,
}

/// How a request becomes a register value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    },
}

/// A register whose value proves that this is the device the profile describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Where it is read.
    pub table: Table,
    /// The register, zero-based.
    pub address: u16,
    /// The values it may have.
    pub one_of: Vec<u16, 8>,
}

/// A register written once after each connect, so that commands have the meaning the profile gives them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The register, zero-based.
    pub address: u16,
    /// The word it must hold; written only if it holds another.
    pub value: u16,
    /// What it selects, for people.
    pub meaning: String<64>,
    /// How well this line is known.
    pub grade: Grade,
}

/// A device, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name by which a configuration refers to it.
    pub name: String<32>,
    /// Maker and model, for people.
    pub device: String<64>,
    /// Where the lines come from.
    pub source: String<192>,
    /// Longest read the device takes, in registers.
    pub max_words: u16,
    /// Deadline for one request.
    pub timeout_ms: u32,
    /// Proof of identity, where the device has one.
    pub identity: Option<Identity>,
    /// Registers to set after connect.
    #[serde(default)]
    pub presets: Vec<Preset, 4>,
    /// What can be read.
    #[serde(default)]
    pub points: Vec<Point, MAX_POINTS>,
    /// What can be asked.
    #[serde(default)]
    pub commands: Vec<Command, MAX_COMMANDS>,
}

const fn one() -> f32 {
    1.0
}
