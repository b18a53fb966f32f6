//! Setting one GPU's limits, and giving them back. Analysed first, recorded second, acted on last.
//!
//! ```text
//!   wish ──► plan ──► journal: what we are about to hold ──► driver: power, then clock ──► read back
//!                        ▲                                      │                            │
//!                        └──────── refused: the claim is void ◄─┘                            ▼
//!                        └──────── what stands now is what we hold ◄─────────────────────────┘
//! ```
//!
//! Both limits are always attempted, whatever becomes of the first.

use eisbach_protocol::gpu_link::Verdict;

use super::driver::{Card, DriverError, Fault, Gpu, Milliwatts};
use super::journal::{Claim, PowerClaim, Scribe};
use super::plan::{ClockStep, PowerStep, Want, Wish, plan_clock, plan_power};

/// A read-back this close to what was written is the driver's rounding, not somebody else's limit.
const ROUNDING: u32 = 1000;

/// The limits of one GPU as far as they are ours.
#[derive(Debug)]
pub(super) struct Limits {
    claim: Claim,
    recorded: Claim,
    scribe: Scribe,
    /// The last refusal that was logged.
    complaint: Option<DriverError>,
    permitted: Option<bool>,
}

impl Limits {
    /// With what the journal says we hold on this GPU.
    pub(super) fn new(uuid: &str, scribe: Scribe) -> Self {
        let claim = scribe.claim(uuid);
        Self { claim, recorded: claim, scribe, complaint: None, permitted: None }
    }

    /// What we hold.
    pub(super) const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether the driver lets us set limits, as the last attempt has shown.
    pub(super) const fn permitted(&self) -> Option<bool> {
        self.permitted
    }

    /// Makes sure, on a fresh handle, that what we hold is in force. Lowers if need be, never raises: the handle
    /// may be fresh because this process crashed, or because the GPU was reset and forgot its limits.
    pub(super) fn hold(&mut self, gpu: &mut dyn Gpu) -> Result<Verdict, DriverError> {
        let power = match self.claim.power {
            Some(claim) => Want::Hold(claim.cap.min(gpu.requested_limit()?)),
            None => Want::Leave,
        };
        let clock = self.claim.clock.map_or(Want::Leave, Want::Hold);
        Ok(self.apply(gpu, Wish { power, clock, may_release: false }))
    }

    /// Brings the GPU to `wish`, as far as it can be.
    pub(super) fn apply(&mut self, gpu: &mut dyn Gpu, wish: Wish) -> Verdict {
        let before = self.claim;
        let power = self.look_at_power(gpu, wish);
        let clock = plan_clock(wish.clock, before.clock, gpu.card(), wish.may_release);

        self.announce(power.as_ref().ok(), clock);
        self.record(gpu.card());
        let verdicts = [self.act_on_power(gpu, power, before), self.act_on_clock(gpu, clock, before)];
        self.record(gpu.card());
        let verdict = worst(verdicts);
        if verdict == Verdict::Applied {
            self.complaint = None;
        }
        self.tell(gpu.card(), before);
        verdict
    }

    fn look_at_power(&self, gpu: &mut dyn Gpu, wish: Wish) -> Result<PowerStep, DriverError> {
        match (wish.power, self.claim.power) {
            (Want::Leave, _) | (Want::Release, None) => Ok(PowerStep::Keep),
            (Want::Hold(_), _) | (Want::Release, Some(_)) => {
                let found = gpu.requested_limit()?;
                Ok(plan_power(wish.power, self.claim.power, found, gpu.card(), wish.may_release))
            }
        }
    }

    /// Claims what is about to be held. What is about to be restored stays claimed until it is.
    fn announce(&mut self, power: Option<&PowerStep>, clock: ClockStep) {
        if let Some(PowerStep::Hold(claim)) = power {
            self.claim.power = Some(*claim);
        }
        if let ClockStep::Lock(highest) = clock {
            self.claim.clock = Some(highest);
        }
    }

    fn act_on_power(
        &mut self,
        gpu: &mut dyn Gpu,
        step: Result<PowerStep, DriverError>,
        before: Claim,
    ) -> Verdict {
        match step {
            Err(error) => self.refused(gpu.card(), error),
            Ok(PowerStep::Keep) => Verdict::Applied,
            Ok(PowerStep::Withhold) => Verdict::Withheld,
            Ok(PowerStep::Impossible) => Verdict::Refused,
            Ok(PowerStep::Forget(found)) => {
                let (uuid, limit_mw) = (gpu.card().uuid.as_str(), found.0);
                tracing::warn!(uuid, limit_mw, "power limit was changed by somebody else: theirs stays");
                self.claim.power = None;
                Verdict::Withheld
            }
            Ok(PowerStep::Hold(claim)) => self.hold_power(gpu, claim, before.power),
            Ok(PowerStep::Restore { claim, found }) => self.restore_power(gpu, claim, found),
        }
    }

    fn hold_power(&mut self, gpu: &mut dyn Gpu, claim: PowerClaim, before: Option<PowerClaim>) -> Verdict {
        match self.write_power(gpu, claim.cap, claim.was) {
            Ok(stands) => {
                self.claim.power = Some(PowerClaim { cap: stands, ..claim });
                let in_force = stands.0 <= claim.cap.0.saturating_add(ROUNDING);
                if in_force { Verdict::Applied } else { Verdict::Refused }
            }
            Err(error) => {
                let verdict = self.refused(gpu.card(), error);
                if is_definite(verdict) {
                    self.claim.power = before;
                }
                verdict
            }
        }
    }

    fn restore_power(&mut self, gpu: &mut dyn Gpu, claim: PowerClaim, found: Milliwatts) -> Verdict {
        match self.write_power(gpu, claim.original, found) {
            Ok(stands) if stands.0.abs_diff(claim.original.0) <= ROUNDING => {
                self.claim.power = None;
                Verdict::Applied
            }
            Ok(stands) => {
                self.claim.power = Some(PowerClaim { cap: stands, ..claim });
                Verdict::Refused
            }
            Err(error) => self.refused(gpu.card(), error),
        }
    }

    /// Writes a limit unless it stands already, and says what stands afterwards.
    fn write_power(
        &mut self,
        gpu: &mut dyn Gpu,
        limit: Milliwatts,
        found: Milliwatts,
    ) -> Result<Milliwatts, DriverError> {
        if limit != found {
            gpu.set_power_limit(limit)?;
            self.permitted = Some(true);
        }
        gpu.requested_limit()
    }

    fn act_on_clock(&mut self, gpu: &mut dyn Gpu, step: ClockStep, before: Claim) -> Verdict {
        match step {
            ClockStep::Keep => Verdict::Applied,
            ClockStep::Withhold => Verdict::Withheld,
            ClockStep::Lock(highest) => match gpu.lock_clock(highest) {
                Ok(()) => {
                    self.permitted = Some(true);
                    Verdict::Applied
                }
                Err(error) => {
                    let verdict = self.refused(gpu.card(), error);
                    if is_definite(verdict) {
                        self.claim.clock = before.clock;
                    }
                    verdict
                }
            },
            ClockStep::Unlock => match gpu.unlock_clock() {
                Ok(()) => {
                    self.claim.clock = None;
                    Verdict::Applied
                }
                Err(error) => self.refused(gpu.card(), error),
            },
        }
    }

    fn refused(&mut self, card: &Card, error: DriverError) -> Verdict {
        let verdict = error.fault.verdict();
        if self.complaint.as_ref() != Some(&error) {
            tracing::warn!(uuid = card.uuid.as_str(), %error, verdict = verdict.as_str(), "limit not set");
        }
        if error.fault == Fault::NotPermitted {
            self.permitted = Some(false);
        }
        self.complaint = Some(error);
        verdict
    }

    fn tell(&self, card: &Card, before: Claim) {
        let uuid = card.uuid.as_str();
        let (held, holds) = (before != Claim::default(), self.claim != Claim::default());
        if holds && !held {
            let cap_mw = self.claim.power.map(|power| power.cap.0);
            let clock_mhz = self.claim.clock.map(|clock| clock.0);
            tracing::info!(uuid, cap_mw, clock_mhz, "holding limits on GPU");
        } else if held && !holds {
            tracing::info!(uuid, "no limit of ours is left on GPU");
        }
    }

    /// Makes the claim last, if it has changed. What could not be recorded is tried again with the next change.
    fn record(&mut self, card: &Card) {
        if self.claim != self.recorded && self.scribe.record(&card.uuid, self.claim).is_ok() {
            self.recorded = self.claim;
        }
    }
}

/// Whether the driver certainly did nothing, so that the claim written ahead is void.
const fn is_definite(verdict: Verdict) -> bool {
    match verdict {
        Verdict::NotPermitted | Verdict::Refused => true,
        Verdict::Applied | Verdict::Superseded | Verdict::Unreachable | Verdict::Withheld => false,
    }
}

/// The answer that needs the agent's attention most.
fn worst(verdicts: [Verdict; 2]) -> Verdict {
    let gravity = |verdict: &Verdict| match verdict {
        Verdict::Applied => 0,
        Verdict::Superseded => 1,
        Verdict::Withheld => 2,
        Verdict::Refused => 3,
        Verdict::NotPermitted => 4,
        Verdict::Unreachable => 5,
    };
    verdicts.into_iter().max_by_key(gravity).unwrap_or(Verdict::Applied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::gpu::server::driver::{CallWatch, ClockMhz};
    use crate::gpu::server::fake::{FakeGpu, What};
    use crate::gpu::server::journal::{Journal, boot_id};
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
            let scribe = Scribe::start(Journal::new(folder.path(), &boot_id())).unwrap();
            let mut handle = gpu.handle(Arc::new(CallWatch::new(Clock::start())));
            let mut limits = Limits::new(&handle.card().uuid, scribe);
            limits.hold(handle.as_mut()).unwrap();
            Self { handle, limits }
        }

        fn ask(&mut self, power: Option<f32>, clock: Option<f32>, may_release: bool) -> Verdict {
            let throttle = Throttle {
                gpu: 0,
                power_cap: power.map(Watts::new),
                sm_clock_max: clock.map(Megahertz::new),
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
        let caps: Vec<_> = gpu.with(|state| {
            state.writes.iter().map(|write| (write.what, write.recorded.power.unwrap())).collect()
        });
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
        bench.ask(Some(400.0), None, false);
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
        assert_eq!(bench.ask(None, None, true), Verdict::Withheld);
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
        assert_eq!(*bench.limits.claim(), Claim { power: None, clock: Some(ClockMhz(900)) });
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
    fn a_lock_of_somebody_else_is_never_taken_away() {
        let (folder, gpu) = fresh();
        gpu.with(|state| state.clock = Some(1200));
        assert_eq!(Bench::start(&gpu, &folder).ask(None, None, true), Verdict::Applied);
        assert_eq!(gpu.with(|state| state.clock), Some(1200));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn i08_whatever_happens_a_limit_rises_only_on_proof_or_for_a_higher_cap(
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
                    prop_assert!(cap.is_some() || may_release);
                }
                if let Some(cap) = cap {
                    prop_assert!(after <= Milliwatts::of(Watts::new(cap)).0.max(200_000));
                }
            }
            bench.ask(None, None, true);
            prop_assert_eq!(gpu.with(|state| state.requested_mw), 700_000);
        }
    }
}
