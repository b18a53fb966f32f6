//! Values with their Sparkplug data type, and how they fold into the six forms that protobuf carries.
//!
//! ```text
//!   Int8 Int16 Int32   ─ two's complement, 32 bits ─► int    Float          ─► float
//!   UInt8 UInt16 UInt32 ────────────────────────────► int    Double         ─► double
//!   Int64              ─ two's complement, 64 bits ─► long   Boolean        ─► boolean
//!   UInt64 DateTime ────────────────────────────────► long   String Text    ─► string
//! ```
//!
//! Peers differ, so reading is wider than writing. Up to 32 bits, either integer field is read, and a narrow
//! negative may come without its sign extension (`0xFF` for an Int8 of −1). Of `UInt32` beware: the Tahu
//! JavaScript codec reads it only from the 64-bit field; a count is better sent as `UInt64`.

use alloc::string::String;
use core::fmt;

use super::wire::MetricValue;

/// What a metric is, by its code in the specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DataType {
    /// Signed, 8 bits.
    Int8 = 1,
    /// Signed, 16 bits.
    Int16 = 2,
    /// Signed, 32 bits.
    Int32 = 3,
    /// Signed, 64 bits.
    Int64 = 4,
    /// Unsigned, 8 bits.
    UInt8 = 5,
    /// Unsigned, 16 bits.
    UInt16 = 6,
    /// Unsigned, 32 bits.
    UInt32 = 7,
    /// Unsigned, 64 bits.
    UInt64 = 8,
    /// IEEE 754, 32 bits.
    Float = 9,
    /// IEEE 754, 64 bits.
    Double = 10,
    /// True or false.
    Boolean = 11,
    /// A short text.
    String = 12,
    /// Milliseconds since 1970, UTC.
    DateTime = 13,
    /// A long text.
    Text = 14,
}

impl DataType {
    const ALL: [Self; 14] = [
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Float,
        Self::Double,
        Self::Boolean,
        Self::String,
        Self::DateTime,
        Self::Text,
    ];

    /// Its code on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The data type of a code, or `None` for one we do not speak.
    #[must_use]
    pub fn from_code(code: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|datatype| datatype.code() == code)
    }
}

/// A value that knows its data type.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "one variant a data type, documented there")]
pub enum Value {
    Int8(i8),
    Int16(i16),
    Int32(i32),
    Int64(i64),
    UInt8(u8),
    UInt16(u16),
    UInt32(u32),
    UInt64(u64),
    /// May be NaN or infinite when it came from outside: judge it before any arithmetic.
    Float(f32),
    /// May be NaN or infinite when it came from outside: judge it before any arithmetic.
    Double(f64),
    Boolean(bool),
    String(String),
    DateTime(u64),
    Text(String),
}

impl Value {
    /// Its data type.
    #[must_use]
    pub const fn datatype(&self) -> DataType {
        match self {
            Self::Int8(_) => DataType::Int8,
            Self::Int16(_) => DataType::Int16,
            Self::Int32(_) => DataType::Int32,
            Self::Int64(_) => DataType::Int64,
            Self::UInt8(_) => DataType::UInt8,
            Self::UInt16(_) => DataType::UInt16,
            Self::UInt32(_) => DataType::UInt32,
            Self::UInt64(_) => DataType::UInt64,
            Self::Float(_) => DataType::Float,
            Self::Double(_) => DataType::Double,
            Self::Boolean(_) => DataType::Boolean,
            Self::String(_) => DataType::String,
            Self::DateTime(_) => DataType::DateTime,
            Self::Text(_) => DataType::Text,
        }
    }

    /// The number, for any numeric type; `None` for truth, text and time. May be NaN or infinite.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a display may round")]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int8(value) => Some(f64::from(*value)),
            Self::Int16(value) => Some(f64::from(*value)),
            Self::Int32(value) => Some(f64::from(*value)),
            Self::Int64(value) => Some(*value as f64),
            Self::UInt8(value) => Some(f64::from(*value)),
            Self::UInt16(value) => Some(f64::from(*value)),
            Self::UInt32(value) => Some(f64::from(*value)),
            Self::UInt64(value) => Some(*value as f64),
            Self::Float(value) => Some(f64::from(*value)),
            Self::Double(value) => Some(*value),
            Self::Boolean(_) | Self::String(_) | Self::DateTime(_) | Self::Text(_) => None,
        }
    }

    pub(super) fn into_wire(self) -> MetricValue {
        match self {
            Self::Int8(value) => MetricValue::Int(i32::from(value).cast_unsigned()),
            Self::Int16(value) => MetricValue::Int(i32::from(value).cast_unsigned()),
            Self::Int32(value) => MetricValue::Int(value.cast_unsigned()),
            Self::Int64(value) => MetricValue::Long(value.cast_unsigned()),
            Self::UInt8(value) => MetricValue::Int(u32::from(value)),
            Self::UInt16(value) => MetricValue::Int(u32::from(value)),
            Self::UInt32(value) => MetricValue::Int(value),
            Self::UInt64(value) | Self::DateTime(value) => MetricValue::Long(value),
            Self::Float(value) => MetricValue::Float(value),
            Self::Double(value) => MetricValue::Double(value),
            Self::Boolean(value) => MetricValue::Boolean(value),
            Self::String(value) | Self::Text(value) => MetricValue::String(value),
        }
    }

    pub(super) fn from_wire(datatype: DataType, wire: &MetricValue) -> Result<Self, ValueError> {
        match (datatype, wire) {
            (DataType::Int8, _) => signed(datatype, wire, u8::cast_signed).map(Self::Int8),
            (DataType::Int16, _) => signed(datatype, wire, u16::cast_signed).map(Self::Int16),
            (DataType::Int32, _) => signed(datatype, wire, u32::cast_signed).map(Self::Int32),
            (DataType::UInt8, _) => unsigned(datatype, wire).map(Self::UInt8),
            (DataType::UInt16, _) => unsigned(datatype, wire).map(Self::UInt16),
            (DataType::UInt32, _) => unsigned(datatype, wire).map(Self::UInt32),
            (DataType::Int64, MetricValue::Long(value)) => Ok(Self::Int64(value.cast_signed())),
            (DataType::UInt64, MetricValue::Long(value)) => Ok(Self::UInt64(*value)),
            (DataType::DateTime, MetricValue::Long(value)) => Ok(Self::DateTime(*value)),
            (DataType::Float, MetricValue::Float(value)) => Ok(Self::Float(*value)),
            (DataType::Double, MetricValue::Double(value)) => Ok(Self::Double(*value)),
            (DataType::Boolean, MetricValue::Boolean(value)) => Ok(Self::Boolean(*value)),
            (DataType::String, MetricValue::String(value)) => Ok(Self::String(value.clone())),
            (DataType::Text, MetricValue::String(value)) => Ok(Self::Text(value.clone())),
            (
                DataType::Int64
                | DataType::UInt64
                | DataType::DateTime
                | DataType::Float
                | DataType::Double
                | DataType::Boolean
                | DataType::String
                | DataType::Text,
                _,
            ) => Err(ValueError::Mismatch(datatype)),
        }
    }
}

/// Why a metric or property gives no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueError {
    /// It names no data type we speak, and none was known.
    Untyped,
    /// It has neither a value of a form we speak nor the mark of a null.
    Absent,
    /// Its form does not carry this data type.
    Mismatch(DataType),
    /// Its number does not fit this data type.
    OutOfRange(DataType),
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untyped => write!(f, "no data type: wait for the birth, or ask for a rebirth"),
            Self::Absent => write!(f, "neither a value nor a null"),
            Self::Mismatch(datatype) => write!(f, "the value is not of type {datatype:?}"),
            Self::OutOfRange(datatype) => write!(f, "the number does not fit {datatype:?}"),
        }
    }
}

impl core::error::Error for ValueError {}

/// A signed integer of up to 32 bits. `refold` turns its unsigned twin back, for peers that do not extend the sign.
fn signed<Signed, Unsigned>(
    datatype: DataType,
    wire: &MetricValue,
    refold: fn(Unsigned) -> Signed,
) -> Result<Signed, ValueError>
where
    Signed: TryFrom<i64>,
    Unsigned: TryFrom<i64>,
{
    let wide = match wire {
        MetricValue::Int(value) => i64::from(value.cast_signed()),
        MetricValue::Long(value) => value.cast_signed(),
        MetricValue::Float(_) | MetricValue::Double(_) | MetricValue::Boolean(_) | MetricValue::String(_) => {
            return Err(ValueError::Mismatch(datatype));
        }
    };
    Signed::try_from(wide)
        .or_else(|_| Unsigned::try_from(wide).map(refold))
        .map_err(|_| ValueError::OutOfRange(datatype))
}

/// An unsigned integer of up to 32 bits.
fn unsigned<Unsigned: TryFrom<u64>>(datatype: DataType, wire: &MetricValue) -> Result<Unsigned, ValueError> {
    let wide = match wire {
        MetricValue::Int(value) => u64::from(*value),
        MetricValue::Long(value) => *value,
        MetricValue::Float(_) | MetricValue::Double(_) | MetricValue::Boolean(_) | MetricValue::String(_) => {
            return Err(ValueError::Mismatch(datatype));
        }
    };
    Unsigned::try_from(wide).map_err(|_| ValueError::OutOfRange(datatype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn a_code_names_its_data_type_and_back() {
        for datatype in DataType::ALL {
            assert_eq!(DataType::from_code(datatype.code()), Some(datatype));
        }
        assert_eq!((DataType::UInt32.code(), DataType::Text.code()), (7, 14));
        for unspoken in [0, 15, 16, 17, u32::MAX] {
            assert_eq!(DataType::from_code(unspoken), None);
        }
    }

    #[test]
    fn a_negative_integer_travels_as_twos_complement_with_its_sign_extended() {
        assert_eq!(Value::Int8(-1).into_wire(), MetricValue::Int(0xFFFF_FFFF));
        assert_eq!(Value::Int32(i32::MIN).into_wire(), MetricValue::Int(0x8000_0000));
        assert_eq!(Value::Int64(-2).into_wire(), MetricValue::Long(0xFFFF_FFFF_FFFF_FFFE));
    }

    #[test]
    fn a_narrow_negative_is_read_with_or_without_sign_extension_and_from_either_field() {
        for wire in [
            MetricValue::Int(0xFF),
            MetricValue::Int(0xFFFF_FFFF),
            MetricValue::Long(0xFF),
            MetricValue::Long(u64::MAX),
        ] {
            assert_eq!(Value::from_wire(DataType::Int8, &wire), Ok(Value::Int8(-1)));
        }
        let wide = MetricValue::Long(0xFFFF_FFFF);
        assert_eq!(Value::from_wire(DataType::Int32, &wide), Ok(Value::Int32(-1)));
        assert_eq!(Value::from_wire(DataType::UInt32, &wide), Ok(Value::UInt32(u32::MAX)));
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused_and_not_cut() {
        let wire = MetricValue::Int(256);
        for datatype in [DataType::Int8, DataType::UInt8] {
            assert_eq!(Value::from_wire(datatype, &wire), Err(ValueError::OutOfRange(datatype)));
        }
    }

    #[test]
    fn a_form_that_does_not_carry_the_type_is_refused() {
        let wire = MetricValue::Double(1.0);
        for datatype in DataType::ALL.into_iter().filter(|datatype| *datatype != DataType::Double) {
            assert_eq!(Value::from_wire(datatype, &wire), Err(ValueError::Mismatch(datatype)));
        }
    }

    proptest! {
        #[test]
        fn every_value_survives_the_wire(value in any_value()) {
            let datatype = value.datatype();
            prop_assert_eq!(Value::from_wire(datatype, &value.clone().into_wire()), Ok(value));
        }
    }

    /// Any value but a NaN, which equals nothing.
    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<i8>().prop_map(Value::Int8),
            any::<i16>().prop_map(Value::Int16),
            any::<i32>().prop_map(Value::Int32),
            any::<i64>().prop_map(Value::Int64),
            any::<u8>().prop_map(Value::UInt8),
            any::<u16>().prop_map(Value::UInt16),
            any::<u32>().prop_map(Value::UInt32),
            any::<u64>().prop_map(Value::UInt64),
            any::<f32>().prop_filter("not NaN", |value| !value.is_nan()).prop_map(Value::Float),
            any::<f64>().prop_filter("not NaN", |value| !value.is_nan()).prop_map(Value::Double),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,40}".prop_map(Value::String),
            any::<u64>().prop_map(Value::DateTime),
            ".{0,40}".prop_map(Value::Text),
        ]
    }
}
