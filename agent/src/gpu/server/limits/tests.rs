//! A GPU with a journal, through crashes and other people's limits.

use super::*;
use crate::clock::Clock;
use crate::gpu::server::driver::ClockMhz;
use crate::gpu::server::fake::{FakeGpu, What};
use crate::gpu::server::journal::Journal;
use crate::gpu::server::watch::CallWatch;
use eisbach_protocol::gpu_link::Throttle;
use eisbach_protocol::units::{Megahertz, Watts};
use proptest::prelude::*;
use std::sync::Arc;
use tempfile::TempDir;

/// A GPU with a journal, as one process sees it. Made again over the same folder, it is the next process.
struct Bench {
    handle: Box<dyn Gpu>,
    limits: Limits,
}

impl Bench {
    fn start(gpu: &FakeGpu, folder: &TempDir) -> Self {
        let scribe = Scribe::start(Journal::new(folder.path())).unwrap();
        let mut handle = gpu.handle(Arc::new(CallWatch::new(Clock::start())));
        let mut limits = Limits::new(&handle.card().uuid, scribe);
        limits.hold(handle.as_mut()).unwrap();
        Self { handle, limits }
    }

    fn ask(&mut self, power: Option<f32>, clock: Option<f32>, may_release: bool) -> Verdict {
        let throttle = Throttle {
            power_cap: power.map(Watts::new),
            sm_clock_max: clock.map(Megahertz::new),
            ..Throttle::nothing(0)
        };
        self.limits.apply(self.handle.as_mut(), Wish::asked(&throttle, may_release))
    }
}

fn fresh() -> (TempDir, FakeGpu) {
    let folder = tempfile::tempdir().unwrap();
    let gpu = FakeGpu::new(0, folder.path());
    (folder, gpu)
}

#[test]
fn i08_what_we_are_about_to_hold_is_on_disk_before_it_is_written() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    assert_eq!(bench.ask(Some(300.0), Some(900.0), false), Verdict::Applied);
    assert_eq!(bench.ask(Some(250.0), Some(900.0), false), Verdict::Applied);
    let caps: Vec<_> = gpu
        .with(|state| state.writes.iter().map(|write| (write.what, write.recorded.power.unwrap())).collect());
    for (what, recorded) in caps {
        assert_eq!(recorded.original, Milliwatts(700_000));
        if let What::Power(limit) = what {
            assert_eq!(recorded.cap, Milliwatts(limit));
        }
    }
    assert_eq!(gpu.writes(), [300_000, 250_000].map(|cap| [What::Power(cap), What::Clock(900)]).concat());
}

#[test]
fn i08_a_crash_never_raises_a_limit_and_the_next_process_still_knows_the_original() {
    let (folder, gpu) = fresh();
    Bench::start(&gpu, &folder).ask(Some(300.0), Some(900.0), false);
    let mut next = Bench::start(&gpu, &folder);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (300_000, Some(900)));
    assert_eq!(next.ask(None, None, false), Verdict::Withheld);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (300_000, Some(900)));
    assert_eq!(next.ask(None, None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (700_000, None));
    assert_eq!(*next.limits.claim(), Claim::default());
}

#[test]
fn i08_a_crash_between_record_and_write_neither_raises_nor_forgets() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    bench.ask(Some(300.0), None, false);
    gpu.with(|state| state.refuses_power = Some(Fault::Other("killed here".to_owned())));
    bench.ask(Some(400.0), None, true);
    gpu.with(|state| state.refuses_power = None);
    let mut next = Bench::start(&gpu, &folder);
    assert_eq!(gpu.with(|state| state.requested_mw), 300_000);
    assert_eq!(next.ask(None, None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| state.requested_mw), 700_000);
}

#[test]
fn a_cap_that_a_reset_wiped_out_is_put_back() {
    let (folder, gpu) = fresh();
    Bench::start(&gpu, &folder).ask(Some(300.0), None, false);
    gpu.with(|state| state.requested_mw = 700_000);
    Bench::start(&gpu, &folder);
    assert_eq!(gpu.with(|state| state.requested_mw), 300_000);
}

#[test]
fn i08_a_limit_that_somebody_else_changed_is_left_to_them() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    bench.ask(Some(300.0), None, false);
    gpu.with(|state| state.requested_mw = 450_000);
    assert_eq!(bench.ask(None, None, true), Verdict::Yielded);
    assert_eq!(bench.ask(None, None, true), Verdict::Applied, "nothing is ours any more");
    assert_eq!(gpu.with(|state| state.requested_mw), 450_000);
}

#[test]
fn a_cap_never_rises_above_what_somebody_else_allowed() {
    let (folder, gpu) = fresh();
    gpu.with(|state| state.requested_mw = 500_000);
    let mut bench = Bench::start(&gpu, &folder);
    assert_eq!(bench.ask(Some(650.0), None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| state.requested_mw), 500_000);
    assert_eq!(gpu.writes(), [], "what stands is not written again");
}

#[test]
fn a_cap_below_what_the_device_can_do_is_its_lowest() {
    let (folder, gpu) = fresh();
    assert_eq!(Bench::start(&gpu, &folder).ask(Some(50.0), Some(10.0), false), Verdict::Applied);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (200_000, Some(345)));
}

#[test]
fn both_limits_are_attempted_whatever_becomes_of_the_first() {
    let (folder, gpu) = fresh();
    gpu.with(|state| state.refuses_power = Some(Fault::NotPermitted));
    let mut bench = Bench::start(&gpu, &folder);
    assert_eq!(bench.ask(Some(300.0), Some(900.0), false), Verdict::NotPermitted);
    assert_eq!(gpu.with(|state| state.clock), Some(900));
    assert_eq!(*bench.limits.claim(), Claim { clock: Some(ClockMhz(900)), ..Claim::default() });
}

#[test]
fn a_cap_held_while_only_the_clock_is_given_back_stays() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    bench.ask(Some(300.0), Some(900.0), false);
    assert_eq!(bench.ask(Some(300.0), None, false), Verdict::Withheld);
    assert_eq!(bench.ask(Some(300.0), None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (300_000, None));
}

#[test]
fn i08_neither_cap_nor_clock_of_ours_rises_for_the_asking() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    bench.ask(Some(200.0), Some(345.0), false);
    assert_eq!(bench.ask(Some(500.0), Some(1485.0), false), Verdict::Withheld);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (200_000, Some(345)));
    assert_eq!(bench.ask(Some(500.0), Some(1485.0), true), Verdict::Applied);
    assert_eq!(gpu.with(|state| (state.requested_mw, state.clock)), (500_000, Some(1485)));
}

#[test]
fn i08_a_read_back_that_is_old_makes_nobody_elses_limit_of_ours() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    gpu.with(|state| state.shows_mw = Some(700_000));
    assert_eq!(bench.ask(Some(300.0), None, false), Verdict::Refused, "it cannot be seen to be in force");
    gpu.with(|state| state.shows_mw = None);
    assert_eq!(bench.ask(Some(300.0), None, false), Verdict::Applied);
    assert_eq!(bench.ask(None, None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| state.requested_mw), 700_000);
}

#[test]
fn a_gpu_that_does_not_tell_its_limit_is_opened_all_the_same() {
    let (folder, gpu) = fresh();
    Bench::start(&gpu, &folder).ask(Some(300.0), Some(900.0), false);
    gpu.with(|state| (state.tells_no_limit, state.clock) = (true, None));
    Bench::start(&gpu, &folder);
    assert_eq!(gpu.with(|state| state.clock), Some(900), "and what can be held is");
}

#[test]
fn one_batch_that_shows_the_limit_from_before_is_no_change_by_somebody_else() {
    let (folder, gpu) = fresh();
    let mut bench = Bench::start(&gpu, &folder);
    bench.ask(Some(300.0), None, false);
    for (shown, changes) in [(700_000, 0), (300_000, 0), (700_000, 0), (700_000, 1)] {
        bench.limits.defend(bench.handle.as_mut(), Milliwatts(shown), Millis::from_secs(5));
        assert_eq!(bench.limits.foreign().changes, changes);
    }
}

#[test]
fn a_lock_of_somebody_else_is_never_taken_away() {
    let (folder, gpu) = fresh();
    gpu.with(|state| state.clock = Some(1200));
    assert_eq!(Bench::start(&gpu, &folder).ask(None, None, true), Verdict::Applied);
    assert_eq!(gpu.with(|state| state.clock), Some(1200));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn i08_whatever_happens_a_limit_rises_only_on_proof(
        steps in prop::collection::vec((prop::option::of(150.0_f32..800.0), any::<bool>(), any::<bool>()), 1..12)
    ) {
        let (folder, gpu) = fresh();
        let mut bench = Bench::start(&gpu, &folder);
        for (cap, may_release, crashes) in steps {
            let before = gpu.with(|state| state.requested_mw);
            if crashes {
                bench = Bench::start(&gpu, &folder);
                prop_assert_eq!(gpu.with(|state| state.requested_mw), before);
            }
            bench.ask(cap, None, may_release);
            let after = gpu.with(|state| state.requested_mw);
            prop_assert!((200_000..=700_000).contains(&after));
            if after > before {
                prop_assert!(may_release);
            }
            if let Some(cap) = cap {
                prop_assert!(after <= Milliwatts::of(Watts::new(cap)).0.max(200_000));
            }
        }
        bench.ask(None, None, true);
        prop_assert_eq!(gpu.with(|state| state.requested_mw), 700_000);
    }
}
