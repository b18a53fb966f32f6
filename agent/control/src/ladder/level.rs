//! The levels of the ladder, and what taking makes of each.

use eisbach_protocol::units::{Megahertz, Millis, Watts};
use serde::{Deserialize, Serialize};

use super::Order;
use crate::decision::{Leader, Reason};
use crate::estimate::GpuView;
use crate::state::Cause;
use crate::tuning::Tuning;

/// Where a GPU stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum Level {
    #[default]
    Free,
    /// Clock lock and low-power profile.
    Soft,
    /// Power cap besides.
    Cap(Watts),
    /// Lowest power and clocks, for its own heat.
    Deep { since: Millis, cause: Cause },
    /// By order of the node, or found at start.
    Ordered { cap: Watts, lock: Lock, pace: Pace, cause: Cause },
    /// On the way back.
    Release { cap: Watts, lock: Lock, pace: Pace },
}

/// Highest clock, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Lock {
    None,
    Soft,
    Lowest,
}

/// How fast power comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Pace {
    /// After an order: flow was lost, and is proven again.
    Fast,
    /// After its own heat: nothing says that it will not come again.
    Slow,
}

impl Lock {
    pub(super) fn at_least_soft(self) -> Self {
        self.max(Self::Soft)
    }

    /// The lock while power comes back: a GPU that was hot itself stays soft until it has been cool for long.
    pub(super) const fn after(self, pace: Pace) -> Self {
        match (self, pace) {
            (Self::None, Pace::Slow | Pace::Fast) | (Self::Lowest, Pace::Fast) => Self::None,
            (Self::Soft, Pace::Slow | Pace::Fast) | (Self::Lowest, Pace::Slow) => Self::Soft,
        }
    }
}

impl Pace {
    pub(super) const fn watts_per_s(self, tuning: &Tuning) -> f32 {
        match self {
            Self::Fast => tuning.release_watts_per_s,
            Self::Slow => tuning.slow_release_watts_per_s,
        }
    }
}

impl Level {
    /// What a restart finds held: it is never raised, so a lock below the soft one becomes the lowest.
    pub(super) fn found(gpu: &GpuView, tuning: &Tuning) -> Self {
        let (lowest, default) = gpu.power_range;
        let cause = (Leader::Temperature, Reason::CoolingNotProven);
        let lock = match gpu.held_clock {
            Some(clock) if clock < soft_clock(gpu, tuning) => Lock::Lowest,
            Some(_) => Lock::Soft,
            None if gpu.held_profile => Lock::Soft,
            None => Lock::None,
        };
        match (gpu.held_cap, lock) {
            (Some(cap), _) => Self::Ordered { cap: cap.held(lowest, default), lock, pace: Pace::Fast, cause },
            (None, Lock::Lowest) => Self::Ordered { cap: lowest, lock, pace: Pace::Fast, cause },
            (None, Lock::Soft) => Self::Soft,
            (None, Lock::None) => Self::Free,
        }
    }

    /// The same level under an order: nothing rises.
    pub(super) fn ordered(self, gpu: &GpuView, order: Order, tuning: &Tuning) -> Self {
        let (lowest, default) = gpu.power_range;
        let stage = if order.second_stage { lowest } else { default * tuning.first_stage_share };
        let stage = stage.held(lowest, default);
        let (cap, lock, pace) = match self {
            Self::Free => (default, Lock::None, Pace::Fast),
            Self::Soft => (default, Lock::Soft, Pace::Slow),
            Self::Cap(cap) => (cap, Lock::Soft, Pace::Slow),
            Self::Deep { .. } => (lowest, Lock::Lowest, Pace::Slow),
            Self::Ordered { cap, lock, pace, .. } | Self::Release { cap, lock, pace } => (cap, lock, pace),
        };
        let lock = if order.second_stage { Lock::Lowest } else { lock };
        Self::Ordered { cap: cap.smaller(stage), lock, pace, cause: order.cause }
    }

    pub(super) const fn deepened(self, cause: Cause, now: Millis) -> Self {
        match self {
            Self::Deep { since, .. } => Self::Deep { since, cause },
            Self::Free | Self::Soft | Self::Cap(_) | Self::Ordered { .. } | Self::Release { .. } => {
                Self::Deep { since: now, cause }
            }
        }
    }

    pub(super) fn softened(self) -> Self {
        match self {
            Self::Free => Self::Soft,
            Self::Ordered { cap, lock, cause, .. } => {
                Self::Ordered { cap, lock: lock.at_least_soft(), pace: Pace::Slow, cause }
            }
            Self::Release { cap, lock, .. } => {
                Self::Release { cap, lock: lock.at_least_soft(), pace: Pace::Slow }
            }
            Self::Soft | Self::Cap(_) | Self::Deep { .. } => self,
        }
    }
}

/// The clock of the soft rung.
pub(super) fn soft_clock(gpu: &GpuView, tuning: &Tuning) -> Megahertz {
    let (slowest, fastest) = gpu.clock_range;
    Megahertz::new(fastest.get() * tuning.soft_clock_share).held(slowest, fastest)
}
