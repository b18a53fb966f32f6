//! A value that never travels without its quality, its age and its origin.
//!
//! ```text
//!   raw number ── judge(range) ──► Good ── too old ──► Stale
//!                     │
//!                     ├─ NaN, infinite ──► Bad(NotFinite)
//!                     └─ impossible ─────► Bad(OutOfRange)
//! ```
//!
//! `f32::max`, `min`, comparisons and `as` all hide a NaN, so a number is judged once, at the border, and is
//! afterwards either usable or absent. An estimate says that it is one.

use core::ops::RangeInclusive;
use serde::{Deserialize, Serialize};

use crate::units::{Millis, Quantity};

/// Whether a value may be trusted, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quality {
    /// Measured or derived as intended, and fresh.
    Good,
    /// Usable with caution: derived from a poor source, or its clock is not synchronised.
    Uncertain,
    /// It was good, but is older than its source allows.
    Stale,
    /// Not a value.
    Bad(BadReason),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BadReason {
    /// Nothing has been read since start.
    NeverRead,
    /// The source cannot be reached.
    CommLost,
    /// The source answered with a fault of its own.
    DeviceFault,
    /// The source answered with its marker for "not available".
    InvalidMarker,
    /// NaN or infinite.
    NotFinite,
    /// Outside what is physically possible at this place.
    OutOfRange,
    /// The source does not have this value.
    NotSupported,
    /// The source refused the request as wrong: the profile or its address does not fit the device.
    ConfigError,
    /// Contradicted by other readings.
    Implausible,
}

impl BadReason {
    /// One stable word for logs, tags and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverRead => "never_read",
            Self::CommLost => "comm_lost",
            Self::DeviceFault => "device_fault",
            Self::InvalidMarker => "invalid_marker",
            Self::NotFinite => "not_finite",
            Self::OutOfRange => "out_of_range",
            Self::NotSupported => "not_supported",
            Self::ConfigError => "config_error",
            Self::Implausible => "implausible",
        }
    }
}

impl Quality {
    /// One stable word for logs, tags and tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Uncertain => "uncertain",
            Self::Stale => "stale",
            Self::Bad(reason) => reason.as_str(),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// An instrument.
    Measured,
    /// A model, from other measurements.
    Estimated,
    /// A stand-in, chosen to err on the safe side.
    Substituted,
}

/// A value with its quality, age and origin.
///
/// The value is present unless the quality is [`Quality::Bad`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading<T> {
    value: Option<T>,
    quality: Quality,
    age: Millis,
    origin: Origin,
}

impl<T> Default for Reading<T> {
    /// Nothing read yet.
    fn default() -> Self {
        Self::bad(BadReason::NeverRead)
    }
}

impl<T> Reading<T> {
    /// A good measurement of the given age.
    pub const fn measured(value: T, age: Millis) -> Self {
        Self { value: Some(value), quality: Quality::Good, age, origin: Origin::Measured }
    }

    /// A model's value.
    pub const fn estimated(value: T, age: Millis) -> Self {
        Self { value: Some(value), quality: Quality::Uncertain, age, origin: Origin::Estimated }
    }

    /// No value, and why.
    #[must_use]
    pub const fn bad(reason: BadReason) -> Self {
        Self { value: None, quality: Quality::Bad(reason), age: Millis::FOREVER, origin: Origin::Measured }
    }

    /// The same value, marked as usable with caution unless it is already worse.
    #[must_use]
    pub fn doubted(mut self) -> Self {
        if self.quality == Quality::Good {
            self.quality = Quality::Uncertain;
        }
        self
    }

    /// The same reading `more` later; beyond `limit` a usable value turns stale.
    #[must_use]
    pub fn aged(mut self, more: Millis, limit: Millis) -> Self {
        self.age += more;
        if self.age > limit && matches!(self.quality, Quality::Good | Quality::Uncertain) {
            self.quality = Quality::Stale;
        }
        self
    }

    /// Its quality.
    #[must_use]
    pub const fn quality(&self) -> Quality {
        self.quality
    }

    /// Time since it was taken at its source.
    #[must_use]
    pub const fn age(&self) -> Millis {
        self.age
    }

    /// Its origin.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }
}

impl<T: Copy> Reading<T> {
    /// The value if control may act on it: good or uncertain, and fresh.
    #[must_use]
    pub fn usable(&self) -> Option<T> {
        match self.quality {
            Quality::Good | Quality::Uncertain => self.value,
            Quality::Stale | Quality::Bad(_) => None,
        }
    }

    /// The last value known, stale or not. For worst-case extrapolation and display, never as it stands.
    #[must_use]
    pub const fn last_known(&self) -> Option<T> {
        self.value
    }

    /// The same reading with its value converted.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Reading<U> {
        Reading { value: self.value.map(convert), quality: self.quality, age: self.age, origin: self.origin }
    }
}

impl<Q: Quantity> Reading<Q> {
    /// A raw number from outside becomes a measurement only if it is finite and possible.
    #[must_use]
    pub fn judge(raw: f32, age: Millis, possible: &RangeInclusive<f32>) -> Self {
        if !raw.is_finite() {
            Self::bad(BadReason::NotFinite)
        } else if possible.contains(&raw) {
            Self::measured(Q::from_f32(raw), age)
        } else {
            Self::bad(BadReason::OutOfRange)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Celsius;
    use proptest::prelude::*;

    const POSSIBLE: RangeInclusive<f32> = -20.0..=130.0;

    #[test]
    fn i01_nan_and_infinities_are_bad_and_never_numbers() {
        for raw in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let reading = Reading::<Celsius>::judge(raw, Millis::ZERO, &POSSIBLE);
            assert_eq!(reading.quality(), Quality::Bad(BadReason::NotFinite));
            assert_eq!(reading.last_known(), None);
        }
    }

    #[test]
    fn i11_a_value_past_its_limit_is_stale_and_not_usable() {
        let fresh = Reading::measured(Celsius::new(50.0), Millis::new(100));
        let old = fresh.aged(Millis::new(2000), Millis::new(1000));
        assert_eq!(old.quality(), Quality::Stale);
        assert_eq!(old.usable(), None);
        assert_eq!(old.last_known(), Some(Celsius::new(50.0)));
    }

    #[test]
    fn i11_an_estimate_is_never_shown_as_a_measurement() {
        let estimate = Reading::estimated(Celsius::new(50.0), Millis::ZERO);
        assert_eq!(estimate.origin(), Origin::Estimated);
        assert_ne!(estimate.quality(), Quality::Good);
    }

    proptest! {
        #[test]
        fn a_usable_value_is_always_finite_and_possible(bits in any::<u32>()) {
            let reading = Reading::<Celsius>::judge(f32::from_bits(bits), Millis::ZERO, &POSSIBLE);
            if let Some(value) = reading.usable() {
                prop_assert!(POSSIBLE.contains(&value.get()));
            } else {
                prop_assert!(matches!(reading.quality(), Quality::Bad(_)));
            }
        }

        #[test]
        fn ageing_never_improves_a_reading(age in 0_u64..10_000, more in 0_u64..10_000) {
            let reading = Reading::measured(Celsius::new(1.0), Millis::new(age)).doubted();
            let aged = reading.aged(Millis::new(more), Millis::new(5_000));
            prop_assert!(aged.quality() != Quality::Good);
            prop_assert!(aged.age() >= reading.age());
        }
    }
}
