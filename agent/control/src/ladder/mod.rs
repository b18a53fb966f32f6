//! The throttling ladder of one GPU.
//!
//! ```text
//!          < soft_margin      < cap_margin       < deep_margin, or the driver slows it down
//!   [Free] ────────────► [Soft] ─────────► [Cap] ─────────► [Deep]      any ──order──► [Ordered]
//!     ▲                    ▲ │               │                │                            │
//!     │ soft_leave_margin  │ │               │ release_margin │ release_margin             │ calm_margin
//!     │ for soft_leave_for │ │               │ for calm_for   │ for deep_for               │ for calm_for
//!     ├────────────────────┼─┘               ▼                ▼                            ▼
//!     └────────────────────┴─ default ── [Release: power rises, slowly after own heat, faster after an order]
//! ```
//!
//! Soft is a clock lock and the low-power profile; Cap adds a power cap; Deep is lowest power and clocks; Ordered is
//! what the node orders when flow is lost or water is found. Lock and cap are both needed: decoding language models
//! draws so little that no cap bites, and a lock says nothing about watts. Taking is at once, giving back is slow,
//! and nothing is given back on a hope: only at the margin named, with cooling proven.

mod level;
pub(crate) mod size;
#[cfg(test)]
pub(crate) mod tests;

use core::mem::discriminant;

use eisbach_protocol::units::{Celsius, Kelvin, Millis, Watts};
use serde::{Deserialize, Serialize};

use crate::decision::{GpuDecision, Leader, Reason, Release, Rung};
use crate::estimate::GpuView;
use crate::state::Cause;
use crate::tuning::Tuning;
use level::{Level, Lock, Pace, soft_clock};
use size::{LEAST_STEP, cap_for};

/// A cap that does not help yet is given this long before the next one: plates need seconds (estimate).
const CAP_SETTLES: Millis = Millis::from_secs(5);
/// Caps are lowered at most this often, while the margin still shrinks.
const CAP_EVERY: Millis = Millis::from_secs(1);
/// Soft again within this time of leaving it was left too early (estimate).
const RELAPSE_WITHIN: Millis = Millis::from_secs(600);
/// So often the wait to leave Soft is doubled.
const MOST_RELAPSES: u8 = 3;

/// Little or no power by order of the node, whatever this GPU's own margin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) cause: Cause,
    /// Lowest limit and lowest clocks.
    pub(crate) second_stage: bool,
}

impl Order {
    /// Lowest limit and lowest clocks at once.
    pub(crate) const fn lowest(cause: Cause) -> Self {
        Self { cause, second_stage: true }
    }
}

/// One GPU's place on the ladder.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ladder {
    level: Level,
    calm_since: Option<Millis>,
    /// When a cap was last lowered, and at which margin.
    lowered: Option<(Millis, Kelvin)>,
    /// Power to give back that does not make a step yet, W.
    owed: f32,
    left_soft: Option<Millis>,
    relapses: u8,
    adopted: bool,
}

/// What a step of the ladder needs besides the GPU itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) now: Millis,
    /// A whole second has passed since the last time this was set.
    pub(crate) second: bool,
    pub(crate) cooling_proven: bool,
    pub(crate) order: Option<Order>,
    pub(crate) supply: Option<Celsius>,
    pub(crate) tuning: &'a Tuning,
}

impl Ladder {
    /// Moves and decides.
    pub(crate) fn step(&mut self, gpu: &GpuView, context: &Context<'_>) -> GpuDecision {
        if self.rests(gpu, context) {
            return GpuDecision::free(gpu.margin);
        }
        self.adopt(gpu, context.tuning);
        let before = discriminant(&self.level);
        self.take(gpu, context);
        if discriminant(&self.level) != before {
            self.enter(context.now);
        }
        self.give_back(gpu, context);
        self.decision(gpu, context)
    }

    /// Something is taken for the GPU's own heat, and not given back yet.
    pub(crate) fn is_hot(&self) -> bool {
        match self.level {
            Level::Soft | Level::Cap(_) | Level::Deep { .. } => true,
            Level::Ordered { pace, .. } | Level::Release { pace, .. } => pace == Pace::Slow,
            Level::Free => false,
        }
    }

    /// Since when the GPU is at lowest power and clocks for its own heat.
    pub(crate) fn deep_since(&self) -> Option<Millis> {
        match self.level {
            Level::Deep { since, .. } => Some(since),
            Level::Free | Level::Soft | Level::Cap { .. } | Level::Ordered { .. } | Level::Release { .. } => {
                None
            }
        }
    }

    /// Nothing is held and nothing is to be taken: nearly all GPUs, nearly always.
    fn rests(&self, gpu: &GpuView, context: &Context<'_>) -> bool {
        let Tuning { deep_margin, cap_margin, soft_margin, .. } = *context.tuning;
        let wide = |margin: Kelvin| !(margin < deep_margin || margin < cap_margin || margin < soft_margin);
        self.adopted
            && matches!(self.level, Level::Free)
            && context.order.is_none()
            && !gpu.slowed
            && gpu.margin.is_some_and(wide)
    }

    /// Limits found at start are ours from before; they are given back like any other.
    fn adopt(&mut self, gpu: &GpuView, tuning: &Tuning) {
        let held = gpu.held_cap.is_some() || gpu.held_clock.is_some() || gpu.held_profile;
        if self.adopted || (gpu.margin.is_none() && !held) {
            return;
        }
        self.adopted = true;
        if self.level == Level::Free {
            self.level = Level::found(gpu, tuning);
        }
    }

    /// A new level waits anew.
    fn enter(&mut self, now: Millis) {
        self.calm_since = None;
        self.owed = 0.0;
        if self.level == Level::Soft && self.left_soft.is_some() {
            let relapsed = self.left_soft.take().is_some_and(|left| now.since(left) < RELAPSE_WITHIN);
            self.relapses = if relapsed { (self.relapses + 1).min(MOST_RELAPSES) } else { 0 };
        }
    }

    /// Upwards: at once.
    fn take(&mut self, gpu: &GpuView, context: &Context<'_>) {
        let tuning = context.tuning;
        if let Some(order) = context.order {
            self.level = self.level.ordered(gpu, order, tuning);
            return;
        }
        let Some(margin) = gpu.margin else { return };
        if gpu.slowed || margin < tuning.deep_margin {
            let reason = if gpu.slowed { Reason::ThermalSlowdown } else { Reason::GpuHot };
            self.level = self.level.deepened((Leader::Temperature, reason), context.now);
        } else if margin < tuning.cap_margin {
            self.cap(gpu, margin, context);
        } else if margin < tuning.soft_margin {
            self.level = self.level.softened();
        }
    }

    /// A first cap at once; a lower one when the last has had its chance.
    fn cap(&mut self, gpu: &GpuView, margin: Kelvin, context: &Context<'_>) {
        let due = self.lowered.is_none_or(|(at, then)| {
            let since = context.now.since(at);
            since >= CAP_SETTLES || (since >= CAP_EVERY && margin < then)
        });
        let (lowest, default) = gpu.power_range;
        let sized = cap_for(gpu, margin, context.supply, context.tuning);
        let (level, lowers) = match self.level {
            Level::Free | Level::Soft => (Level::Cap(sized), true),
            Level::Release { cap, .. } => (Level::Cap(cap.smaller(sized)), true),
            Level::Cap(cap) if due && cap > lowest => {
                (Level::Cap(sized.smaller(cap - LEAST_STEP).held(lowest, default)), true)
            }
            // From here on the GPU's own heat sets the pace of the way back.
            Level::Ordered { cap, lock, cause, .. } => {
                let lower = due && cap > lowest;
                let next = if lower { sized.smaller(cap - LEAST_STEP).held(lowest, default) } else { cap };
                let lock = lock.at_least_soft();
                (Level::Ordered { cap: next, lock, pace: Pace::Slow, cause }, lower)
            }
            Level::Cap(_) | Level::Deep { .. } => (self.level, false),
        };
        self.level = level;
        if lowers {
            self.lowered = Some((context.now, margin));
        }
    }

    /// Downwards: only from calm, and only with cooling proven.
    fn give_back(&mut self, gpu: &GpuView, context: &Context<'_>) {
        let Some((least, wait)) = self.way_back(context.tuning) else { return };
        let calm = context.order.is_none()
            && context.cooling_proven
            && gpu.answers
            && !gpu.slowed
            && gpu.margin.is_some_and(|margin| margin >= least);
        self.calm_since = calm.then(|| self.calm_since.unwrap_or(context.now));
        if self.calm_since.is_none_or(|since| context.now.since(since) < wait) {
            return;
        }
        let lowest = gpu.power_range.0;
        self.level = match self.level {
            Level::Free => return,
            Level::Soft => {
                self.left_soft = Some(context.now);
                Level::Free
            }
            Level::Cap(cap) => Level::Release { cap, lock: Lock::Soft, pace: Pace::Slow },
            Level::Deep { .. } => Level::Release { cap: lowest, lock: Lock::Soft, pace: Pace::Slow },
            Level::Ordered { cap, lock, pace, .. } => Level::Release { cap, lock: lock.after(pace), pace },
            Level::Release { cap, lock, pace } => {
                self.raised(cap, (lock, pace), gpu.power_range.1, context);
                return;
            }
        };
        self.enter_release();
    }

    /// The ramp goes on from calm: a new level, but no new wait.
    fn enter_release(&mut self) {
        self.calm_since = None;
        self.owed = 0.0;
    }

    /// Power comes back in steps that are worth a write.
    fn raised(&mut self, cap: Watts, (lock, pace): (Lock, Pace), default: Watts, context: &Context<'_>) {
        if !context.second {
            return;
        }
        self.owed += pace.watts_per_s(context.tuning);
        let raised = cap + Watts::new(self.owed);
        if raised >= default {
            self.level = if lock == Lock::None { Level::Free } else { Level::Soft };
            self.enter_release();
        } else if self.owed >= LEAST_STEP.get() {
            self.level = Level::Release { cap: raised, lock, pace };
            self.owed = 0.0;
        }
    }

    /// Margin needed, and how long, before the next step back.
    fn way_back(&self, tuning: &Tuning) -> Option<(Kelvin, Millis)> {
        let soft_wait = Millis::new(tuning.soft_leave_for.get() << self.relapses);
        match self.level {
            Level::Free => None,
            Level::Soft => Some((tuning.soft_leave_margin, soft_wait)),
            Level::Cap(_) => Some((tuning.release_margin, tuning.calm_for)),
            Level::Deep { .. } | Level::Ordered { pace: Pace::Slow, .. } => {
                Some((tuning.release_margin, tuning.deep_for))
            }
            Level::Ordered { pace: Pace::Fast, .. } => Some((tuning.calm_margin, tuning.calm_for)),
            Level::Release { pace: Pace::Fast, .. } => Some((tuning.calm_margin, Millis::ZERO)),
            Level::Release { pace: Pace::Slow, .. } => Some((tuning.release_margin, Millis::ZERO)),
        }
    }

    fn decision(&self, gpu: &GpuView, context: &Context<'_>) -> GpuDecision {
        if self.level == Level::Free {
            // Nearly all GPUs, nearly always.
            return GpuDecision::free(gpu.margin);
        }
        let least = self.way_back(context.tuning).map(|(least, _)| least);
        let waiting = context.order.is_none()
            && !context.cooling_proven
            && gpu.margin.zip(least).is_some_and(|(margin, least)| margin >= least);
        let because = |cause: Cause| if waiting { (cause.0, Reason::CoolingNotProven) } else { cause };
        let hot = because((Leader::Temperature, Reason::GpuHot));
        let (rung, power_cap, lock, (leader, reason)) = match self.level {
            Level::Free => (Rung::Free, None, Lock::None, (Leader::Normal, Reason::Nothing)),
            Level::Soft => (Rung::Soft, None, Lock::Soft, hot),
            Level::Cap(cap) => (Rung::PowerCap, Some(cap), Lock::Soft, hot),
            Level::Deep { cause, .. } => {
                (Rung::PowerCap, Some(gpu.power_range.0), Lock::Lowest, because(cause))
            }
            Level::Ordered { cap, lock, cause, .. } => (Rung::PowerCap, Some(cap), lock, because(cause)),
            Level::Release { cap, lock, .. } => {
                (Rung::PowerCap, Some(cap), lock, (Leader::Release, Reason::GivingBack))
            }
        };
        GpuDecision {
            rung,
            since: Millis::ZERO,
            power_cap,
            clock_max: match lock {
                Lock::None => None,
                Lock::Soft => Some(soft_clock(gpu, context.tuning)),
                Lock::Lowest => Some(gpu.clock_range.0),
            },
            low_power_profile: lock != Lock::None,
            smoothing: matches!(self.level, Level::Release { .. }),
            leader,
            reason,
            release: self.release(gpu, context),
            margin: gpu.margin,
        }
    }

    /// What the way back waits for.
    fn release(&self, gpu: &GpuView, context: &Context<'_>) -> Release {
        let Some((least, needed)) = self.way_back(context.tuning) else { return Release::Nothing };
        if context.order.is_some() || !context.cooling_proven {
            return Release::CoolingProof;
        }
        let held = self.calm_since.map_or(Millis::ZERO, |since| context.now.since(since));
        match self.level {
            Level::Release { cap, .. } if self.calm_since.is_some() => {
                Release::Ramp { to_go: gpu.power_range.1 - cap }
            }
            Level::Free
            | Level::Soft
            | Level::Cap(_)
            | Level::Deep { .. }
            | Level::Ordered { .. }
            | Level::Release { .. } => {
                let missing = gpu.margin.map_or(least, |margin| (least - margin).larger(Kelvin::ZERO));
                Release::Margin { missing, held, needed }
            }
        }
    }
}
