//! The heat pump: takes heat from its branch of the facility loop and lifts it into the district network.
//!
//! ```text
//!  branch T ─► evaporator ─► source heat  = demand · (1 − 1/COP), if the branch can give it
//!                            delivered    = source heat · COP/(COP − 1)
//!                            COP          = 0.49 · Tc/(Tc − Te)
//! ```
//!
//! It evaporates as warm as the wanted heat allows, never below its limit: a warm loop gives more heat, at a
//! better COP. A single compressor is less efficient at part load, has a least load, and once started runs for a while.

use super::params::HeatPumpParams;

const KELVIN_AT_0_CELSIUS: f64 = 273.15;

/// Steps after which COP and heat stand still: each leaves a tenth of the change of the one before.
const ROUNDS: usize = 6;

/// What the heat pump does in one step, W.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lift {
    /// Out of the facility loop.
    pub(crate) source: f64,
    /// Into the network.
    pub(crate) delivered: f64,
    /// Electric power of the compressor.
    pub(crate) electric: f64,
}

/// Its capacity follows the demand with a ramp.
#[derive(Clone, Debug)]
pub(crate) struct HeatPump {
    params: HeatPumpParams,
    /// Heat from the branch, W.
    source: f64,
    cop: f64,
    /// The compressor runs; only where it has a least load.
    on: bool,
    /// ... and for how long, s.
    running_s: f64,
}

impl HeatPump {
    pub(crate) fn new(params: HeatPumpParams) -> Self {
        Self { params, source: 0.0, cop: params.cop_max, on: false, running_s: 0.0 }
    }

    /// Lifts to this temperature of the network from now on, °C.
    pub(crate) fn set_network(&mut self, celsius: f64) {
        self.params.network_celsius = celsius;
    }

    /// Runs for `dt` on a branch of `capacity` W/K that enters at `celsius`, for a network that takes
    /// `demand` W.
    pub(crate) fn step(&mut self, capacity: f64, celsius: f64, demand: f64, dt: f64) -> Lift {
        let params = self.params;
        // One side of the evaporator boils at constant temperature.
        let reach = capacity * (1.0 - (-params.evaporator / capacity).exp());
        let warmth = (celsius - params.evaporation_min_celsius).max(0.0);
        let most = (reach * warmth).min(capacity * params.branch_drop_max);

        let wanted = self.runnable(demand * (1.0 - 1.0 / self.cop), dt);
        let ramp = params.ramp_watts_per_s * dt;
        self.source = wanted.clamp(self.source - ramp, self.source + ramp).min(most);

        self.cop = self.cop_at(celsius - self.source / reach);
        let electric = self.source / (self.cop - 1.0);
        Lift { source: self.source, delivered: self.source + electric, electric }
    }

    /// What it does on such a branch once nothing changes any more.
    pub(super) fn at_rest(params: &HeatPumpParams, capacity: f64, celsius: f64, demand: f64) -> Lift {
        let mut pump = Self::new(HeatPumpParams { ramp_watts_per_s: f64::INFINITY, ..*params });
        let mut lift = Lift::default();
        for _ in 0..ROUNDS {
            lift = pump.step(capacity, celsius, demand, 1.0);
        }
        lift
    }

    pub(crate) fn cop(&self) -> f64 {
        self.cop
    }

    /// What the compressor can do of `wanted` W: no less than its least load, or nothing.
    fn runnable(&mut self, wanted: f64, dt: f64) -> f64 {
        let load = &self.params.part_load;
        if load.least <= 0.0 {
            return wanted;
        }
        let least = load.least * load.full_watts;
        self.running_s = if self.on { self.running_s + dt } else { 0.0 };
        // A network that takes nothing at all trips it, whatever its least run.
        let held = self.on && self.running_s < load.run_s && wanted > 0.0;
        self.on = wanted >= least || held;
        if self.on { wanted.clamp(least, load.full_watts) } else { 0.0 }
    }

    fn cop_at(&self, evaporation_celsius: f64) -> f64 {
        let condenser = self.params.network_celsius + self.params.condenser_approach + KELVIN_AT_0_CELSIUS;
        let lift = condenser - (evaporation_celsius + KELVIN_AT_0_CELSIUS);
        // A source warmer than the condenser needs no lift at all.
        let carnot = if lift > 0.0 { condenser / lift } else { f64::INFINITY };
        let load = &self.params.part_load;
        let idle = 1.0 - (self.source / load.full_watts).clamp(0.0, 1.0);
        let share = self.params.carnot_share * (1.0 - load.loss * idle);
        (share * carnot).min(self.params.cop_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plant::params::PartLoad;

    fn settled(capacity: f64, celsius: f64, demand: f64) -> (HeatPump, Lift) {
        let mut pump = HeatPump::new(HeatPumpParams::DISTRICT);
        let mut lift = Lift::default();
        for _ in 0..10_000 {
            lift = pump.step(capacity, celsius, demand, 0.01);
        }
        (pump, lift)
    }

    #[test]
    fn cop_meets_the_published_points() {
        for (network, published) in [(60.0, 5.5), (70.0, 4.3), (80.0, 3.5)] {
            let pump = HeatPump::new(HeatPumpParams { network_celsius: network, ..HeatPumpParams::DISTRICT });
            // 45 °C source cooled by 5 K, evaporating 5 K below.
            let cop = pump.cop_at(35.0);
            assert!((cop / published - 1.0).abs() < 0.015, "{network} °C: {cop}");
        }
    }

    #[test]
    fn cop_by_return_and_network_is_as_tabled() {
        for (network, row) in [
            (60.0, [4.14, 4.73, 5.52, 6.63, 8.28]),
            (70.0, [3.41, 3.79, 4.26, 4.87, 5.69]),
            (80.0, [2.92, 3.19, 3.51, 3.90, 4.39]),
        ] {
            let params = HeatPumpParams { cop_max: 20.0, ..HeatPumpParams::DISTRICT };
            let mut pump = HeatPump::new(params);
            pump.set_network(network);
            for (return_, tabled) in [35.0, 40.0, 45.0, 50.0, 55.0].into_iter().zip(row) {
                let cop = pump.cop_at(return_ - 10.0);
                assert!((cop - tabled).abs() < 0.006, "{network} °C from {return_} °C: {cop}, {tabled}");
            }
        }
    }

    #[test]
    fn a_compressor_loses_efficiency_towards_no_load() {
        let params = HeatPumpParams { part_load: PartLoad::COMPRESSOR, ..HeatPumpParams::DISTRICT };
        let cop = |load: f64| HeatPump { source: 8000.0 * load, ..HeatPump::new(params) }.cop_at(35.0);
        assert!((cop(0.3) / cop(1.0) - (1.0 - 0.15 * 0.7)).abs() < 1e-9);
    }

    #[test]
    fn a_compressor_runs_for_ten_minutes_or_not_at_all() {
        let params = HeatPumpParams { part_load: PartLoad::COMPRESSOR, ..HeatPumpParams::DISTRICT };
        let mut pump = HeatPump::new(params);
        let mut source = |demand, seconds: u32| {
            (0..seconds * 10).map(|_| pump.step(800.0, 45.0, demand, 0.1).source).last().unwrap_or_default()
        };
        assert!(source(1500.0, 60).abs() < 1e-9, "too little to start for");
        assert!(source(6000.0, 60) > 4000.0);
        assert!((source(1500.0, 300) - 2400.0).abs() < 1.0, "least load");
        assert!(source(1500.0, 300).abs() < 1e-9, "ten minutes are over");
        assert!(source(6000.0, 60) > 4000.0);
        assert!(source(0.0, 60).abs() < 1e-9, "nobody takes anything");
    }

    #[test]
    fn its_load_changes_by_four_percent_a_second() {
        let mut pump = HeatPump::new(HeatPumpParams::DISTRICT);
        for _ in 0..500 {
            pump.step(800.0, 45.0, 10_000.0, 0.01);
        }
        assert!((pump.source - 5.0 * 400.0).abs() < 1.0, "{}", pump.source);
    }

    #[test]
    fn the_network_gets_what_it_asked_for() {
        let (_, lift) = settled(800.0, 45.0, 8000.0);
        assert!((lift.delivered - 8000.0).abs() < 1.0, "{lift:?}");
        assert!((lift.source + lift.electric - lift.delivered).abs() < 1e-9);
    }

    #[test]
    fn a_cool_loop_gives_less_than_asked_and_is_never_cooled_below_the_limit() {
        let (_, lift) = settled(800.0, 28.0, 8000.0);
        assert!(lift.delivered < 5000.0, "{lift:?}");
        assert!(28.0 - lift.source / 800.0 > 20.0);
        assert!(settled(800.0, 15.0, 8000.0).1.source.abs() < 1e-9);
    }

    #[test]
    fn the_branch_is_cooled_by_ten_kelvin_at_most() {
        let (_, lift) = settled(100.0, 50.0, 8000.0);
        assert!((lift.source - 1000.0).abs() < 1e-6, "{lift:?}");
    }

    #[test]
    fn a_warmer_loop_is_lifted_with_less_electricity() {
        assert!(settled(800.0, 50.0, 5000.0).0.cop() > settled(800.0, 40.0, 5000.0).0.cop());
    }
}
