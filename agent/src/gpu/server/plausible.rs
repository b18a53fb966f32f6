//! Whether a margin fits its temperature: both come from one sensor, so their sum stands still.
//!
//! ```text
//!   sum = temperature + margin
//!     as known ─────────────► the core is the hottest part
//!     smaller ──────────────► another part is hotter (memory): the margin stands
//!     larger ───────────────► the margin is too good to be true: what the temperature leaves counts at once,
//!                             and after HOLD it is said to be doubtful
//! ```
//!
//! A sum that was only learned may be too small: the memory led while it was learned, and the core leads now. Then a
//! margin is too good only if it stands still while the core heats up.
//!
//! A margin of zero or less is never doubted: it is the emergency that the margin is there for.

use eisbach_protocol::units::{Celsius, Kelvin, Millis};

/// Two values in whole degrees, read some milliseconds apart while the core heats by some kelvin a second (estimate).
const SLACK_KNOWN: Kelvin = Kelvin::new(3.0);
/// The same, where the sum is only known from watching: the memory may have been the hotter part then (estimate).
const SLACK_LEARNED: Kelvin = Kelvin::new(6.0);
/// A misfit that lasts so long is none of timing.
const HOLD: Millis = Millis::from_secs(2);
/// Samples from which the sum is learned where the device does not tell it.
const LEARN: u8 = 10;

/// What is known of one GPU's sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plausible {
    sum: Sum,
    /// The margin when it last moved, and the temperature then.
    moved: Option<(Kelvin, Celsius)>,
    misfit_since: Option<Millis>,
}

#[derive(Clone, Copy, Debug)]
enum Sum {
    /// As the device's own limits say.
    Known(Celsius),
    /// The largest of so many samples.
    Learned { largest: Option<Celsius>, samples: u8 },
}

/// A margin after the check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    pub(super) margin: Kelvin,
    pub(super) doubtful: bool,
}

impl Plausible {
    /// With the core temperature at which the margin is zero, if the device says.
    pub(super) fn new(zero_margin_at: Option<Celsius>) -> Self {
        let sum = zero_margin_at.map_or(Sum::Learned { largest: None, samples: 0 }, Sum::Known);
        Self { sum, moved: None, misfit_since: None }
    }

    /// Checks a margin that was read together with a temperature.
    pub(super) fn judge(&mut self, temperature: Option<Celsius>, margin: Kelvin, now: Millis) -> Judged {
        let Some(temperature) = temperature else { return Judged { margin, doubtful: false } };
        self.note(temperature, margin);
        let Some((sum, slack)) = self.sum(temperature + margin) else {
            return Judged { margin, doubtful: false };
        };
        let too_large = temperature + margin > sum + slack;
        let misfits = too_large && self.stands_still_if_it_must(temperature, margin, slack);
        self.misfit_since = misfits.then(|| self.misfit_since.unwrap_or(now));
        let lasts = self.misfit_since.is_some_and(|since| now.since(since) >= HOLD);
        let margin = if misfits { margin.smaller(sum - temperature + slack) } else { margin };
        Judged { margin, doubtful: lasts }
    }

    /// Whether the margin has not moved though the core has heated up; of no matter where the sum is known.
    fn stands_still_if_it_must(&self, temperature: Celsius, margin: Kelvin, slack: Kelvin) -> bool {
        match self.sum {
            Sum::Known(_) => true,
            Sum::Learned { .. } => {
                self.moved.is_some_and(|(then, at)| then == margin && temperature - at > slack)
            }
        }
    }

    fn note(&mut self, temperature: Celsius, margin: Kelvin) {
        self.moved = match self.moved {
            Some((then, at)) if then == margin => Some((then, at.smaller(temperature))),
            Some(_) | None => Some((margin, temperature)),
        };
    }

    fn sum(&mut self, seen: Celsius) -> Option<(Celsius, Kelvin)> {
        match &mut self.sum {
            Sum::Known(sum) => Some((*sum, SLACK_KNOWN)),
            Sum::Learned { largest, samples } => {
                if *samples < LEARN {
                    *samples += 1;
                    *largest = Some(largest.map_or(seen, |largest| largest.larger(seen)));
                }
                largest.map(|largest| (largest, SLACK_LEARNED))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn judge(plausible: &mut Plausible, temperature: f32, margin: f32, now: u64) -> Judged {
        plausible.judge(Some(Celsius::new(temperature)), Kelvin::new(margin), Millis::new(now))
    }

    const FITS: fn(f32) -> Judged = |margin| Judged { margin: Kelvin::new(margin), doubtful: false };

    #[test]
    fn a_margin_that_fits_its_temperature_stands() {
        let mut plausible = Plausible::new(Some(Celsius::new(87.0)));
        for (at, temperature) in [50.0, 63.0, 86.0, 92.0].into_iter().enumerate() {
            assert_eq!(
                judge(&mut plausible, temperature, 87.0 - temperature, at as u64),
                FITS(87.0 - temperature)
            );
        }
    }

    #[test]
    fn i01_a_margin_that_stands_still_while_the_core_heats_up_is_replaced_at_once_and_doubted_after_a_while()
    {
        let mut plausible = Plausible::new(Some(Celsius::new(87.0)));
        assert_eq!(judge(&mut plausible, 60.0, 27.0, 0), FITS(27.0));
        assert_eq!(judge(&mut plausible, 75.0, 27.0, 1000), FITS(15.0), "12 K are left, and 3 K of slack");
        assert!(judge(&mut plausible, 80.0, 27.0, 3000).doubtful);
        assert_eq!(judge(&mut plausible, 60.0, 27.0, 3200), FITS(27.0), "and no more once it fits again");
    }

    #[test]
    fn a_smaller_margin_is_another_part_that_is_hotter_and_stands() {
        let mut plausible = Plausible::new(Some(Celsius::new(87.0)));
        for now in (0..10_000).step_by(200) {
            assert_eq!(judge(&mut plausible, 50.0, 9.0, now), FITS(9.0));
        }
    }

    #[test]
    fn where_the_device_does_not_tell_the_sum_it_is_learned_and_then_kept() {
        let mut plausible = Plausible::new(None);
        for now in 0..20 {
            judge(&mut plausible, 40.0, 48.0, now * 200);
        }
        assert_eq!(judge(&mut plausible, 80.0, 48.0, 4000).margin, Kelvin::new(14.0));
    }

    #[test]
    fn a_sum_learned_while_the_memory_led_doubts_no_core_that_leads_later() {
        let mut plausible = Plausible::new(None);
        for now in 0..20 {
            assert_eq!(judge(&mut plausible, 33.0, 47.0, now * 200), FITS(47.0), "the memory at 48 of 95");
        }
        for step in 0..30_u16 {
            let temperature = 41.0 + f32::from(step);
            let now = 4000 + u64::from(step) * 200;
            assert_eq!(judge(&mut plausible, temperature, 87.0 - temperature, now), FITS(87.0 - temperature));
        }
    }

    proptest! {
        #[test]
        fn the_check_never_makes_a_margin_larger(
            sum in prop::option::of(80.0_f32..95.0), readings in prop::collection::vec((0.0_f32..110.0, -20.0_f32..80.0), 1..40),
        ) {
            let mut plausible = Plausible::new(sum.map(Celsius::new));
            for (step, (temperature, margin)) in (0_u64..).zip(readings) {
                let judged = judge(&mut plausible, temperature, margin, step * 200);
                prop_assert!(judged.margin <= Kelvin::new(margin));
                prop_assert!(margin > 0.0 || judged.margin <= Kelvin::ZERO);
            }
        }
    }
}
