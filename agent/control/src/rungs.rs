//! Which rung the node is on, and how far the next one is.

use eisbach_protocol::units::{Kelvin, Percent};

use crate::decision::{GpuDecision, Leader, Output, Rung};
use crate::pump::FULL_SPEED;
use crate::tuning::Tuning;

/// The highest rung in use: GPUs first, then what the node gave up.
pub(crate) fn highest_rung(gpus: &[GpuDecision], pump: Output<Percent>, valve: Output<Percent>) -> Rung {
    let throttled = gpus.iter().map(|gpu| gpu.rung).max().unwrap_or_default();
    let full_flow = pump.value.is_some_and(|speed| speed >= FULL_SPEED);
    let cooling_first = match valve.leader {
        Leader::CoolingFirst | Leader::FlowGuard | Leader::Temperature | Leader::SilentPart => {
            valve.value == Some(Percent::ZERO)
        }
        Leader::Boot
        | Leader::FeedForward
        | Leader::MarginTrim
        | Leader::MinimumFlow
        | Leader::SupplyLoop
        | Leader::DewPoint
        | Leader::LeakInterlock
        | Leader::Budget
        | Leader::SetPoints
        | Leader::Permit
        | Leader::Remote
        | Leader::Release
        | Leader::Normal => false,
    };
    let given_up = if cooling_first {
        Rung::RecoveryBack
    } else if full_flow {
        Rung::MoreFlow
    } else {
        Rung::Free
    };
    throttled.max(given_up)
}

/// How far the node's hottest GPU is from the next rung.
pub(crate) fn distance_to_next(rung: Rung, hottest: Option<Kelvin>, tuning: &Tuning) -> Kelvin {
    let next = match rung {
        Rung::Free => tuning.trim_margin,
        Rung::MoreFlow => tuning.recovery_full_margin,
        Rung::RecoveryBack => tuning.soft_margin,
        Rung::Soft => tuning.cap_margin,
        Rung::PowerCap | Rung::Drain | Rung::Freeze | Rung::Stop => return Kelvin::ZERO,
    };
    hottest.map_or(Kelvin::ZERO, |margin| (margin - next).larger(Kelvin::ZERO))
}
