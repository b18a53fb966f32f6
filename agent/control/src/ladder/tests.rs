use super::*;
use eisbach_protocol::units::Megahertz;
use proptest::prelude::*;

pub(crate) const GPU: GpuView = GpuView {
    margin: Some(Kelvin::new(25.0)),
    answers: true,
    temperature: Some(Celsius::new(64.0)),
    slowed: false,
    power: Watts::new(690.0),
    power_range: (Watts::new(200.0), Watts::new(700.0)),
    clock_range: (Megahertz::new(345.0), Megahertz::new(1980.0)),
    held_cap: None,
    held_clock: None,
    held_profile: false,
};

const LOWEST: Option<Watts> = Some(Watts::new(200.0));
const SLOWEST: Option<Megahertz> = Some(Megahertz::new(345.0));
const SOFT: Option<Megahertz> = Some(Megahertz::new(1485.0));

struct Bench {
    ladder: Ladder,
    tuning: Tuning,
    second: u64,
}

impl Bench {
    fn new() -> Self {
        Self { ladder: Ladder::default(), tuning: Tuning::default(), second: 0 }
    }

    fn step(&mut self, gpu: &GpuView, proven: bool, order: Option<Order>) -> GpuDecision {
        self.second += 1;
        let now = Millis::from_secs(self.second);
        let supply = Some(Celsius::new(35.0));
        let tuning = &self.tuning;
        self.ladder.step(gpu, &Context { now, second: true, cooling_proven: proven, order, supply, tuning })
    }

    fn run(&mut self, margin: f32, proven: bool, order: Option<Order>, seconds: u64) -> GpuDecision {
        let gpu = at(margin);
        let mut decision = self.step(&gpu, proven, order);
        for _ in 1..seconds {
            decision = self.step(&gpu, proven, order);
        }
        decision
    }
}

/// A GPU whose temperature fits its margin.
fn at(margin: f32) -> GpuView {
    GpuView { margin: Some(Kelvin::new(margin)), temperature: Some(Celsius::new(89.0 - margin)), ..GPU }
}

const LOST: Option<Order> =
    Some(Order { cause: (Leader::FlowGuard, Reason::PumpStopped), second_stage: false });
const LOST_FOR_LONG: Option<Order> =
    Some(Order { cause: (Leader::FlowGuard, Reason::PumpStopped), second_stage: true });

#[test]
fn rungs_come_in_order_as_the_margin_shrinks() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(15.0, true, None, 60).rung, Rung::Free);
    let soft = bench.run(14.0, true, None, 1);
    assert_eq!((soft.rung, soft.clock_max, soft.low_power_profile), (Rung::Soft, SOFT, true));
    assert_eq!(soft.power_cap, None);
    let capped = bench.run(9.0, true, None, 1);
    // 45 K over supply, 3 K lacking to 12 K.
    assert_eq!((capped.power_cap, capped.clock_max), (Some(Watts::new(690.0 * (1.0 - 3.0 / 45.0))), SOFT));
    let deep = bench.run(4.0, true, None, 1);
    assert_eq!((deep.power_cap, deep.clock_max), (LOWEST, SLOWEST));
}

#[test]
fn a_gpu_that_its_driver_slows_down_for_heat_is_deep_whatever_its_margin() {
    let mut bench = Bench::new();
    let slowed = GpuView { slowed: true, ..GPU };
    let deep = bench.step(&slowed, true, None);
    assert_eq!((deep.power_cap, deep.reason), (LOWEST, Reason::ThermalSlowdown));
    for _ in 0..600 {
        assert_eq!(bench.step(&slowed, true, None).power_cap, LOWEST, "and stays so while it does");
    }
}

#[test]
fn a_cap_that_does_not_help_is_lowered_by_steps_and_no_more_than_once_a_second() {
    let mut bench = Bench::new();
    let mut last = bench.run(9.0, true, None, 1).power_cap.unwrap();
    let mut writes = 0;
    for tenth in 11..=200_u64 {
        let now = Millis::new(tenth * 100);
        let gpu = GpuView { power: last, ..at(9.0 - 0.1 * f32::from(u8::from(tenth > 100))) };
        let context = Context {
            now,
            second: false,
            cooling_proven: true,
            order: None,
            supply: None,
            tuning: &bench.tuning,
        };
        let cap = bench.ladder.step(&gpu, &context).power_cap.unwrap();
        if cap < last {
            assert!(last - cap >= LEAST_STEP || cap == Watts::new(200.0), "{last} {cap}");
            writes += 1;
        }
        last = cap;
    }
    assert!((1..=19).contains(&writes), "{writes}");
}

#[test]
fn soft_is_left_after_a_minute_at_twenty_kelvin() {
    let mut bench = Bench::new();
    bench.run(14.0, true, None, 1);
    assert_eq!(bench.run(19.0, true, None, 600).rung, Rung::Soft);
    assert_eq!(bench.run(20.0, true, None, 60).rung, Rung::Soft);
    assert_eq!(bench.run(20.0, true, None, 1).rung, Rung::Free);
}

#[test]
fn soft_that_was_left_too_early_is_left_later_next_time_and_never_later_than_eight_times_that() {
    let mut bench = Bench::new();
    let mut waits = [0; 6];
    for wait in &mut waits {
        bench.run(14.0, true, None, 1);
        while bench.run(22.0, true, None, 1).rung != Rung::Free {
            *wait += 1;
        }
    }
    assert_eq!(waits, [60, 120, 240, 480, 480, 480]);
    bench.run(22.0, true, None, 601);
    bench.run(14.0, true, None, 1);
    assert_eq!(bench.run(22.0, true, None, 61).rung, Rung::Free, "forgotten after ten good minutes");
}

#[test]
fn a_cap_for_own_heat_comes_back_slowly_and_ends_in_soft() {
    let mut bench = Bench::new();
    let cap = bench.run(9.0, true, None, 1).power_cap.unwrap();
    assert_eq!(bench.run(14.0, true, None, 600).power_cap, Some(cap), "not below the release margin");
    bench.run(16.0, true, None, 16);
    let later = bench.run(16.0, true, None, 10).power_cap.unwrap();
    assert!((25.0..=50.0).contains(&(later - cap).get()), "{cap} {later}");
    assert_eq!(bench.run(16.0, true, None, 60).rung, Rung::Soft);
}

#[test]
fn deep_for_own_heat_is_held_for_two_minutes_and_keeps_the_soft_lock_on_the_way_back() {
    let mut bench = Bench::new();
    bench.run(4.0, true, None, 1);
    let held = bench.run(30.0, true, None, 119);
    assert_eq!((held.power_cap, held.clock_max), (LOWEST, SLOWEST));
    let back = bench.run(30.0, true, None, 10);
    assert!(back.power_cap > LOWEST && back.smoothing, "{back:?}");
    assert_eq!((back.clock_max, back.leader), (SOFT, Leader::Release));
    assert_eq!(bench.run(30.0, true, None, 125 + 61).rung, Rung::Free);
}

#[test]
fn loss_of_flow_takes_a_quarter_at_once_and_the_lowest_in_the_second_stage() {
    let mut bench = Bench::new();
    let strong = GpuView { power_range: (Watts::new(200.0), Watts::new(1000.0)), ..GPU };
    let first = bench.step(&strong, false, LOST);
    assert_eq!((first.power_cap, first.clock_max), (Some(Watts::new(250.0)), None));
    let second = bench.step(&strong, false, LOST_FOR_LONG);
    assert_eq!((second.power_cap, second.clock_max), (LOWEST, SLOWEST));
    let after = bench.step(&strong, false, LOST);
    assert_eq!((after.power_cap, after.clock_max), (LOWEST, SLOWEST), "an order takes nothing back");
}

#[test]
fn a_quarter_below_the_lowest_limit_is_the_lowest_limit() {
    assert_eq!(Bench::new().run(25.0, false, LOST, 1).power_cap, LOWEST);
}

#[test]
fn i08_nothing_is_given_back_before_cooling_is_proven() {
    let mut bench = Bench::new();
    bench.run(25.0, false, LOST, 1);
    let held = bench.run(40.0, false, None, 600);
    assert_eq!((held.power_cap, held.reason), (LOWEST, Reason::CoolingNotProven));
    assert_eq!(held.release, Release::CoolingProof);
}

#[test]
fn what_an_order_took_comes_back_in_steps_after_a_calm_while() {
    let mut bench = Bench::new();
    bench.run(25.0, false, LOST, 1);
    assert_eq!(bench.run(30.0, true, None, 15).power_cap, LOWEST);
    bench.run(30.0, true, None, 1);
    let mut last = Watts::new(200.0);
    for _ in 0..12 {
        let cap = bench.run(30.0, true, None, 1).power_cap.unwrap();
        assert!(cap > last && cap - last <= Watts::new(40.0));
        last = cap;
    }
    assert_eq!(bench.run(30.0, true, None, 2).power_cap, None);
}

#[test]
fn release_waits_while_the_margin_is_not_calm() {
    let mut bench = Bench::new();
    bench.run(25.0, false, LOST, 1);
    let before = bench.run(30.0, true, None, 20).power_cap.unwrap();
    assert_eq!(bench.run(18.0, true, None, 30).power_cap, Some(before));
}

#[test]
fn a_gpu_that_was_hot_itself_comes_back_slowly_after_an_order_too() {
    let mut bench = Bench::new();
    bench.run(9.0, true, None, 1);
    bench.run(9.0, false, LOST_FOR_LONG, 10);
    assert_eq!(bench.run(30.0, true, None, 120).power_cap, LOWEST);
    assert_eq!(bench.run(30.0, true, None, 10).clock_max, SOFT);
}

#[test]
fn i08_limits_found_at_start_are_held_until_cooling_is_proven_and_then_released_in_steps() {
    let mut bench = Bench::new();
    let found = GpuView { held_cap: Some(Watts::new(320.0)), ..GPU };
    for _ in 0..100 {
        assert_eq!(bench.step(&found, false, None).power_cap, Some(Watts::new(320.0)));
    }
    assert_eq!(bench.run(30.0, true, None, 17).power_cap, Some(Watts::new(360.0)));
}

#[test]
fn i08_a_restart_never_raises_a_clock_lock() {
    for held_cap in [LOWEST, None] {
        let found = GpuView { held_cap, held_clock: SLOWEST, ..GPU };
        assert_eq!(Bench::new().step(&found, false, None).clock_max, SLOWEST);
    }
    let between = GpuView { held_clock: Some(Megahertz::new(900.0)), ..GPU };
    assert_eq!(Bench::new().step(&between, false, None).clock_max, SLOWEST);
}

#[test]
fn i08_a_restart_keeps_a_low_power_profile() {
    let found = GpuView { held_profile: true, ..GPU };
    let decision = Bench::new().step(&found, false, None);
    assert_eq!((decision.rung, decision.low_power_profile), (Rung::Soft, true));
}

#[test]
fn i08_a_limit_of_a_gpu_that_has_not_told_its_margin_is_held_under_an_order_too() {
    let found = GpuView { margin: None, answers: false, held_cap: LOWEST, ..GPU };
    let strong = GpuView { power_range: (Watts::new(200.0), Watts::new(1000.0)), ..found };
    assert_eq!(Bench::new().step(&strong, false, LOST).power_cap, LOWEST);
}

#[test]
fn a_gpu_that_does_not_answer_gets_nothing_back() {
    let mut bench = Bench::new();
    bench.run(25.0, true, LOST, 1);
    for _ in 0..100 {
        assert_eq!(bench.step(&GpuView { answers: false, ..GPU }, true, None).power_cap, LOWEST);
    }
}

#[test]
fn a_throttled_gpu_says_what_it_waits_for() {
    let mut bench = Bench::new();
    assert_eq!(bench.run(25.0, true, None, 1).release, Release::Nothing);
    let missing = bench.run(14.0, true, None, 1).release;
    let needed = Millis::from_secs(60);
    assert_eq!(missing, Release::Margin { missing: Kelvin::new(6.0), held: Millis::ZERO, needed });
    let waiting = bench.run(21.0, true, None, 11).release;
    assert_eq!(waiting, Release::Margin { missing: Kelvin::ZERO, held: Millis::from_secs(10), needed });
    assert_eq!(bench.run(21.0, false, LOST, 1).release, Release::CoolingProof);
    let mut bench = Bench::new();
    bench.run(25.0, false, LOST, 1);
    let ramp = bench.run(30.0, true, None, 17).release;
    assert_eq!(ramp, Release::Ramp { to_go: Watts::new(460.0) });
}

/// A stretch of time: margin, cooling proven, order, seconds.
type Stretch = (f32, bool, u8, u64);

fn order(kind: u8) -> Option<Order> {
    match kind {
        0 => LOST,
        1 => LOST_FOR_LONG,
        _ => None,
    }
}

proptest! {
    #[test]
    fn i08_no_limit_rises_unless_calm_and_proven_and_each_is_one_that_the_device_takes(
        course in prop::collection::vec((-10.0..40.0_f32, any::<bool>(), 0..8_u8, 1..200_u64), 1..30)
    ) {
        let mut bench = Bench::new();
        let mut last = (Watts::new(700.0), Megahertz::new(1980.0));
        let course: std::vec::Vec<Stretch> = course;
        for (margin, proven, kind, seconds) in course {
            for _ in 0..seconds {
                let decision = bench.run(margin, proven, order(kind), 1);
                let cap = decision.power_cap.unwrap_or(Watts::new(700.0));
                let clock = decision.clock_max.unwrap_or(Megahertz::new(1980.0));
                prop_assert!((200.0..=700.0).contains(&cap.get()) && (345.0..=1980.0).contains(&clock.get()));
                let calm = margin >= bench.tuning.release_margin.get();
                if !proven || !calm || order(kind).is_some() {
                    prop_assert!(cap <= last.0 && clock <= last.1, "{last:?} {decision:?}");
                }
                last = (cap, clock);
            }
        }
    }

    #[test]
    fn whatever_happened_everything_is_given_back_in_bounded_time_once_calm_and_proven(
        course in prop::collection::vec((-10.0..40.0_f32, any::<bool>(), 0..8_u8, 1..200_u64), 1..30)
    ) {
        let mut bench = Bench::new();
        for (margin, proven, kind, seconds) in course {
            bench.run(margin, proven, order(kind), seconds);
        }
        // Deep for 120 s, 500 W at 4 W/s with steps of 28 W, and Soft for eight minutes at most.
        let decision = bench.run(25.0, true, None, 120 + 130 + 480 + 5);
        prop_assert_eq!((decision.rung, decision.release), (Rung::Free, Release::Nothing));
    }
}
