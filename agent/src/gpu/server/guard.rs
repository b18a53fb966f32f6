//! The guard's judgement: when the GPU process must lower a GPU by itself. Pure; time comes in as a number.
//!
//! ```text
//!   margin ≤ 0 ─────────────────────────────────────────────► MarginGone        (even with an agent)
//!
//!   no beat for `silence` ──┬─ margin < guard margin ───────► SilentAndHot
//!                           └─ and the agent did not say
//!                              that it leaves:
//!                                 hotter by RISE ───────────► SilentAndRising
//!                                 no temperature at all ────► SilentAndBlind
//! ```
//!
//! "Hotter" is measured against the coolest moment since the agent's last beat: what the GPU did while
//! somebody looked after it is no ground for alarm.

use eisbach_protocol::units::{Celsius, Kelvin, Millis};

/// Rise that counts as heating up. Sensors resolve 1 K and flicker by one step; with the coolant gone a GPU at
/// full power gains 1 to 2 K/s (estimate from 700 W into about 400 J/K of cold plate and die).
const RISE: Kelvin = Kelvin::new(3.0);

/// When silence counts, and how little margin is then too little.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) silence: Millis,
    pub(super) margin: Kelvin,
}

/// What is known of one GPU and of the agent right now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) margin: Option<Kelvin>,
    pub(super) temperature: Option<Celsius>,
    /// When the agent was last heard, or this process started.
    pub(super) heard_at: Millis,
    /// Whether its last beat said that it leaves in good order.
    pub(super) leaving: bool,
    pub(super) now: Millis,
}

/// Why the guard acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    MarginGone,
    SilentAndHot,
    SilentAndRising,
    SilentAndBlind,
}

impl Danger {
    /// One stable word for logs.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::MarginGone => "margin_gone",
            Self::SilentAndHot => "agent_silent_gpu_hot",
            Self::SilentAndRising => "agent_silent_gpu_rising",
            Self::SilentAndBlind => "agent_silent_no_temperature",
        }
    }
}

/// Memory of one GPU's guard.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    heard_at: Option<Millis>,
    coolest: Option<Celsius>,
}

impl Guard {
    /// Whether one GPU is in danger that nobody else will avert.
    pub(super) fn judge(&mut self, evidence: &Evidence, rules: &Rules) -> Option<Danger> {
        self.remember(evidence);
        if evidence.margin.is_some_and(|margin| margin <= Kelvin::ZERO) {
            return Some(Danger::MarginGone);
        }
        if evidence.now.since(evidence.heard_at) <= rules.silence {
            return None;
        }
        if evidence.margin.is_some_and(|margin| margin < rules.margin) {
            return Some(Danger::SilentAndHot);
        }
        if evidence.leaving {
            return None;
        }
        match (evidence.temperature, self.coolest) {
            (Some(now), Some(coolest)) if now - coolest >= RISE => Some(Danger::SilentAndRising),
            (None, _) if evidence.margin.is_none() => Some(Danger::SilentAndBlind),
            _ => None,
        }
    }

    fn remember(&mut self, evidence: &Evidence) {
        let heard_anew = self.heard_at != Some(evidence.heard_at);
        self.heard_at = Some(evidence.heard_at);
        self.coolest = match (self.coolest, evidence.temperature) {
            (Some(before), Some(now)) if !heard_anew => Some(before.smaller(now)),
            (before, now) => now.or(before),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules { silence: Millis::new(3000), margin: Kelvin::new(10.0) };

    fn evidence(now: u64, heard_at: u64, temperature: f32, margin: f32) -> Evidence {
        Evidence {
            margin: Some(Kelvin::new(margin)),
            temperature: Some(Celsius::new(temperature)),
            heard_at: Millis::new(heard_at),
            leaving: false,
            now: Millis::new(now),
        }
    }

    #[test]
    fn a_gone_margin_is_danger_even_under_an_agent() {
        assert_eq!(Guard::default().judge(&evidence(100, 90, 87.0, 0.0), &RULES), Some(Danger::MarginGone));
        assert_eq!(Guard::default().judge(&evidence(100, 90, 86.0, 1.0), &RULES), None);
    }

    #[test]
    fn silence_over_a_cool_steady_gpu_is_no_danger() {
        let mut guard = Guard::default();
        for now in (0..60_000).step_by(200) {
            assert_eq!(guard.judge(&evidence(now, 0, 50.0, 37.0), &RULES), None);
        }
    }

    #[test]
    fn silence_over_a_hot_gpu_is_danger_from_the_limit_on() {
        let mut guard = Guard::default();
        assert_eq!(guard.judge(&evidence(3000, 0, 78.0, 9.0), &RULES), None);
        assert_eq!(guard.judge(&evidence(3001, 0, 78.0, 9.0), &RULES), Some(Danger::SilentAndHot));
    }

    #[test]
    fn a_rise_is_counted_from_the_coolest_moment_since_the_last_beat() {
        let mut guard = Guard::default();
        assert_eq!(guard.judge(&evidence(1000, 1000, 40.0, 47.0), &RULES), None);
        assert_eq!(guard.judge(&evidence(2000, 2000, 50.0, 37.0), &RULES), None, "the agent saw this rise");
        assert_eq!(guard.judge(&evidence(3000, 2000, 48.0, 39.0), &RULES), None);
        assert_eq!(guard.judge(&evidence(5001, 2000, 50.0, 37.0), &RULES), None);
        assert_eq!(guard.judge(&evidence(5201, 2000, 51.0, 36.0), &RULES), Some(Danger::SilentAndRising));
    }

    #[test]
    fn i01_a_silent_gpu_under_a_silent_agent_is_danger() {
        let blind = Evidence { margin: None, temperature: None, ..evidence(4000, 0, 0.0, 0.0) };
        assert_eq!(Guard::default().judge(&blind, &RULES), Some(Danger::SilentAndBlind));
    }

    #[test]
    fn an_agent_that_left_in_good_order_leaves_only_the_margin_rules() {
        let mut guard = Guard::default();
        let left = |temperature, margin| Evidence { leaving: true, ..evidence(9000, 0, temperature, margin) };
        assert_eq!(guard.judge(&left(40.0, 47.0), &RULES), None);
        assert_eq!(guard.judge(&left(60.0, 27.0), &RULES), None, "a workload may start after we left");
        assert_eq!(guard.judge(&left(78.0, 9.0), &RULES), Some(Danger::SilentAndHot));
        assert_eq!(guard.judge(&left(88.0, -1.0), &RULES), Some(Danger::MarginGone));
    }

    proptest! {
        #[test]
        fn a_beating_agent_is_overruled_only_by_a_gone_margin(
            temperatures in prop::collection::vec(0.0_f32..120.0, 1..50), margin in 0.1_f32..60.0,
        ) {
            let mut guard = Guard::default();
            for (step, temperature) in (0_u64..).zip(temperatures) {
                let now = step * 200;
                prop_assert_eq!(guard.judge(&evidence(now, now, temperature, margin), &RULES), None);
            }
        }
    }
}
