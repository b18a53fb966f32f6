use super::*;

const SECOND: u64 = 1000;
/// Wall clock of the agent's time zero.
const EPOCH: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Moment {
    Moment { at: Millis::new(ms), wall_ms: EPOCH + ms }
}

fn standing(alarms: &[Alarm]) -> Conditions {
    let mut conditions = Conditions::default();
    alarms.iter().for_each(|alarm| conditions.standing.raise_if(true, *alarm));
    conditions
}

fn interlocked() -> Conditions {
    let mut conditions = Conditions::default();
    conditions.interlocked.raise_if(true, Alarm::Leak);
    conditions
}

/// The book after these conditions stood for a minute.
fn settled(alarms: &[Alarm]) -> (AlarmBook, Moment) {
    let mut book = AlarmBook::default();
    book.step(&standing(alarms), at(0));
    book.step(&standing(alarms), at(60 * SECOND));
    (book, at(60 * SECOND))
}

fn later(now: Moment, ms: u64) -> Moment {
    Moment { at: now.at + Millis::new(ms), wall_ms: now.wall_ms + ms }
}

#[test]
fn an_alarm_waits_for_its_delays_and_says_each_change_once() {
    let (mut book, alarm) = (AlarmBook::default(), Alarm::Condensation);
    let (on, off) = (alarm.def().on_delay, alarm.def().off_delay);
    assert!(book.step(&standing(&[alarm]), at(100)).is_empty());
    assert!(book.step(&Conditions::default(), at(100 + on.get() - 1)).is_empty(), "a blink is no alarm");
    assert!(book.step(&standing(&[alarm]), at(SECOND * 10)).is_empty(), "the delay begins anew");
    let came = at(SECOND * 10 + on.get());
    assert_eq!(
        book.step(&standing(&[alarm]), came),
        [(alarm, AlarmChange::Raised { first_out: true })].into_iter().collect::<AlarmChanges>()
    );
    assert!(book.step(&standing(&[alarm]), later(came, 100)).is_empty());
    let gone = later(came, 200);
    assert!(book.step(&Conditions::default(), gone).is_empty());
    let changes = book.step(&Conditions::default(), later(gone, off.get()));
    assert_eq!(changes.as_slice(), [(alarm, AlarmChange::Cleared)]);
    let view = book.view(alarm);
    assert_eq!((view.state, view.on_ms), (AlarmState::Cleared, Some(came.wall_ms)));
}

#[test]
fn an_acknowledgement_ends_nothing_and_one_that_comes_after_the_end_does() {
    let (mut book, now) = settled(&[Alarm::PumpSilent]);
    assert_eq!(book.acknowledge(Alarm::PumpSilent, now), Ok(AlarmChange::Acknowledged));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Acked);
    assert_eq!(book.acknowledge(Alarm::PumpSilent, now), Err(Refusal::NothingToDo));
    let (mut book, now) = settled(&[Alarm::PumpSilent]);
    book.step(&Conditions::default(), now);
    book.step(&Conditions::default(), later(now, 60 * SECOND));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Cleared);
    assert_eq!(book.acknowledge(Alarm::PumpSilent, now), Ok(AlarmChange::Acknowledged));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Normal);
}

#[test]
fn a_latched_alarm_ends_by_a_reset_alone_and_only_when_its_condition_is_gone() {
    let (mut book, now) = settled(&[Alarm::Uncontrollable]);
    assert_eq!(book.reset(Alarm::Uncontrollable, now), Err(Refusal::StillActive));
    book.acknowledge(Alarm::Uncontrollable, now).unwrap();
    book.step(&Conditions::default(), later(now, 100));
    assert_eq!(book.view(Alarm::Uncontrollable).state, AlarmState::LatchedAcked);
    book.step(&Conditions::default(), later(now, 1_000_000));
    assert!(book.view(Alarm::Uncontrollable).is_active(), "time does not end it");
    assert_eq!(book.reset(Alarm::Uncontrollable, now), Ok(AlarmChange::Reset));
    assert_eq!(book.view(Alarm::Uncontrollable).state, AlarmState::Normal);
    assert_eq!(book.reset(Alarm::Uncontrollable, now), Err(Refusal::NothingToDo));
    assert_eq!(book.reset(Alarm::PumpSilent, now), Err(Refusal::NotLatched));
}

#[test]
fn i02_the_leak_alarm_is_as_long_as_its_interlock() {
    let mut book = AlarmBook::default();
    book.step(&Conditions { standing: standing(&[Alarm::Leak]).standing, ..interlocked() }, at(100));
    book.acknowledge(Alarm::Leak, at(100)).unwrap();
    // Dry, or a rope that no longer tells: the interlock remembers.
    book.step(&interlocked(), at(200));
    assert_eq!(book.view(Alarm::Leak).state, AlarmState::LatchedAcked);
    assert_eq!(book.reset(Alarm::Leak, at(300)), Err(Refusal::Interlocked));
    let changes = book.step(&Conditions::default(), at(400));
    assert_eq!(changes.as_slice(), [(Alarm::Leak, AlarmChange::Reset)]);
    assert_eq!(book.view(Alarm::Leak).state, AlarmState::Normal);
}

#[test]
fn i02_a_leak_that_only_the_interlock_remembers_is_an_alarm() {
    let mut book = AlarmBook::default();
    let changes = book.step(&interlocked(), at(0));
    assert_eq!(changes.as_slice(), [(Alarm::Leak, AlarmChange::Raised { first_out: true })]);
    assert_eq!(book.view(Alarm::Leak).state, AlarmState::LatchedUnacked);
}

#[test]
fn an_alarm_that_is_put_aside_lives_on_and_comes_back_by_itself() {
    let (mut book, now) = settled(&[Alarm::MeterSilent]);
    let hour = Millis::from_secs(3600);
    assert_eq!(
        book.shelve(Alarm::MeterSilent, hour, now),
        Ok(AlarmChange::Shelved { until_ms: now.wall_ms + 3_600_000 })
    );
    let view = book.view(Alarm::MeterSilent);
    assert!(view.is_active() && !view.is_shown() && view.state == AlarmState::Unacked);
    assert!(book.step(&standing(&[Alarm::MeterSilent]), later(now, 3_599_999)).is_empty());
    let changes = book.step(&standing(&[Alarm::MeterSilent]), later(now, 3_600_000));
    assert_eq!(changes.as_slice(), [(Alarm::MeterSilent, AlarmChange::Unshelved)]);
    assert!(book.view(Alarm::MeterSilent).is_shown());
}

#[test]
fn a_safety_action_is_never_put_aside_and_nothing_for_longer_than_a_shift() {
    let (mut book, now) = (AlarmBook::default(), at(0));
    for alarm in [Alarm::Leak, Alarm::LossOfFlow, Alarm::OverTemperature, Alarm::Condensation] {
        assert_eq!(book.shelve(alarm, Millis::from_secs(60), now), Err(Refusal::NotShelvable));
    }
    for time in [Millis::ZERO, LONGEST_SHELF + Millis::new(1), Millis::FOREVER] {
        assert_eq!(book.shelve(Alarm::PumpSilent, time, now), Err(Refusal::ShelfTime));
    }
    assert!(book.shelve(Alarm::PumpSilent, LONGEST_SHELF, now).is_ok());
    assert_eq!(book.unshelve(Alarm::PumpSilent), Ok(AlarmChange::Unshelved));
    assert_eq!(book.unshelve(Alarm::PumpSilent), Err(Refusal::NotShelved));
}

#[test]
fn an_alarm_that_is_put_aside_again_and_again_is_seen_after_a_shift() {
    let (alarm, hour) = (Alarm::MeterSilent, Millis::from_secs(3600));
    let (mut book, start) = settled(&[alarm]);
    let conditions = standing(&[alarm]);
    book.shelve(alarm, hour, start).unwrap();
    let after = later(start, 7 * hour.get());
    assert_eq!(book.shelve(alarm, hour + Millis::new(1), after), Err(Refusal::ShelfSpent));
    book.shelve(alarm, hour, after).unwrap();
    // To blink is not to be seen, and a restart in between changes nothing.
    let now = later(start, 7 * hour.get() + 60 * SECOND);
    book.unshelve(alarm).unwrap();
    book.step(&conditions, now);
    let mut restarted = AlarmBook::default();
    restarted.restore(alarm, &book.view(alarm), now);
    for book in [&mut book, &mut restarted] {
        let now = later(now, 59 * SECOND);
        book.step(&conditions, now);
        assert_eq!(book.shelve(alarm, hour, now), Err(Refusal::ShelfSpent));
        assert!(book.shelve(alarm, Millis::from_secs(1800), now).is_ok(), "what is left of the shift");
        book.step(&conditions, later(start, 8 * hour.get()));
        assert!(book.view(alarm).is_shown());
        let now = later(start, 8 * hour.get() + 60 * SECOND);
        assert_eq!(book.shelve(alarm, hour, now), Err(Refusal::ShelfSpent));
        book.step(&conditions, now);
        assert!(book.shelve(alarm, LONGEST_SHELF, now).is_ok(), "it was seen");
    }
}

#[test]
fn an_alarm_that_another_device_joins_is_a_new_one() {
    let (alarm, minute) = (Alarm::SetPointIgnored, 60 * SECOND);
    let by = |devices| {
        let mut conditions = standing(&[alarm]);
        conditions.behind.set(alarm, devices);
        conditions
    };
    let (valve, both) = (by(Devices::VALVE), by(Devices::VALVE.with(Devices::PUMP)));
    let raised = (alarm, AlarmChange::Raised { first_out: true });
    let mut book = AlarmBook::default();
    book.step(&valve, at(0));
    book.acknowledge(alarm, at(0)).unwrap();
    assert!(book.step(&valve, at(100)).is_empty(), "the same one");
    assert_eq!(book.step(&both, at(200)).as_slice(), [raised]);
    assert_eq!(book.view(alarm).state, AlarmState::Unacked);
    book.shelve(alarm, LONGEST_SHELF, at(300)).unwrap();
    assert!(book.step(&valve, at(400)).is_empty() && book.step(&both, at(500)).is_empty(), "both are aside");
    book.unshelve(alarm).unwrap();

    // The valve's is put aside and goes, the agent starts anew, and the pump's comes.
    book.step(&valve, at(600));
    book.shelve(alarm, Millis::new(minute), at(600)).unwrap();
    book.step(&Conditions::default(), at(700));
    book.step(&Conditions::default(), at(minute / 2));
    let mut restarted = AlarmBook::default();
    restarted.restore(alarm, &book.view(alarm), at(minute / 2));
    for book in [&mut book, &mut restarted] {
        let changes = book.step(&by(Devices::PUMP), at(minute / 2));
        assert_eq!(changes.as_slice(), [(alarm, AlarmChange::Unshelved), raised]);
        assert!(book.view(alarm).is_shown());
    }

    let mut book = AlarmBook::default();
    book.shelve(alarm, Millis::new(minute), at(0)).unwrap();
    book.step(&valve, at(100));
    assert!(book.view(alarm).is_shelved(), "put aside before it came");
}

#[test]
fn one_trouble_is_one_alarm_and_its_consequences_come_out_when_it_goes() {
    let consequence = Alarm::FlowDoubtful;
    let (mut book, now) = settled(&[Alarm::LossOfFlow, Alarm::OverTemperature, consequence]);
    for hidden in [Alarm::OverTemperature, consequence] {
        let view = book.view(hidden);
        assert_eq!((view.suppressed_by, view.is_shown()), (Some(Alarm::LossOfFlow), false), "{hidden:?}");
    }
    assert!(book.view(Alarm::LossOfFlow).is_shown() && book.view(Alarm::LossOfFlow).first_out);
    let changes = book.step(&standing(&[consequence]), later(now, 100));
    assert!(changes.contains(&(consequence, AlarmChange::Unsuppressed)), "{changes:?}");
    assert!(book.view(consequence).is_shown());
    assert_eq!(book.view(Alarm::OverTemperature).state, AlarmState::Normal, "nobody ever saw it");
    assert_eq!(book.view(Alarm::LossOfFlow).state, AlarmState::Cleared);
}

#[test]
fn an_alarm_that_is_put_aside_hides_nothing() {
    let (cause, consequence) = (Alarm::GpuLinkDown, Alarm::ThrottleRefused);
    let (mut book, now) = settled(&[cause, consequence]);
    assert_eq!(book.view(consequence).suppressed_by, Some(cause));
    book.shelve(cause, Millis::from_secs(60), now).unwrap();
    let changes = book.step(&standing(&[cause, consequence]), later(now, 100));
    assert_eq!(changes.as_slice(), [(consequence, AlarmChange::Unsuppressed)]);
    let view = book.view(consequence);
    assert!(view.is_shown() && view.explained_by == Some(cause), "explained all the same");
    book.step(&standing(&[cause, consequence]), later(now, 60 * SECOND));
    assert_eq!(book.view(consequence).suppressed_by, Some(cause), "back from the shelf");
}

#[test]
fn a_critical_alarm_is_explained_but_never_hidden_by_a_lesser_one() {
    let (book, _) = settled(&[Alarm::PumpFault, Alarm::LossOfFlow]);
    let view = book.view(Alarm::LossOfFlow);
    assert_eq!((view.explained_by, view.suppressed_by), (Some(Alarm::PumpFault), None));
    assert_eq!(book.first_out(), Some(Alarm::PumpFault), "they came together: the cause is first");
}

#[test]
fn a_trip_has_one_first_out_until_nothing_urgent_is_left() {
    let mut book = AlarmBook::default();
    let first = |book: &AlarmBook| book.first_out();
    book.step(&standing(&[Alarm::MeterSilent]), at(0));
    assert_eq!(first(&book), None, "not urgent");
    book.step(&standing(&[Alarm::ThrottleRefused]), at(100));
    book.step(&standing(&[Alarm::ThrottleRefused, Alarm::LossOfFlow]), at(200));
    assert_eq!(first(&book), Some(Alarm::ThrottleRefused));
    book.step(&standing(&[Alarm::LossOfFlow]), at(300));
    book.acknowledge(Alarm::ThrottleRefused, at(350)).unwrap();
    book.step(&standing(&[Alarm::LossOfFlow]), at(400));
    assert_eq!(first(&book), Some(Alarm::ThrottleRefused), "even when it is gone itself");
    book.step(&Conditions::default(), at(500));
    assert_eq!(first(&book), None);
    book.step(&standing(&[Alarm::LossOfFlow]), at(600));
    assert_eq!(first(&book), Some(Alarm::LossOfFlow), "the next trip");
}

#[test]
fn what_was_seen_before_a_restart_stays_seen_while_inputs_are_awaited() {
    let (mut before, now) = settled(&[Alarm::PumpSilent, Alarm::MeterSilent]);
    before.acknowledge(Alarm::PumpSilent, now).unwrap();
    before.shelve(Alarm::MeterSilent, Millis::from_secs(3600), now).unwrap();
    let mut book = AlarmBook::default();
    let start = Moment { at: Millis::ZERO, wall_ms: now.wall_ms + 60_000 };
    for def in &ALARMS {
        book.restore(def.alarm, &before.view(def.alarm), start);
    }
    book.step(&Conditions::default(), later(start, 20 * SECOND));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Acked);
    assert!(book.view(Alarm::PumpSilent).first_out, "the trip goes on");
    assert_eq!(
        book.view(Alarm::MeterSilent).shelved_until_ms,
        Some(now.wall_ms + 3_600_000),
        "as long as was asked for, not from the restart on"
    );
    let conditions = standing(&[Alarm::PumpSilent]);
    book.step(&conditions, later(start, 21 * SECOND));
    book.step(&Conditions::default(), later(start, 22 * SECOND));
    book.step(&Conditions::default(), later(start, 29 * SECOND));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Normal, "heard and gone");
    assert!(book.view(Alarm::MeterSilent).is_active(), "not heard of yet");
    book.step(&Conditions::default(), later(start, 31 * SECOND));
    assert!(!book.view(Alarm::MeterSilent).is_active());
}

#[test]
fn a_record_that_cannot_be_true_does_no_harm() {
    let mut book = AlarmBook::default();
    let latched = AlarmView { state: AlarmState::LatchedAcked, ..AlarmView::default() };
    book.restore(Alarm::PumpSilent, &latched, at(0));
    assert_eq!(book.view(Alarm::PumpSilent).state, AlarmState::Normal, "it does not latch");
    let shelved = AlarmView { shelved_until_ms: Some(u64::MAX), ..AlarmView::default() };
    book.restore(Alarm::Leak, &shelved, at(0));
    assert!(!book.view(Alarm::Leak).is_shelved());
    book.restore(Alarm::MeterSilent, &shelved, at(0));
    assert_eq!(book.view(Alarm::MeterSilent).shelved_until_ms, Some(EPOCH + LONGEST_SHELF.get()));
}
