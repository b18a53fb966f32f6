//! Rules of the whole controller, one test a rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use common::{AGE, healthy, hold};
use eisbach_control::{
    Controller, Decision, Devices, Escalation, Leader, Reason, Release, Rung, Snapshot, StateName, Tuning,
};
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::units::{
    Celsius, Kelvin, KiloPascal, LitersPerMinute, Megahertz, Millis, Percent, Watts,
};

const LATER: Millis = Millis::from_secs(100);

fn running() -> Controller {
    let mut controller = Controller::new(Tuning::default());
    let decision = hold(&mut controller, &healthy(), Millis::ZERO, 60);
    assert_eq!(decision.state, StateName::Running);
    controller
}

#[test]
fn boot_keeps_what_devices_do_for_a_moment_and_then_cools_with_all_it_has() {
    let mut controller = Controller::new(Tuning::default());
    let nothing = Snapshot { gpus_expected: 8, ..Snapshot::default() };
    assert_eq!(controller.step(&nothing, Millis::ZERO).pump.value, None);
    let decision = hold(&mut controller, &nothing, Millis::new(100), 2);
    assert_eq!(decision.state, StateName::Boot);
    assert_eq!((decision.pump.value, decision.pump.leader), (Some(Percent::new(100.0)), Leader::Boot));
    assert_eq!(decision.valve.value, Some(Percent::ZERO));
}

#[test]
fn restart_takes_over_without_a_bump() {
    let mut controller = Controller::new(Tuning::default());
    let first = controller.step(&healthy(), Millis::ZERO);
    assert_eq!(first.state, StateName::Running);
    assert!((first.pump.value.unwrap() - Percent::new(70.0)).get().abs() <= 10.0);
    assert!((first.valve.value.unwrap() - Percent::new(50.0)).get().abs() <= 2.0);
}

#[test]
fn i01_a_silent_gpu_means_more_flow_and_no_recovery_but_no_cap_for_the_others() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.gpus[3].margin = Reading::bad(BadReason::CommLost);
    snapshot.gpus[3].temperature = Reading::bad(BadReason::CommLost);
    snapshot.gpus[3].health = GpuHealth::Hung;
    let decision = hold(&mut controller, &snapshot, LATER, 30);
    assert_eq!((decision.state, decision.reason), (StateName::Hot, Reason::GpuSilent));
    assert_eq!(decision.pump.value, Some(Percent::new(100.0)));
    assert_eq!(decision.valve.value, Some(Percent::ZERO));
    assert!(decision.alarms.has(Alarm::GpuUnavailable));
    for (index, gpu) in decision.gpus.iter().enumerate() {
        assert_eq!(gpu.rung == Rung::Free, index != 3, "gpu {index}");
    }
}

#[test]
fn i02_a_leak_stops_the_loop_and_caps_every_gpu_in_the_same_step() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.leak.detected = Reading::measured(true, AGE);
    let decision = controller.step(&snapshot, LATER);
    assert_eq!(decision.state, StateName::Leak);
    assert!(!decision.pump_run);
    assert_eq!(decision.pump.value, Some(Percent::ZERO));
    for gpu in &decision.gpus {
        assert_eq!((gpu.power_cap, gpu.clock_max), (Some(Watts::new(200.0)), Some(Megahertz::new(345.0))));
    }
}

#[test]
fn i02_a_broken_leak_sensor_is_a_fault_and_never_clears_a_leak() {
    let mut controller = running();
    let mut broken = healthy();
    broken.leak.detected = Reading::measured(true, AGE);
    broken.leak.fault = Reading::measured(true, AGE);
    let decision = controller.step(&broken, LATER);
    assert_eq!(decision.state, StateName::Running);
    assert!(decision.alarms.has(Alarm::LeakSensorFault));

    let mut wet = healthy();
    wet.leak.detected = Reading::measured(true, AGE);
    controller.step(&wet, LATER + Millis::new(100));
    for rope in [Reading::bad(BadReason::CommLost), Reading::measured(false, AGE)] {
        let mut after = broken.clone();
        after.leak.detected = rope;
        assert_eq!(controller.step(&after, LATER + Millis::new(200)).state, StateName::Leak);
    }
}

#[test]
fn i02_a_leak_wins_over_overheat() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.leak.detected = Reading::measured(true, AGE);
    for gpu in &mut snapshot.gpus {
        gpu.margin = Reading::measured(Kelvin::new(-2.0), AGE);
    }
    let decision = hold(&mut controller, &snapshot, LATER, 20);
    assert_eq!(decision.state, StateName::Leak);
    assert!(!decision.pump_run);
}

#[test]
fn a_stopped_pump_caps_every_gpu_in_the_same_step_and_minimum_clocks_follow() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.pump.running = Reading::measured(false, AGE);
    let decision = controller.step(&snapshot, LATER);
    assert_eq!((decision.state, decision.reason), (StateName::Critical, Reason::PumpStopped));
    assert!(
        decision.gpus.iter().all(|gpu| gpu.power_cap == Some(Watts::new(200.0)) && gpu.clock_max.is_none())
    );
    let decision = hold(&mut controller, &snapshot, LATER + Millis::new(100), 4);
    assert!(decision.gpus.iter().all(|gpu| gpu.clock_max == Some(Megahertz::new(345.0))));
}

#[test]
fn after_a_pump_trip_everything_is_given_back_in_steps_and_the_node_runs_again() {
    let mut controller = running();
    let mut stopped = healthy();
    stopped.pump.running = Reading::measured(false, AGE);
    hold(&mut controller, &stopped, LATER, 20);
    let decision = hold(&mut controller, &healthy(), LATER + Millis::from_secs(21), 60);
    assert_eq!((decision.state, decision.rung), (StateName::Running, Rung::Free));
    assert!(decision.gpus.iter().all(|gpu| gpu.power_cap.is_none() && gpu.clock_max.is_none()));
}

#[test]
fn a_missing_meter_means_full_flow_and_all_heat_to_the_river() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.meter = eisbach_control::MeterInput::default();
    let decision = hold(&mut controller, &snapshot, LATER, 10);
    assert_eq!((decision.state, decision.reason), (StateName::Hot, Reason::MeterSilent));
    assert_eq!((decision.pump.value, decision.valve.value), (Some(Percent::new(100.0)), Some(Percent::ZERO)));
    assert!(decision.gpus.iter().all(|gpu| gpu.rung == Rung::Free), "cooled GPUs are not throttled");
}

#[test]
fn supply_below_the_dew_point_floor_is_an_alarm() {
    let mut controller = running();
    let mut snapshot = healthy();
    snapshot.room.dew_point = Reading::measured(Celsius::new(18.0), AGE);
    snapshot.meter.supply = Reading::measured(Celsius::new(17.0), AGE);
    let decision = controller.step(&snapshot, LATER);
    assert!(decision.alarms.has(Alarm::Condensation));
}

#[test]
fn without_gpus_configured_the_node_runs_at_minimum_flow() {
    let mut controller = Controller::new(Tuning::default());
    let snapshot = Snapshot { gpus: heapless::Vec::new(), gpus_expected: 0, ..healthy() };
    let decision = hold(&mut controller, &snapshot, Millis::ZERO, 300);
    assert_eq!((decision.state, decision.pump.value), (StateName::Running, Some(Percent::new(30.0))));
}

#[test]
fn a_lost_gpu_link_is_cooled_for_full_power() {
    let mut controller = running();
    let snapshot = Snapshot { gpus: heapless::Vec::new(), ..healthy() };
    let decision = hold(&mut controller, &snapshot, LATER, 5);
    assert_eq!((decision.state, decision.reason), (StateName::Hot, Reason::GpuSilent));
    assert_eq!(decision.node_power, Watts::new(5600.0));
    assert!(decision.alarms.has(Alarm::GpuLinkDown) && !decision.alarms.has(Alarm::GpuUnavailable));
}

#[test]
fn i02_a_leak_from_before_a_restart_keeps_the_loop_stopped_until_it_is_reset() {
    let mut controller = Controller::with_latched_leak(Tuning::default());
    let decision = hold(&mut controller, &healthy(), Millis::ZERO, 30);
    assert_eq!((decision.state, decision.reason), (StateName::Leak, Reason::LeakLatched));
    assert!(!decision.pump_run);
    let reset = Snapshot { reset: true, ..healthy() };
    assert!(controller.step(&reset, Millis::from_secs(31)).pump_run);
}

#[test]
fn a_drive_in_alarm_is_reset_six_times_ten_seconds_apart_and_then_left_to_people() {
    let mut controller = running();
    let mut tripped = healthy();
    tripped.pump.alarm = Reading::measured(true, AGE);
    tripped.pump.running = Reading::measured(false, AGE);
    let mut pulses = Vec::new();
    let mut before = false;
    for tenth in 0..1200_u64 {
        let reset = controller.step(&tripped, LATER + Millis::new(tenth * 100)).pump_reset;
        if reset && !before {
            pulses.push(tenth / 10);
        }
        before = reset;
    }
    assert_eq!(pulses, [0, 10, 20, 30, 40, 50]);
}

#[test]
fn i02_a_drive_is_never_reset_while_there_is_water() {
    let mut controller = running();
    let mut wet = healthy();
    wet.leak.detected = Reading::measured(true, AGE);
    wet.pump.alarm = Reading::measured(true, AGE);
    for tenth in 0..300_u64 {
        let decision = controller.step(&wet, LATER + Millis::new(tenth * 100));
        assert!(!decision.pump_reset && !decision.pump_run);
    }
}

#[test]
fn i05_a_shared_pump_may_be_faster_than_this_node_asks_and_not_slower() {
    let mut shared = healthy();
    shared.pump.shared = true;
    let off = |by: f32| {
        let mut controller = running();
        let asked = hold(&mut controller, &shared, LATER, 1).pump.value.map_or(0.0, Percent::get);
        let mut seen = shared.clone();
        seen.pump.speed = Reading::measured(Percent::new(asked + by), AGE);
        hold(&mut controller, &seen, LATER, 14);
        hold(&mut controller, &seen, LATER + Millis::from_secs(14), 2).alarms.has(Alarm::SetPointIgnored)
    };
    assert!(!off(25.0));
    assert!(off(-25.0));
}

#[test]
fn i06_a_pump_that_does_not_follow_its_set_point_is_an_alarm_after_its_ramp() {
    let mut controller = running();
    let mut stuck = healthy();
    stuck.pump.speed = Reading::measured(Percent::new(45.0), AGE);
    stuck.pump.head = Reading::measured(KiloPascal::new(23.0), AGE);
    stuck.meter.flow = Reading::measured(LitersPerMinute::new(5.6), AGE);
    assert!(!hold(&mut controller, &stuck, LATER, 10).alarms.has(Alarm::SetPointIgnored));
    let decision = hold(&mut controller, &stuck, LATER + Millis::from_secs(11), 5);
    assert!(decision.alarms.has(Alarm::SetPointIgnored));
    assert_eq!(decision.ignoring, Devices::PUMP, "and nobody else");
}

fn with_margin(index: usize, margin: f32) -> Snapshot {
    let mut snapshot = healthy();
    snapshot.gpus[index].margin = Reading::measured(Kelvin::new(margin), AGE);
    snapshot.gpus[index].temperature = Reading::measured(Celsius::new(89.0 - margin), AGE);
    snapshot
}

fn sum_of_caps(decision: &Decision) -> f32 {
    decision.gpus.iter().map(|gpu| gpu.power_cap.map_or(700.0, Watts::get)).sum()
}

#[test]
fn all_cooling_comes_before_the_soft_rung_or_with_it() {
    let mut controller = running();
    let warm = controller.step(&with_margin(2, 15.5), LATER);
    assert_eq!((warm.state, warm.gpus[2].rung), (StateName::Hot, Rung::Free));
    let mut controller = running();
    let soft = controller.step(&with_margin(2, 14.0), LATER);
    assert_eq!((soft.state, soft.gpus[2].rung, soft.rung), (StateName::Hot, Rung::Soft, Rung::Soft));
    assert_eq!((soft.pump.value, soft.valve.value), (Some(Percent::new(100.0)), Some(Percent::ZERO)));
}

#[test]
fn a_gpu_at_its_limit_is_throttled_and_no_other() {
    let mut controller = running();
    let decision = hold(&mut controller, &with_margin(2, 3.0), LATER, 10);
    assert_eq!((decision.state, decision.reason), (StateName::Critical, Reason::GpuAtLimit));
    for (index, gpu) in decision.gpus.iter().enumerate() {
        let expected = if index == 2 { Some(Watts::new(200.0)) } else { None };
        assert_eq!(gpu.power_cap, expected, "gpu {index}");
    }
}

#[test]
fn a_gpu_says_since_when_it_is_on_its_rung() {
    let mut controller = running();
    controller.step(&with_margin(2, 14.0), LATER);
    let decision = hold(&mut controller, &with_margin(2, 14.0), LATER, 10);
    assert_eq!((decision.gpus[2].since, decision.gpus[3].since), (LATER, Millis::ZERO));
}

#[test]
fn lost_flow_calls_for_draining_after_five_seconds_and_changes_no_rung() {
    let mut controller = running();
    let mut stopped = healthy();
    stopped.pump.running = Reading::measured(false, AGE);
    assert_eq!(hold(&mut controller, &stopped, LATER, 4).escalation, Escalation::default());
    let decision = hold(&mut controller, &stopped, LATER + Millis::new(4100), 2);
    assert_eq!(decision.escalation.drain, Some((Leader::FlowGuard, Reason::PumpStopped)));
    assert_eq!((decision.escalation.rung(), decision.rung), (Some(Rung::Drain), Rung::PowerCap));
}

#[test]
fn i01_gpus_that_fall_silent_call_for_a_stop_only_while_flow_is_not_proven() {
    let stop = |flow: Reading<LitersPerMinute>| {
        let mut controller = running();
        let mut silent = Snapshot { gpus: heapless::Vec::new(), ..healthy() };
        silent.meter.flow = flow;
        silent.pump.head = Reading::bad(BadReason::CommLost);
        hold(&mut controller, &silent, LATER, 15).escalation.stop
    };
    assert_eq!(stop(healthy().meter.flow), None);
    assert_eq!(stop(Reading::bad(BadReason::CommLost)), Some((Leader::SilentPart, Reason::BlindWithoutFlow)));
}

#[test]
fn gpus_that_are_never_seen_call_for_no_stop() {
    let mut controller = Controller::new(Tuning::default());
    let nothing = Snapshot { gpus_expected: 8, ..Snapshot::default() };
    assert_eq!(hold(&mut controller, &nothing, Millis::ZERO, 60).escalation.stop, None);
}

#[test]
fn detached_gpus_are_cooled_with_all_there_is_and_are_neither_a_lost_link_nor_a_call_for_a_stop() {
    let mut controller = running();
    let mut away = Snapshot { gpus: heapless::Vec::new(), detached: true, ..healthy() };
    away.meter.flow = Reading::bad(BadReason::CommLost);
    let decision = hold(&mut controller, &away, LATER, 60);
    assert_eq!((decision.state, decision.leader), (StateName::Hot, Leader::SilentPart));
    assert_eq!(decision.reason, Reason::GpusDetached);
    assert_eq!((decision.pump.value, decision.valve.value), (Some(Percent::new(100.0)), Some(Percent::ZERO)));
    assert!(decision.alarms.has(Alarm::GpuDetached));
    assert!(!decision.alarms.has(Alarm::GpuLinkDown) && !decision.alarms.has(Alarm::GpuUnavailable));
    assert_eq!(decision.escalation.stop, None);
}

#[test]
fn a_power_budget_is_shared_by_margin_and_says_so() {
    let mut controller = running();
    let mut granted = with_margin(0, 22.0);
    granted.power_budget = Some(Watts::new(3000.0));
    let decision = hold(&mut controller, &granted, LATER, 2);
    assert_eq!((decision.leader, decision.reason), (Leader::Budget, Reason::FacilityBudget));
    assert!(sum_of_caps(&decision) <= 3000.1, "{}", sum_of_caps(&decision));
    let (warm, cool) = (&decision.gpus[0], &decision.gpus[1]);
    assert!(warm.power_cap < cool.power_cap, "{warm:?} {cool:?}");
    assert_eq!((warm.rung, warm.release, warm.clock_max), (Rung::PowerCap, Release::Budget, None));

    granted.power_budget = None;
    let decision = hold(&mut controller, &granted, LATER + Millis::new(2100), 20);
    assert_eq!((decision.leader, decision.rung), (Leader::Normal, Rung::Free));
}

#[test]
fn i08_what_a_budget_took_is_given_back_only_with_cooling_proven() {
    let mut controller = running();
    let granted = Snapshot { power_budget: Some(Watts::new(2400.0)), ..healthy() };
    let before = hold(&mut controller, &granted, LATER, 2);
    let mut unproven = healthy();
    unproven.pump.head = Reading::bad(BadReason::CommLost);
    unproven.meter.flow = Reading::bad(BadReason::CommLost);
    let after = hold(&mut controller, &unproven, LATER + Millis::new(2100), 60);
    assert!(sum_of_caps(&after) <= sum_of_caps(&before));
    assert!(after.gpus.iter().all(|gpu| gpu.reason == Reason::CoolingNotProven), "{:?}", after.gpus);
}

#[test]
fn a_budget_that_is_no_power_raises_nothing() {
    let mut controller = running();
    let granted = |watts| Snapshot { power_budget: Some(Watts::new(watts)), ..healthy() };
    let zero = hold(&mut controller, &granted(0.0), LATER, 2);
    assert!(zero.gpus.iter().all(|gpu| gpu.power_cap == Some(Watts::new(200.0))));
    for (at, nonsense) in [(10, f32::NAN), (80, -1.0), (150, f32::INFINITY)] {
        let after = hold(&mut controller, &granted(nonsense), LATER + Millis::from_secs(at), 60);
        assert!(sum_of_caps(&after) <= 1600.0, "{nonsense}");
    }
}

#[test]
fn a_loop_at_its_limit_shares_out_what_its_flow_carries() {
    // A loop that gives 3 L/min at full speed: 3853 W at a rise of 25 K.
    let tuning = Tuning { full_speed_flow: LitersPerMinute::new(3.0), ..Tuning::default() };
    let mut controller = Controller::new(tuning);
    let mut short = healthy();
    short.pump.speed = Reading::measured(Percent::new(100.0), AGE);
    short.pump.head = Reading::measured(KiloPascal::new(115.0), AGE);
    short.meter.flow = Reading::measured(LitersPerMinute::new(3.0), AGE);
    short.meter.return_ = Reading::measured(Celsius::new(63.0), AGE);
    let decision = hold(&mut controller, &short, Millis::ZERO, 60);
    assert_eq!((decision.leader, decision.reason), (Leader::Budget, Reason::ThermalBudget));
    assert!((3700.0..=3854.0).contains(&sum_of_caps(&decision)), "{}", sum_of_caps(&decision));
}
