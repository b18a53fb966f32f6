//! Rule 10: a step does not allocate. Counted by the allocator itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may be blunt")]

mod common;

use std::alloc::System;

use eisbach_control::{Controller, Tuning};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::{Kelvin, Millis};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn i10_a_hundred_thousand_steps_through_all_states_allocate_nothing() {
    let healthy = common::healthy();
    let mut hot = healthy.clone();
    hot.gpus[0].margin = Reading::measured(Kelvin::new(5.0), Millis::ZERO);
    let mut stopped = healthy.clone();
    stopped.pump.running = Reading::measured(false, Millis::ZERO);
    let mut controller = Controller::new(Tuning::default());

    let region = Region::new(ALLOCATOR);
    for tick in 0..100_000_u64 {
        let snapshot = match tick / 500 % 4 {
            1 => &hot,
            3 => &stopped,
            _ => &healthy,
        };
        controller.step(snapshot, Millis::new(tick * 100));
    }
    let used = region.change();
    assert_eq!((used.allocations, used.reallocations), (0, 0));
}
