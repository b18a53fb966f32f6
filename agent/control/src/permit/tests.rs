//! The permit by itself: a node whose meters tell what it is given.

use proptest::prelude::*;

use super::*;
use crate::ladder::tests::GPU;
use crate::snapshot::{MeterInput, ValveInput};
use crate::surroundings::{Calendar, Surroundings};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::LitersPerMinute;

/// This node's share of the site.
const SHARE: f32 = 0.001;
/// Heat with every GPU at its limit.
const FULL: f32 = 7280.0;

fn measured<T>(value: T) -> Reading<T> {
    Reading::measured(value, Millis::ZERO)
}

fn river(celsius: f32, flow: f32) -> Surroundings {
    Surroundings {
        river: measured(Celsius::new(celsius)),
        river_flow: measured(CubicMetersPerSecond::new(flow)),
        calendar: Some(Calendar { day_of_year: 190, second_of_day: 43_200 }),
        ..Surroundings::default()
    }
}

/// A node that gives 6.7 kW to its loop, of which recovery takes so much.
fn snapshot(surroundings: Surroundings, position: f32, recovered: f32) -> Snapshot {
    Snapshot {
        surroundings,
        valve: ValveInput {
            position: measured(Percent::new(position)),
            recovered: measured(Watts::new(recovered)),
            ..ValveInput::default()
        },
        meter: MeterInput {
            flow: measured(LitersPerMinute::new(10.0)),
            supply: measured(Celsius::new(36.0)),
            return_: measured(Celsius::new(46.0)),
        },
        ..Snapshot::default()
    }
}

fn node(margin: f32) -> NodeView {
    let margin = Some(Kelvin::new(margin));
    let gpu = crate::estimate::GpuView { margin, power: Watts::new(640.0), ..GPU };
    NodeView {
        gpus: core::iter::repeat_n(gpu, 8).collect(),
        power: Watts::new(5120.0),
        hottest: margin,
        hottest_measured: margin,
        ..NodeView::default()
    }
}

struct Bench {
    keeper: Keeper,
    moment: Moment,
    tuning: Tuning,
    now: u64,
}

impl Bench {
    fn new() -> Self {
        let mut tuning = Tuning::default();
        tuning.permit.share = Some(SHARE);
        let moment = Moment { state: StateName::Running, seen: true, supply: None };
        Self { keeper: Keeper::default(), moment, tuning, now: 0 }
    }

    fn hold(&mut self, snapshot: &Snapshot, (state, margin): (StateName, f32), seconds: u64) -> RiverView {
        let node = node(margin);
        for _ in 0..seconds {
            self.moment = Moment { state, seen: true, supply: snapshot.meter.supply.usable() };
            let second = Second {
                snapshot,
                node: &node,
                moment: self.moment,
                full_heat: Watts::new(FULL),
                highest: Celsius::new(40.0),
                ordered: snapshot.remote.river_at_most,
            };
            self.keeper.run(&second, 1.0, Millis::from_secs(self.now), &self.tuning);
            self.now += 1;
        }
        self.keeper.view()
    }

    fn valve(&self) -> ValveRule {
        self.keeper.valve(&self.moment)
    }

    fn least(&self) -> f32 {
        self.valve().at_least.map_or(0.0, |(least, _)| least.get())
    }
}

const WELL: (StateName, f32) = (StateName::Running, 24.0);

#[test]
fn without_a_share_nothing_is_limited_whatever_the_river() {
    let mut bench = Bench::new();
    bench.tuning.permit.share = None;
    let view = bench.hold(&snapshot(river(30.0, 0.0), 20.0, 0.0), WELL, 600);
    assert_eq!((view.state, view.permitted, view.broken), (PermitState::Unlimited, None, false));
    assert_eq!((bench.valve().at_least, bench.keeper.budget()), (None, None));
    assert!(!bench.keeper.is_silent());
}

#[test]
fn a_river_with_room_asks_for_nothing() {
    let mut bench = Bench::new();
    let view = bench.hold(&snapshot(river(15.0, 20.0), 20.0, 0.0), WELL, 600);
    assert_eq!(view.state, PermitState::Open);
    assert_eq!((bench.valve().at_least, bench.keeper.budget()), (None, None));
    // 6680 W · 1000 nodes into 20 m³/s.
    let rise = (view.mixing.unwrap() - Celsius::new(15.0)).get();
    assert!((rise - 0.0798).abs() < 0.001, "{rise}");
}

#[test]
fn a_closed_river_takes_recovery_first_then_heat_of_the_loop_and_power_last() {
    let mut bench = Bench::new();
    bench.hold(&snapshot(river(20.0, 20.0), 20.0, 3000.0), WELL, 60);
    let closed = snapshot(river(22.0, 20.0), 20.0, 3000.0);
    let view = bench.hold(&closed, WELL, 1);
    assert_eq!(view.state, PermitState::Closed);
    assert!(bench.least() >= 20.0 && bench.least() < 25.0, "from where the valve stands: {}", bench.least());
    bench.hold(&closed, WELL, 60);
    assert!((bench.least() - 100.0).abs() < 1e-3);
    assert_eq!(bench.keeper.wants_hot(), Some(Reason::RiverClosed));
    // Recovery takes 3 kW, and the loop stores 200 W for each of the 4 K that it may still warm.
    let open = snapshot(river(22.0, 20.0), 100.0, 3000.0);
    bench.hold(&open, WELL, 300);
    let budget = bench.keeper.budget().unwrap();
    assert_eq!(budget.cause, (Leader::Permit, Reason::RiverClosed));
    assert!((budget.watts.get() * 1.3 - 3800.0).abs() < 50.0, "{budget:?}");
}

#[test]
fn what_a_limited_river_takes_is_left_to_the_node() {
    let mut bench = Bench::new();
    // 0.13 K below the limit, less the guard of 0.1 K: 0.03 K · 20 m³/s.
    let view = bench.hold(&snapshot(river(21.37, 20.0), 60.0, 3000.0), WELL, 60);
    assert_eq!(view.state, PermitState::Limited);
    let permitted = view.permitted.unwrap().get();
    assert!((permitted - 2510.0).abs() < 30.0, "{permitted}");
    assert!(bench.least() > 0.0, "3.7 kW go to the river");
    let budget = bench.keeper.budget().unwrap().watts.get() * 1.3;
    assert!((budget - (permitted + 3000.0 + 800.0)).abs() < 60.0, "{budget}");
}

#[test]
fn room_again_gives_power_back_slowly_and_the_valve_to_its_loop() {
    let mut bench = Bench::new();
    bench.hold(&snapshot(river(22.0, 20.0), 100.0, 2000.0), WELL, 300);
    let before = bench.keeper.budget().unwrap().watts.get();
    let open = snapshot(river(18.0, 20.0), 100.0, 2000.0);
    bench.hold(&open, WELL, 60);
    let after = bench.keeper.budget().unwrap().watts.get();
    assert!(after > before && after < before + 0.11 * FULL / 1.3, "{before} {after}");
    bench.hold(&open, WELL, 600);
    assert_eq!(bench.keeper.budget(), None);
    assert_eq!(bench.valve().at_least, None);
}

#[test]
fn a_gpu_at_its_limit_gets_all_cooling_and_the_broken_permit_is_told() {
    let mut bench = Bench::new();
    let closed = snapshot(river(22.0, 20.0), 40.0, 1000.0);
    bench.hold(&closed, WELL, 100);
    let hot = bench.hold(&closed, (StateName::Hot, 15.0), 1);
    assert!((bench.valve().all_cooling.get() - 100.0).abs() < 1e-3, "a small margin is not gone: {hot:?}");
    let view = bench.hold(&closed, (StateName::Critical, 3.0), 2);
    let rule = bench.valve();
    assert_eq!((rule.at_least, rule.all_cooling), (None, Percent::ZERO));
    assert!(view.broken);
}

#[test]
fn recovery_is_all_the_cooling_there_is_when_the_river_is_dry_and_it_takes_heat() {
    let mut bench = Bench::new();
    let dry = snapshot(river(12.0, 0.2), 100.0, 3000.0);
    let view = bench.hold(&dry, (StateName::Critical, 3.0), 10);
    assert_eq!(view.state, PermitState::Dry);
    assert_eq!(bench.valve().all_cooling, Percent::new(100.0));
    // Nobody takes heat: what is told of the river may be wrong, and there is nothing to lose.
    let mut bench = Bench::new();
    bench.hold(&snapshot(river(12.0, 0.2), 100.0, 0.0), (StateName::Critical, 3.0), 10);
    assert_eq!(bench.valve().all_cooling, Percent::ZERO);
}

#[test]
fn a_loop_that_is_far_too_warm_is_cooled_whatever_the_permit() {
    let mut bench = Bench::new();
    let mut warm = snapshot(river(22.0, 20.0), 100.0, 0.0);
    bench.hold(&warm, WELL, 100);
    warm.meter.supply = measured(Celsius::new(49.0));
    bench.hold(&warm, WELL, 1);
    assert_eq!(bench.valve().at_least, None);
    warm.meter.supply = Reading::default();
    bench.hold(&warm, WELL, 1);
    assert_eq!(bench.valve().at_least, None, "and so is one of unknown supply");
}

#[test]
fn a_silent_river_is_told_and_after_a_while_guessed_with_care() {
    let mut bench = Bench::new();
    bench.hold(&snapshot(river(21.0, 20.0), 20.0, 0.0), WELL, 10);
    let silent =
        snapshot(Surroundings { calendar: river(0.0, 0.0).calendar, ..Surroundings::default() }, 20.0, 0.0);
    let view = bench.hold(&silent, WELL, 10);
    assert!(bench.keeper.is_silent());
    assert_eq!((view.state, view.guessed), (PermitState::Open, false));
    let view = bench.hold(&silent, WELL, 900);
    assert_eq!((view.state, view.guessed), (PermitState::Closed, true), "a kelvin warmer is too warm");
}

#[test]
fn a_river_that_was_never_told_of_limits_nothing_and_is_an_alarm() {
    let mut bench = Bench::new();
    let view = bench.hold(&snapshot(Surroundings::default(), 20.0, 0.0), WELL, 600);
    assert_eq!(view.state, PermitState::Unlimited);
    assert!(bench.keeper.is_silent());
}

#[test]
fn an_order_asks_for_less_and_never_for_more() {
    let mut bench = Bench::new();
    let mut ordered = snapshot(river(15.0, 20.0), 20.0, 0.0);
    ordered.remote.river_at_most = Some(Watts::new(2000.0));
    let view = bench.hold(&ordered, WELL, 10);
    assert_eq!((view.state, view.permitted), (PermitState::Limited, Some(Watts::new(2000.0))));
    bench.hold(&ordered, WELL, 10);
    assert_eq!(bench.keeper.wants_hot(), Some(Reason::RiverOrdered));
    let rule = bench.valve();
    assert!(rule.at_least.is_some() && !rule.before_margins);
    bench.hold(&ordered, (StateName::Hot, 15.0), 1);
    assert_eq!(
        (bench.valve().at_least, bench.valve().all_cooling),
        (None, Percent::ZERO),
        "cooling goes first"
    );
    ordered.remote.river_at_most = Some(Watts::new(1e9));
    ordered.surroundings = river(22.0, 20.0);
    assert_eq!(bench.hold(&ordered, WELL, 10).state, PermitState::Closed);
}

#[test]
fn the_days_allowance_is_spread_over_what_is_left_of_it() {
    let mut bench = Bench::new();
    bench.tuning.permit.daily_mwh = Some(60.0);
    let view = bench.hold(&snapshot(river(15.0, 20.0), 20.0, 0.0), WELL, 60);
    // 60 kWh for this node, at noon: 5 kW until midnight.
    assert_eq!(view.state, PermitState::Limited);
    assert!((view.permitted.unwrap().get() - 5000.0).abs() < 20.0, "{view:?}");
    assert!((view.day_left.unwrap().get() - 59.89).abs() < 0.02, "{view:?}");
}

#[test]
fn power_comes_down_before_a_river_that_closed_at_this_time_yesterday() {
    let mut bench = Bench::new();
    // Half a kelvin an hour, all day long: yesterday tells.
    let at = |second: u32| {
        let mut told = river(15.0 + 0.5 * (f32::from(u16::try_from(second / 60).unwrap()) / 60.0), 20.0);
        told.calendar = Some(Calendar { day_of_year: 190, second_of_day: second });
        snapshot(told, 20.0, 0.0)
    };
    for minute in 0..1440 {
        let told = at(minute * 60);
        bench.hold(&told, WELL, 1);
        // A minute in one step.
        let node = node(24.0);
        let second = Second {
            snapshot: &told,
            node: &node,
            moment: bench.moment,
            full_heat: Watts::new(FULL),
            highest: Celsius::new(40.0),
            ordered: None,
        };
        bench.keeper.run(&second, 59.0, Millis::from_secs(bench.now), &bench.tuning);
        bench.now += 59;
    }
    // 21.4 °C is reached at 12:48; a quarter of an hour before it is 21.275 °C, with 10 kW of room.
    let mut told = at(0);
    told.surroundings.river = measured(Celsius::new(21.3));
    told.surroundings.calendar = Some(Calendar { day_of_year: 191, second_of_day: 43_200 });
    let view = bench.hold(&told, WELL, 1);
    assert_eq!(view.state, PermitState::Limited, "{view:?}");
    assert_eq!(bench.keeper.wants_hot().or(bench.keeper.reason), Some(Reason::RiverClosing));
    assert!(
        view.permitted.unwrap() < Watts::new(FULL) && view.permitted.unwrap() > Watts::new(2000.0),
        "{view:?}"
    );
}

proptest! {
    #[test]
    fn permitted_heat_grows_with_discharge_and_distance_and_share(
        celsius in 0.0..30.0_f32, cooler in 0.0..5.0_f32, flow in 0.0..40.0_f32, more in 0.0..20.0_f32,
        share in 0.0..0.5_f32, extra in 0.0..0.5_f32,
    ) {
        let permitted = |celsius, flow, share| {
            let mut bench = Bench::new();
            bench.tuning.permit.share = Some(share);
            let view = bench.hold(&snapshot(river(celsius, flow), 20.0, 0.0), WELL, 1);
            view.permitted.unwrap().get()
        };
        let here = permitted(celsius, flow, share);
        prop_assert!(here >= 0.0);
        prop_assert!(permitted(celsius - cooler, flow, share) >= here);
        prop_assert!(permitted(celsius, flow + more, share) >= here);
        prop_assert!(permitted(celsius, flow, share + extra) >= here);
    }
}
