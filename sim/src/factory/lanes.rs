//! Eight numbers side by side, one for each GPU of a node: arithmetic that the compiler turns into vector code.
//!
//! ```text
//!   a:  a1 a2 … a8
//!   b:  b1 b2 … b8          a + b · 2  is eight sums at once, without a branch
//! ```

use core::ops::{Add, Div, Mul, Sub};

use crate::plant::GPUS;

/// One number for each GPU of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Lanes(pub(super) [f64; GPUS]);

impl Lanes {
    /// The same number everywhere.
    #[inline]
    pub(super) const fn all(value: f64) -> Self {
        Self([value; GPUS])
    }

    #[inline]
    pub(super) fn map(mut self, change: impl Fn(f64) -> f64) -> Self {
        // A loop in place: the array's own `map` goes lane by lane.
        for own in &mut self.0 {
            *own = change(*own);
        }
        self
    }

    /// Lane by lane.
    #[inline]
    pub(super) fn with(mut self, other: Self, join: impl Fn(f64, f64) -> f64) -> Self {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = join(*own, other);
        }
        self
    }

    #[inline]
    pub(super) fn smaller(self, other: Self) -> Self {
        self.with(other, |own, other| if other < own { other } else { own })
    }

    #[inline]
    pub(super) fn larger(self, other: Self) -> Self {
        self.with(other, |own, other| if other > own { other } else { own })
    }

    /// Sum over the lanes, always in the same order.
    #[inline]
    pub(super) fn sum(self) -> f64 {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }

    /// The largest of all.
    #[inline]
    pub(super) fn most(self) -> f64 {
        self.0.into_iter().fold(f64::NEG_INFINITY, |most, value| if value > most { value } else { most })
    }
}

macro_rules! by_lane {
    ($($name:ident $function:ident $operator:tt),+) => {$(
        impl $name for Lanes {
            type Output = Self;
            #[inline]
            fn $function(self, other: Self) -> Self { self.with(other, |own, other| own $operator other) }
        }
        impl $name<f64> for Lanes {
            type Output = Self;
            #[inline]
            fn $function(self, other: f64) -> Self { self.map(|own| own $operator other) }
        }
    )+};
}

by_lane!(Add add +, Sub sub -, Mul mul *, Div div /);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lane_goes_its_own_way() {
        let lanes = Lanes([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let twice = (lanes + lanes) * 1.0 - Lanes::all(0.0);
        assert_eq!(twice.0[6].to_bits(), 14.0_f64.to_bits());
        assert_eq!(lanes.sum().to_bits(), 36.0_f64.to_bits());
        assert_eq!(lanes.most().to_bits(), 8.0_f64.to_bits());
        assert_eq!(lanes.smaller(Lanes::all(3.5)).sum().to_bits(), (6.0_f64 + 5.0 * 3.5).to_bits());
        assert_eq!(lanes.larger(Lanes::all(7.0)).sum().to_bits(), (7.0_f64 * 7.0 + 8.0).to_bits());
    }
}
