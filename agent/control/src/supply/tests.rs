use super::*;
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::Millis;

/// A supply at its set-point, wide margins, nobody who asks for anything.
fn well() -> SupplyTask {
    let tuning = Tuning::default();
    SupplyTask {
        supply: Some(Celsius::new(35.0)),
        heat: Watts::new(5000.0),
        full_heat: Watts::new(7500.0),
        steady: false,
        flow: (LitersPerMinute::new(8.0), LitersPerMinute::new(12.5)),
        measured: None,
        target: target(&Snapshot::default(), None, &SetPoints::tuned(&tuning), &tuning),
        hottest: Some(Kelvin::new(30.0)),
        closed: None,
        permit: ValveRule::default(),
        orders: ValveOrders::default(),
    }
}

fn run(supply: Option<f32>, margin: f32, seconds: usize) -> Output<Percent> {
    let tuning = Tuning::default();
    let mut valve = SupplyLoop::default();
    valve.seed(Percent::new(40.0));
    let task = SupplyTask { supply: supply.map(Celsius::new), hottest: Some(Kelvin::new(margin)), ..well() };
    let mut output = valve.run(&task, 1.0, &tuning);
    for _ in 0..seconds {
        output = valve.run(&task, 1.0, &tuning);
    }
    output
}

fn with_dew_point(reading: Reading<Celsius>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.room.dew_point = reading;
    snapshot
}

#[test]
fn cold_supply_opens_recovery_and_warm_supply_closes_it() {
    assert!(run(Some(30.0), 30.0, 30).value.unwrap().get() > 50.0);
    assert!(run(Some(39.0), 30.0, 30).value.unwrap().get() < 30.0);
}

#[test]
fn unknown_supply_sends_all_heat_to_the_river() {
    let output = run(None, 30.0, 1);
    assert_eq!((output.value, output.reason), (Some(Percent::ZERO), Reason::SupplyUnknown));
}

#[test]
fn the_permit_opens_the_valve_beyond_what_small_margins_leave_and_says_so() {
    let tuning = Tuning::default();
    let mut valve = SupplyLoop::default();
    valve.seed(Percent::new(80.0));
    let closed = ValveRule {
        at_least: Some((Percent::new(80.0), Reason::RiverClosed)),
        before_margins: true,
        ..ValveRule::default()
    };
    let task = SupplyTask {
        supply: Some(Celsius::new(41.0)),
        hottest: Some(Kelvin::new(15.5)),
        permit: closed,
        orders: ValveOrders { at_most: Some(Percent::ZERO), manual: None },
        ..well()
    };
    let output = valve.run(&task, 1.0, &tuning);
    assert_eq!((output.value, output.leader), (Some(Percent::new(80.0)), Leader::Permit));
    let by = Reason::RiverClosed;
    assert_eq!(valve.fates().at_most, Fate::Clamped { to: Percent::new(80.0), by });
}

#[test]
fn neither_the_permit_nor_cooling_waits_for_a_valve_that_has_spent_its_turns() {
    let tuning = Tuning::default();
    let mut valve = SupplyLoop::default();
    valve.seed(Percent::new(50.0));
    let mut task = well();
    let least = |percent| ValveRule {
        at_least: Some((Percent::new(percent), Reason::RiverLimited)),
        before_margins: true,
        ..ValveRule::default()
    };
    let mut at = |task: &SupplyTask| {
        (0..60).fold(0.0, |_, _| valve.run(task, 1.0, &tuning).value.map_or(0.0, Percent::get))
    };
    for percent in [60.0, 0.0, 62.0, 0.0, 64.0, 0.0, 66.0_f32] {
        task.permit = least(percent);
        assert!(at(&task) >= percent, "{percent}");
    }
    task.hottest = Some(Kelvin::new(16.5));
    task.permit = ValveRule::default();
    assert!(at(&task) <= recovery_share(task.hottest, &tuning) * 100.0);
}

#[test]
fn cooling_goes_before_recovery() {
    let output = run(Some(30.0), 12.0, 1);
    assert_eq!((output.value, output.leader), (Some(Percent::ZERO), Leader::CoolingFirst));
}

#[test]
fn supply_is_held_above_the_dew_point() {
    let tuning = Tuning { supply_target: Celsius::new(18.0), ..Tuning::default() };
    let humid = target(
        &with_dew_point(Reading::measured(Celsius::new(19.0), Millis::ZERO)),
        None,
        &SetPoints::tuned(&tuning),
        &tuning,
    );
    assert_eq!((humid.celsius, humid.leader), (Celsius::new(23.0), Leader::DewPoint));
}

#[test]
fn a_missing_dew_point_is_taken_for_the_worst_case() {
    let tuning = Tuning { supply_target: Celsius::new(18.0), ..Tuning::default() };
    let blind = target(&with_dew_point(Reading::default()), None, &SetPoints::tuned(&tuning), &tuning);
    assert_eq!((blind.celsius, blind.reason), (Celsius::new(26.0), Reason::DewPointAssumed));
}
