//! Laws that hold for any sequence of snapshots, however absurd.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use common::healthy;
use eisbach_control::{
    Calendar, Controller, Decision, Leader, Manual, PermitState, PermitTuning, Remote, SetPointTuning,
    SetPoints, Snapshot, StateName, Surroundings, Tuning,
};
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{
    Celsius, Kelvin, KiloPascal, LitersPerMinute, Millis, Percent, Quantity, Watts,
};
use proptest::prelude::*;

fn reading<Q: Quantity>(low: f32, high: f32) -> impl Strategy<Value = Reading<Q>> {
    (0..10_u8, low..high, 0..3000_u64).prop_map(|(kind, value, age)| match kind {
        0 => Reading::bad(BadReason::CommLost),
        1 => Reading::measured(Q::from_f32(value), Millis::new(age)).aged(Millis::ZERO, Millis::new(500)),
        2 => Reading::estimated(Q::from_f32(value), Millis::new(age)),
        _ => Reading::measured(Q::from_f32(value), Millis::new(20)),
    })
}

fn flag() -> impl Strategy<Value = Reading<bool>> {
    (0..20_u8).prop_map(|kind| match kind {
        0 => Reading::bad(BadReason::CommLost),
        1 => Reading::measured(true, Millis::ZERO),
        _ => Reading::measured(false, Millis::ZERO),
    })
}

/// An order from afar: none, sensible, or absurd.
fn order<Q: Quantity>(low: f32, high: f32) -> impl Strategy<Value = Option<Q>> {
    prop_oneof![
        4 => Just(None),
        4 => (low..high).prop_map(|value| Some(Q::from_f32(value))),
        1 => prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -5.0, 150.0, 1e30])
            .prop_map(|value| Some(Q::from_f32(value))),
    ]
}

prop_compose! {
    fn remote()(
        pump_at_least in order(0.0, 100.0), valve_at_most in order(0.0, 100.0), supply_target in order(0.0, 80.0),
        river_at_most in order(0.0, 10_000.0),
        manual in prop::option::weighted(0.3, (order(0.0, 100.0), order(0.0, 100.0))),
        drain in any::<bool>(), isolate in prop::bool::weighted(0.05),
    ) -> Remote {
        let manual = manual.map(|(pump, valve)| Manual { pump, valve });
        Remote { pump_at_least, valve_at_most, supply_target, river_at_most, manual, drain, isolate }
    }
}

prop_compose! {
    fn snapshot()(
        gpus in prop::collection::vec((reading::<Celsius>(0.0, 120.0), reading::<Kelvin>(-20.0, 60.0), reading::<Watts>(0.0, 1000.0), 0..6_u8), 0..10),
        speed in reading::<Percent>(0.0, 110.0), head in reading::<KiloPascal>(0.0, 300.0), stopped in flag(), alarm in flag(),
        flow in reading::<LitersPerMinute>(0.0, 30.0), supply in reading::<Celsius>(0.0, 80.0), dew in reading::<Celsius>(-20.0, 40.0),
        leak in flag(), rope in flag(), reset in any::<bool>(), slowed in flag(),
        remote in remote(),
        budget in prop_oneof![4 => Just(None), 1 => Just(Some(f32::NAN)), 3 => (-500.0..8000.0_f32).prop_map(Some)],
    ) -> Snapshot {
        let mut snapshot = healthy();
        let template = snapshot.gpus[0];
        snapshot.gpus = gpus.into_iter().map(|(temperature, margin, power, health)| {
            let health = match health { 0 => GpuHealth::Hung, 1 => GpuHealth::Lost, _ => GpuHealth::Ok };
            eisbach_control::GpuInput { temperature, margin, power, health, thermal_slowdown: slowed, ..template }
        }).collect();
        snapshot.pump.speed = speed;
        snapshot.pump.head = head;
        snapshot.pump.running = stopped.map(|stopped| !stopped);
        snapshot.pump.alarm = alarm;
        snapshot.meter.flow = flow;
        snapshot.meter.supply = supply;
        snapshot.room.dew_point = dew;
        snapshot.leak.detected = leak;
        snapshot.leak.fault = rope;
        snapshot.reset = reset;
        snapshot.remote = remote;
        snapshot.power_budget = budget.map(Watts::new);
        snapshot
    }
}

prop_compose! {
    fn surroundings()(
        river in reading(-10.0, 40.0), river_flow in reading(-1.0, 40.0), river_share in prop::option::of(-0.2..1.2_f32),
        heat_demand in reading(-100.0, 12_000.0), network_supply in reading(-10.0, 160.0),
        day_of_year in 1..367_u16, second_of_day in 0..86_400_u32, dated in any::<bool>(),
    ) -> Surroundings {
        let calendar = dated.then_some(Calendar { day_of_year, second_of_day });
        Surroundings { river, river_flow, river_share, heat_demand, network_supply, calendar }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whatever_is_told_of_river_and_network_outputs_stay_in_their_ranges_and_supply_above_its_floor(
        snapshots in prop::collection::vec((snapshot(), surroundings(), 1..300_u64), 1..12)
    ) {
        let mut controller = Controller::new(Tuning::default());
        let mut was_dry = false;
        let mut now = Millis::ZERO;
        for (mut snapshot, surroundings, repeats) in snapshots {
            snapshot.surroundings = surroundings;
            for _ in 0..repeats {
                let decision = controller.step(&snapshot, now);
                for output in [decision.pump, decision.valve] {
                    prop_assert!(output.value.is_none_or(|value| (0.0..=100.0).contains(&value.get())), "{output:?}");
                }
                for gpu in &decision.gpus {
                    prop_assert!(gpu.power_cap.is_none_or(|cap| (200.0..=700.0).contains(&cap.get())));
                }
                let floor = snapshot.room.dew_point.usable().unwrap_or(Celsius::new(22.0)) + Kelvin::new(2.0);
                prop_assert!(decision.supply_target >= floor, "{:?} {floor:?}", decision.supply_target);
                let aimed = floor - Kelvin::new(2.0) + Tuning::default().dew_point_distance;
                prop_assert!(decision.supply_target >= aimed && decision.supply_target <= Celsius::new(40.0).larger(aimed));
                let critical = decision.state == StateName::Critical;
                // What is told of the river counts from the next second on.
                let is_dry = decision.river.state == PermitState::Dry;
                let dry = std::mem::replace(&mut was_dry, is_dry) || is_dry;
                prop_assert!(!critical || dry || decision.valve.value == Some(Percent::ZERO), "{:?}", decision.valve);
                now += Millis::new(100);
            }
        }
    }

    #[test]
    fn without_a_word_of_river_and_network_no_number_about_them_matters(
        snapshots in prop::collection::vec((snapshot(), 1..40_u64), 1..20),
        heat_per_kwh in 0.0..1.0_f32, rise_low in 3.0..12.0_f32, supply_low in 10.0..40.0_f32, summer_max in 0.0..30.0_f32,
    ) {
        let set_points = SetPointTuning {
            heat_per_kwh, rise_low: Kelvin::new(rise_low), supply_low: Celsius::new(supply_low), ..SetPointTuning::default()
        };
        let permit = PermitTuning { summer_max: Celsius::new(summer_max), ..PermitTuning::default() };
        let mut first = Controller::new(Tuning::default());
        let mut second = Controller::new(Tuning { set_points, permit, ..Tuning::default() });
        let tuned = SetPoints::tuned(&Tuning::default());
        let mut now = Millis::ZERO;
        for (mut snapshot, repeats) in snapshots {
            snapshot.remote.river_at_most = None;
            for _ in 0..repeats {
                let decision = first.step(&snapshot, now);
                prop_assert_eq!(decision.set_points, tuned);
                prop_assert_eq!(decision, second.step(&snapshot, now));
                now += Millis::new(100);
            }
        }
    }

    #[test]
    fn outputs_stay_in_their_ranges_and_follow_their_state(snapshots in prop::collection::vec((snapshot(), 1..40_u64), 1..20)) {
        let mut controller = Controller::new(Tuning::default());
        let mut now = Millis::ZERO;
        for (snapshot, repeats) in snapshots {
            for _ in 0..repeats {
                let decision = controller.step(&snapshot, now);
                for output in [decision.pump, decision.valve] {
                    prop_assert!(output.value.is_none_or(|value| (0.0..=100.0).contains(&value.get())), "{output:?}");
                }
                prop_assert_eq!(decision.gpus.len(), snapshot.gpus.len());
                for gpu in &decision.gpus {
                    prop_assert!(gpu.power_cap.is_none_or(|cap| (200.0..=700.0).contains(&cap.get())));
                    prop_assert!(gpu.clock_max.is_none_or(|clock| (345.0..=1980.0).contains(&clock.get())));
                }
                match decision.state {
                    StateName::Leak => prop_assert!(!decision.pump_run),
                    StateName::Hot | StateName::Critical | StateName::Uncontrollable => {
                        prop_assert!(decision.pump_run);
                        prop_assert_eq!(decision.pump.value, Some(Percent::new(100.0)));
                        prop_assert_eq!(decision.valve.value, Some(Percent::ZERO));
                    }
                    StateName::Boot | StateName::Running => prop_assert!(decision.pump_run),
                }
                // A node that is critical because one GPU is hot throttles that one.
                let ordered = match decision.state {
                    StateName::Critical => decision.leader == Leader::FlowGuard,
                    StateName::Leak | StateName::Uncontrollable => true,
                    StateName::Boot | StateName::Running | StateName::Hot => false,
                };
                if ordered {
                    prop_assert!(decision.gpus.iter().all(|gpu| gpu.power_cap == Some(Watts::new(200.0))));
                }
                now += Millis::new(100);
            }
        }
    }

    #[test]
    fn i10_the_same_snapshots_at_the_same_times_give_the_same_decisions(snapshots in prop::collection::vec(snapshot(), 1..50)) {
        let mut first = Controller::new(Tuning::default());
        let mut second = Controller::new(Tuning::default());
        for (tick, snapshot) in (0..).zip(&snapshots) {
            let now = Millis::new(tick * 100);
            prop_assert_eq!(first.step(snapshot, now), second.step(snapshot, now));
        }
    }

    #[test]
    fn i04_no_order_from_afar_takes_cooling_away_or_gives_power_back(
        snapshots in prop::collection::vec((snapshot(), 1..40_u64), 1..20)
    ) {
        let mut controller = Controller::new(Tuning::default());
        let mut now = Millis::ZERO;
        for (snapshot, repeats) in snapshots {
            let unasked = Snapshot { remote: Remote::default(), ..snapshot.clone() };
            for _ in 0..repeats {
                // From one memory, whatever orders have shaped it, with and without the orders of now.
                let without = controller.clone().step(&unasked, now);
                let with = controller.step(&snapshot, now);
                check_order(&snapshot.remote, &without, &with)?;
                now += Millis::new(100);
            }
        }
    }
}

fn check_order(remote: &Remote, without: &Decision, with: &Decision) -> Result<(), TestCaseError> {
    for (with, without) in with.gpus.iter().zip(&without.gpus) {
        prop_assert!(no_more(with.power_cap, without.power_cap), "{with:?} {without:?}");
        prop_assert!(no_more(with.clock_max, without.clock_max), "{with:?} {without:?}");
    }
    // Asked for in any case; an order that isolates the loop may give another cause.
    let drained = (with.escalation.drain, without.escalation.drain);
    prop_assert!(drained.1.is_none() || drained.0.is_some(), "{drained:?}");
    prop_assert!(remote.isolate || drained.1.is_none() || drained.0 == drained.1, "{drained:?}");
    if with.state == StateName::Leak {
        prop_assert!(!with.pump_run && with.pump.value == Some(Percent::ZERO));
        prop_assert!(without.state == StateName::Leak || remote.isolate);
        return Ok(());
    }
    prop_assert_eq!(with.state, without.state);
    let by_hand = remote.manual.unwrap_or_default();
    if by_hand.pump.is_none() {
        prop_assert!(with.pump.value >= without.pump.value, "{:?} {:?}", with.pump, without.pump);
    }
    if by_hand.valve.is_none() && remote.supply_target.is_none() && remote.river_at_most.is_none() {
        prop_assert!(with.valve.value <= without.valve.value, "{:?} {:?}", with.valve, without.valve);
    }
    prop_assert!(with.supply_target.get() <= 40.0 || with.supply_target == without.supply_target);
    Ok(())
}

/// Whether a limit leaves no more than another; none leaves all.
fn no_more<Q: Quantity>(limit: Option<Q>, other: Option<Q>) -> bool {
    other.is_none_or(|other| limit.is_some_and(|limit| limit <= other))
}
