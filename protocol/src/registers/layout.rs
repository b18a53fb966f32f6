//! How a value lies in a device's registers.

use serde::{Deserialize, Serialize};

/// Which of the four Modbus tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Table {
    /// Function 01.
    Coil,
    /// Function 03; writable by 06 and 16.
    Holding,
    /// Function 04.
    Input,
    /// Function 02.
    Discrete,
}

impl Table {
    /// Whether it holds single bits.
    #[must_use]
    pub const fn is_bits(self) -> bool {
        match self {
            Self::Coil | Self::Discrete => true,
            Self::Holding | Self::Input => false,
        }
    }
}

/// How a value lies in its registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// One bit of one register, or a coil or discrete input (bit 0).
    Bit(u8),
    /// Whether any of these bits of one register is set (0 or 1).
    AnyOf(u16),
}

impl Encoding {
    /// How many registers (or bits of a bit table) the value takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bit(_) | Self::AnyOf(_) => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
        }
    }
}

/// In which order the four bytes of a pair of registers come; A is the most significant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WordOrder {
    /// A B C D: the more significant register at the lower address.
    #[default]
    HighFirst,
    /// C D A B: the more significant register at the higher address.
    LowFirst,
    /// B A D C: as `HighFirst`, with the bytes of each register exchanged.
    HighFirstSwapped,
    /// D C B A: as `LowFirst`, with the bytes of each register exchanged.
    LowFirstSwapped,
}
