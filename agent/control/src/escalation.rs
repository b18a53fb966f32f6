//! Calls for help from outside, when throttling is not enough.
//!
//! ```text
//!   drain:  no new work       deep for long, flow lost, water, beyond control
//!   freeze: work stands still hardly any margin, or deep does not help
//!   stop:   work ends         no margin left, water, blind without flow       (latched until reset or restart)
//! ```
//!
//! These are requests. Whether anything follows them is not the controller's business, and it does not count on it.

use eisbach_protocol::units::{Kelvin, Millis};
use serde::{Deserialize, Serialize};

use crate::decision::{Escalation, Leader, Reason};
use crate::flow_guard::Flow;
use crate::state::{Cause, StateName};
use crate::throttle::Deep;
use crate::tuning::Tuning;

/// What the calls are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plight {
    pub(crate) state: StateName,
    pub(crate) water: bool,
    /// Why the loop stands still, where it does.
    pub(crate) stopped: Cause,
    pub(crate) flow: Flow,
    /// Smallest margin of GPUs that answer.
    pub(crate) hottest_measured: Option<Kelvin>,
    /// GPUs have been seen, none answers, and nobody has detached them.
    pub(crate) blind: bool,
    pub(crate) deep: Deep,
    /// A person confirms that a latched state may end.
    pub(crate) reset: bool,
}

/// The calls that stand, and since when their causes and their ends hold.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Escalator {
    calls: Escalation,
    lost_since: Option<Millis>,
    blind_since: Option<Millis>,
    burning_since: Option<Millis>,
    well_since: Option<Millis>,
    cool_since: Option<Millis>,
}

impl Escalator {
    pub(crate) fn step(&mut self, plight: &Plight, now: Millis, tuning: &Tuning) -> Escalation {
        let margin = plight.hottest_measured;
        let above = |least: Kelvin| margin.is_some_and(|margin| margin >= least);
        hold(&mut self.lost_since, matches!(plight.flow, Flow::Lost(_)), now);
        hold(&mut self.blind_since, plight.blind && plight.flow != Flow::Proven, now);
        hold(&mut self.burning_since, margin.is_some_and(|margin| margin <= Kelvin::ZERO), now);
        let well = plight.state == StateName::Running && above(tuning.calm_margin);
        hold(&mut self.well_since, well, now);
        hold(&mut self.cool_since, above(tuning.release_margin), now);

        let drain = self.drain(plight, now, tuning);
        keep(&mut self.calls.drain, drain, passed(self.well_since, tuning.drain_calm_for, now));
        let freeze = freeze(plight, now, tuning);
        keep(&mut self.calls.freeze, freeze, passed(self.cool_since, tuning.freeze_calm_for, now));
        let stop = self.stop(plight, now, tuning);
        keep(&mut self.calls.stop, stop, plight.reset);
        self.calls
    }

    fn drain(&self, plight: &Plight, now: Millis, tuning: &Tuning) -> Option<Cause> {
        match (plight.state, plight.flow) {
            (StateName::Leak, _) => Some(plight.stopped),
            (StateName::Uncontrollable, _) => Some((Leader::FlowGuard, Reason::NothingHelped)),
            (_, Flow::Lost(reason)) if passed(self.lost_since, tuning.drain_after_flow_loss, now) => {
                Some((Leader::FlowGuard, reason))
            }
            (
                StateName::Boot | StateName::Running | StateName::Hot | StateName::Critical,
                Flow::Lost(_) | Flow::Proven | Flow::Unproven | Flow::Blind,
            ) => passed(plight.deep.since, tuning.drain_after, now)
                .then_some((Leader::Temperature, Reason::DeepForLong)),
        }
    }

    fn stop(&self, plight: &Plight, now: Millis, tuning: &Tuning) -> Option<Cause> {
        if plight.water {
            Some((Leader::LeakInterlock, Reason::WaterFound))
        } else if passed(self.burning_since, tuning.stop_after, now) {
            Some((Leader::Temperature, Reason::GpuAtLimit))
        } else if passed(self.blind_since, tuning.stop_blind_after, now) {
            Some((Leader::SilentPart, Reason::BlindWithoutFlow))
        } else {
            None
        }
    }
}

fn freeze(plight: &Plight, now: Millis, tuning: &Tuning) -> Option<Cause> {
    if plight.hottest_measured.is_some_and(|margin| margin < tuning.freeze_margin) {
        Some((Leader::Temperature, Reason::GpuAtLimit))
    } else if passed(plight.deep.in_vain_since, tuning.freeze_after, now) {
        Some((Leader::Temperature, Reason::DeepInVain))
    } else {
        None
    }
}

/// Since when a condition holds.
fn hold(since: &mut Option<Millis>, holds: bool, now: Millis) {
    *since = holds.then(|| since.unwrap_or(now));
}

fn passed(since: Option<Millis>, wait: Millis, now: Millis) -> bool {
    since.is_some_and(|since| now.since(since) >= wait)
}

/// A call keeps its first cause until it ends; a cause that still holds keeps it.
fn keep(call: &mut Option<Cause>, cause: Option<Cause>, ends: bool) {
    *call = match (*call, cause) {
        (Some(_), None) if ends => None,
        (Some(first), _) => Some(first),
        (None, cause) => cause,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Plight = Plight {
        state: StateName::Running,
        water: false,
        stopped: (Leader::LeakInterlock, Reason::LeakLatched),
        flow: Flow::Proven,
        hottest_measured: Some(Kelvin::new(25.0)),
        blind: false,
        deep: Deep { since: None, in_vain_since: None },
        reset: false,
    };
    const LOST: Plight = Plight { state: StateName::Critical, flow: Flow::Lost(Reason::PumpStopped), ..WELL };

    #[derive(Default)]
    struct Bench {
        escalator: Escalator,
        second: u64,
    }

    impl Bench {
        fn hold(&mut self, plight: Plight, seconds: u64) -> Escalation {
            let mut calls = Escalation::default();
            for _ in 0..=seconds {
                calls = self.escalator.step(&plight, Millis::from_secs(self.second), &Tuning::default());
                self.second += 1;
            }
            calls
        }
    }

    fn hot(margin: f32) -> Plight {
        Plight { state: StateName::Critical, hottest_measured: Some(Kelvin::new(margin)), ..WELL }
    }

    #[test]
    fn a_node_that_is_well_calls_nobody() {
        assert_eq!(Bench::default().hold(WELL, 600), Escalation::default());
    }

    #[test]
    fn lost_flow_asks_for_draining_after_five_seconds_and_no_more_after_a_calm_minute() {
        let mut bench = Bench::default();
        assert_eq!(bench.hold(LOST, 4).drain, None);
        assert_eq!(bench.hold(LOST, 0).drain, Some((Leader::FlowGuard, Reason::PumpStopped)));
        assert!(bench.hold(WELL, 58).drain.is_some());
        assert_eq!(bench.hold(WELL, 1).drain, None);
    }

    #[test]
    fn a_gpu_that_is_deep_for_long_asks_for_draining() {
        let deep = Plight { deep: Deep { since: Some(Millis::ZERO), in_vain_since: None }, ..WELL };
        let mut bench = Bench::default();
        assert_eq!(bench.hold(deep, 29), Escalation::default());
        assert_eq!(bench.hold(deep, 0).drain, Some((Leader::Temperature, Reason::DeepForLong)));
    }

    #[test]
    fn hardly_any_margin_asks_for_freezing_until_it_has_been_wide_for_half_a_minute() {
        let mut bench = Bench::default();
        assert_eq!(bench.hold(hot(2.0), 60).freeze, None);
        assert!(bench.hold(hot(1.0), 0).freeze.is_some());
        assert!(bench.hold(hot(14.0), 600).freeze.is_some());
        assert!(bench.hold(WELL, 29).freeze.is_some());
        assert_eq!(bench.hold(WELL, 1).freeze, None);
    }

    #[test]
    fn deep_that_does_not_help_asks_for_freezing_after_ten_seconds() {
        let vain = Deep { since: Some(Millis::ZERO), in_vain_since: Some(Millis::ZERO) };
        let mut bench = Bench::default();
        assert_eq!(bench.hold(Plight { deep: vain, ..hot(4.0) }, 9).freeze, None);
        let calls = bench.hold(Plight { deep: vain, ..hot(4.0) }, 0);
        assert_eq!(calls.freeze, Some((Leader::Temperature, Reason::DeepInVain)));
    }

    #[test]
    fn no_margin_for_five_seconds_asks_for_a_stop_that_only_a_reset_ends() {
        let mut bench = Bench::default();
        assert_eq!(bench.hold(hot(0.0), 4).stop, None);
        assert!(bench.hold(hot(0.0), 0).stop.is_some());
        assert!(bench.hold(WELL, 3600).stop.is_some());
        assert_eq!(bench.hold(Plight { reset: true, ..WELL }, 0).stop, None);
    }

    #[test]
    fn i02_water_asks_for_draining_and_a_stop_at_once() {
        let stopped = (Leader::LeakInterlock, Reason::WaterFound);
        let wet = Plight { state: StateName::Leak, water: true, stopped, ..WELL };
        let calls = Bench::default().hold(wet, 0);
        assert_eq!((calls.drain, calls.stop), (Some(stopped), Some(stopped)));
    }

    #[test]
    fn a_leak_from_before_a_restart_asks_for_draining_and_stops_nothing_again() {
        let calls = Bench::default().hold(Plight { state: StateName::Leak, ..WELL }, 60);
        assert_eq!((calls.drain.is_some(), calls.stop), (true, None));
    }

    #[test]
    fn i01_blind_for_ten_seconds_asks_for_a_stop_unless_flow_is_proven() {
        let blind = Plight { hottest_measured: None, blind: true, state: StateName::Hot, ..WELL };
        assert_eq!(Bench::default().hold(blind, 600).stop, None);
        let unproven = Plight { flow: Flow::Unproven, ..blind };
        let mut bench = Bench::default();
        assert_eq!(bench.hold(unproven, 9).stop, None);
        assert_eq!(bench.hold(unproven, 0).stop, Some((Leader::SilentPart, Reason::BlindWithoutFlow)));
    }

    #[test]
    fn beyond_control_asks_for_draining_at_once() {
        let beyond = Plight { state: StateName::Uncontrollable, ..WELL };
        assert!(Bench::default().hold(beyond, 0).drain.is_some());
    }
}
