//! A number of the world outside over the time of a scenario: straight lines between the points given.

use serde::Deserialize;

use super::span::Span;

/// A number, or points of one: `12.0`, or `[["0s", 18.0], ["2h", 22.4]]`. Before the first point and after the last it
/// stays as it is there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged, expecting = "a number, or points such as [[\"0s\", 18.0], [\"2h\", 22.4]]")]
pub enum Course {
    /// The same all the time.
    Fixed(f64),
    /// Straight lines between points.
    Points(Vec<(Span, f64)>),
}

impl Course {
    /// The number at a moment, s.
    #[must_use]
    pub fn at(&self, now_s: f64) -> f64 {
        let points = match self {
            Self::Fixed(value) => return *value,
            Self::Points(points) => points,
        };
        let later = points.iter().position(|(at, _)| at.seconds() > now_s).unwrap_or(points.len());
        let (before, after) = points.split_at(later);
        match (before.last(), after.first()) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * (now_s - from.seconds()) / (to.seconds() - from.seconds())
            }
            (Some((_, value)), None) | (None, Some((_, value))) => *value,
            (None, None) => 0.0,
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn fault(&self, low: f64, high: f64) -> Option<String> {
        let fits = |value: &f64| (low..=high).contains(value);
        match self {
            Self::Fixed(value) => (!fits(value)).then(|| format!("{value} is not between {low} and {high}")),
            Self::Points(points) if points.is_empty() => Some("it has no point".to_owned()),
            Self::Points(points) => {
                let back =
                    points.windows(2).any(|pair| matches!(pair, [first, second] if first.0 >= second.0));
                let off = points.iter().map(|(_, value)| value).find(|value| !fits(value));
                off.map(|value| format!("{value} is not between {low} and {high}"))
                    .or_else(|| back.then(|| "its times do not rise".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course() -> Course {
        let at = |text: &str| text.parse().unwrap();
        Course::Points(vec![(at("10s"), 1.0), (at("20s"), 3.0), (at("30s"), 3.0)])
    }

    #[test]
    fn between_points_it_goes_straight_and_outside_it_stays() {
        let seen = [0.0, 10.0, 15.0, 20.0, 25.0, 99.0].map(|now_s| course().at(now_s));
        assert_eq!(seen.map(f64::to_bits), [1.0, 1.0, 2.0, 3.0, 3.0, 3.0].map(f64::to_bits));
    }

    #[test]
    fn a_course_that_goes_back_in_time_or_out_of_range_has_a_fault() {
        assert_eq!(course().fault(0.0, 5.0), None);
        assert!(course().fault(0.0, 2.0).unwrap().contains("not between"));
        let Course::Points(mut points) = course() else { unreachable!() };
        points.reverse();
        assert!(Course::Points(points).fault(0.0, 5.0).unwrap().contains("rise"));
        assert!(Course::Fixed(f64::NAN).fault(0.0, 5.0).is_some());
    }
}
