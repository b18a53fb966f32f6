//! What is believed of the river: its last word, and after a while a careful guess.
//!
//! ```text
//!   told ──► as told ── stale_after ──► warmer and with less water
//!   never told ──► nothing is known: nothing is limited, and an alarm says so
//! ```

use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, CubicMetersPerSecond, Millis};
use serde::{Deserialize, Serialize};

use super::rules::River;
use crate::surroundings::Surroundings;
use crate::tuning::PermitTuning;

/// The last word on one quantity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Word<T> {
    value: T,
    at: Millis,
}

/// Memory of what was told.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Told {
    celsius: Option<Word<Celsius>>,
    flow: Option<Word<CubicMetersPerSecond>>,
}

/// The river as it is believed to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Belief {
    pub(super) river: River,
    /// Some of it is a careful guess.
    pub(super) guessed: bool,
    /// Some of it is not told now, or never was.
    pub(super) silent: bool,
}

impl Told {
    /// Hears what is told now; what is to be believed.
    pub(super) fn hear(&mut self, told: &Surroundings, now: Millis, permit: &PermitTuning) -> Belief {
        let celsius = hear(&mut self.celsius, &told.river, now, Celsius::get);
        let flow = hear(&mut self.flow, &told.river_flow, now, CubicMetersPerSecond::get);
        let old = |at: Option<Millis>| at.is_some_and(|at| now.since(at) > permit.stale_after);
        let (old_celsius, old_flow) =
            (old(self.celsius.map(|word| word.at)), old(self.flow.map(|word| word.at)));
        let warmer = |celsius: Celsius| if old_celsius { celsius + permit.stale_warmer } else { celsius };
        let less = |flow: CubicMetersPerSecond| if old_flow { flow * permit.stale_flow_share } else { flow };
        Belief {
            river: River {
                celsius: self.celsius.map(|word| warmer(word.value)),
                flow: self.flow.map(|word| less(word.value)),
            },
            guessed: old_celsius || old_flow,
            silent: !celsius || !flow,
        }
    }
}

/// Whether something is told now; it becomes the last word.
fn hear<T: Copy>(
    word: &mut Option<Word<T>>,
    told: &Reading<T>,
    now: Millis,
    number: impl Fn(T) -> f32,
) -> bool {
    let Some(value) = told.usable().filter(|value| number(*value).is_finite()) else { return false };
    *word = Some(Word { value, at: Millis::new(now.get().saturating_sub(told.age().get())) });
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(celsius: f32, flow: f32) -> Surroundings {
        Surroundings {
            river: Reading::measured(Celsius::new(celsius), Millis::ZERO),
            river_flow: Reading::measured(CubicMetersPerSecond::new(flow), Millis::ZERO),
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_last_word_counts_for_a_while_and_then_a_careful_guess() {
        let permit = PermitTuning::default();
        let mut told = Told::default();
        let fresh = told.hear(&surroundings(18.0, 20.0), Millis::ZERO, &permit);
        assert!(!fresh.guessed && !fresh.silent);
        let later = |told: &mut Told, seconds| {
            told.hear(&Surroundings::default(), Millis::from_secs(seconds), &permit)
        };
        let quiet = later(&mut told, 800);
        assert_eq!((quiet.river, quiet.guessed, quiet.silent), (fresh.river, false, true));
        let old = later(&mut told, 1000);
        assert_eq!(old.river.celsius, Some(Celsius::new(19.0)));
        assert_eq!(old.river.flow, Some(CubicMetersPerSecond::new(10.0)));
        assert!(old.guessed);
    }

    #[test]
    fn what_was_never_told_is_not_guessed() {
        let belief = Told::default().hear(&Surroundings::default(), Millis::ZERO, &PermitTuning::default());
        assert_eq!(belief, Belief { river: River::default(), guessed: false, silent: true });
    }

    #[test]
    fn a_word_that_is_no_number_is_none() {
        let permit = PermitTuning::default();
        let mut told = Told::default();
        let before = told.hear(&surroundings(18.0, 20.0), Millis::ZERO, &permit);
        let after = told.hear(&surroundings(f32::NAN, f32::INFINITY), Millis::from_secs(1), &permit);
        assert_eq!((after.river, after.silent), (before.river, true));
    }
}
