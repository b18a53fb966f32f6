//! What a look at a register comes to.

use super::*;
use proptest::prelude::*;

const SLOW: ReadBack = ReadBack {
    address: None,
    table: eisbach_protocol::registers::Table::Holding,
    tolerance: 2,
    ignore_mask: 0x0100,
    within_ms: 1_000,
};

fn at(ms: u64) -> Millis {
    Millis::new(ms)
}

/// A proof that has seen `before` and then wrote `word`, at 0.
fn awaiting(before: u16, word: u16) -> Proof {
    let mut proof = Proof::default();
    assert_eq!(proof.look(), None);
    assert_eq!(proof.seen(Some(before), &SLOW, at(0)), Finding::Known);
    proof.written(word, &SLOW, at(0));
    proof
}

#[test]
fn i06_tolerance_and_the_devices_own_bits_count_as_held_and_nothing_else_does() {
    for (found, same) in [(50, true), (48, true), (53, false), (50 | 0x0100, true), (50 | 0x0200, false)] {
        assert_eq!(agrees(&SLOW, 50, found), same, "{found:#x}");
    }
}

#[test]
fn i06_looks_go_on_until_the_time_is_over_and_then_there_is_a_verdict() {
    let mut proof = awaiting(40, 50);
    assert_eq!(proof.look(), Some((at(0), true)));
    assert_eq!(proof.seen(Some(40), &SLOW, at(10)), Finding::Pending);
    assert_eq!(proof.look(), Some((at(135), true)));
    assert_eq!(proof.held(), Some(40));
    assert_eq!(proof.seen(Some(51), &SLOW, at(999)), Finding::Held);
    assert_eq!(proof.look(), Some((at(2_999), false)), "watched from now on");
}

#[test]
fn i06_what_is_found_too_late_has_a_name() {
    for (found, finding) in [
        (Some(40), Finding::Rejected),
        (Some(41), Finding::Rejected),
        (Some(70), Finding::Overwritten),
        (None, Finding::Unproven),
    ] {
        assert_eq!(awaiting(40, 50).seen(found, &SLOW, at(1_000)), finding, "{found:?}");
    }
}

#[test]
fn a_word_that_overtook_another_is_not_called_overwritten_when_the_other_comes() {
    let mut proof = awaiting(40, 50);
    proof.written(60, &SLOW, at(10));
    assert_eq!(proof.seen(Some(50), &SLOW, at(2_000)), Finding::Rejected);
}

#[test]
fn i05_a_held_word_that_changes_is_somebody_elses_doing_and_a_lost_one_is_nobodys() {
    let mut proof = awaiting(40, 50);
    assert_eq!(proof.seen(Some(50), &SLOW, at(0)), Finding::Held);
    assert_eq!(proof.seen(None, &SLOW, at(2_000)), Finding::Still, "not to be read just now");
    assert_eq!(proof.seen(Some(70), &SLOW, at(4_000)), Finding::Foreign);
    assert_eq!((proof.held(), proof.word()), (Some(70), None));
    proof.doubt();
    assert_eq!((proof.held(), proof.seen(Some(3), &SLOW, at(6_000))), (None, Finding::Known));
}

proptest! {
    #[test]
    fn i06_nothing_is_held_that_was_not_seen(words in prop::collection::vec((any::<bool>(), 0..6_u16), 1..100)) {
        let exact = ReadBack::default();
        let (mut proof, mut written) = (Proof::default(), None);
        for (now, (write, word)) in words.into_iter().enumerate() {
            let now = at(now as u64);
            if write {
                proof.written(word, &exact, now);
                written = Some(word);
                prop_assert_eq!(proof.word(), None);
            } else {
                let finding = proof.seen(Some(word), &exact, now);
                let held = matches!(finding, Finding::Held | Finding::Still);
                prop_assert_eq!(held, proof.word().is_some());
                prop_assert!(!held || written == Some(word));
                prop_assert_eq!(proof.held(), Some(word));
            }
        }
    }
}

#[test]
fn an_effect_is_not_judged_by_a_reading_that_has_grown_old() {
    let text = r#"
        control = "pump_speed"
        address = 103
        form = { number = { scale = 0.01, low = 0.0, high = 100.0, dead_band = 0.1 } }
        refresh_ms = 5000
        min_interval_ms = 100
        persistence = "volatile"
        effect = { signal = "pump_speed", tolerance = 5.0, within_ms = 1000 }
        safe = 100.0
        source = "manual"
        grade = "A"
    "#;
    let command: Command = toml::from_str(text).unwrap();
    let effect = command.effect.clone().unwrap();
    let mut proof = awaiting(40, 5_000);
    proof.seen(Some(5_000), &SLOW, at(0));
    let sample = Some(Sample { outcome: Ok(10.0), doubtful: false, at: at(3_000) });
    let judge = |now| proof.effect(&command, &effect, sample, at(now), at(1_000));
    assert_eq!((judge(4_000), judge(4_001)), (Judgement::Missed, Judgement::Unknown));
}
