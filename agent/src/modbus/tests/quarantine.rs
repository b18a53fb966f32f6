//! After a lost answer: nothing that comes late is ever taken for the answer to something else.

use std::time::Duration;

use super::bus_rig::{BusRig, DEADLINE_MS};
use super::fake_wire::{Asked, FakeWire, Fate};
use crate::clock::Clock;
use crate::modbus::bus::{Medium, Request, Span};
use crate::modbus::state::Phase;

/// Strikes at the fifth read of register 200, once.
fn once(fate: Fate) -> impl FnMut(&Asked) -> Option<Fate> + Send + 'static {
    let mut seen = 0;
    move |asked| {
        seen += usize::from(asked.reads(200));
        (asked.reads(200) && seen == 5).then(|| std::mem::replace(&mut seen, 6)).map(|_| fate)
    }
}

/// Some seconds of life; every value that is shown is checked on the way.
async fn lives(medium: Medium, fate: Fate, units: &[u8]) -> BusRig {
    let clock = Clock::start();
    let wire = FakeWire::scheming(medium, clock, once(fate));
    let rig = BusRig::stations(&wire, clock, units);
    rig.pass(4_000).await;
    rig
}

/// The same, and in the end everything is well again.
async fn survives(medium: Medium, fate: Fate) -> BusRig {
    let rig = lives(medium, fate, &[1, 2]).await;
    assert!(rig.age(0) < 500 && rig.age(1) < 500, "{fate:?}: ages {} and {}", rig.age(0), rig.age(1));
    assert_eq!(rig.links[0].counters().timeouts, 1, "{fate:?}");
    rig
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_on_an_anonymous_wire_is_never_taken_for_another_registers_value() {
    for late_ms in (DEADLINE_MS + 1..3 * DEADLINE_MS).step_by(7) {
        lives(Medium::Anonymous, Fate::After(Duration::from_millis(late_ms)), &[1]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_on_an_anonymous_wire_costs_one_quarantine() {
    for late_ms in (DEADLINE_MS + 1..3 * DEADLINE_MS).step_by(97) {
        let rig = survives(Medium::Anonymous, Fate::After(Duration::from_millis(late_ms))).await;
        assert_eq!(rig.links[0].counters().quarantines, 1, "late by {late_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_on_a_wire_with_transactions_dies_with_its_connection() {
    for late_ms in (DEADLINE_MS + 1..3 * DEADLINE_MS).step_by(97) {
        let rig = survives(Medium::Transactions, Fate::After(Duration::from_millis(late_ms))).await;
        assert_eq!(rig.links[0].counters().quarantines, 0);
        assert_eq!(rig.wire.inside().connections, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_the_wire_is_quiet_and_then_asks_that_unit_for_another_length() {
    let rig = survives(Medium::Anonymous, Fate::Silence).await;
    let log = rig.wire.asked(|_| true);
    let lost = log.iter().rposition(|asked| asked.connection == 1).unwrap();
    let quiet = log[lost + 1].at.since(log[lost].at).get();
    assert!(quiet >= DEADLINE_MS + 2 * DEADLINE_MS, "quiet for {quiet} ms");
    let first = log[lost + 1..].iter().find(|asked| asked.unit == log[lost].unit).unwrap();
    let count = |asked: &Asked| match asked.request {
        Request::Read(Span { count, .. }) => count,
        Request::Write { .. } => panic!("{asked:?}"),
    };
    assert_ne!(count(first), count(&log[lost]));
    assert_eq!(rig.wire.inside().connections, 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_even_later_than_the_quiet_time_meets_the_request_of_another_length() {
    // It arrives while the first request after the quiet time is on the wire.
    let rig = lives(Medium::Anonymous, Fate::After(Duration::from_millis(3 * DEADLINE_MS + 10)), &[1]).await;
    assert_eq!(rig.links[0].counters().broken, 1);
    assert_eq!(rig.links[0].counters().quarantines, 2);
    assert!(rig.age(0) < 500, "age {}", rig.age(0));
}

#[tokio::test(start_paused = true)]
async fn the_quarantine_is_told_and_ends() {
    let clock = Clock::start();
    let wire = FakeWire::scheming(Medium::Anonymous, clock, once(Fate::Silence));
    let rig = BusRig::stations(&wire, clock, &[1]);
    let mut phases = Vec::new();
    for _ in 0..600 {
        rig.pass(5).await;
        let phase = rig.links[0].state().phase;
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
    }
    let seen = phases.iter().position(|phase| *phase == Phase::Quarantine);
    assert!(seen.is_some() && phases.last() == Some(&Phase::Up), "{phases:?}");
}

#[tokio::test(start_paused = true)]
async fn garbage_on_an_anonymous_wire_quarantines_it_too() {
    let clock = Clock::start();
    // The late answer of unit 1 arrives while unit 2 is asked: its frame carries another unit.
    let plot = {
        let mut reads = 0;
        move |asked: &Asked| {
            reads += usize::from(asked.unit == 1 && asked.reads(200));
            (asked.unit == 1 && asked.reads(200) && reads == 5)
                .then_some(Fate::After(Duration::from_millis(1_510)))
        }
    };
    let wire = FakeWire::scheming(Medium::Anonymous, clock, plot);
    let rig = BusRig::stations(&wire, clock, &[1, 2]);
    rig.pass(8_000).await;
    let broken: u64 = rig.links.iter().map(|link| link.counters().broken).sum();
    let quarantines: u64 = rig.links.iter().map(|link| link.counters().quarantines).sum();
    assert_eq!((broken, quarantines), (1, 2));
}
