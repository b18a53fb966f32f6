//! One command against a register with a will of its own, in virtual time.

mod bench;

use self::bench::{Bench, INTERVAL, REFRESH, TICK, Will, run, speed};
use super::*;
use crate::modbus::gate::WISH_LIFE;
use crate::modbus::write_state::WriteTrouble;
use eisbach_protocol::registers::{ReadBack, Signal};
use proptest::prelude::*;

#[test]
fn i06_what_is_held_is_verified_and_goes_on_being_looked_at() {
    let mut bench = Bench::holding(speed(), 50.0);
    let before = bench.desk.state.verified.unwrap().at;
    bench.run(3_000);
    assert!(bench.desk.state.verified.unwrap().at > before);
    assert_eq!(bench.trouble(), None);
}

#[test]
fn i06_a_write_that_is_not_taken_is_rejected_and_tried_three_times_then_at_refresh() {
    for will in [Will::Forgets, Will::Declines] {
        let mut bench = Bench::holding(speed(), 50.0);
        bench.will = will;
        bench.ask(60.0).run(4_000);
        assert_eq!((bench.trouble(), bench.verified()), (Some(WriteTrouble::Rejected), None));
        assert_eq!(bench.words(), [6000; 4], "{will:?}");
        assert!(bench.writes.windows(2).all(|pair| pair[1].0 - pair[0].0 == INTERVAL));
        bench.run(3 * REFRESH);
        assert_eq!(bench.words().len(), 7, "{will:?}");
        bench.will = Will::Obeys;
        bench.run(REFRESH);
        assert_eq!((bench.trouble(), bench.verified()), (None, Some(60.0)));
    }
}

#[test]
fn i06_a_third_value_is_overwritten_and_a_register_that_cannot_be_read_is_unproven() {
    let mut bench = Bench::holding(speed(), 50.0);
    bench.will = Will::Stops(5500);
    bench.ask(60.0).run(20);
    assert_eq!((bench.trouble(), bench.verified()), (Some(WriteTrouble::Overwritten), None));
    bench.will = Will::Mute;
    bench.ask(70.0).run(INTERVAL);
    assert_eq!((bench.trouble(), bench.verified()), (Some(WriteTrouble::Unproven), None));
}

#[test]
fn i06_a_slow_device_has_its_time_and_not_longer() {
    let slow = Command { read_back: ReadBack { within_ms: 1_000, ..ReadBack::default() }, ..speed() };
    let mut bench = Bench::holding(slow, 50.0);
    bench.will = Will::Slow(900);
    bench.ask(60.0).run(800);
    assert_eq!((bench.trouble(), bench.verified()), (None, Some(50.0)), "the last that was seen");
    bench.run(300);
    assert_eq!((bench.trouble(), bench.verified()), (None, Some(60.0)));
    bench.will = Will::Slow(60_000);
    bench.ask(70.0).run(1_500);
    assert_eq!(bench.trouble(), Some(WriteTrouble::Rejected));
}

#[test]
fn i02_more_cooling_does_not_wait_for_the_proof_of_the_last_write_and_less_does() {
    let slow = Command { read_back: ReadBack { within_ms: 1_000, ..ReadBack::default() }, ..speed() };
    let mut bench = Bench::holding(slow, 50.0);
    bench.will = Will::Slow(900);
    bench.ask(60.0).run(INTERVAL);
    bench.ask(80.0).run(INTERVAL);
    assert_eq!(bench.words(), [6000, 8000]);
    bench.ask(40.0).run(500);
    assert_eq!(bench.words(), [6000, 8000]);
    bench.run(1_000);
    assert_eq!(bench.words(), [6000, 8000, 4000]);
    assert_eq!(bench.classes[bench.classes.len() - 3..], [Class::Safe, Class::Safe, Class::Control]);
}

#[test]
fn i06_a_set_point_without_its_effect_is_not_effective_until_the_reading_comes_or_goes() {
    let effect = Effect { signal: Signal::PumpSpeed, tolerance: 5.0, within_ms: 3_000 };
    let mut bench = Bench::new(Command { effect: Some(effect), ..speed() });
    bench.effect = Some(10.0);
    bench.ask(50.0).run(2_900);
    assert_eq!(bench.trouble(), None, "it has its time");
    bench.run(300);
    assert_eq!((bench.trouble(), bench.verified()), (Some(WriteTrouble::NotEffective), Some(50.0)));
    bench.run(2 * REFRESH);
    assert_eq!(bench.words()[..4], [5000; 4], "three times again, then at refresh");
    assert!(bench.words().len() <= 6);
    bench.effect = None;
    bench.run(TICK);
    assert_eq!(bench.trouble(), None, "not known is no trouble");
    bench.effect = Some(10.0);
    bench.run(TICK);
    assert_eq!(bench.trouble(), Some(WriteTrouble::NotEffective));
    bench.effect = Some(46.0);
    bench.run(TICK);
    assert_eq!(bench.trouble(), None);
}

#[test]
fn an_effect_is_only_judged_while_the_set_point_is_steady() {
    let effect = Effect { signal: Signal::PumpSpeed, tolerance: 1.0, within_ms: 1_000 };
    let mut bench = Bench::new(Command { effect: Some(effect), ..speed() });
    bench.effect = Some(0.0);
    for step in 0..20_u8 {
        bench.ask(50.0 + f32::from(step)).run(500);
        assert_eq!(bench.trouble(), None);
    }
}

#[test]
fn i05_another_master_is_written_over_twice_and_then_yielded_to() {
    let mut bench = Bench::holding(speed(), 50.0);
    for _ in 0..2 {
        bench.meddle(7000);
        assert_eq!((bench.register, bench.desk.state.yielded), (5000, false));
    }
    bench.meddle(7000);
    let state = bench.desk.state;
    assert_eq!((bench.register, state.yielded, state.foreign_events), (7000, true, 3));
    assert_eq!(bench.verified(), None);
    bench.ask(60.0).run(300_000);
    assert_eq!(bench.register, 7000, "nothing below what the other has set");
    bench.ask(80.0).run(INTERVAL);
    assert_eq!((bench.register, bench.verified()), (8000, Some(80.0)), "but more, at once");
    bench.ask(60.0).run(600_000);
    assert_eq!((bench.register, bench.desk.state.yielded), (6000, false), "after ten minutes as before");
}

#[test]
fn i05_a_leak_stop_is_written_whoever_else_writes() {
    let mut bench = Bench::holding(run(), 1.0);
    for _ in 0..3 {
        bench.meddle(7);
    }
    assert!(bench.desk.state.yielded);
    bench.writes.clear();
    bench.ask(0.0).run(INTERVAL);
    assert_eq!((bench.register, bench.words()), (1, vec![1]));
}

#[test]
fn i05_a_unit_that_has_just_come_back_with_other_values_is_no_other_master() {
    let mut bench = Bench::holding(speed(), 50.0);
    bench.desk.doubt();
    bench.reached_at = bench.now;
    bench.register = 3000;
    bench.run(1_000);
    assert_eq!((bench.register, bench.desk.state.foreign_events), (5000, 0));
    bench.meddle(3000);
    assert_eq!((bench.register, bench.desk.state.foreign_events), (5000, 0));
    bench.run(3_000).meddle(3000);
    assert_eq!(bench.desk.state.foreign_events, 1);
}

#[test]
fn i05_a_change_is_seen_however_often_the_request_is_repeated() {
    let mut bench = Bench::holding(Command { refresh_ms: 500, ..speed() }, 50.0);
    for _ in 0..3 {
        bench.meddle(7000);
    }
    assert!(bench.desk.state.yielded);
}

#[test]
fn i05_a_change_is_seen_however_often_the_set_point_moves() {
    let mut bench = Bench::holding(speed(), 50.0);
    for turn in 1..=3_u8 {
        bench.register = 7000;
        bench.ask(50.0 - f32::from(turn)).run(INTERVAL);
        assert_eq!(bench.desk.state.foreign_events, u32::from(turn));
    }
    assert!(bench.desk.state.yielded);
}

#[test]
fn a_drive_is_armed_only_where_it_does_not_run_yet() {
    let mut bench = Bench::new(run());
    bench.ask(1.0).run(INTERVAL);
    assert_eq!(bench.words(), [2, 3]);
    bench.desk.doubt();
    bench.writes.clear();
    bench.run(2 * INTERVAL);
    assert_eq!(bench.words(), [3], "a running drive goes on without a bump");
}

#[test]
fn i09_a_register_that_wears_out_is_not_written_with_what_it_holds() {
    let mut bench = Bench::new(Command { daily_budget: Some(100), ..speed() });
    bench.register = 5000;
    bench.ask(50.0).run(1_000);
    assert_eq!((bench.words(), bench.verified()), (vec![], Some(50.0)));
    bench.run(REFRESH);
    assert_eq!(bench.words(), [5000], "the refresh that feeds a watchdog stays");
}

#[test]
fn i09_a_spent_budget_leaves_a_tenth_for_more_cooling_and_says_so() {
    let mut bench = Bench::new(Command { daily_budget: Some(30), ..speed() });
    for turn in 0..60_u8 {
        bench.ask(if turn % 2 == 0 { 80.0 } else { 40.0 }).run(200);
    }
    assert_eq!((bench.words().len(), bench.register), (27, 8000), "less is not written any more");
    assert!(bench.desk.state.budget_spent);
    bench.ask(85.0).run(200).ask(90.0).run(200).ask(95.0).run(200).ask(100.0).run(200);
    assert_eq!((bench.words().len(), bench.register, bench.desk.state.writes_today), (30, 9500, 30));
}

#[test]
fn i02_a_leak_stops_the_pump_whatever_is_left_of_the_budget() {
    let mut bench = Bench::new(Command { daily_budget: Some(4), ..run() });
    for _ in 0..10 {
        bench.ask(1.0).run(200);
        bench.register = 0;
        bench.run(REFRESH);
    }
    assert!(bench.desk.state.budget_spent);
    bench.writes.clear();
    bench.ask(0.0).run(300);
    assert!(bench.words().contains(&1), "the stop is written: {:?}", bench.words());
}

#[test]
fn i07_a_request_that_ran_out_is_counted_and_never_written() {
    let mut bench = Bench::holding(speed(), 50.0);
    bench.hung_at = Some(bench.now);
    bench.ask(60.0);
    bench.now += WISH_LIFE.get();
    bench.run(REFRESH);
    assert_eq!((bench.words(), bench.desk.state.expired), (vec![], 1));
    bench.hung_at = None;
    bench.run(INTERVAL);
    assert_eq!(bench.words(), [6000]);
}

#[test]
fn i01_a_request_outside_the_profile_is_said_once_and_forgotten_with_the_next_good_one() {
    let mut bench = Bench::holding(speed(), 50.0);
    bench.ask(f32::NAN).run(1_000);
    assert_eq!((bench.trouble(), bench.desk.state.refused), (Some(WriteTrouble::Forbidden), 1));
    bench.ask(51.0).run(INTERVAL);
    assert_eq!((bench.trouble(), bench.words()), (None, vec![5100]));
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Ask(f32),
    Meddle(u16),
    Will(Will),
    Lost,
    Wait(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let will = prop_oneof![
        4 => Just(Will::Obeys), 1 => Just(Will::Forgets), 1 => Just(Will::Declines), 1 => Just(Will::Mute),
        1 => (0..10_000_u16).prop_map(Will::Stops), 1 => (0..2_000_u64).prop_map(Will::Slow),
    ];
    let event = prop_oneof![
        4 => (0.0_f32..=100.0).prop_map(Event::Ask),
        2 => (0..10_000_u16).prop_map(Event::Meddle),
        1 => will.prop_map(Event::Will),
        1 => Just(Event::Lost),
        6 => (TICK..4_000).prop_map(Event::Wait),
    ];
    prop::collection::vec(event, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn i09_whatever_happens_writes_keep_their_distance_their_budget_and_their_direction(
        budget in prop::option::of(1..60_u32), within_ms in 0..1_500_u32, events in events(),
    ) {
        let read_back = ReadBack { within_ms, ..ReadBack::default() };
        let mut bench = Bench::new(Command { daily_budget: budget, read_back, ..speed() });
        for event in events {
            match event {
                Event::Ask(value) => bench.wish = Some(value),
                Event::Meddle(word) => bench.register = word,
                Event::Will(will) => bench.will = will,
                Event::Lost => {
                    bench.desk.doubt();
                    bench.reached_at = bench.now;
                }
                Event::Wait(ms) => {
                    let (yielded, known, before) =
                        (bench.desk.state.yielded, bench.desk.proof.held(), bench.writes.len());
                    bench.run(TICK);
                    if yielded && bench.desk.state.yielded && let Some((_, word)) = bench.writes.get(before) {
                        prop_assert!(*word >= known.unwrap_or(10_000).min(bench.desk.proof.held().unwrap_or(0)));
                    }
                    bench.run(ms);
                }
            }
        }
        prop_assert!(bench.writes.windows(2).all(|pair| pair[1].0 - pair[0].0 >= INTERVAL));
        prop_assert!(budget.is_none_or(|budget| bench.writes.len() <= budget as usize));
        prop_assert_eq!(bench.writes.len(), bench.desk.state.writes_today as usize);
    }
}
