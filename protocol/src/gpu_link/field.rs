//! One reading of one GPU, and what is known of it.
//!
//! ```text
//!   Unread ── asked ──► Read { value, age } ◄──────► Failed { last }      the call failed just now
//!      └───── the device does not have it ─────────► NotSupported         asked again a minute later
//! ```

use super::frame::FrameError;
use super::wire::{Reader, Wire, Writer};

/// One reading of one GPU, and what is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Field<T> {
    /// Not asked for yet.
    #[default]
    Unread,
    /// The device or its driver does not have it.
    NotSupported,
    /// It was read.
    Read(Aged<T>),
    /// The last attempt failed.
    Failed {
        /// What was read before, if anything was.
        last: Option<Aged<T>>,
    },
}

/// A value with the time since it was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aged<T> {
    /// The value.
    pub value: T,
    /// How old it was when the sample was taken, ms.
    pub age_ms: u32,
}

impl<T: Copy> Field<T> {
    /// Read just now.
    pub const fn fresh(value: T) -> Self {
        Self::Read(Aged { value, age_ms: 0 })
    }

    /// The value, if the last attempt brought one.
    #[must_use]
    pub const fn value(&self) -> Option<T> {
        match self {
            Self::Read(aged) => Some(aged.value),
            Self::Unread | Self::NotSupported | Self::Failed { .. } => None,
        }
    }

    /// The last value there was, however old.
    #[must_use]
    pub const fn last_known(&self) -> Option<Aged<T>> {
        match self {
            Self::Read(aged) => Some(*aged),
            Self::Failed { last } => *last,
            Self::Unread | Self::NotSupported => None,
        }
    }

    /// One stable word for logs and tags.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::NotSupported => "not_supported",
            Self::Read(_) => "read",
            Self::Failed { .. } => "failed",
        }
    }

    /// The same with its value converted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Field<U> {
        let aged = |aged: Aged<T>| Aged { value: convert(aged.value), age_ms: aged.age_ms };
        match self {
            Self::Unread => Field::Unread,
            Self::NotSupported => Field::NotSupported,
            Self::Read(read) => Field::Read(aged(read)),
            Self::Failed { last } => Field::Failed { last: last.map(aged) },
        }
    }
}

impl<T: Wire> Wire for Aged<T> {
    fn put(&self, out: &mut Writer<'_>) {
        self.age_ms.put(out);
        self.value.put(out);
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(Self { age_ms: u32::take(input)?, value: T::take(input)? })
    }
}

/// As long as its content: a field that is absent takes one byte.
impl<T: Wire> Wire for Field<T> {
    fn put(&self, out: &mut Writer<'_>) {
        let (kind, aged): (u8, _) = match self {
            Self::Unread => (0, None),
            Self::NotSupported => (1, None),
            Self::Read(aged) => (2, Some(aged)),
            Self::Failed { last: Some(aged) } => (3, Some(aged)),
            Self::Failed { last: None } => (4, None),
        };
        kind.put(out);
        if let Some(aged) = aged {
            aged.put(out);
        }
    }

    fn take(input: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(match u8::take(input)? {
            0 => Self::Unread,
            1 => Self::NotSupported,
            2 => Self::Read(Aged::take(input)?),
            3 => Self::Failed { last: Some(Aged::take(input)?) },
            4 => Self::Failed { last: None },
            _ => return Err(FrameError::Value("field")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i11_a_failed_field_is_no_value_and_keeps_its_age() {
        let field = Field::Failed { last: Some(Aged { value: 7_u32, age_ms: 900 }) };
        assert_eq!(field.value(), None);
        assert_eq!(field.last_known(), Some(Aged { value: 7, age_ms: 900 }));
        assert_eq!(Field::<u32>::NotSupported.last_known(), None);
    }
}
