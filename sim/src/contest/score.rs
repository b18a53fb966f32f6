//! What is measured in a bout, on what is really so.

use serde::Serialize;

use super::optimum::{Cost, Weights};
use crate::plant::{EnergyTruth, GpuState, PlantParams, Truth};

/// Width of a class of the histogram of temperatures, K, and the number of classes.
const CLASS_KELVIN: f64 = 0.1;
const CLASSES: usize = 1500;
/// Temperatures this close below the slowdown count as too close, K.
pub const CLOSE_KELVIN: f64 = 5.0;

/// One rival on one course.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Who.
    pub controller: String,
    /// On what.
    pub workload: String,
    /// Time measured, s.
    pub seconds: f64,
    /// Hottest core of any GPU, °C.
    pub peak_celsius: f64,
    /// 99.9 % of the core temperatures of all GPUs are at most this, °C. Absent, as all that is absent, of a state at
    /// rest.
    pub celsius_999: Option<f64>,
    /// Time with a GPU at its slowdown temperature or beyond, s.
    pub above_slowdown_s: Option<f64>,
    /// Time with a GPU within 5 K of its slowdown temperature or beyond, s.
    pub close_to_slowdown_s: Option<f64>,
    /// GPU-seconds in which a GPU did less than its workload asked.
    pub throttled_gpu_s: Option<f64>,
    /// Electricity of the node, kWh.
    pub it_kwh: f64,
    /// The pump's electricity, kWh.
    pub pump_kwh: f64,
    /// Coolant out of the plates, mean and standard deviation, °C and K.
    pub return_celsius: f64,
    /// See `return_celsius`.
    pub return_sigma: f64,
    /// Coolant into the plates, mean and standard deviation, °C and K.
    pub supply_celsius: f64,
    /// See `supply_celsius`.
    pub supply_sigma: f64,
    /// Heat out of the node that the heat pump took, kWh.
    pub recovered_kwh: f64,
    /// Heat into the network: recovered, and the compressor's electricity, kWh.
    pub delivered_kwh: f64,
    /// The heat pump's electricity, kWh.
    pub heat_pump_kwh: f64,
    /// Heat that the network would have taken, kWh.
    pub demanded_kwh: f64,
    /// Leakage of the GPUs, which grows with their temperature, kWh.
    pub leakage_kwh: f64,
    /// Heat into the river, kWh.
    pub river_kwh: f64,
    /// Minutes in which the river was warmed beyond the permit.
    pub permit_minutes: f64,
    /// Way of the valve, in strokes from end to end.
    pub valve_strokes: Option<f64>,
    /// Times that the pump started.
    pub pump_starts: Option<u32>,
    /// Pump, heat pump, leakage, and heat not delivered as weighed, kWh of electricity.
    pub cost_kwh: Cost,
    /// All of it.
    pub total_cost_kwh: f64,
    /// Power usage effectiveness of node and pump: (IT + pump) / IT.
    pub pue: f64,
    /// Energy reuse factor: recovered heat / (IT + pump).
    pub erf: f64,
    /// Water usage effectiveness, L/kWh: nothing evaporates, river water goes back into the river.
    pub wue: f64,
}

/// Adds up a bout.
#[derive(Clone, Debug)]
pub(super) struct Counter {
    begun: Option<Begun>,
    classes: Vec<u64>,
    peak: f64,
    above_s: f64,
    close_s: f64,
    demanded: f64,
    leakage: f64,
    permit_s: f64,
    supply: Spread,
    return_: Spread,
    strokes: f64,
    starts: u32,
    was: Option<(f64, bool)>,
    seconds: f64,
}

/// What had been added up when measuring began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    energy: EnergyTruth,
    throttled: f64,
}

/// Mean and deviation, by Welford's method.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spread {
    count: f64,
    pub(super) mean: f64,
    squares: f64,
}

impl Spread {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let way = value - self.mean;
        self.mean += way / self.count;
        self.squares += way * (value - self.mean);
    }

    pub(super) fn deviation(&self) -> f64 {
        (self.squares / self.count.max(1.0)).sqrt()
    }
}

impl Counter {
    pub(super) fn new() -> Self {
        Self {
            begun: None,
            classes: vec![0; CLASSES],
            peak: f64::MIN,
            above_s: 0.0,
            close_s: 0.0,
            demanded: 0.0,
            leakage: 0.0,
            permit_s: 0.0,
            supply: Spread::default(),
            return_: Spread::default(),
            strokes: 0.0,
            starts: 0,
            was: None,
            seconds: 0.0,
        }
    }

    /// Takes in what has been so for `dt` s.
    pub(super) fn add(&mut self, truth: &Truth, params: &PlantParams, permitted: bool, dt: f64) {
        if self.begun.is_none() {
            self.begun = Some(Begun { energy: truth.energy, throttled: truth.throttled_gpu_seconds });
            self.was = Some((truth.valve.position, truth.pump.running));
            return;
        }
        self.seconds += dt;
        self.heat(truth, params, dt);
        self.supply.add(truth.node_loop.supply_celsius);
        self.return_.add(truth.node_loop.return_celsius);
        self.demanded += truth.facility.heat_demand_watts * dt;
        self.permit_s += if permitted { 0.0 } else { dt };
        let (valve, pump) = self.was.unwrap_or_default();
        self.strokes += (truth.valve.position - valve).abs();
        self.starts += u32::from(truth.pump.running && !pump);
        self.was = Some((truth.valve.position, truth.pump.running));
    }

    fn heat(&mut self, truth: &Truth, params: &PlantParams, dt: f64) {
        let gpu = &params.gpu;
        let mut hottest = f64::MIN;
        for one in truth.gpus.iter().take(params.sockets) {
            hottest = hottest.max(one.core_celsius);
            let class = (one.core_celsius / CLASS_KELVIN).clamp(0.0, 1e6);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held above")]
            let class = (class as usize).min(CLASSES - 1);
            if let Some(count) = self.classes.get_mut(class) {
                *count += 1;
            }
            if one.state != GpuState::Off {
                self.leakage += gpu.leakage_at(one.core_celsius) * dt;
            }
        }
        self.peak = self.peak.max(hottest);
        self.above_s += if hottest >= gpu.slowdown_celsius { dt } else { 0.0 };
        self.close_s += if hottest >= gpu.slowdown_celsius - CLOSE_KELVIN { dt } else { 0.0 };
    }

    /// Upper edge of the class below which 99.9 % lie, °C.
    fn quantile(&self) -> f64 {
        let total: u64 = self.classes.iter().sum();
        let (mut below, mut edge) = (0, 0.0);
        for count in &self.classes {
            below += count;
            edge += CLASS_KELVIN;
            if 1000 * below >= 999 * total {
                break;
            }
        }
        edge.min(self.peak)
    }

    /// The score at the end.
    pub(super) fn score(&self, controller: &str, workload: &str, truth: &Truth) -> Score {
        let (from, to) = (self.begun.map(|begun| begun.energy).unwrap_or_default(), truth.energy);
        let throttled = self.begun.map_or(0.0, |begun| begun.throttled);
        let (it, pump) = (to.it_kwh - from.it_kwh, to.pump_kwh - from.pump_kwh);
        let recovered = to.recovery_kwh - from.recovery_kwh;
        let delivered = to.network_kwh - from.network_kwh;
        let (demanded, leakage) = (self.demanded / 3.6e6, self.leakage / 3.6e6);
        let heat_pump = to.heat_pump_kwh - from.heat_pump_kwh;
        let undelivered = Weights::default().undelivered * (demanded - delivered).max(0.0);
        let cost = Cost { pump, heat_pump, leakage, undelivered };
        Score {
            controller: controller.to_owned(),
            workload: workload.to_owned(),
            seconds: self.seconds,
            peak_celsius: self.peak,
            celsius_999: Some(self.quantile()),
            above_slowdown_s: Some(self.above_s),
            close_to_slowdown_s: Some(self.close_s),
            throttled_gpu_s: Some(truth.throttled_gpu_seconds - throttled),
            it_kwh: it,
            pump_kwh: pump,
            return_celsius: self.return_.mean,
            return_sigma: self.return_.deviation(),
            supply_celsius: self.supply.mean,
            supply_sigma: self.supply.deviation(),
            recovered_kwh: recovered,
            delivered_kwh: delivered,
            heat_pump_kwh: heat_pump,
            demanded_kwh: demanded,
            leakage_kwh: leakage,
            river_kwh: to.river_kwh - from.river_kwh,
            permit_minutes: self.permit_s / 60.0,
            valve_strokes: Some(self.strokes),
            pump_starts: Some(self.starts),
            cost_kwh: cost,
            total_cost_kwh: cost.total(),
            pue: (it + pump) / it,
            erf: recovered / (it + pump),
            wue: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    pub(super) fn deviation_is_that_of_the_whole_series() {
        let mut spread = Spread::default();
        [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].iter().for_each(|value| spread.add(*value));
        assert!((spread.mean - 5.0).abs() < 1e-12 && (spread.deviation() - 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_quantile_is_the_class_that_holds_it() {
        let mut counter = Counter::new();
        counter.peak = 90.0;
        counter.classes[600] = 9990;
        counter.classes[899] = 10;
        assert!((counter.quantile() - 60.1).abs() < 1e-6, "{}", counter.quantile());
    }
}
