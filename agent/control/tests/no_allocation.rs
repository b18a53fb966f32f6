//! Rule 10: a step does not allocate. Counted by the allocator itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use std::alloc::System;

use eisbach_control::{Controller, Manual, Remote, Tuning};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Kelvin, Millis, Percent};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A hundred thousand steps through ordinary operation, heat and a stopped pump; what they allocated.
fn allocations() -> usize {
    let healthy = common::healthy();
    let mut hot = healthy.clone();
    hot.gpus[0].margin = Reading::measured(Kelvin::new(5.0), Millis::ZERO);
    let mut stopped = healthy.clone();
    stopped.pump.running = Reading::measured(false, Millis::ZERO);
    let mut ordered = healthy.clone();
    ordered.remote = Remote {
        pump_at_least: Some(Percent::new(80.0)),
        manual: Some(Manual { pump: Some(Percent::new(30.0)), valve: Some(Percent::ZERO) }),
        drain: true,
        ..Remote::default()
    };
    let mut controller = Controller::new(Tuning::default());

    let region = Region::new(ALLOCATOR);
    for tick in 0..100_000_u64 {
        let snapshot = match tick / 500 % 4 {
            1 => &hot,
            2 => &ordered,
            3 => &stopped,
            _ => &healthy,
        };
        controller.step(snapshot, Millis::new(tick * 100));
    }
    let used = region.change();
    used.allocations + used.reallocations
}

#[test]
fn i10_a_hundred_thousand_steps_through_all_states_allocate_nothing() {
    // The counter is the whole process's, and the test harness allocates now and then; a step that allocates does so
    // in every run.
    let fewest = (0..5).map(|_| allocations()).min();
    assert_eq!(fewest, Some(0));
}
