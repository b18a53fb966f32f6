//! The layer by itself: a node that is always the same, second after second.

use proptest::prelude::*;
use std::vec::Vec;

use super::*;
use crate::ladder::tests::GPU;
use crate::snapshot::Snapshot;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{CubicMetersPerSecond, Watts};

/// A node of eight GPUs at this power each, so much over a supply, with no margin at 87 °C.
fn node(watts: f32, celsius: f32) -> NodeView {
    let gpu = crate::estimate::GpuView {
        margin: Some(Kelvin::new(87.0 - celsius)),
        temperature: Some(Celsius::new(celsius)),
        power: Watts::new(watts),
        ..GPU
    };
    NodeView {
        gpus: core::iter::repeat_n(gpu, 8).collect(),
        power: Watts::new(watts * 8.0),
        hottest: gpu.margin,
        hottest_measured: gpu.margin,
        ..NodeView::default()
    }
}

fn told(heat: f32, network: f32) -> Surroundings {
    Surroundings {
        heat_demand: Reading::measured(Watts::new(heat), Millis::ZERO),
        network_supply: Reading::measured(Celsius::new(network), Millis::ZERO),
        ..Surroundings::default()
    }
}

#[derive(Clone, Copy)]
struct Case {
    /// Power of a GPU, W.
    watts: f32,
    surroundings: Surroundings,
    floor: f32,
    ordered: Option<f32>,
    permit: Option<Reason>,
}

const USUAL: f32 = 14.0;

impl Default for Case {
    fn default() -> Self {
        Self { watts: 350.0, surroundings: told(0.0, 60.0), floor: USUAL, ordered: None, permit: None }
    }
}

/// Lets the layer run beside a node that does as it says.
fn run(layer: &mut Layer, case: &Case, seconds: core::ops::Range<u64>, mut seen: impl FnMut(SetPoints)) {
    let tuning = Tuning::default();
    for second in seconds {
        let held = layer.held(&tuning);
        let heat = case.watts * 8.0 * tuning.heat_per_gpu_watt;
        let flow = (heat / (tuning.coolant_watts_per_lpm_kelvin * held.rise.get())).clamp(3.75, 12.5);
        let rise = heat / (tuning.coolant_watts_per_lpm_kelvin * flow);
        let supply = held.supply.get().max(case.floor);
        let view = node(case.watts, supply + 0.5 * rise + case.watts * 0.034);
        let view = Second {
            node: &view,
            surroundings: &case.surroundings,
            running: true,
            supply: Some(Celsius::new(supply)),
            rise: held.rise,
            flow: Some(LitersPerMinute::new(flow)),
            asked: LitersPerMinute::new(flow),
            full_flow: LitersPerMinute::new(12.5),
            floor: Celsius::new(case.floor),
            ordered: case.ordered.map(Celsius::new),
            permit: case.permit,
        };
        layer.run(&view, 1.0, Millis::from_secs(second), &tuning);
        seen(layer.held(&tuning));
    }
}

/// Where it settles in an hour.
fn settled(case: &Case) -> SetPoints {
    let mut layer = Layer::default();
    let mut last = SetPoints::tuned(&Tuning::default());
    run(&mut layer, case, 0..3600, |held| last = held);
    last
}

#[test]
fn without_a_word_on_heat_nothing_is_chosen() {
    let river = Surroundings {
        river: Reading::measured(Celsius::new(12.0), Millis::ZERO),
        river_flow: Reading::measured(CubicMetersPerSecond::new(20.0), Millis::ZERO),
        ..Surroundings::default()
    };
    for surroundings in [Surroundings::default(), river, told(f32::NAN, 60.0), told(5000.0, f32::NAN)] {
        let tuned = SetPoints::tuned(&Tuning::default());
        run(&mut Layer::default(), &Case { surroundings, ..Case::default() }, 0..600, |held| {
            assert_eq!(held, tuned);
        });
    }
}

#[test]
fn a_network_that_wants_heat_gets_a_hot_return_and_one_that_does_not_a_cool_supply() {
    let cool = settled(&Case::default());
    assert_eq!((cool.mode, cool.reason), (Mode::Cool, Reason::LeastCost));
    assert!(cool.supply < Celsius::new(25.0), "{cool:?}");
    let heat = settled(&Case { surroundings: told(2500.0, 60.0), ..Case::default() });
    assert_eq!((heat.mode, heat.reason), (Mode::Heat, Reason::HeatWanted));
    assert!(heat.return_() > cool.return_() + Kelvin::new(10.0), "{heat:?} {cool:?}");
}

#[test]
fn a_node_at_full_power_keeps_its_margins_however_much_heat_is_wanted() {
    let full = settled(&Case { watts: 700.0, surroundings: told(20_000.0, 70.0), ..Case::default() });
    // GPU over supply: half the rise and 0.034 K/W; no margin at 87 °C; the trim begins at 20 K.
    let hottest = full.supply.get() + 0.5 * full.rise.get() + 700.0 * 0.034;
    assert!(hottest <= 67.0, "{full:?}: {hottest}");
}

#[test]
fn the_word_ends_and_supply_and_rise_go_back_to_what_is_tuned_without_a_jump() {
    let mut layer = Layer::default();
    let tuned = SetPoints::tuned(&Tuning::default());
    run(&mut layer, &Case::default(), 0..3600, |_| {});
    let mut last = layer.held(&Tuning::default());
    let silent = Case { surroundings: Surroundings::default(), ..Case::default() };
    run(&mut layer, &silent, 3600..9000, |held| {
        assert!((held.supply - last.supply).get().abs() < 0.02, "{held:?}");
        last = held;
    });
    assert_eq!(last, tuned);
}

#[test]
fn a_choice_that_gains_little_is_not_taken() {
    let mut layer = Layer::default();
    let mut case = Case { surroundings: told(2500.0, 60.0), ..Case::default() };
    run(&mut layer, &case, 0..3600, |_| {});
    let before = layer.held(&Tuning::default());
    // A little more or less of everything: noise.
    for (round, watts) in (1..20).zip([345.0, 352.0, 348.0, 355.0].into_iter().cycle()) {
        case.watts = watts;
        run(&mut layer, &case, 3600 * round..3600 * round + 600, |held| {
            assert!((held.supply - before.supply).get().abs() < 0.5, "{held:?} {before:?}");
        });
    }
}

#[test]
fn an_ordered_supply_is_taken_as_it_is_and_only_the_rise_is_chosen() {
    let held = settled(&Case { ordered: Some(28.0), ..Case::default() });
    assert_eq!(held.supply, Celsius::new(28.0));
}

#[test]
fn a_permit_that_binds_makes_the_loop_as_hot_as_margins_leave() {
    let permit = Some(Reason::RiverClosed);
    let held = settled(&Case { permit, surroundings: Surroundings::default(), ..Case::default() });
    assert_eq!(
        (held.supply, held.leader, held.reason),
        (Celsius::new(40.0), Leader::Permit, Reason::RiverClosed)
    );
    let full = settled(&Case { watts: 700.0, permit, ..Case::default() });
    assert!(full.supply < Celsius::new(40.0), "{full:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn set_points_stay_in_their_bounds_and_above_the_dew_floor(
        watts in 40.0..720.0_f32, heat in 0.0..20_000.0_f32, network in 20.0..120.0_f32, floor in 5.0..32.0_f32,
        ordered in prop::option::weighted(0.2, -20.0..90.0_f32), closed in any::<bool>(),
    ) {
        let permit = closed.then_some(Reason::RiverClosed);
        let case = Case { watts, surroundings: told(heat, network), floor, ordered, permit };
        let tuning = Tuning::default();
        let mut last = SetPoints::tuned(&tuning);
        let mut steps = Vec::new();
        run(&mut Layer::default(), &case, 0..3000, |held| {
            steps.push((held.supply - last.supply, held.rise - last.rise));
            last = held;
        });
        let least = tuning.set_points.rise_low.smaller(tuning.loop_rise);
        prop_assert!(last.rise >= least && last.rise <= tuning.set_points.rise_high, "{last:?}");
        prop_assert!(last.supply <= Celsius::new(40.0), "{last:?}");
        prop_assert!(last.supply.get() >= floor.min(22.0), "{last:?}");
        prop_assert!(ordered.is_some() || last.supply.get() >= (floor + 5.0).min(40.0) - 0.01, "{last:?}");
        for (supply, rise) in steps {
            prop_assert!(supply.get().abs() <= 0.5 * PERMIT_PACE / 60.0 + 1e-4, "{supply}");
            prop_assert!(rise.get().abs() <= 1.0 / 60.0 + 1e-4, "{rise}");
        }
    }
}

#[test]
fn a_snapshot_knows_nothing_of_the_world_outside_unless_told() {
    assert_eq!(Snapshot::default().surroundings, Surroundings::default());
}
