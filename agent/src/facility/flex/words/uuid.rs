//! Identities of events, correlations and breaches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Malformed;

/// 128 bits, written as five groups of hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) struct Uuid([u8; 16]);

impl Uuid {
    /// Version 4, made of these random bytes.
    pub(in super::super) const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = bytes[6] & 0x0F | 0x40;
        bytes[8] = bytes[8] & 0x3F | 0x80;
        Self(bytes)
    }

    /// Its first eight bytes, in hexadecimal.
    pub(super) fn half(self) -> String {
        self.to_string().chars().filter(|c| *c != '-').take(16).collect()
    }
}

impl FromStr for Uuid {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let groups = text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
        let mut digits = text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        if !groups || !text.is_ascii() {
            return Err(Malformed);
        }
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let mut digit = || digits.next().flatten().ok_or(Malformed);
            *byte = u8::try_from(digit()? * 16 + digit()?).map_err(|_| Malformed)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("no UUID"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let text = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
        assert_eq!(text.parse::<Uuid>().unwrap().to_string(), text);
        assert_eq!(text.to_uppercase().parse::<Uuid>().unwrap().to_string(), text);
        assert_eq!(text.parse::<Uuid>().unwrap().half(), "6f9619ff8b864011");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "6f9619ff8b864011b42d00c04fc964ff",
            "6f9619ff-8b86-4011-b42d-00c04fc964fg",
            "----",
            "6f9619ff-8b86-4011-b42d-00c04fc964f",
        ] {
            assert_eq!(text.parse::<Uuid>(), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn a_random_one_says_that_it_is() {
        assert_eq!(Uuid::from_random([0xFF; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
