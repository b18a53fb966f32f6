//! When a gate lets a write through.

use super::*;
use eisbach_protocol::registers::{Grade, Persistence, ReadBack};
use proptest::prelude::*;

const REFRESH: u64 = 5_000;
const INTERVAL: u64 = 100;
const DEAD_BAND: f32 = 0.5;

fn speed() -> Command {
    Command {
        control: Control::PumpSpeed,
        address: 103,
        form: CommandForm::Number { scale: 0.01, low: 0.0, high: 100.0, dead_band: DEAD_BAND },
        refresh_ms: 5_000,
        min_interval_ms: 100,
        daily_budget: None,
        persistence: Persistence::Volatile,
        read_back: ReadBack::default(),
        effect: None,
        safe: 100.0,
        release: None,
        slotted: false,
        source: heapless::String::new(),
        grade: Grade::A,
    }
}

/// What a renewed wish for `value` comes to at `now`: the write, if it may be made.
fn judge(gate: &Gate, value: f32, now: u64) -> Option<Write> {
    let now = Millis::new(now);
    match gate.judge(&speed(), Some(Wish { value, at: now }), now) {
        Verdict::Due(at, write) => (now >= at).then_some(write),
        Verdict::Idle | Verdict::Expired | Verdict::Refused(_) => None,
    }
}

const fn write(value: f32, word: u16) -> Option<Write> {
    Some(Write { value, word })
}

fn written(value: f32, now: u64) -> Gate {
    let mut gate = Gate::default();
    gate.attempt(judge(&gate, value, now).unwrap(), Millis::new(now));
    gate
}

#[test]
fn i09_a_change_inside_the_dead_band_waits_for_the_refresh() {
    let gate = written(50.0, 1_000);
    assert_eq!(judge(&gate, 50.4, 999 + REFRESH), None);
    assert_eq!(judge(&gate, 50.4, 1_000 + REFRESH), write(50.4, 5040));
}

#[test]
fn i09_a_change_waits_for_its_interval() {
    let gate = written(50.0, 1_000);
    assert_eq!(judge(&gate, 60.0, 1_099), None);
    assert_eq!(judge(&gate, 60.0, 1_100), write(60.0, 6000));
}

#[test]
fn i07_a_request_that_the_cycle_does_not_renew_is_not_repeated() {
    let gate = written(50.0, 1_000);
    let stale = Some(Wish { value: 50.0, at: Millis::new(1_000) });
    assert_eq!(gate.judge(&speed(), stale, Millis::new(1_000 + REFRESH)), Verdict::Expired);
    assert_eq!(gate.judge(&speed(), None, Millis::new(1_000 + REFRESH)), Verdict::Idle);
}

#[test]
fn after_a_lost_connection_the_same_request_is_written_again() {
    let mut gate = written(50.0, 1_000);
    gate.doubt();
    assert_eq!(judge(&gate, 50.0, 1_100), write(50.0, 5000));
}

#[test]
fn i01_what_is_no_number_is_refused() {
    for value in [f32::NAN, f32::INFINITY, 100.1, -0.1] {
        let wish = Some(Wish { value, at: Millis::ZERO });
        let verdict = Gate::default().judge(&speed(), wish, Millis::ZERO);
        assert!(matches!(verdict, Verdict::Refused(_)), "{value}");
    }
}

fn run() -> Command {
    Command {
        control: Control::PumpRun,
        form: CommandForm::Word { on: 3, off: 1, reset: Some(7), arm: Some(2), allow_mask: 7 },
        safe: 1.0,
        ..speed()
    }
}

const ON: Write = Write { value: 1.0, word: 3 };
const OFF: Write = Write { value: 0.0, word: 1 };

#[test]
fn a_drive_is_armed_before_it_starts_and_never_while_it_runs() {
    assert_eq!(ON.arm(&run(), Some(3)), None, "arming a running drive would stop it");
    for held in [Some(1), Some(2), Some(7), None] {
        assert_eq!(ON.arm(&run(), held), Some(2), "{held:?}");
    }
    assert_eq!(OFF.arm(&run(), Some(3)), None);
}

#[test]
fn i02_more_flow_and_a_leak_stop_are_towards_safety_and_less_flow_is_not() {
    let to = |value, word| Write { value, word };
    assert!(to(60.0, 6000).is_urgent(&speed(), Some(5000)));
    assert!(!to(40.0, 4000).is_towards_safety(&speed(), Some(5000)));
    assert!(!to(50.0, 5000).is_urgent(&speed(), Some(5000)), "a repetition is not urgent");
    assert!(to(50.0, 5000).is_towards_safety(&speed(), Some(5000)), "nor does it take anything away");
    assert!(OFF.is_urgent(&run(), Some(3)) && ON.is_urgent(&run(), Some(1)));
}

#[test]
fn i02_while_it_is_unknown_what_a_device_holds_only_the_safe_value_is_safe() {
    assert!(Write { value: 100.0, word: 10_000 }.is_urgent(&speed(), None));
    assert!(!Write { value: 99.0, word: 9_900 }.is_towards_safety(&speed(), None));
    assert!(ON.is_urgent(&run(), Some(77)) && OFF.is_urgent(&run(), None));
}

proptest! {
    #[test]
    fn i09_there_are_never_more_writes_than_the_profile_allows(
        steps in prop::collection::vec((0..400_u64, 0.0_f32..100.0, 0.0_f32..1.0), 1..300),
    ) {
        let (mut gate, mut now, mut value) = (Gate::default(), 0, 50.0);
        let mut last: Option<(u64, f32, bool)> = None;
        for (pause, jump, chance) in steps {
            now += pause;
            value = if chance < 0.1 { jump } else { (value + (jump - 50.0) / 200.0).clamp(0.0, 100.0) };
            let lost = chance > 0.98;
            if lost {
                gate.doubt();
                last = last.map(|(at, value, _)| (at, value, true));
            }
            if let Some(write) = judge(&gate, value, now) {
                if let Some((at, before, doubted)) = last {
                    prop_assert!(now - at >= INTERVAL);
                    prop_assert!(doubted || (value - before).abs() >= DEAD_BAND || now - at >= REFRESH);
                }
                gate.attempt(write, Millis::new(now));
                last = Some((now, value, false));
            }
        }
    }

    #[test]
    fn a_renewed_request_is_repeated_at_least_as_often_as_the_profile_says(pauses in prop::collection::vec(1..1_000_u64, 1..100)) {
        let (mut gate, mut now, mut last) = (written(50.0, 0), 0, 0);
        for pause in pauses {
            now += pause;
            if let Some(write) = judge(&gate, 50.0, now) {
                gate.attempt(write, Millis::new(now));
                last = now;
            }
            prop_assert!(now - last < REFRESH);
        }
    }
}
