//! Each GPU's part of the budget over time: lowered at once, raised slowly, and left alone for trifles.
//!
//! ```text
//!   shares ─► a step below what is allowed? lower ─► sum over budget? lower all to their shares
//!          └► a step above, cooling proven? raise, no faster than power may come back, within what is left
//! ```
//!
//! Margins move in whole kelvins, so shares jitter; each write to a GPU costs, so a share must move by a step first.

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::Watts;
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::estimate::{GpuView, NodeView};
use crate::ladder::Context;
use crate::ladder::size::LEAST_STEP;
use crate::share::{Claim, share};

/// A GPU wants this much more than it draws: room to start (estimate).
const ROOM: (f32, Watts) = (1.25, Watts::new(50.0));
/// A GPU that draws this share of its limit is held back by it (estimate).
const HELD_BACK: f32 = 0.9;

/// What each GPU is allowed; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rations {
    allowed: [Option<Watts>; MAX_GPUS],
    /// Power drawn of late: rises at once, forgets slowly.
    drawn: [Watts; MAX_GPUS],
}

impl Rations {
    pub(crate) const fn allowed(&self) -> &[Option<Watts>; MAX_GPUS] {
        &self.allowed
    }

    /// Moves once a second.
    pub(crate) fn step(&mut self, node: &NodeView, budget: Option<Watts>, context: &Context<'_>) {
        if !context.second {
            return;
        }
        self.remember(node, context);
        match budget {
            None => self.give_back(node, context),
            // What is not listed may draw all the same.
            Some(budget) => self.ration(node, (budget - node.unlisted).larger(Watts::ZERO), context),
        }
    }

    fn remember(&mut self, node: &NodeView, context: &Context<'_>) {
        let kept = libm::expf(-1.0 / context.tuning.load_decay_s);
        for (drawn, gpu) in self.drawn.iter_mut().zip(&node.gpus) {
            *drawn = gpu.power.larger(*drawn * kept);
        }
    }

    /// No budget: every limit rises until it is none.
    fn give_back(&mut self, node: &NodeView, context: &Context<'_>) {
        let step = Watts::new(context.tuning.release_watts_per_s).larger(LEAST_STEP);
        for (allowed, gpu) in self.allowed.iter_mut().zip(&node.gpus) {
            if may_rise(gpu, context) {
                *allowed =
                    allowed.map(|allowed| allowed + step).filter(|allowed| *allowed < gpu.power_range.1);
            }
        }
    }

    fn ration(&mut self, node: &NodeView, budget: Watts, context: &Context<'_>) {
        let shares = share(budget, &self.claims(node));
        let mut sum = Watts::ZERO;
        for ((allowed, gpu), share) in self.allowed.iter_mut().zip(&node.gpus).zip(&shares) {
            let (lowest, default) = gpu.power_range;
            let before = allowed.unwrap_or(default).held(lowest, default);
            let lower = before - *share >= LEAST_STEP || *share <= lowest;
            let now = if lower { before.smaller(*share) } else { before };
            sum += now;
            *allowed = Some(now);
        }
        if sum > budget {
            for (allowed, share) in self.allowed.iter_mut().zip(&shares) {
                *allowed = allowed.map(|allowed| allowed.smaller(*share));
            }
        }
        self.raise(node, &shares, budget, context);
    }

    /// Raises within what the others leave.
    fn raise(&mut self, node: &NodeView, shares: &[Watts], budget: Watts, context: &Context<'_>) {
        let step = Watts::new(context.tuning.release_watts_per_s).larger(LEAST_STEP);
        let sum = |values: &[Option<Watts>]| values.iter().flatten().map(|watts| watts.get()).sum::<f32>();
        let count = node.gpus.len();
        let mut left = Watts::new(budget.get() - self.allowed.get(..count).map_or(0.0, sum));
        for ((allowed, gpu), share) in self.allowed.iter_mut().zip(&node.gpus).zip(shares) {
            let Some(before) = *allowed else { continue };
            let rise = (*share - before).smaller(step).smaller(left);
            let last = *share >= gpu.power_range.1 && rise >= *share - before;
            if may_rise(gpu, context) && rise > Watts::ZERO && (rise >= LEAST_STEP || last) {
                left -= rise;
                *allowed = Some(before + rise);
            }
            // The default is no limit.
            *allowed = allowed.filter(|allowed| *allowed < gpu.power_range.1);
        }
    }

    fn claims(&self, node: &NodeView) -> Vec<Claim, MAX_GPUS> {
        let memory = self.allowed.iter().zip(&self.drawn);
        node.gpus
            .iter()
            .zip(memory)
            .map(|(gpu, (allowed, drawn))| {
                let (lowest, default) = gpu.power_range;
                let held_back = *drawn >= allowed.unwrap_or(default) * HELD_BACK;
                let wants = if held_back { default } else { *drawn * ROOM.0 + ROOM.1 };
                Claim { lowest, default, margin: gpu.margin, wants }
            })
            .collect()
    }
}

/// Nothing is given back on a hope.
fn may_rise(gpu: &GpuView, context: &Context<'_>) -> bool {
    context.cooling_proven
        && context.order.is_none()
        && gpu.answers
        && !gpu.slowed
        && gpu.margin.is_some_and(|margin| margin >= context.tuning.release_margin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::tests::GPU;
    use crate::tuning::Tuning;
    use eisbach_protocol::units::{Kelvin, Millis};
    use proptest::prelude::*;
    use std::vec::Vec as StdVec;

    const GPUS: usize = 4;

    /// Steps once; what the GPUs may draw together.
    fn step(rations: &mut Rations, gpus: &[(f32, f32)], budget: Option<f32>, proven: bool) -> f32 {
        let tuning = Tuning::default();
        let view = |(margin, power): &(f32, f32)| GpuView {
            margin: Some(Kelvin::new(*margin)),
            power: Watts::new(*power),
            ..GPU
        };
        let node = NodeView { gpus: gpus.iter().map(view).collect(), ..NodeView::default() };
        let context = Context {
            now: Millis::ZERO,
            second: true,
            cooling_proven: proven,
            order: None,
            supply: None,
            tuning: &tuning,
        };
        rations.step(&node, budget.map(Watts::new), &context);
        rations.allowed().iter().take(GPUS).map(|allowed| allowed.map_or(700.0, Watts::get)).sum()
    }

    proptest! {
        #[test]
        fn the_rations_together_keep_the_budget_however_margins_and_loads_move(
            budget in 0.0..3000.0_f32, proven in any::<bool>(),
            course in prop::collection::vec(prop::collection::vec((0.0..40.0_f32, 50.0..700.0_f32), GPUS), 1..60)
        ) {
            let mut rations = Rations::default();
            for gpus in course {
                let sum = step(&mut rations, &gpus, Some(budget), proven);
                prop_assert!(sum <= budget.max(800.0) + 0.1, "{sum} of {budget}");
            }
        }
    }

    #[test]
    fn a_budget_a_little_below_what_is_allowed_is_kept_too() {
        let mut rations = Rations::default();
        let busy = [(25.0, 690.0); GPUS];
        assert!(step(&mut rations, &busy, Some(2000.0), true) <= 2000.0);
        assert!(step(&mut rations, &busy, Some(1990.0), true) <= 1990.0);
    }

    #[test]
    fn margins_that_jitter_change_nothing() {
        let mut rations = Rations::default();
        let busy = [(25.0, 490.0); GPUS];
        step(&mut rations, &busy, Some(2000.0), true);
        let before: StdVec<Option<Watts>> = rations.allowed().to_vec();
        for at in 0..GPUS {
            let mut jitter = busy;
            jitter[at].0 = 26.0;
            step(&mut rations, &jitter, Some(2000.0), true);
            assert_eq!(rations.allowed().to_vec(), before);
        }
    }
}
