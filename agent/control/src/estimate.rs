//! What each GPU is worth to control right now: measured where it answers, the worst case where it does not.
//!
//! ```text
//!   margin
//!     │ ●──●──●            measured
//!     │         ╲          silent: falls at the worst rate from the last value seen
//!     │           ╲____    ends at zero: "at slowdown", never beyond what anybody measured
//!     └───────────────► t
//! ```

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::{Celsius, Kelvin, Megahertz, Millis, Quantity, Watts};
use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::snapshot::{GpuInput, Snapshot};
use crate::tuning::Tuning;

/// One GPU as control sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GpuView {
    /// Margin, measured or extrapolated; `None` until the GPU has been seen once.
    pub(crate) margin: Option<Kelvin>,
    /// Its margin was measured just now.
    pub(crate) answers: bool,
    /// Core temperature, if it answers.
    pub(crate) temperature: Option<Celsius>,
    /// The driver slows it down for its heat.
    pub(crate) slowed: bool,
    /// Power, or the most it can draw if unknown.
    pub(crate) power: Watts,
    /// Lowest and default power limit.
    pub(crate) power_range: (Watts, Watts),
    /// Lowest and highest SM clock.
    pub(crate) clock_range: (Megahertz, Megahertz),
    /// What the GPU process holds for us.
    pub(crate) held_cap: Option<Watts>,
    pub(crate) held_clock: Option<Megahertz>,
    pub(crate) held_profile: bool,
}

/// All GPUs of the node as control sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeView {
    pub(crate) gpus: Vec<GpuView, MAX_GPUS>,
    /// Smallest margin, extrapolated ones included.
    pub(crate) hottest: Option<Kelvin>,
    /// Smallest margin among GPUs that answer.
    pub(crate) hottest_measured: Option<Kelvin>,
    /// Mean core temperature of the GPUs that answer, and how many they are.
    pub(crate) mean_temperature: Option<(Celsius, usize)>,
    /// Sum of powers.
    pub(crate) power: Watts,
    /// Sum of what all GPUs may draw without us.
    pub(crate) most: Watts,
    /// The driver slows one of them down for its heat.
    pub(crate) slowed: bool,
    /// What GPUs that are expected and not listed may draw.
    pub(crate) unlisted: Watts,
    /// Every expected GPU has been seen at least once.
    pub(crate) all_seen: bool,
    /// Every expected GPU answers now.
    pub(crate) all_answer: bool,
}

/// Remembers when each GPU was last seen, and how warm.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Estimator {
    seen: [Option<Seen>; MAX_GPUS],
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Seen {
    margin: Kelvin,
    at: Millis,
}

impl Estimator {
    /// Writes into `node`, which is large, what the GPUs are worth now: nothing else is in it before.
    pub(crate) fn look(&mut self, snapshot: &Snapshot, now: Millis, tuning: &Tuning, node: &mut NodeView) {
        let mut temperatures = (0.0, 0_usize);
        let (mut hottest, mut hottest_measured) = (None, None);
        let (mut power, mut most) = (Watts::ZERO, Watts::ZERO);
        let (mut slowed, mut all_seen, mut all_answer) = (false, true, true);
        for (gpu, seen) in snapshot.gpus.iter().zip(&mut self.seen) {
            let view = view_one(gpu, seen, now, tuning);
            if let Some(temperature) = view.temperature {
                temperatures = (temperatures.0 + temperature.get(), temperatures.1 + 1);
            }
            power += view.power;
            most += view.power_range.1;
            slowed |= view.slowed;
            all_seen &= view.margin.is_some();
            all_answer &= view.answers;
            hottest = smaller(hottest, view.margin);
            if view.answers {
                hottest_measured = smaller(hottest_measured, view.margin);
            }
            // The snapshot has no more GPUs than the view has room for.
            let _full = node.gpus.push(view);
        }
        let missing = snapshot.gpus_expected.saturating_sub(snapshot.gpus.len());
        #[expect(clippy::cast_precision_loss, reason = "at most 16")]
        let (missing_share, count) = (missing as f32, temperatures.1 as f32);
        node.unlisted = tuning.fallback_power.1 * missing_share;
        (node.power, node.most) = (power + node.unlisted, most + node.unlisted);
        (node.hottest, node.hottest_measured, node.slowed) = (hottest, hottest_measured, slowed);
        (node.all_seen, node.all_answer) = (all_seen && missing == 0, all_answer && missing == 0);
        node.mean_temperature =
            (temperatures.1 > 0).then(|| (Celsius::new(temperatures.0 / count), temperatures.1));
    }

    #[cfg(test)]
    pub(crate) fn view(&mut self, snapshot: &Snapshot, now: Millis, tuning: &Tuning) -> NodeView {
        let mut node = NodeView::default();
        self.look(snapshot, now, tuning, &mut node);
        node
    }
}

fn view_one(gpu: &GpuInput, seen: &mut Option<Seen>, now: Millis, tuning: &Tuning) -> GpuView {
    let measured = gpu.margin.usable().filter(|margin| margin.get().is_finite());
    if let Some(margin) = measured {
        *seen = Some(Seen { margin, at: Millis::new(now.get().saturating_sub(gpu.margin.age().get())) });
    }
    let margin = measured.or_else(|| {
        let seen = (*seen)?;
        let heated = Kelvin::new(tuning.silent_heating_per_s * now.since(seen.at).as_secs_f32());
        Some((seen.margin - heated).larger(Kelvin::ZERO.smaller(seen.margin)))
    });
    let limits = gpu.limits;
    let power_range = range((limits.power_min, limits.power_default), tuning.fallback_power);
    let power = gpu.power.usable().filter(|power| power.get().is_finite());
    GpuView {
        margin,
        answers: measured.is_some(),
        temperature: gpu.temperature.usable(),
        slowed: gpu.thermal_slowdown.usable() == Some(true),
        power: power.unwrap_or_else(|| {
            gpu.held_cap.map_or(power_range.1, |cap| cap.held(power_range.0, power_range.1))
        }),
        power_range,
        clock_range: range((limits.clock_min, limits.clock_max), tuning.fallback_clock),
        held_cap: gpu.held_cap,
        held_clock: gpu.held_clock,
        held_profile: gpu.held_profile,
    }
}

/// The range that the device tells, end by end; the fallback where that is no range.
fn range<Q: Quantity>(told: (Option<Q>, Option<Q>), fallback: (Q, Q)) -> (Q, Q) {
    let (low, high) = (told.0.unwrap_or(fallback.0), told.1.unwrap_or(fallback.1));
    // A NaN is in no order with anything.
    if low > Q::from_f32(0.0) && low <= high && high.get().is_finite() { (low, high) } else { fallback }
}

fn smaller(a: Option<Kelvin>, b: Option<Kelvin>) -> Option<Kelvin> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.smaller(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::reading::{BadReason, Reading};

    fn with_margin(margin: Reading<Kelvin>) -> Snapshot {
        let mut snapshot = Snapshot { gpus_expected: 1, ..Snapshot::default() };
        snapshot.gpus.push(GpuInput { margin, ..GpuInput::default() }).unwrap();
        snapshot
    }

    #[test]
    fn i01_a_silent_gpu_heats_at_its_worst_rate_and_draws_its_limit() {
        let tuning = Tuning::default();
        let mut estimator = Estimator::default();
        let seen = with_margin(Reading::measured(Kelvin::new(25.0), Millis::ZERO));
        estimator.view(&seen, Millis::ZERO, &tuning);
        let silent = with_margin(Reading::bad(BadReason::CommLost));
        let view = estimator.view(&silent, Millis::from_secs(10), &tuning);
        assert_eq!(view.hottest, Some(Kelvin::new(15.0)));
        assert_eq!(view.hottest_measured, None);
        assert_eq!(view.power, tuning.fallback_power.1);
        assert!(view.all_seen && !view.all_answer);
    }

    #[test]
    fn extrapolation_ends_at_slowdown_and_never_invents_a_worse_measurement() {
        let tuning = Tuning::default();
        let mut estimator = Estimator::default();
        estimator.view(
            &with_margin(Reading::measured(Kelvin::new(-2.0), Millis::ZERO)),
            Millis::ZERO,
            &tuning,
        );
        let view = estimator.view(&with_margin(Reading::default()), Millis::from_secs(1000), &tuning);
        assert_eq!(view.hottest, Some(Kelvin::new(-2.0)));
    }

    #[test]
    fn a_missing_gpu_counts_as_drawing_full_power() {
        let snapshot = Snapshot { gpus_expected: 2, ..Snapshot::default() };
        let view = Estimator::default().view(&snapshot, Millis::ZERO, &Tuning::default());
        assert_eq!(view.power, Watts::new(1400.0));
        assert!(!view.all_seen);
    }
}
