//! The throttling ladder of one GPU.
//!
//! ```text
//!   margin <  clock_margin      cap_margin       deep_margin, or forced
//!   [Free] ─────► [Clock] ─────► [Cap] ─────────► [Deep: minimum power (and clock)]
//!     ▲              │             │                  │
//!     │  calm        │             └──── calm ────────┤   calm = margin ≥ calm_margin for calm_for,
//!     ├──────────────┘                                ▼          and cooling is proven
//!     └──────────── default reached ◄────────── [Release: power rises in steps]
//! ```
//!
//! Clock lock and power cap are both needed: decoding language models draws so little that no cap bites, and a
//! clock lock says nothing about watts. Taking is at once, giving back is slow, and nothing is given back on a hope.

use eisbach_protocol::units::{Kelvin, Megahertz, Millis, Watts};

use crate::decision::{GpuDecision, Leader, Reason, Rung};
use crate::estimate::GpuView;
use crate::state::Cause;
use crate::tuning::Tuning;

/// Clock lock of the first rung, as a share of the highest clock.
const SOFT_CLOCK: f32 = 0.75;
/// First cap, as a share of the power drawn.
const FIRST_CAP: f32 = 0.85;
/// Each further second below the cap margin takes this share of the default power.
const CAP_STEP: f32 = 0.05;

/// Minimum power by order of the node, whatever this GPU's own margin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forced {
    pub(crate) cause: Cause,
    /// Minimum clocks as well.
    pub(crate) second_stage: bool,
}

/// One GPU's place on the ladder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ladder {
    level: Level,
    calm_since: Option<Millis>,
    adopted: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Level {
    #[default]
    Free,
    Clock,
    Cap(Watts),
    Deep {
        clocks_too: bool,
        cause: Cause,
    },
    Release(Watts),
}

/// What a step of the ladder needs besides the GPU itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) now: Millis,
    /// A whole second has passed since the last time this was set.
    pub(crate) second: bool,
    pub(crate) cooling_proven: bool,
    pub(crate) forced: Option<Forced>,
    pub(crate) tuning: &'a Tuning,
}

impl Ladder {
    /// Moves and decides.
    pub(crate) fn step(&mut self, gpu: &GpuView, context: &Context<'_>) -> GpuDecision {
        self.adopt(gpu);
        self.take(gpu, context);
        self.give_back(gpu, context);
        self.decision(gpu, context)
    }

    /// Limits found at start are ours from before; they are given back like any other.
    fn adopt(&mut self, gpu: &GpuView) {
        if self.adopted || gpu.margin.is_none() {
            return;
        }
        self.adopted = true;
        let cause = (Leader::Temperature, Reason::CoolingNotProven);
        let locked_low = gpu.held.1.is_some_and(|clock| clock < soft_clock(gpu));
        self.level = match gpu.held {
            // A restart never raises what was held: neither the cap nor the clock.
            (_, Some(_)) if locked_low => Level::Deep { clocks_too: true, cause },
            (Some(cap), _) if cap <= gpu.power_range.0 => Level::Deep { clocks_too: false, cause },
            (Some(cap), _) => Level::Cap(cap),
            (None, Some(_)) => Level::Clock,
            (None, None) => Level::Free,
        };
    }

    /// Upwards: at once.
    fn take(&mut self, gpu: &GpuView, context: &Context<'_>) {
        let tuning = context.tuning;
        if let Some(forced) = context.forced {
            let clocks_too =
                forced.second_stage || matches!(self.level, Level::Deep { clocks_too: true, .. });
            self.level = Level::Deep { clocks_too, cause: forced.cause };
            return;
        }
        let Some(margin) = gpu.margin else { return };
        let (lowest, default) = gpu.power_range;
        self.level = match self.level {
            Level::Deep { .. } => self.level,
            _ if margin < tuning.deep_margin => {
                Level::Deep { clocks_too: true, cause: (Leader::Temperature, Reason::GpuHot) }
            }
            Level::Free | Level::Clock if margin < tuning.cap_margin => {
                Level::Cap((gpu.power * FIRST_CAP).held(lowest, default))
            }
            Level::Release(cap) if margin < tuning.cap_margin => Level::Cap(cap),
            Level::Cap(cap) if margin < tuning.cap_margin && context.second => {
                Level::Cap((cap - default * CAP_STEP).held(lowest, default))
            }
            Level::Free if margin < tuning.clock_margin => Level::Clock,
            Level::Free | Level::Clock | Level::Cap(_) | Level::Release(_) => self.level,
        };
    }

    /// Downwards: only from calm, and only with cooling proven.
    fn give_back(&mut self, gpu: &GpuView, context: &Context<'_>) {
        let tuning = context.tuning;
        let calm = context.forced.is_none()
            && context.cooling_proven
            && gpu.answers
            && gpu.margin.is_some_and(|margin| margin >= tuning.calm_margin);
        self.calm_since = calm.then(|| self.calm_since.unwrap_or(context.now));
        let long_enough = self.calm_since.is_some_and(|since| context.now.since(since) >= tuning.calm_for);
        let (lowest, default) = gpu.power_range;
        self.level = match self.level {
            Level::Clock if long_enough => Level::Free,
            Level::Cap(cap) if long_enough => Level::Release(cap),
            Level::Deep { .. } if long_enough => Level::Release(lowest),
            Level::Release(cap) if calm && context.second => {
                let cap = cap + Watts::new(tuning.release_watts_per_s);
                if cap >= default { Level::Free } else { Level::Release(cap) }
            }
            Level::Free | Level::Clock | Level::Cap(_) | Level::Deep { .. } | Level::Release(_) => self.level,
        };
    }

    fn decision(&self, gpu: &GpuView, context: &Context<'_>) -> GpuDecision {
        let (slowest, _) = gpu.clock_range;
        let soft = soft_clock(gpu);
        let waiting =
            gpu.margin.is_some_and(|margin| margin >= context.tuning.calm_margin) && !context.cooling_proven;
        let hot = if waiting { Reason::CoolingNotProven } else { Reason::GpuHot };
        let (rung, power_cap, clock_max, (leader, reason)) = match self.level {
            Level::Free => (Rung::Free, None, None, (Leader::Normal, Reason::Nothing)),
            Level::Clock => (Rung::ClockLock, None, Some(soft), (Leader::Temperature, hot)),
            Level::Cap(cap) => (Rung::PowerCap, Some(cap), Some(soft), (Leader::Temperature, hot)),
            Level::Deep { clocks_too, cause } => {
                let cause = if context.forced.is_none() && waiting {
                    (cause.0, Reason::CoolingNotProven)
                } else {
                    cause
                };
                (Rung::PowerCap, Some(gpu.power_range.0), clocks_too.then_some(slowest), cause)
            }
            Level::Release(cap) => (Rung::PowerCap, Some(cap), None, (Leader::Release, Reason::GivingBack)),
        };
        GpuDecision { rung, power_cap, clock_max, leader, reason, margin: gpu.margin }
    }
}

/// The clock of the first rung.
fn soft_clock(gpu: &GpuView) -> Megahertz {
    let (slowest, fastest) = gpu.clock_range;
    Megahertz::new(fastest.get() * SOFT_CLOCK).held(slowest, fastest)
}

/// How far the node's hottest GPU is from the next rung.
pub(crate) fn distance_to_next(rung: Rung, hottest: Option<Kelvin>, tuning: &Tuning) -> Kelvin {
    let next = match rung {
        Rung::Free => tuning.trim_margin,
        Rung::MoreFlow => tuning.recovery_full_margin,
        Rung::RecoveryBack => tuning.clock_margin,
        Rung::ClockLock => tuning.cap_margin,
        Rung::PowerCap => return Kelvin::ZERO,
    };
    hottest.map_or(Kelvin::ZERO, |margin| (margin - next).larger(Kelvin::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPU: GpuView = GpuView {
        margin: Some(Kelvin::new(25.0)),
        answers: true,
        power: Watts::new(690.0),
        power_range: (Watts::new(200.0), Watts::new(700.0)),
        clock_range: (Megahertz::new(345.0), Megahertz::new(1980.0)),
        held: (None, None),
    };

    struct Bench {
        ladder: Ladder,
        tuning: Tuning,
        second: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self { ladder: Ladder::default(), tuning: Tuning::default(), second: 0 }
        }

        fn run(&mut self, margin: f32, proven: bool, forced: Option<Forced>, seconds: u64) -> GpuDecision {
            let gpu = GpuView { margin: Some(Kelvin::new(margin)), ..GPU };
            let mut decision = None;
            for _ in 0..seconds {
                self.second += 1;
                let now = Millis::from_secs(self.second);
                let context =
                    Context { now, second: true, cooling_proven: proven, forced, tuning: &self.tuning };
                decision = Some(self.ladder.step(&gpu, &context));
            }
            decision.unwrap()
        }
    }

    const LOST: Option<Forced> =
        Some(Forced { cause: (Leader::FlowGuard, Reason::PumpStopped), second_stage: false });

    #[test]
    fn rungs_come_in_order_as_the_margin_shrinks() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(25.0, true, None, 1).rung, Rung::Free);
        let locked = bench.run(8.0, true, None, 1);
        assert_eq!((locked.rung, locked.clock_max), (Rung::ClockLock, Some(Megahertz::new(1485.0))));
        let capped = bench.run(5.0, true, None, 1);
        assert!(capped.power_cap.unwrap() < Watts::new(600.0));
        let deep = bench.run(2.0, true, None, 1);
        assert_eq!((deep.power_cap, deep.clock_max), (Some(Watts::new(200.0)), Some(Megahertz::new(345.0))));
    }

    #[test]
    fn loss_of_flow_is_minimum_power_at_once_and_minimum_clocks_in_the_second_stage() {
        let mut bench = Bench::new();
        let first = bench.run(25.0, false, LOST, 1);
        assert_eq!((first.power_cap, first.clock_max), (Some(Watts::new(200.0)), None));
        let second = LOST.map(|forced| Forced { second_stage: true, ..forced });
        assert_eq!(bench.run(25.0, false, second, 1).clock_max, Some(Megahertz::new(345.0)));
        assert_eq!(
            bench.run(25.0, false, LOST, 1).clock_max,
            Some(Megahertz::new(345.0)),
            "clocks stay locked"
        );
    }

    #[test]
    fn nothing_is_given_back_before_cooling_is_proven() {
        let mut bench = Bench::new();
        bench.run(25.0, false, LOST, 1);
        let held = bench.run(40.0, false, None, 600);
        assert_eq!((held.power_cap, held.reason), (Some(Watts::new(200.0)), Reason::CoolingNotProven));
    }

    #[test]
    fn power_comes_back_in_steps_and_the_limit_is_taken_away_at_the_end() {
        let mut bench = Bench::new();
        bench.run(25.0, false, LOST, 1);
        bench.run(30.0, true, None, 16);
        let mut last = Watts::new(200.0);
        for _ in 0..12 {
            let cap = bench.run(30.0, true, None, 1).power_cap.unwrap();
            assert!(cap > last && cap - last <= Watts::new(40.0));
            last = cap;
        }
        assert_eq!(bench.run(30.0, true, None, 2).power_cap, None);
    }

    #[test]
    fn release_waits_while_the_margin_is_not_calm() {
        let mut bench = Bench::new();
        bench.run(25.0, false, LOST, 1);
        let before = bench.run(30.0, true, None, 20).power_cap.unwrap();
        assert_eq!(bench.run(15.0, true, None, 30).power_cap, Some(before));
    }

    #[test]
    fn i08_limits_found_at_start_are_held_until_cooling_is_proven_and_then_released_in_steps() {
        let mut bench = Bench::new();
        let gpu = GpuView { held: (Some(Watts::new(320.0)), None), ..GPU };
        let tuning = Tuning::default();
        let context = Context {
            now: Millis::from_secs(1),
            second: true,
            cooling_proven: false,
            forced: None,
            tuning: &tuning,
        };
        assert_eq!(bench.ladder.step(&gpu, &context).power_cap, Some(Watts::new(320.0)));
        bench.second = 1;
        assert_eq!(bench.run(30.0, true, None, 17).power_cap, Some(Watts::new(360.0)));
    }

    #[test]
    fn i08_a_restart_never_raises_a_clock_lock() {
        for held in
            [(Some(Watts::new(200.0)), Some(Megahertz::new(345.0))), (None, Some(Megahertz::new(345.0)))]
        {
            let mut bench = Bench::new();
            let gpu = GpuView { held, ..GPU };
            let tuning = Tuning::default();
            let context = Context {
                now: Millis::from_secs(1),
                second: true,
                cooling_proven: false,
                forced: None,
                tuning: &tuning,
            };
            assert_eq!(bench.ladder.step(&gpu, &context).clock_max, Some(Megahertz::new(345.0)));
        }
    }

    #[test]
    fn a_gpu_that_does_not_answer_gets_nothing_back() {
        let mut bench = Bench::new();
        bench.run(25.0, true, LOST, 1);
        let tuning = Tuning::default();
        let silent = GpuView { answers: false, ..GPU };
        for second in 10..100 {
            let context = Context {
                now: Millis::from_secs(second),
                second: true,
                cooling_proven: true,
                forced: None,
                tuning: &tuning,
            };
            assert_eq!(bench.ladder.step(&silent, &context).power_cap, Some(Watts::new(200.0)));
        }
    }
}
