//! The rules of an episode, without any process.

use std::io::ErrorKind;

use proptest::prelude::*;

use super::*;

const MINUTE: Millis = Millis::from_secs(60);
const HOT: Option<&str> = Some("hot");

fn at(seconds: u64) -> Millis {
    Millis::from_secs(seconds)
}

fn pair(found: Effect) -> Episode {
    Episode::new(Some(MINUTE), Some(MINUTE), found)
}

/// Starts what is due, and lets it end so.
fn run(episode: &mut Episode, now: Millis, ending: Ending) -> Side {
    let Next::Start(side) = episode.next(now) else { panic!("nothing to start: {:?}", episode.next(now)) };
    episode.started(side, now);
    episode.ended(ending, now);
    side
}

#[test]
fn a_hook_runs_once_when_its_wish_begins_and_its_pair_once_when_it_ends() {
    let mut drain = pair(Effect::None);
    assert_eq!(drain.next(at(0)), Next::Nothing);
    drain.want(HOT, at(1));
    assert_eq!(run(&mut drain, at(1), Ending::Success), Side::Begin);
    assert_eq!(drain.next(at(1000)), Next::Nothing);
    drain.want(None, at(1001));
    assert_eq!(run(&mut drain, at(1001), Ending::Success), Side::End);
    assert_eq!((drain.next(at(2000)), drain.effect()), (Next::Nothing, Effect::None));
}

#[test]
fn what_fails_is_tried_again_after_the_interval_five_times_an_episode() {
    let mut drain = pair(Effect::None);
    drain.want(HOT, at(0));
    for try_number in 0..u64::from(TRIES) {
        let now = at(60 * try_number);
        assert_eq!(run(&mut drain, now, Ending::Code(1)), Side::Begin);
        assert!(drain.status().0.failing);
        if try_number + 1 < u64::from(TRIES) {
            assert_eq!(drain.next(now + Millis::new(59_999)), Next::At(now + MINUTE));
        }
    }
    assert_eq!(drain.next(at(10_000)), Next::Nothing);
    let begin = drain.status().0;
    assert_eq!((begin.state, begin.runs, begin.failures), (HookState::Failed, TRIES, TRIES));
    drain.want(None, at(10_001));
    assert_eq!(run(&mut drain, at(10_001), Ending::Success), Side::End, "it may have come half way");
    assert!(!drain.status().0.failing);
    drain.want(HOT, at(10_002));
    assert_eq!(run(&mut drain, at(10_002), Ending::Success), Side::Begin, "a new episode, all tries again");
}

#[test]
fn a_wish_that_flutters_waits_for_the_interval() {
    let mut drain = pair(Effect::None);
    drain.want(HOT, at(0));
    run(&mut drain, at(0), Ending::Success);
    drain.want(None, at(1));
    run(&mut drain, at(1), Ending::Success);
    drain.want(HOT, at(2));
    assert_eq!(drain.next(at(2)), Next::At(at(60)));
    assert_eq!(drain.status().0.state, HookState::Waiting);
    drain.want(None, at(3));
    assert_eq!(drain.next(at(3)), Next::Nothing, "nothing is in effect and nothing wanted");
}

#[test]
fn a_restart_neither_repeats_a_drain_nor_forgets_to_end_it() {
    let mut still_hot = pair(Effect::InForce);
    still_hot.is_well(true, at(0));
    assert_eq!(still_hot.next(at(5)), Next::At(SETTLE), "the controller does not know yet");
    still_hot.want(HOT, at(20));
    assert_eq!(still_hot.next(at(20)), Next::Nothing);

    let mut cool = pair(Effect::InForce);
    cool.is_well(true, at(0));
    assert_eq!(run(&mut cool, SETTLE, Ending::Success), Side::End);
}

#[test]
fn what_was_found_at_start_stays_until_the_node_has_been_well_for_long() {
    let mut drain = pair(Effect::InForce);
    for (second, well) in [(0, false), (200, true), (300, false), (400, true)] {
        drain.is_well(well, at(second));
        assert!(!matches!(drain.next(at(second + 99)), Next::Start(_)), "at {second} s");
    }
    assert_eq!(drain.next(at(519)), Next::At(at(520)));
    assert_eq!(drain.next(at(520)), Next::Start(Side::End));
}

#[test]
fn what_ended_half_way_at_the_last_stop_is_run_again() {
    let mut drain = pair(Effect::Unsure);
    drain.want(HOT, at(5));
    assert_eq!(drain.next(at(5)), Next::Start(Side::Begin));
    drain.want(None, at(6));
    assert_eq!(drain.next(at(6)), Next::Start(Side::End));
}

#[test]
fn what_could_not_be_started_has_changed_nothing() {
    let mut drain = pair(Effect::None);
    drain.want(HOT, at(0));
    run(&mut drain, at(0), Ending::NotStarted(ErrorKind::NotFound));
    drain.want(None, at(1));
    assert_eq!((drain.next(at(1)), drain.effect()), (Next::Nothing, Effect::None));
    assert!(!drain.status().0.failing);
}

#[test]
fn a_stop_is_requested_once_an_episode() {
    let mut stop = Episode::new(Some(MINUTE), None, Effect::None);
    stop.want(HOT, at(0));
    run(&mut stop, at(0), Ending::Success);
    assert_eq!(stop.next(at(5000)), Next::Nothing);
    stop.want(None, at(5001));
    assert_eq!((stop.next(at(5001)), stop.effect()), (Next::Nothing, Effect::None));
    stop.want(HOT, at(5002));
    assert_eq!(stop.next(at(5002)), Next::Start(Side::Begin));
}

#[test]
fn without_a_hook_nothing_is_done() {
    let mut none = Episode::new(None, None, Effect::None);
    none.want(HOT, at(0));
    assert_eq!(none.next(at(1000)), Next::Nothing);
    assert_eq!(none.status().0.state, HookState::Idle);
}

proptest! {
    #[test]
    fn i13_no_hook_starts_within_its_interval_whatever_happens(
        steps in proptest::collection::vec((0_u64..90, any::<bool>(), 0_u8..3), 1..80),
    ) {
        let mut episode = pair(Effect::None);
        let mut now = Millis::ZERO;
        let mut last = [None::<Millis>; 2];
        for (wait, wanted, ending) in steps {
            now += at(wait);
            episode.want(wanted.then_some("hot"), now);
            if let Next::Start(side) = episode.next(now) {
                let last = &mut last[usize::from(side == Side::End)];
                prop_assert!(last.is_none_or(|last| now.since(last) >= MINUTE));
                *last = Some(now);
                episode.started(side, now);
                prop_assert_eq!(episode.effect(), Effect::Unsure, "on disk before the process starts");
                episode.ended([Ending::Success, Ending::Code(1), Ending::NotStarted(ErrorKind::NotFound)][usize::from(ending)], now);
            }
            prop_assert!(episode.tries(Side::Begin) <= TRIES && episode.tries(Side::End) <= TRIES);
        }
    }
}
