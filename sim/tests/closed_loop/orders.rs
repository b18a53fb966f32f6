//! Orders from afar, drawn by lot, against a plant that suffers them.

use eisbach_control::{Manual, Remote, StateName};
use eisbach_protocol::units::{Celsius, Percent, Quantity};
use eisbach_sim::rng::Noise;
use eisbach_sim::workload::Workload;

use crate::bench::Bench;

/// Orders last this long.
const EACH_S: f64 = 90.0;
/// How many follow each other.
const ORDERS: usize = 30;

#[expect(clippy::cast_possible_truncation, reason = "an order resolves no more")]
fn drawn<Q: Quantity>(lot: &mut Noise, low: f64, high: f64) -> Option<Q> {
    let value = lot.between(low, high);
    (lot.unit() < 0.4).then(|| Q::from_f32(value as f32))
}

/// Orders that a careless operator, or a hostile one with every right, may give.
fn orders(lot: &mut Noise) -> Remote {
    let manual = Manual { pump: drawn(lot, 0.0, 100.0), valve: drawn(lot, 0.0, 100.0) };
    Remote {
        pump_at_least: drawn::<Percent>(lot, 0.0, 100.0),
        valve_at_most: drawn::<Percent>(lot, 0.0, 100.0),
        supply_target: drawn::<Celsius>(lot, -20.0, 90.0),
        manual: (lot.unit() < 0.6).then_some(manual),
        ..Remote::default()
    }
}

#[test]
fn i04_orders_drawn_by_lot_break_no_limit_and_throttle_no_gpu() {
    for (workload, seed) in [(Workload::Full, 1), (Workload::Training, 2), (Workload::Inference, 3)] {
        let mut bench = Bench::new(workload, seed);
        bench.run(300.0);
        let mut unasked = bench.clone();
        let own = unasked.run(EACH_S * 30.0).peak_celsius;
        let mut lot = Noise::new(seed);
        let floor = bench.node.plant.truth().room.dew_point_celsius + 2.0;
        let mut peak = 0.0_f64;
        for _ in 0..ORDERS {
            bench.node.remote = orders(&mut lot);
            let course = bench.run(EACH_S);
            peak = peak.max(course.peak_celsius);
            assert_eq!(course.throttled_decisions, 0, "{workload}: {:?}", bench.node.remote);
            assert!(course.states.iter().all(|(_, state, _)| *state == StateName::Running));
            for supply in &course.supply {
                assert!((floor..42.0).contains(supply), "{workload}: {supply} {:?}", bench.node.remote);
            }
        }
        assert!(peak <= own + 6.0, "{workload}: {peak} with orders, {own} without");
    }
}
