//! The control state and its transitions.
//!
//! ```text
//!              every input seen
//!   [Boot] ───────────────────────► [Running] ◄────────── calm for a while ────────┐
//!     │                                 │                                          │
//!     │ patience over                   │ margin small, or a part is silent        │
//!     └───────────────► [Hot] ◄─────────┘                                          │
//!                       │  ▲ └─────────────────────────────────────────────────────┘
//!      flow lost, or    │  │ flow proven and calm
//!      margin all but   ▼  │
//!      gone          [Critical] ── full cooling and minimum power do not help ──► [Uncontrollable]
//!
//!   water found, or isolation ordered, from any state ──► [Leak]
//!   [Leak] is latched over restarts and ends by a reset, [Uncontrollable] by a restart; both end in [Boot].
//! ```
//!
//! Hot means all cooling there is: full flow, all heat to the river. Critical means minimum power besides: for every
//! GPU when flow is lost, and only for the GPU at its limit when flow is there.

use eisbach_protocol::units::{Kelvin, Millis};
use serde::{Deserialize, Serialize};

use crate::decision::{Leader, Reason};
use crate::flow_guard::Flow;
use crate::tuning::Tuning;

/// How long Boot waits for inputs before missing ones count as silent.
pub(crate) const PATIENCE: Millis = Millis::from_secs(10);
/// Flow must be proven and margins calm for this long before Critical ends.
const CRITICAL_CALM: Millis = Millis::from_secs(5);
/// Measured margins at or below zero for this long, at minimum power, are beyond control.
const BEYOND_CONTROL: Millis = Millis::from_secs(5);

/// Name of a control state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StateName {
    /// Waiting for the first reading of every input, at full cooling.
    Boot,
    /// Ordinary operation.
    Running,
    /// All cooling there is.
    Hot,
    /// Minimum power too.
    Critical,
    /// The loop is stopped.
    Leak,
    /// Nothing helped.
    Uncontrollable,
}

impl StateName {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Running => "running",
            Self::Hot => "hot",
            Self::Critical => "critical",
            Self::Leak => "leak",
            Self::Uncontrollable => "uncontrollable",
        }
    }
}

/// The state with what belongs to it alone.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum State {
    Boot { since: Millis },
    Running,
    Hot { cause: Cause, calm_since: Option<Millis> },
    Critical { since: Millis, cause: Cause, calm_since: Option<Millis>, beyond_since: Option<Millis> },
    Leak,
    Uncontrollable,
}

/// What led to a state, or to a call for help: who, and why.
pub type Cause = (Leader, Reason);

/// What the analysis of one snapshot found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Findings {
    pub(crate) water: bool,
    /// Somebody orders the loop cut off.
    pub(crate) isolate: bool,
    pub(crate) flow: Flow,
    /// Smallest margin, silent GPUs extrapolated.
    pub(crate) hottest: Option<Kelvin>,
    /// Smallest margin of GPUs that answer.
    pub(crate) hottest_measured: Option<Kelvin>,
    /// Every required input has been seen.
    pub(crate) all_seen: bool,
    /// A required part has been silent for too long.
    pub(crate) silent: Option<Reason>,
    /// The driver slows a GPU down for its heat.
    pub(crate) slowed: bool,
    /// Supply rises so fast that the margin will be gone.
    pub(crate) runs_away: bool,
    /// A GPU is throttled for its own heat.
    pub(crate) throttled: bool,
    /// The drive reports an alarm, whatever it still does.
    pub(crate) pump_alarm: bool,
    /// A person confirms the end of a latched state.
    pub(crate) reset: bool,
}

impl Findings {
    /// Why the loop stands still, where it does.
    pub(crate) const fn stopped(&self) -> Cause {
        if self.water {
            (Leader::LeakInterlock, Reason::WaterFound)
        } else if self.isolate {
            (Leader::Remote, Reason::IsolationOrdered)
        } else {
            (Leader::LeakInterlock, Reason::LeakLatched)
        }
    }
}

impl State {
    pub(crate) const fn name(&self) -> StateName {
        match self {
            Self::Boot { .. } => StateName::Boot,
            Self::Running => StateName::Running,
            Self::Hot { .. } => StateName::Hot,
            Self::Critical { .. } => StateName::Critical,
            Self::Leak => StateName::Leak,
            Self::Uncontrollable => StateName::Uncontrollable,
        }
    }

    /// The state after these findings.
    pub(crate) fn next(self, found: &Findings, now: Millis, tuning: &Tuning) -> Self {
        if found.water || found.isolate {
            return Self::Leak;
        }
        match self {
            Self::Leak | Self::Uncontrollable if !found.reset => self,
            Self::Leak | Self::Uncontrollable => Self::Boot { since: now },
            Self::Boot { since } => {
                if let Some(cause) =
                    emergency(found, tuning).filter(|(_, reason)| *reason != Reason::FlowUnknown)
                {
                    critical(cause, now)
                } else if found.all_seen {
                    Self::Running
                } else if now.since(since) > PATIENCE {
                    Self::Hot {
                        cause: (Leader::SilentPart, found.silent.unwrap_or(Reason::FirstReadings)),
                        calm_since: None,
                    }
                } else {
                    self
                }
            }
            Self::Running => match emergency(found, tuning) {
                Some(cause) => critical(cause, now),
                None => hot(found, tuning).map_or(self, |cause| Self::Hot { cause, calm_since: None }),
            },
            Self::Hot { cause, calm_since } => {
                if let Some(cause) = emergency(found, tuning) {
                    return critical(cause, now);
                }
                // Cooling was taken first, so it is given back last.
                let calm = is_calm(found.hottest, tuning) && !found.throttled;
                match (hot(found, tuning), calm) {
                    (Some(cause), _) => Self::Hot { cause, calm_since: None },
                    (None, false) => Self::Hot { cause, calm_since: None },
                    (None, true) => {
                        let since = calm_since.unwrap_or(now);
                        if now.since(since) >= tuning.calm_for {
                            Self::Running
                        } else {
                            Self::Hot { cause, calm_since: Some(since) }
                        }
                    }
                }
            }
            Self::Critical { since, cause, calm_since, beyond_since } => {
                let cause = emergency(found, tuning).unwrap_or(cause);
                let beyond = found.hottest_measured.is_some_and(|margin| margin <= Kelvin::ZERO)
                    && now.since(since) > tuning.second_stage_after;
                let beyond_since = beyond.then(|| beyond_since.unwrap_or(now));
                if beyond_since.is_some_and(|since| now.since(since) >= BEYOND_CONTROL) {
                    return Self::Uncontrollable;
                }
                // A GPU that stays silent keeps the node Hot; it must not keep the others at minimum power.
                let calm = found.flow == Flow::Proven && is_calm(found.hottest_measured, tuning);
                let calm_since = calm.then(|| calm_since.unwrap_or(now));
                if calm_since.is_some_and(|since| now.since(since) >= CRITICAL_CALM) {
                    Self::Hot { cause, calm_since }
                } else {
                    Self::Critical { since, cause, calm_since, beyond_since }
                }
            }
        }
    }
}

const fn critical(cause: Cause, now: Millis) -> State {
    State::Critical { since: now, cause, calm_since: None, beyond_since: None }
}

/// What calls for minimum power at once.
fn emergency(found: &Findings, tuning: &Tuning) -> Option<Cause> {
    match found.flow {
        Flow::Lost(reason) => Some((Leader::FlowGuard, reason)),
        Flow::Proven | Flow::Unproven | Flow::Blind => at_limit(found, tuning),
    }
}

fn at_limit(found: &Findings, tuning: &Tuning) -> Option<Cause> {
    found
        .hottest_measured
        .is_some_and(|margin| margin < tuning.deep_margin)
        .then_some((Leader::Temperature, Reason::GpuAtLimit))
}

/// What calls for all cooling there is.
fn hot(found: &Findings, tuning: &Tuning) -> Option<Cause> {
    let small = |margin: Option<Kelvin>| margin.is_some_and(|margin| margin < tuning.hot_margin);
    if small(found.hottest_measured) {
        Some((Leader::Temperature, Reason::GpuHot))
    } else if found.runs_away {
        Some((Leader::Budget, Reason::ThermalBudget))
    } else if found.slowed {
        Some((Leader::Temperature, Reason::ThermalSlowdown))
    } else if found.silent == Some(Reason::GpusDetached) {
        Some((Leader::SilentPart, Reason::GpusDetached))
    } else if small(found.hottest) {
        Some((Leader::SilentPart, Reason::GpuSilent))
    } else if found.pump_alarm {
        Some((Leader::FlowGuard, Reason::PumpAlarm))
    } else {
        found.silent.map(|reason| (Leader::SilentPart, reason))
    }
}

/// The margin is wide again.
fn is_calm(hottest: Option<Kelvin>, tuning: &Tuning) -> bool {
    hottest.is_none_or(|margin| margin >= tuning.calm_margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Findings = Findings {
        water: false,
        isolate: false,
        flow: Flow::Proven,
        hottest: Some(Kelvin::new(30.0)),
        hottest_measured: Some(Kelvin::new(30.0)),
        all_seen: true,
        silent: None,
        slowed: false,
        runs_away: false,
        throttled: false,
        pump_alarm: false,
        reset: false,
    };

    /// The states passed while `found` stands, second by second.
    fn hold(mut state: State, found: Findings, seconds: u64) -> State {
        let tuning = Tuning::default();
        for second in 0..=seconds {
            state = state.next(&found, Millis::from_secs(1000 + second), &tuning);
        }
        state
    }

    const BOOT: State = State::Boot { since: Millis::from_secs(1000) };
    const LOST: Findings = Findings { flow: Flow::Lost(Reason::HeadCollapsed), ..WELL };
    const WET: Findings = Findings { water: true, ..WELL };

    #[test]
    fn boot_ends_when_everything_has_been_seen() {
        let waiting = Findings { all_seen: false, ..WELL };
        assert_eq!(hold(BOOT, waiting, 5).name(), StateName::Boot);
        assert_eq!(hold(BOOT, WELL, 0).name(), StateName::Running);
    }

    #[test]
    fn boot_does_not_wait_for_ever_but_goes_on_at_full_cooling() {
        assert_eq!(hold(BOOT, Findings { all_seen: false, ..WELL }, 11).name(), StateName::Hot);
    }

    #[test]
    fn lost_flow_is_critical_at_once() {
        assert_eq!(hold(State::Running, LOST, 0).name(), StateName::Critical);
    }

    #[test]
    fn i02_a_leak_wins_over_overheat_and_lost_flow() {
        let both = Findings { hottest_measured: Some(Kelvin::new(-5.0)), ..LOST };
        assert_eq!(hold(State::Running, Findings { water: true, ..both }, 0).name(), StateName::Leak);
        assert_eq!(hold(State::Uncontrollable, WET, 0).name(), StateName::Leak);
    }

    #[test]
    fn a_leak_is_latched_until_it_is_dry_and_reset() {
        let wet = hold(State::Running, WET, 0);
        assert_eq!(hold(wet, WELL, 600).name(), StateName::Leak);
        assert_eq!(hold(wet, Findings { reset: true, ..WET }, 0).name(), StateName::Leak);
        assert_eq!(hold(wet, Findings { reset: true, ..WELL }, 0).name(), StateName::Boot);
    }

    #[test]
    fn critical_ends_through_hot_when_flow_is_proven_and_margins_are_calm() {
        let critical = hold(State::Running, LOST, 3);
        let unproven = Findings { flow: Flow::Unproven, ..WELL };
        assert_eq!(hold(critical, unproven, 100).name(), StateName::Critical);
        let hot = hold(critical, WELL, 6);
        assert_eq!(hot.name(), StateName::Hot);
        assert_eq!(hold(hot, WELL, 20).name(), StateName::Running);
    }

    #[test]
    fn the_node_stays_hot_while_a_gpu_is_throttled_for_its_heat() {
        let hot = hold(State::Running, Findings { hottest_measured: Some(Kelvin::new(14.0)), ..WELL }, 0);
        assert_eq!(hold(hot, Findings { throttled: true, ..WELL }, 600).name(), StateName::Hot);
        assert_eq!(hold(hot, WELL, 20).name(), StateName::Running);
    }

    #[test]
    fn a_gpu_slowed_down_by_its_driver_makes_the_node_hot() {
        let hot = hold(State::Running, Findings { slowed: true, ..WELL }, 0);
        assert_eq!(hot.name(), StateName::Hot);
    }

    #[test]
    fn a_silent_gpu_makes_the_node_hot_and_never_critical() {
        let silent = Findings { hottest: Some(Kelvin::ZERO), ..WELL };
        assert_eq!(hold(State::Running, silent, 100).name(), StateName::Hot);
    }

    #[test]
    fn a_silent_gpu_does_not_hold_the_others_in_critical() {
        let critical = hold(State::Running, LOST, 3);
        let silent = Findings { hottest: Some(Kelvin::ZERO), ..WELL };
        assert_eq!(hold(critical, silent, 10).name(), StateName::Hot);
    }

    #[test]
    fn a_drive_alarm_alone_means_all_cooling_and_no_cap() {
        assert_eq!(hold(State::Running, Findings { pump_alarm: true, ..WELL }, 60).name(), StateName::Hot);
    }

    #[test]
    fn a_stopped_pump_is_critical_even_while_inputs_are_missing() {
        let found = Findings { all_seen: false, flow: Flow::Lost(Reason::PumpStopped), ..WELL };
        assert_eq!(hold(BOOT, found, 0).name(), StateName::Critical);
    }

    #[test]
    fn no_margin_at_minimum_power_is_beyond_control_and_latched() {
        let burning = Findings { hottest_measured: Some(Kelvin::new(-1.0)), ..LOST };
        let state = hold(State::Running, burning, 12);
        assert_eq!(state.name(), StateName::Uncontrollable);
        assert_eq!(hold(state, WELL, 600).name(), StateName::Uncontrollable);
    }
}
