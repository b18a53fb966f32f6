//! The `Quality` property: the three codes that Sparkplug 3.0 knows.

use crate::reading::Quality;

/// Quality of a metric, as its Int32 property `Quality`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityCode {
    /// Not a value.
    Bad,
    /// Fit for use. The property may be left out.
    Good,
    /// It was good, but is old.
    Stale,
}

impl QualityCode {
    /// Key of the property.
    pub const KEY: &str = "Quality";

    /// Its code on the wire.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::Bad => 0,
            Self::Good => 192,
            Self::Stale => 500,
        }
    }

    /// The quality of a code. A code beyond the specification is bad: it says something, and that is not "good".
    #[must_use]
    pub const fn from_code(code: i32) -> Self {
        match code {
            192 => Self::Good,
            500 => Self::Stale,
            _ => Self::Bad,
        }
    }
}

impl From<Quality> for QualityCode {
    /// An uncertain value may be used, and Sparkplug has no word between good and bad.
    fn from(quality: Quality) -> Self {
        match quality {
            Quality::Good | Quality::Uncertain => Self::Good,
            Quality::Stale => Self::Stale,
            Quality::Bad(_) => Self::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::BadReason;

    #[test]
    fn a_code_names_its_quality_and_an_unknown_code_is_bad() {
        for quality in [QualityCode::Bad, QualityCode::Good, QualityCode::Stale] {
            assert_eq!(QualityCode::from_code(quality.code()), quality);
        }
        assert_eq!(QualityCode::from_code(64), QualityCode::Bad);
    }

    #[test]
    fn i11_stale_and_bad_never_leave_as_good() {
        assert_eq!(QualityCode::from(Quality::Stale), QualityCode::Stale);
        assert_eq!(QualityCode::from(Quality::Bad(BadReason::CommLost)), QualityCode::Bad);
    }
}
