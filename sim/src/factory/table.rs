//! Curves that cost much to reckon, written down once: evenly spaced points with straight lines between them.
//!
//! ```text
//!   value │    ●──●
//!         │  ●
//!         │ ●
//!         └─┴──┴──┴──► where      outside of its ends the curve stays what it is there
//! ```

/// Two curves over the same variable.
#[derive(Clone, Debug)]
pub(super) struct Table {
    low: f64,
    per_unit: f64,
    last: f64,
    /// Both values at each point, and both slopes to the next.
    points: Vec<[f64; 4]>,
}

impl Table {
    /// Writes `curves` down at `intervals` + 1 points from `low` to `high`.
    pub(super) fn of(low: f64, high: f64, intervals: u16, curves: impl Fn(f64) -> [f64; 2]) -> Self {
        let last = f64::from(intervals);
        let at = |point: u16| curves(low + (high - low) * f64::from(point) / last);
        let point = |point: u16| {
            let ([first, second], [next_first, next_second]) = (at(point), at(point + 1));
            [first, second, next_first - first, next_second - second]
        };
        Self { low, per_unit: last / (high - low), last, points: (0..intervals).map(point).collect() }
    }

    /// Both curves here.
    #[inline]
    pub(super) fn at(&self, here: f64) -> [f64; 2] {
        let place = ((here - self.low) * self.per_unit).clamp(0.0, self.last);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "held between 0 and the number of points, which is a few hundred; a NaN becomes 0"
        )]
        // 32 bits: wider numbers cost more on their way from a float and back.
        let index = (place as u32).min((self.points.len() as u32).saturating_sub(1));
        let part = place - f64::from(index);
        self.points.get(index as usize).map_or([0.0; 2], |[first, second, first_slope, second_slope]| {
            [first + part * first_slope, second + part * second_slope]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_its_points_the_curve_is_close_and_at_them_exact() {
        let table = Table::of(1.0, 3.0, 200, |x| [x * x, x.sqrt()]);
        for x in [1.0, 1.017, 2.0, 2.555, 3.0] {
            let [square, root] = table.at(x);
            assert!((square - x * x).abs() < 3e-5 && (root - x.sqrt()).abs() < 1e-5, "{x}: {square} {root}");
        }
    }

    #[test]
    fn outside_of_its_ends_it_stays_what_it_is_there() {
        let table = Table::of(0.0, 1.0, 10, |x| [x, -x]);
        for (outside, end) in [(-5.0, 0.0), (7.0, 1.0), (f64::INFINITY, 1.0)] {
            assert!((table.at(outside)[0] - end).abs() < 1e-12);
        }
    }
}
