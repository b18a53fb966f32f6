//! Physical units as types: a wrong unit does not compile.
//!
//! ```text
//!   Celsius − Celsius = Kelvin        Celsius ± Kelvin = Celsius
//!   every difference, sum and scaling stays inside its unit; Celsius + Celsius does not exist
//! ```
//!
//! All values are `f32`: sensors here resolve four digits, and a node has no use for more. A value built with
//! [`new`](Celsius::new) is whatever the caller says; a value that came from outside must pass
//! [`Reading::judge`](crate::reading::Reading::judge) first, which keeps NaN, infinities and impossible
//! values out of all arithmetic.

use core::fmt;
use core::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// A physical quantity that is a single `f32` in its own unit.
pub trait Quantity: Copy + PartialOrd + fmt::Debug {
    /// Unit symbol for people, for example `°C`.
    const SYMBOL: &'static str;
    /// The bare number in this unit.
    fn get(self) -> f32;
    /// From a bare number in this unit.
    fn from_f32(value: f32) -> Self;
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $symbol:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(f32);

        impl $name {
            /// Zero in this unit.
            pub const ZERO: Self = Self(0.0);

            /// From a bare number in this unit.
            #[must_use]
            pub const fn new(value: f32) -> Self {
                Self(value)
            }

            /// The bare number in this unit.
            #[must_use]
            pub const fn get(self) -> f32 {
                self.0
            }

            /// The larger of two finite values.
            #[must_use]
            pub fn larger(self, other: Self) -> Self {
                if other.0 > self.0 { other } else { self }
            }

            /// The smaller of two finite values.
            #[must_use]
            pub fn smaller(self, other: Self) -> Self {
                if other.0 < self.0 { other } else { self }
            }

            /// Held between `low` and `high`; a NaN becomes `low`.
            #[must_use]
            pub fn held(self, low: Self, high: Self) -> Self {
                if self.0 > high.0 {
                    high
                } else if self.0 >= low.0 {
                    self
                } else {
                    low
                }
            }
        }

        impl Quantity for $name {
            const SYMBOL: &'static str = $symbol;
            fn get(self) -> f32 {
                self.0
            }
            fn from_f32(value: f32) -> Self {
                Self(value)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                if let Some(digits) = f.precision() {
                    write!(f, "{:.*} {}", digits, self.0, $symbol)
                } else {
                    write!(f, "{} {}", self.0, $symbol)
                }
            }
        }
    };
}

/// Sums, differences and scalings for quantities that have a natural zero.
macro_rules! linear {
    ($($name:ident),+) => {$(
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { self.0 += other.0; }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) { self.0 -= other.0; }
        }
        impl Mul<f32> for $name {
            type Output = Self;
            fn mul(self, factor: f32) -> Self { Self(self.0 * factor) }
        }
        impl Div<f32> for $name {
            type Output = Self;
            fn div(self, divisor: f32) -> Self { Self(self.0 / divisor) }
        }
        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self { Self(-self.0) }
        }
    )+};
}

quantity!(
    /// A temperature on the Celsius scale.
    Celsius,
    "°C"
);
quantity!(
    /// A temperature difference.
    Kelvin,
    "K"
);
quantity!(
    /// Power, thermal or electric.
    Watts,
    "W"
);
quantity!(
    /// Energy.
    KilowattHours,
    "kWh"
);
quantity!(
    /// Volume flow.
    LitersPerMinute,
    "L/min"
);
quantity!(
    /// Discharge of a river.
    CubicMetersPerSecond,
    "m³/s"
);
quantity!(
    /// Pressure or pressure difference.
    KiloPascal,
    "kPa"
);
quantity!(
    /// A share of full scale: speed, position, performance; 0 to 100.
    Percent,
    "%"
);
quantity!(
    /// Rotational speed.
    Rpm,
    "rpm"
);
quantity!(
    /// Clock frequency of a processor.
    Megahertz,
    "MHz"
);

linear!(
    Kelvin,
    Watts,
    KilowattHours,
    LitersPerMinute,
    CubicMetersPerSecond,
    KiloPascal,
    Percent,
    Rpm,
    Megahertz
);

impl Sub for Celsius {
    type Output = Kelvin;
    fn sub(self, other: Self) -> Kelvin {
        Kelvin(self.0 - other.0)
    }
}

impl Add<Kelvin> for Celsius {
    type Output = Self;
    fn add(self, difference: Kelvin) -> Self {
        Self(self.0 + difference.0)
    }
}

impl Sub<Kelvin> for Celsius {
    type Output = Self;
    fn sub(self, difference: Kelvin) -> Self {
        Self(self.0 - difference.0)
    }
}

/// A point in time or a duration, in milliseconds of a monotonic clock that starts with the program.
///
/// Differences saturate at zero: a reading "from the future" is fresh, not infinitely old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(u64);

impl Millis {
    /// The start of time, or no duration.
    pub const ZERO: Self = Self(0);
    /// Longer than anything: the age of what was never seen.
    pub const FOREVER: Self = Self(u64::MAX);

    /// From milliseconds.
    #[must_use]
    pub const fn new(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// In milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// In seconds, for control laws.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "control laws use spans of minutes; f32 resolves them to 10 µs"
    )]
    pub const fn as_secs_f32(self) -> f32 {
        self.0 as f32 / 1000.0
    }

    /// Time since `earlier`; zero if that is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Millis {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_temperatures_is_in_kelvin() {
        let rise: Kelvin = Celsius::new(45.0) - Celsius::new(35.0);
        assert_eq!(rise, Kelvin::new(10.0));
        assert_eq!(Celsius::new(35.0) + rise, Celsius::new(45.0));
    }

    #[test]
    fn a_nan_is_held_at_the_low_end() {
        let held = Percent::new(f32::NAN).held(Percent::new(30.0), Percent::new(100.0));
        assert_eq!(held, Percent::new(30.0));
    }

    #[test]
    fn time_never_runs_backwards_into_an_age() {
        assert_eq!(Millis::new(5).since(Millis::new(9)), Millis::ZERO);
        assert_eq!(Millis::FOREVER + Millis::new(1), Millis::FOREVER);
    }
}
