//! How far a decoded value can be believed, from what the same point said before.
//!
//! ```text
//!   value ── slower than max_slew ─────────────────────► as it is ── same raw bits for frozen_after ──► doubtful
//!     └──── faster ── confirmed by the next reading ──► as it is
//!                └─── not yet ────────────────────────► Bad(Implausible)
//! ```
//!
//! Pure: time is an argument. One judge for each point of one device.

use eisbach_protocol::reading::BadReason;
use eisbach_protocol::registers::{Point, decode, raw};
use eisbach_protocol::units::Millis;

use super::state::Sample;

/// What a judge remembers of its point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judge {
    /// The last value that was believed.
    believed: Option<Seen>,
    /// A later one that came too fast and waits for its confirmation.
    held: Option<Seen>,
    /// The raw bits, and since when they have been the same.
    still: Option<(u32, Millis)>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    value: f32,
    at: Millis,
}

impl Judge {
    /// What to make of the `words` of `point` that were asked for at `at`.
    pub(super) fn judge(&mut self, point: &Point, words: &[u16], at: Millis) -> Sample {
        let doubtful = self.is_frozen(point, words, at);
        let outcome = decode(point, words).and_then(|value| self.follow(point.max_slew, Seen { value, at }));
        Sample { outcome, doubtful, at }
    }

    /// A live instrument's last digit moves.
    fn is_frozen(&mut self, point: &Point, words: &[u16], at: Millis) -> bool {
        let Some(raw) = raw(point, words) else {
            return false;
        };
        let since = match self.still {
            Some((same, since)) if same == raw => since,
            Some(_) | None => at,
        };
        self.still = Some((raw, since));
        point.frozen_after_ms.is_some_and(|limit| at.since(since) >= Millis::new(limit.into()))
    }

    fn follow(&mut self, max_slew: Option<f32>, seen: Seen) -> Result<f32, BadReason> {
        let within = |from: Option<Seen>| {
            max_slew.zip(from).is_none_or(|(slew, from)| {
                (seen.value - from.value).abs() <= slew * seen.at.since(from.at).as_secs_f32()
            })
        };
        let confirmed = self.held.is_some() && within(self.held);
        if within(self.believed) || confirmed {
            (self.believed, self.held) = (Some(seen), None);
            Ok(seen.value)
        } else {
            self.held = Some(seen);
            Err(BadReason::Implausible)
        }
    }
}

/// Whether a read shows that the device filled it up instead of reading it: a sentinel is zero; or, on a device that
/// is known to do so, everything is zero and nothing in it could show the difference.
pub(super) fn is_filled<'a>(
    mut values: impl Iterator<Item = (&'a Point, &'a [u16])> + Clone,
    zero_fills: bool,
) -> bool {
    let sentinels = values.clone().filter(|(point, _)| point.sentinel);
    if sentinels.clone().next().is_some() {
        sentinels.map(|(point, words)| raw(point, words)).any(|raw| raw == Some(0))
    } else {
        zero_fills && values.all(|(_, words)| words.iter().all(|&word| word == 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::registers::{Encoding, Signal};
    use proptest::prelude::*;

    fn flow() -> Point {
        let profile = crate::modbus::profile::load("leak-relay", None).unwrap();
        Point {
            signal: Signal::Flow,
            encoding: Encoding::U16,
            low: 0.0,
            high: 60_000.0,
            max_slew: Some(10.0),
            frozen_after_ms: Some(5_000),
            ..profile.points[0].clone()
        }
    }

    fn outcomes(readings: &[(u16, u64)]) -> Vec<Result<f32, BadReason>> {
        let mut judge = Judge::default();
        let judged = |&(word, at)| judge.judge(&flow(), &[word], Millis::new(at)).outcome;
        readings.iter().map(judged).collect()
    }

    const HELD: Result<f32, BadReason> = Err(BadReason::Implausible);

    #[test]
    fn a_jump_counts_only_when_the_next_reading_confirms_it() {
        assert_eq!(
            outcomes(&[(50, 0), (90, 100), (90, 200), (91, 300)]),
            [Ok(50.0), HELD, Ok(90.0), Ok(91.0)]
        );
        assert_eq!(outcomes(&[(50, 0), (90, 100), (50, 200)]), [Ok(50.0), HELD, Ok(50.0)]);
        assert_eq!(outcomes(&[(50, 0), (90, 100), (10, 200), (90, 300)]), [Ok(50.0), HELD, HELD, HELD]);
    }

    #[test]
    fn a_value_may_move_as_far_as_its_time_allows() {
        assert_eq!(outcomes(&[(50, 0), (60, 1_000)]), [Ok(50.0), Ok(60.0)]);
        assert_eq!(outcomes(&[(50, 0), (61, 1_000)]), [Ok(50.0), HELD]);
        assert_eq!(outcomes(&[(50, 0), (400, 60_000)]), [Ok(50.0), Ok(400.0)], "after a long silence");
    }

    #[test]
    fn the_very_same_bits_for_too_long_are_doubtful_until_they_move() {
        let mut judge = Judge::default();
        let mut doubtful = |word, at| judge.judge(&flow(), &[word], Millis::new(at)).doubtful;
        assert!(!doubtful(50, 0) && !doubtful(50, 4_900) && doubtful(50, 5_000) && doubtful(50, 9_000));
        assert!(!doubtful(51, 9_100) && !doubtful(50, 9_200));
    }

    #[test]
    fn a_block_with_a_zero_sentinel_was_filled_up() {
        let (plain, sentinel) = (flow(), Point { sentinel: true, ..flow() });
        let filled = |first, second, zero_fills| {
            is_filled(
                [(&plain, [first].as_slice()), (&sentinel, [second].as_slice())].into_iter(),
                zero_fills,
            )
        };
        assert!(filled(5, 0, true) && filled(5, 0, false));
        assert!(!filled(0, 1, true));
        let lonely = |word, zero_fills| is_filled([(&plain, [word].as_slice())].into_iter(), zero_fills);
        assert!(lonely(0, true) && !lonely(0, false) && !lonely(1, true));
    }

    proptest! {
        #[test]
        fn a_believed_value_is_always_near_the_one_before_it(
            readings in prop::collection::vec((0..1_000_u16, 1..2_000_u64), 2..100),
        ) {
            let (mut judge, mut now) = (Judge::default(), 0);
            let (mut believed, mut previous) = (None, None);
            for (word, pause) in readings {
                now += pause;
                if let Ok(value) = judge.judge(&flow(), &[word], Millis::new(now)).outcome {
                    let near = |(from, at): (f32, u64)| {
                        (value - from).abs() <= 10.0 * Millis::new(now - at).as_secs_f32()
                    };
                    prop_assert!((value - f32::from(word)).abs() < f32::EPSILON);
                    prop_assert!(believed.is_none_or(near) || previous.is_some_and(near));
                    believed = Some((value, now));
                }
                previous = Some((f32::from(word), now));
            }
        }

        #[test]
        fn a_steady_device_is_believed_after_two_readings(start in 0..60_000_u16, target in 0..60_000_u16, pause in 1..2_000_u64) {
            let readings = [(start, 0), (target, pause), (target, 2 * pause), (target, 3 * pause)];
            prop_assert_eq!(outcomes(&readings)[2..].to_vec(), vec![Ok(f32::from(target)); 2]);
        }
    }
}
