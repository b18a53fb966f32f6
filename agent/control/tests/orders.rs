//! Rules of the orders from afar, one test a rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use common::{AGE, healthy, hold};
use eisbach_control::{
    Controller, Decision, Fate, Leader, Manual, Reason, Remote, RemoteOutcome, Snapshot, StateName, Tuning,
};
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Celsius, Kelvin, Millis, Percent, Watts};

const LATER: Millis = Millis::from_secs(100);

fn running() -> Controller {
    let mut controller = Controller::new(Tuning::default());
    assert_eq!(hold(&mut controller, &healthy(), Millis::ZERO, 60).state, StateName::Running);
    controller
}

fn with(remote: Remote) -> Snapshot {
    Snapshot { remote, ..healthy() }
}

fn by_hand(pump: Option<f32>, valve: Option<f32>) -> Remote {
    let manual = Manual { pump: pump.map(Percent::new), valve: valve.map(Percent::new) };
    Remote { manual: Some(manual), ..Remote::default() }
}

/// After so many seconds of these orders in a healthy node.
fn obeyed(remote: Remote, seconds: u64) -> Decision {
    hold(&mut running(), &with(remote), LATER, seconds)
}

fn speed(decision: &Decision) -> f32 {
    decision.pump.value.unwrap().get()
}

fn position(decision: &Decision) -> f32 {
    decision.valve.value.unwrap().get()
}

#[test]
fn anybody_may_have_more_flow_and_it_goes_back_without_a_bump() {
    let mut controller = running();
    // Long enough for the loop to be learned.
    let own = speed(&hold(&mut controller, &healthy(), Millis::from_secs(61), 600));
    let later = Millis::from_secs(661);
    let order = Remote { pump_at_least: Some(Percent::new(95.0)), ..Remote::default() };
    let more = hold(&mut controller, &with(order), later, 20);
    assert_eq!(
        (speed(&more), more.pump.leader, more.pump.reason),
        (95.0, Leader::Remote, Reason::FlowOrdered)
    );
    assert_eq!(more.remote.pump_at_least, Fate::InForce);
    assert!(own < 95.0);
    let mut before = 95.0;
    for second in 0..40 {
        let after = hold(&mut controller, &healthy(), later + Millis::from_secs(21 + second), 0);
        assert!(before - speed(&after) <= Tuning::default().pump_down_per_s + 0.1, "{before} {after:?}");
        before = speed(&after);
    }
    assert!((before - own).abs() < 1.0, "{before} {own}");
}

#[test]
fn less_than_automatic_is_no_order_for_less() {
    let own = speed(&obeyed(Remote::default(), 20));
    let order = Remote { pump_at_least: Some(Percent::new(1.0)), ..Remote::default() };
    assert_eq!(speed(&obeyed(order, 20)).to_bits(), own.to_bits());
}

#[test]
fn recovery_gets_no_more_than_ordered() {
    let order = Remote { valve_at_most: Some(Percent::new(20.0)), ..Remote::default() };
    let decision = obeyed(order, 60);
    assert!(position(&decision) <= 20.0, "{:?}", decision.valve);
    assert_eq!(decision.remote.valve_at_most, Fate::InForce);
}

#[test]
fn i04_no_order_lets_supply_fall_below_the_dew_point() {
    let mut cold = with(Remote { valve_at_most: Some(Percent::ZERO), ..by_hand(None, Some(0.0)) });
    cold.room.dew_point = Reading::measured(Celsius::new(20.0), AGE);
    cold.meter.supply = Reading::measured(Celsius::new(22.5), AGE);
    let decision = hold(&mut running(), &cold, LATER, 60);
    let own = hold(&mut running(), &Snapshot { remote: Remote::default(), ..cold }, LATER, 60);
    assert_eq!(position(&decision).to_bits(), position(&own).to_bits());
    assert!(position(&own) > 50.0);
    let to = decision.valve.value.unwrap();
    assert_eq!(decision.remote.valve_at_most, Fate::Clamped { to, by: Reason::AboveDewPoint });
}

#[test]
fn a_supply_target_stays_between_dew_point_and_the_highest() {
    let target = |celsius| {
        let decision = obeyed(Remote { supply_target: Some(Celsius::new(celsius)), ..Remote::default() }, 2);
        (decision.supply_target.get(), decision.remote.supply_target)
    };
    assert_eq!(target(28.0), (28.0, Fate::InForce));
    assert_eq!(target(38.0), (38.0, Fate::InForce));
    let highest = Fate::Clamped { to: Celsius::new(40.0), by: Reason::SupplyHighest };
    assert_eq!(target(55.0), (40.0, highest));
    assert_eq!(target(5.0), (16.0, Fate::Clamped { to: Celsius::new(16.0), by: Reason::AboveDewPoint }));
}

#[test]
fn what_is_no_number_is_no_order() {
    for nonsense in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let percent = Some(Percent::new(nonsense));
        let order = Remote {
            pump_at_least: percent,
            valve_at_most: percent,
            supply_target: Some(Celsius::new(nonsense)),
            river_at_most: Some(Watts::new(nonsense)),
            ..by_hand(Some(nonsense), Some(nonsense))
        };
        let (with, without) = (obeyed(order, 10), obeyed(Remote::default(), 10));
        assert_eq!(
            (with.pump, with.valve, with.supply_target),
            (without.pump, without.valve, without.supply_target)
        );
        let all = RemoteOutcome {
            pump_at_least: Fate::Senseless,
            valve_at_most: Fate::Senseless,
            supply_target: Fate::Senseless,
            river_at_most: Fate::Senseless,
            manual_pump: Fate::Senseless,
            manual_valve: Fate::Senseless,
            power_budget: Fate::Absent,
        };
        assert_eq!(with.remote, all);
    }
}

#[test]
fn a_hand_holds_pump_and_valve_where_it_puts_them() {
    let decision = obeyed(by_hand(Some(90.0), Some(30.0)), 60);
    assert_eq!((speed(&decision), position(&decision)), (90.0, 30.0));
    assert_eq!((decision.pump.leader, decision.valve.leader), (Leader::Remote, Leader::Remote));
    assert_eq!(decision.pump.reason, Reason::HeldByHand);
    assert_eq!((decision.remote.manual_pump, decision.remote.manual_valve), (Fate::InForce, Fate::InForce));
}

#[test]
fn i04_a_hand_takes_no_flow_that_the_present_heat_needs() {
    let decision = obeyed(by_hand(Some(0.0), None), 120);
    // What the healthy node's meter shows: 10 K at 8.75 L/min and 70 %.
    let needed = 70.0;
    assert!(speed(&decision) >= needed - 0.5, "{} {needed}", speed(&decision));
    let Fate::Clamped { to, by: Reason::HeatLoad } = decision.remote.manual_pump else {
        panic!("{:?}", decision.remote)
    };
    assert!((to.get() - speed(&decision)).abs() < 0.5);
}

#[test]
fn i04_a_hand_gives_recovery_nothing_that_cooling_needs() {
    let mut close = with(by_hand(None, Some(100.0)));
    close.gpus[0].margin = Reading::measured(Kelvin::new(16.5), AGE);
    let decision = hold(&mut running(), &close, LATER, 60);
    assert_eq!(decision.state, StateName::Running);
    assert_eq!(decision.valve.leader, Leader::CoolingFirst);
    assert!(position(&decision) <= 50.0);
}

#[test]
fn i04_a_hand_makes_supply_no_warmer_than_the_highest() {
    let mut warm = with(by_hand(None, Some(100.0)));
    warm.meter.supply = Reading::measured(Celsius::new(40.5), AGE);
    let decision = hold(&mut running(), &warm, LATER, 90);
    assert!(position(&decision) < 30.0, "{:?}", decision.valve);
    assert_eq!(decision.valve.reason, Reason::SupplyHighest);
}

#[test]
fn i04_a_hot_node_is_cooled_with_all_there_is_whatever_a_hand_says() {
    let mut hot = with(by_hand(Some(30.0), Some(80.0)));
    hot.gpus[0].margin = Reading::measured(Kelvin::new(12.0), AGE);
    let decision = hold(&mut running(), &hot, LATER, 5);
    assert_eq!(decision.state, StateName::Hot);
    assert_eq!((speed(&decision), position(&decision)), (100.0, 0.0));
    let overridden = Fate::Overridden { by: Reason::GpuHot };
    assert_eq!((decision.remote.manual_pump, decision.remote.manual_valve), (overridden, overridden));
}

#[test]
fn a_hand_that_lets_go_is_no_bump() {
    let mut controller = running();
    hold(&mut controller, &with(by_hand(Some(85.0), Some(25.0))), LATER, 60);
    let mut before = (85.0, 25.0);
    for second in 61..120 {
        let after = hold(&mut controller, &healthy(), LATER + Millis::from_secs(second), 0);
        assert!((before.0 - speed(&after)).abs() <= 5.1, "pump {before:?} {:?}", after.pump);
        assert!((before.1 - position(&after)).abs() <= 2.1, "valve {before:?} {:?}", after.valve);
        before = (speed(&after), position(&after));
    }
    // 35 °C as wanted: the first step after the hand moves the valve by what the error asks for, which is nothing.
    assert!((before.1 - 25.0).abs() < 1.0, "{before:?}");
}

#[test]
fn draining_may_be_ordered_and_ends_with_the_order() {
    let mut controller = running();
    let order = Remote { drain: true, ..Remote::default() };
    let asked = hold(&mut controller, &with(order), LATER, 1);
    assert_eq!(asked.escalation.drain, Some((Leader::Remote, Reason::DrainOrdered)));
    let after = hold(&mut controller, &healthy(), LATER + Millis::from_secs(2), 0);
    assert_eq!(after.escalation.drain, None);
}

#[test]
fn i02_isolation_takes_the_power_first_and_stays_until_it_is_reset() {
    let mut controller = running();
    let order = Remote { isolate: true, pump_at_least: Some(Percent::new(100.0)), ..Remote::default() };
    let cut = controller.step(&with(order), LATER);
    assert_eq!((cut.state, cut.pump_run, cut.pump.value), (StateName::Leak, false, Some(Percent::ZERO)));
    assert_eq!((cut.leader, cut.reason), (Leader::Remote, Reason::IsolationOrdered));
    assert!(cut.gpus.iter().all(|gpu| gpu.power_cap == Some(Watts::new(200.0))));
    assert_eq!(cut.remote.pump_at_least, Fate::Overridden { by: Reason::IsolationOrdered });

    let reset = Snapshot { reset: true, ..with(order) };
    assert_eq!(hold(&mut controller, &reset, LATER + Millis::from_secs(1), 2).state, StateName::Leak);
    assert_eq!(hold(&mut controller, &healthy(), LATER + Millis::from_secs(4), 600).state, StateName::Leak);
    let confirmed = Snapshot { reset: true, ..healthy() };
    assert_eq!(controller.step(&confirmed, LATER + Millis::from_secs(700)).state, StateName::Boot);
}

#[test]
fn i02_isolation_is_no_leak_until_water_is_found() {
    let mut controller = running();
    let order = with(Remote { isolate: true, ..Remote::default() });
    let alarms =
        |decision: &Decision| (decision.alarms.has(Alarm::Isolated), decision.alarms.has(Alarm::Leak));
    assert_eq!(alarms(&controller.step(&order, LATER)), (true, false));
    assert_eq!(alarms(&hold(&mut controller, &healthy(), LATER + Millis::new(100), 60)), (true, false));
    let mut wet = healthy();
    wet.leak.detected = Reading::measured(true, AGE);
    assert_eq!(alarms(&controller.step(&wet, LATER + Millis::from_secs(70))), (false, true));
    let dry = hold(&mut controller, &order, LATER + Millis::from_secs(71), 60);
    assert_eq!(alarms(&dry), (false, true), "a leak stays one");

    let mut restarted = Controller::with_latched_leak(Tuning::default());
    assert_eq!(alarms(&restarted.step(&order, LATER)), (false, true), "the latch does not tell");
}

#[test]
fn a_budget_below_what_gpus_can_be_set_to_says_how_far_it_goes() {
    let fate = |watts| {
        let granted = Snapshot { power_budget: Some(Watts::new(watts)), ..healthy() };
        hold(&mut running(), &granted, LATER, 2).remote.power_budget
    };
    assert_eq!(fate(3000.0), Fate::InForce);
    assert_eq!(fate(500.0), Fate::Clamped { to: Watts::new(1600.0), by: Reason::LowestLimits });
    assert_eq!(fate(f32::NAN), Fate::Senseless);
}
