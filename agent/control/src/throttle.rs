//! Every GPU's limits: its own ladder, and the budget that all share.
//!
//! ```text
//!   state ──► order ─┐
//!   GPU ─────────────┴─► ladder ─┐
//!                                ├─► the lower cap, with its leader and reason
//!   budget ──► ration ───────────┘
//! ```

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Millis, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::budget::Budget;
use crate::decision::{GpuDecision, Leader, Reason, Release, Rung};
use crate::estimate::{GpuView, NodeView};
use crate::ladder::{Context, Ladder};
use crate::ration::Rations;
use crate::state::Cause;

/// What all GPUs remember.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Throttle {
    ladders: [Ladder; MAX_GPUS],
    rations: Rations,
    /// Rung of each GPU and when it came to it.
    rungs: [Option<(Rung, Millis)>; MAX_GPUS],
    /// The budget that bites.
    led: Option<Cause>,
    deep: Deep,
}

/// GPUs at lowest power and clocks for their own heat, by what they measure.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Deep {
    /// Since when the one that came first.
    pub(crate) since: Option<Millis>,
    /// Since when the first of those that are still no cooler.
    pub(crate) in_vain_since: Option<Millis>,
}

impl Throttle {
    /// Moves every GPU, and adds its decision to `gpus`, which is large: it is written where it stays.
    pub(crate) fn step(
        &mut self,
        node: &NodeView,
        budget: Option<Budget>,
        context: &Context<'_>,
        gpus: &mut Vec<GpuDecision, MAX_GPUS>,
    ) {
        self.rations.step(node, budget.map(|budget| budget.watts), context);
        self.led = None;
        self.deep = Deep::default();
        let memory = self.ladders.iter_mut().zip(self.rations.allowed()).zip(&mut self.rungs);
        for (gpu, ((ladder, allowed), place)) in node.gpus.iter().zip(memory) {
            let own = ladder.step(gpu, context);
            self.deep.note(gpu, ladder.deep_since(), context);
            let decision = rationed(own, gpu, *allowed, budget, context);
            if matches!(decision.leader, Leader::Budget | Leader::Permit) {
                self.led = Some((decision.leader, decision.reason));
            }
            let since = place.filter(|(rung, _)| *rung == decision.rung).map_or(context.now, |(_, at)| at);
            *place = Some((decision.rung, since));
            // The view has no more GPUs than the decision has room for.
            let _full = gpus.push(GpuDecision { since, ..decision });
        }
    }

    /// The budget that holds a GPU back, if one does.
    pub(crate) const fn led(&self) -> Option<Cause> {
        self.led
    }

    /// A GPU is throttled for its own heat.
    pub(crate) fn is_hot(&self) -> bool {
        self.ladders.iter().any(Ladder::is_hot)
    }

    pub(crate) const fn deep(&self) -> Deep {
        self.deep
    }
}

impl Deep {
    fn note(&mut self, gpu: &GpuView, since: Option<Millis>, context: &Context<'_>) {
        // A silent GPU is deep by assumption; nobody outside is called for that.
        let Some(since) = since.filter(|_| gpu.answers) else { return };
        self.since = Some(self.since.map_or(since, |first| first.min(since)));
        let hot = gpu.slowed || gpu.margin.is_some_and(|margin| margin < context.tuning.deep_margin);
        if hot {
            self.in_vain_since = Some(self.in_vain_since.map_or(since, |first| first.min(since)));
        }
    }
}

/// The ladder's word, unless the GPU's ration is lower.
fn rationed(
    own: GpuDecision,
    gpu: &GpuView,
    allowed: Option<Watts>,
    budget: Option<Budget>,
    context: &Context<'_>,
) -> GpuDecision {
    let Some(allowed) = allowed.filter(|allowed| own.power_cap.is_none_or(|cap| *allowed < cap)) else {
        return own;
    };
    let held = GpuDecision { rung: Rung::PowerCap, power_cap: Some(allowed), ..own };
    match budget {
        Some(Budget { cause: (leader, reason), .. }) => {
            GpuDecision { leader, reason, release: Release::Budget, ..held }
        }
        None if context.cooling_proven => GpuDecision {
            leader: Leader::Release,
            reason: Reason::GivingBack,
            release: Release::Ramp { to_go: gpu.power_range.1 - allowed },
            smoothing: true,
            ..held
        },
        None => GpuDecision {
            leader: Leader::Release,
            reason: Reason::CoolingNotProven,
            release: Release::CoolingProof,
            ..held
        },
    }
}
