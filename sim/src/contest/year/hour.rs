//! An hour of ours, and the best that it could have been.

use eisbach_control::{Controller, Snapshot, Tuning};
use eisbach_nvml_sim::GpuModel;
use eisbach_protocol::units::Millis;

use super::HOUR_S;
use super::work::YearWork;
use crate::closed_loop::single;
use crate::contest::optimum::{Best, Cost, Limits, Optimum, Weights};
use crate::contest::site;
use crate::factory::{Ambient, Factory, FactoryError, FactoryParams, SiteTotals, Totals};
use crate::outside::{Outside, OutsideParams, OutsideState, Permit, PermitMeter, RiverState};
use crate::plant::{Boundary, GPUS, PlantParams, SteadyPlant};

/// GPU-seconds in an hour that the loop's own swings may cost without ours being said to hold work back: a thousandth.
pub(super) const HELD_BACK_GPU_S: f64 = 28.8;
/// The world outside is looked at so often, s.
const LOOK_S: u32 = 600;
/// The GPUs' temperatures are looked at so often, s.
const LEAKAGE_S: u32 = 10;
/// Hours before a quarter, in which controller and plant find their way; no more than the quarter has.
const BEFORE: u32 = 24;
/// Imbalance of the best state beyond which there is no state within the limits, W.
const IMPOSSIBLE_WATTS: f64 = 20.0;
/// ... and temperature beyond the limit, K.
const IMPOSSIBLE_KELVIN: f64 = 0.2;
const JOULES_PER_KWH: f64 = 3.6e6;

/// One hour, kWh.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hour {
    pub(super) it_kwh: f64,
    pub(super) ours: Cost,
    pub(super) optimum: Cost,
    pub(super) careful: Cost,
    /// By ours, by the optimum, wanted.
    pub(super) delivered_kwh: [f64; 3],
    pub(super) throttled_gpu_s: f64,
    pub(super) permit_minutes: f64,
    pub(super) peak_celsius: f64,
    /// There is a state within the limits.
    pub(super) possible: bool,
}

/// A part of the year under way.
#[derive(Debug)]
pub(super) struct Quarter {
    outside: Outside,
    factory: Factory,
    controller: Controller,
    snapshot: Snapshot,
    work: YearWork,
    optimum: Optimum,
    permit: Permit,
    meter: PermitMeter,
    /// Since the first of January, s.
    now_s: f64,
    /// Hours that count.
    hours: u32,
    seconds: u64,
}

/// What the hour was, for the optimum.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    work: [f64; GPUS],
    leakage: f64,
    river: f64,
    intake_share: f64,
    demand: f64,
    network: f64,
    allowed: f64,
    /// The highest, °C.
    dew_point: f64,
}

impl Quarter {
    pub(super) fn new(from_s: f64, hours: u32, seed: u64) -> Result<Self, FactoryError> {
        let params = PlantParams::default();
        let factory = Factory::new(FactoryParams::single(GpuModel::H200, params.clone(), 1.0), seed)?;
        Ok(Self {
            outside: Outside::new(&OutsideParams::default(), seed),
            controller: Controller::new(factory.commissioned(Tuning::default())),
            snapshot: factory.blank_snapshot(),
            factory,
            work: YearWork::new(seed ^ from_s.to_bits()),
            optimum: Optimum::new(SteadyPlant::new(params), Weights::default()),
            permit: Permit::default(),
            meter: PermitMeter::default(),
            now_s: from_s - HOUR_S * f64::from(BEFORE.min(hours)),
            hours,
            seconds: 0,
        })
    }

    /// All hours, those before the quarter left out.
    pub(super) fn run(mut self) -> Vec<Hour> {
        let before = BEFORE.min(self.hours);
        let all = before + self.hours;
        (0..all).filter_map(|hour| self.hour(hour >= before)).collect()
    }

    fn hour(&mut self, counts: bool) -> Option<Hour> {
        let before = (self.factory.totals(), *self.factory.site_totals(), self.meter.minutes);
        let throttled = self.throttled();
        let mut means = Means::default();
        let mut peak = f64::NEG_INFINITY;
        let mut ambient = Ambient::spring(1);
        let mut state = self.outside.at(self.now_s);
        for second in 0..3600 {
            if second % LOOK_S == 0 {
                state = self.outside.at(self.now_s);
                ambient = around(&state);
                means.look(
                    &state,
                    &self.permit,
                    site::intake_m3_s(&self.factory.params().node, &state.river),
                    self.now_s,
                );
            }
            let work = self.work.second(self.now_s);
            means.work.iter_mut().zip(work).for_each(|(sum, work)| *sum += work / HOUR_S);
            self.second(work, &ambient);
            self.watch(&state.river);
            if second % LEAKAGE_S == 0 {
                peak = self.temperatures(&mut means).max(peak);
            }
        }
        counts.then(|| self.account(&means, &before, throttled, peak))
    }

    /// One second of plant and controller.
    fn second(&mut self, work: [f64; GPUS], ambient: &Ambient) {
        self.factory.work(0, work);
        self.factory.step(ambient);
        self.factory.snapshot(0, ambient, &mut self.snapshot);
        self.snapshot.surroundings.river_share = Some(1.0 / single(site::NODES));
        self.seconds += 1;
        let decision = self.controller.step(&self.snapshot, Millis::from_secs(self.seconds));
        self.factory.obey(0, [&decision]);
        self.now_s += 1.0;
    }

    /// Notes what the permit says: the whole site does what this node does.
    fn watch(&mut self, river: &RiverState) {
        let watts = self.factory.site().river_watts;
        let discharge = site::discharge(&self.factory.params().node, river, watts);
        let _violation = self.meter.watch(&self.permit, river, discharge, self.now_s, 1.0);
    }

    /// Adds leakage up; returns the hottest core.
    fn temperatures(&self, means: &mut Means) -> f64 {
        let (gpu, Some(truth)) = (&self.optimum.plant().params().gpu, self.factory.truth(0)) else {
            return f64::NEG_INFINITY;
        };
        let leakage: f64 = truth.core_celsius.iter().map(|core| gpu.leakage_at(*core)).sum();
        means.leakage += leakage * f64::from(LEAKAGE_S) / HOUR_S;
        truth.core_celsius.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }

    fn throttled(&self) -> f64 {
        self.factory.truth(0).map_or(0.0, |truth| truth.throttled_gpu_s)
    }

    fn account(
        &mut self,
        means: &Means,
        before: &(Totals, SiteTotals, f64),
        throttled: f64,
        peak: f64,
    ) -> Hour {
        let (inner, outer) = (self.factory.totals(), *self.factory.site_totals());
        let kwh = |joules: f64| joules / JOULES_PER_KWH;
        let delivered = kwh(outer.network_j - before.1.network_j);
        let wanted = means.demand / 1000.0;
        let ours = Cost {
            pump: kwh(inner.pump_j - before.0.pump_j),
            heat_pump: kwh(outer.heat_pump_j - before.1.heat_pump_j),
            leakage: means.leakage / 1000.0,
            undelivered: Weights::default().undelivered * (wanted - delivered).max(0.0),
        };
        let (best, careful, possible) = self.best(means);
        let in_kwh = |best: &Best| {
            let mut cost = Cost::default();
            cost.add(&best.cost, 1e-3);
            cost
        };
        Hour {
            it_kwh: kwh(inner.it_j() - before.0.it_j()),
            ours,
            optimum: in_kwh(&best),
            careful: in_kwh(&careful),
            delivered_kwh: [delivered, best.steady.network_watts / 1000.0, wanted],
            throttled_gpu_s: self.throttled() - throttled,
            permit_minutes: self.meter.minutes - before.2,
            peak_celsius: peak,
            possible,
        }
    }

    /// The best state for the hour, the best that keeps the distance which ours keeps, and whether there is any.
    fn best(&mut self, means: &Means) -> (Best, Best, bool) {
        let boundary = Boundary {
            river_celsius: means.river,
            river_intake: means.intake_share,
            heat_demand_watts: means.demand,
            network_celsius: Some(means.network),
            utilisation: means.work,
            ..Boundary::default()
        };
        let limits = Limits {
            river_watts: means.allowed / site::NODES,
            ..Limits::of(self.optimum.plant(), means.dew_point)
        };
        let tuning = Tuning::default();
        // The margin at which the pump's trim begins, counted from where the driver counts.
        let zero = f64::from(GpuModel::H200.rating().max_operating_celsius);
        let careful = Limits { hottest: zero - f64::from(tuning.trim_margin.get()), ..limits };
        let best = self.optimum.find(&boundary, &limits);
        let possible = best.steady.unbalanced_watts.abs() < IMPOSSIBLE_WATTS
            && best.steady.hottest_celsius < limits.hottest + IMPOSSIBLE_KELVIN
            && best.steady.river_watts < limits.river_watts + IMPOSSIBLE_WATTS;
        (best, self.optimum.find(&boundary, &careful), possible)
    }
}

impl Means {
    fn look(&mut self, state: &OutsideState, permit: &Permit, intake_m3_s: f64, t_s: f64) {
        let share = f64::from(LOOK_S) / HOUR_S;
        self.river += state.river.celsius * share;
        self.intake_share += state.river.intake_share() * share;
        self.demand += state.heat.watts * share;
        self.network += state.heat.supply_celsius * share;
        self.dew_point = self.dew_point.max(state.weather.room_dew_point());
        self.allowed += permit.allowed_watts(&state.river, intake_m3_s, t_s) * share;
    }
}

/// The world as the factory of one node sees it. The river is the whole site's, of which the node is told its share.
fn around(state: &OutsideState) -> Ambient {
    Ambient {
        river_celsius: state.river.celsius,
        intake_share: state.river.intake_share(),
        river_flow_m3_s: state.river.flow_m3_s,
        heat_demand_watts: state.heat.watts,
        network_celsius: state.heat.supply_celsius,
        permitted: true,
        calendar: Some(state.calendar),
        dew_point_celsius: state.weather.room_dew_point(),
        ..Ambient::spring(1)
    }
}
