//! What the last minutes were like: means of heat, power and flow, and the hottest that a GPU was over supply.

use eisbach_protocol::units::{Celsius, Kelvin, Watts};
use serde::{Deserialize, Serialize};

use super::Second;
use super::model::{Model, Wants};
use crate::estimate::{GpuView, NodeView};
use crate::tuning::Tuning;

/// Means look back this far, s.
const MEAN_S: f32 = 60.0;
/// The hottest comes to count with the first of these time constants, s, and is forgotten with the second: moments are
/// the trim's, and checkpoints come every ten minutes or so (estimate).
const PEAK_S: (f32, f32) = (30.0, 900.0);
/// A GPU below this share of its limit does not tell what it would be like at the limit (estimate).
const TELLING: f32 = 0.5;
/// How fast what a GPU is like at full power is learned, up and down, per second (estimate).
const LEARN: (f32, f32) = (0.02, 0.001);
/// Flow asked for is at most this much more than the mean heat needs (estimate).
const MOST_PEAK: f32 = 4.0;
/// Seconds of running before anything is chosen.
const SETTLED_S: f32 = 60.0;

/// Memory of the last minutes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Minute {
    means: Option<Means>,
    seen_s: f32,
    /// Hottest GPU over supply, K, and the temperature at which it has no margin, °C.
    hottest: Option<(f32, f32)>,
    /// Hottest GPU over coolant at full power and the flow of the tuned rise, K.
    full: Option<f32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Means {
    power: f32,
    flow: f32,
    asked: f32,
    /// The hottest GPU over supply, and its power as a share of its limit: both as means, for temperature lags power.
    over_supply: f32,
    load: f32,
}

/// What one GPU tells about the plates.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Hottest {
    over_supply: f32,
    zero_margin: f32,
    /// Its power as a share of its limit.
    load: f32,
}

impl Minute {
    /// Notes a second of running.
    pub(super) fn note(&mut self, second: &Second<'_>, dt_s: f32, tuning: &Tuning) {
        let (Some(supply), Some(flow), true) = (second.supply, second.flow, second.running) else { return };
        let Some(hottest) = hottest(second, supply) else { return };
        if flow.get() <= 0.0 {
            return;
        }
        self.seen_s = (self.seen_s + dt_s).min(SETTLED_S);
        let now = Means {
            power: second.node.power.get(),
            flow: flow.get(),
            asked: second.asked.get(),
            over_supply: hottest.over_supply,
            load: hottest.load,
        };
        let means = self.means.map_or(now, |means| means.towards(now, 1.0 - libm::expf(-dt_s / MEAN_S)));
        self.means = Some(means);

        let before = self.hottest.map_or(hottest.over_supply, |(over, _)| over);
        let constant = if hottest.over_supply > before { PEAK_S.0 } else { PEAK_S.1 };
        let peak = before + (hottest.over_supply - before) * (1.0 - libm::expf(-dt_s / constant));
        self.hottest = Some((peak, hottest.zero_margin));
        if self.seen_s >= SETTLED_S {
            self.learn(&means, second, tuning);
        }
    }

    /// What a GPU would be like at full power, from what it is like at much of it.
    fn learn(&mut self, means: &Means, second: &Second<'_>, tuning: &Tuning) {
        if means.load < TELLING {
            return;
        }
        let heat = means.power * tuning.heat_per_gpu_watt;
        let rise = heat / (tuning.coolant_watts_per_lpm_kelvin * means.flow);
        let over = (means.over_supply - 0.5 * rise) / means.load;
        let design = tuning.flow_for(full_heat(second.node, tuning)).get();
        let film = tuning.set_points.film_share * (libm::powf(means.flow / design, 0.4) - 1.0);
        let sample = over * (1.0 + film).max(0.5);
        if !sample.is_finite() {
            return;
        }
        let before = self.full_over(tuning);
        let share = if sample > before { LEARN.0 } else { LEARN.1 };
        self.full = Some(before + (sample - before) * share);
    }

    fn full_over(&self, tuning: &Tuning) -> f32 {
        let assumed = tuning.set_points.full_power_rise.get() - 0.5 * tuning.loop_rise.get();
        self.full.unwrap_or(assumed)
    }

    /// The model of the node as it was; nothing before enough has been seen.
    pub(super) fn model(&self, second: &Second<'_>, wants: Wants, tuning: &Tuning) -> Option<Model> {
        let means = self.means.filter(|_| self.seen_s >= SETTLED_S)?;
        let (over_supply, zero_margin) = self.hottest?;
        let set = &tuning.set_points;
        let heat = means.power * tuning.heat_per_gpu_watt;
        let full = full_heat(second.node, tuning);
        let coolant = tuning.coolant_watts_per_lpm_kelvin;
        let full_flow = second.full_flow.get();
        let hydraulic = full_flow * tuning.full_speed_head.get() / 60.0;
        let idle = 1.0 - (heat / full.get().max(1.0)).clamp(0.0, 1.0);
        let reserve = set.margin_reserve;
        let step = Kelvin::new(set.step_reserve.get() * idle);
        let model = Model {
            heat: (heat, full.get()),
            gpu_power: means.power,
            watts_per_lpm_kelvin: coolant,
            peak: (means.asked * coolant * second.rise.get() / heat.max(1.0)).clamp(1.0, MOST_PEAK),
            flow: (full_flow * tuning.pump_min.get() / 100.0, full_flow),
            pump_full: hydraulic / set.pump_efficiency,
            zero_margin,
            over_coolant: (over_supply - 0.5 * heat / (coolant * means.flow), means.flow),
            full_over_coolant: (self.full_over(tuning), tuning.flow_for(full).get().min(full_flow)),
            margin: ((tuning.trim_margin + reserve).get(), (tuning.hot_margin + reserve + step).get()),
            wants,
            set: *set,
        };
        (full_flow > 0.0 && heat.is_finite() && zero_margin.is_finite()).then_some(model)
    }
}

impl Means {
    fn towards(self, now: Self, share: f32) -> Self {
        let mix = |before: f32, now: f32| before + (now - before) * share;
        Self {
            power: mix(self.power, now.power),
            flow: mix(self.flow, now.flow),
            asked: mix(self.asked, now.asked),
            over_supply: mix(self.over_supply, now.over_supply),
            load: mix(self.load, now.load),
        }
    }
}

/// Heat with every GPU at its limit.
pub(crate) fn full_heat(node: &NodeView, tuning: &Tuning) -> Watts {
    let limits = node.gpus.iter().fold(node.unlisted, |sum, gpu| sum + gpu.power_range.1);
    limits * tuning.heat_per_gpu_watt
}

/// The GPU with the smallest margin of those that answer with margin and temperature.
fn hottest(second: &Second<'_>, supply: Celsius) -> Option<Hottest> {
    let telling = second.node.gpus.iter().filter(|gpu| gpu.answers);
    let of = |gpu: &GpuView| {
        let (margin, temperature) = (gpu.margin?, gpu.temperature?);
        let zero_margin = (temperature + margin).get();
        let over_supply = (temperature - supply).get();
        let load = gpu.power.get() / gpu.power_range.1.get();
        (zero_margin.is_finite() && over_supply.is_finite())
            .then_some((margin, Hottest { over_supply, zero_margin, load }))
    };
    let smallest = telling.filter_map(of).reduce(|a, b| if b.0 < a.0 { b } else { a });
    smallest.map(|(_, hottest)| hottest)
}
