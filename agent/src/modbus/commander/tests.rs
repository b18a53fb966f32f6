//! All writes to one device, in virtual time, over a bus of a few lines.

mod bench;

use std::time::Duration;

use self::bench::{Bench, LOCAL, RUN, SPEED};
use super::*;
use crate::modbus::write_state::WriteTrouble;
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn i06_a_set_point_is_read_back_where_the_profile_says() {
    let mut bench = Bench::new();
    bench.wishes[SPEED] = Some(55.5);
    bench.run(1).await;
    assert!((bench.state(SPEED).verified.unwrap().value - 55.5).abs() < 0.001);
    assert_eq!(bench.written(103), [5550]);
    assert_eq!((bench.counters.writes, bench.counters.verified), (2, 1), "one of them the heartbeat");
}

#[tokio::test(start_paused = true)]
async fn i06_a_pump_that_does_not_turn_is_not_effective() {
    let mut bench = Bench::new();
    bench.wishes[SPEED] = Some(50.0);
    bench.run(4).await;
    assert_eq!(bench.state(SPEED).trouble, Some(WriteTrouble::NotEffective));
    bench.pump.registers.insert(302, 4_800);
    bench.run(1).await;
    assert_eq!(bench.state(SPEED).trouble, None);
}

#[tokio::test(start_paused = true)]
async fn i05_a_local_operator_is_never_fought_and_afterwards_everything_is_written_anew() {
    let mut bench = Bench::new();
    bench.wishes = [Some(1.0), Some(50.0)];
    bench.run(2).await;
    assert!(bench.state(RUN).verified.is_some() && bench.state(SPEED).verified.is_some());
    assert_eq!(bench.written(100), [2, 3]);

    bench.pump.registers.extend([(200, LOCAL), (103, 2_000), (100, 1)]);
    bench.run(1).await;
    bench.pump.requests.clear();
    bench.wishes = [Some(0.0), Some(100.0)];
    bench.run(60).await;
    assert!(!bench.writes(), "no command, no heartbeat");
    for state in [bench.state(RUN), bench.state(SPEED)] {
        assert!(state.local && state.verified.is_none() && !state.yielded && state.foreign_events == 0);
    }

    bench.pump.registers.insert(200, 0);
    bench.wishes = [Some(1.0), Some(50.0)];
    bench.run(1).await;
    assert!(!bench.state(RUN).local);
    assert_eq!((bench.pump.registers[&100], bench.pump.registers[&103]), (3, 5_000));
}

#[tokio::test(start_paused = true)]
async fn i05_who_has_the_device_is_asked_before_the_first_write_after_every_connect() {
    let mut bench = Bench::new();
    bench.wishes = [Some(1.0), Some(50.0)];
    bench.pump.registers.insert(200, LOCAL);
    bench.polls = false;
    bench.run(1).await;
    assert!(!bench.writes());
    bench.pump.registers.insert(200, 0);
    bench.commander.doubt();
    bench.run(1).await;
    assert!(bench.state(SPEED).verified.is_some());
    bench.pump.registers.insert(200, LOCAL);
    bench.pump.requests.clear();
    bench.commander.doubt();
    assert_eq!(bench.state(SPEED).verified, None, "what it holds is unknown");
    bench.run(1).await;
    assert!(!bench.writes());
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_tells_nothing_does_not_stop_the_cooling() {
    let mut bench = Bench::new();
    bench.wishes[SPEED] = Some(50.0);
    bench.pump.registers.insert(200, LOCAL);
    bench.run(1).await;
    assert!(bench.state(SPEED).local);
    bench.polls = false;
    bench.run(3).await;
    assert!(!bench.state(SPEED).local);
    assert_eq!(bench.written(103), [5_000]);
}

#[tokio::test(start_paused = true)]
async fn i07_heartbeats_come_only_from_completed_cycles() {
    let mut bench = Bench::new();
    bench.run(5).await;
    assert_eq!(bench.written(7), [1, 2, 3, 4, 5]);
    bench.hung = true;
    bench.run(30).await;
    assert_eq!(bench.written(7), [6], "for the cycles that were completed since");
    bench.run(30).await;
    assert_eq!(bench.written(7), Vec::<u16>::new());
    bench.hung = false;
    bench.run(2).await;
    assert_eq!(bench.written(7)[0], 7);
    let heartbeats = bench.cells.image.borrow().heartbeats;
    assert!(heartbeats.sent >= 7 && !heartbeats.ignored);
}

#[tokio::test(start_paused = true)]
async fn i06_a_device_whose_echo_stands_still_ignores_the_heartbeat() {
    let mut bench = Bench::new();
    bench.pump.frozen = true;
    bench.run(5).await;
    assert!(bench.cells.image.borrow().heartbeats.ignored);
    bench.pump.frozen = false;
    bench.run(2).await;
    assert!(!bench.cells.image.borrow().heartbeats.ignored);
}

#[tokio::test(start_paused = true)]
async fn i02_a_safe_write_goes_before_everything_else_that_is_due() {
    let mut bench = Bench::new();
    bench.wishes = [Some(1.0), Some(50.0)];
    bench.run(10).await;
    bench.wishes = [Some(1.0), Some(90.0)];
    bench.cycle += 1;
    bench.cycle();
    sleep(Duration::from_secs(2)).await;
    bench.cycle();
    assert_eq!(bench.commander.next(bench.clock.now()).unwrap().class, Class::Safe);
    bench.pump.requests.clear();
    bench.turn().await.unwrap();
    assert_eq!(bench.written(103), [9_000]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_connection_is_handed_up_and_nothing_is_verified_by_it() {
    let mut bench = Bench::new();
    bench.wishes[SPEED] = Some(50.0);
    bench.cycle();
    bench.pump.broken = true;
    assert!(bench.turn().await.is_err());
    assert_eq!(bench.state(SPEED).verified, None);
}
