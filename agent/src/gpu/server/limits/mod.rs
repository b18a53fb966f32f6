//! Setting one GPU's limits, and giving them back. Analysed first, recorded second, acted on last.
//!
//! ```text
//!   wish ──► plan ──► journal: what we are about to hold ──► driver: power, clock, switches ──► read back
//!                        ▲                                      │                                 │
//!                        └──────── refused: the claim is void ◄─┘                                 ▼
//!                        └──────── what stands now is what we hold ◄──────────────────────────────┘
//!
//!   every batch: is the limit still ours? ── raised ──► ours again, and theirs is what we return to
//!                                         └─ lowered ─► theirs stays
//! ```
//!
//! Every limit is attempted, whatever becomes of the one before.

use eisbach_protocol::gpu_link::Verdict;
use eisbach_protocol::units::Millis;

use super::driver::{Card, DriverError, Fault, Gpu, Milliwatts, Switch};
use super::journal::{Claim, PowerClaim, ROUNDING, Scribe};
use super::plan::{ClockStep, PowerStep, SwitchStep, Want, Wish, plan_clock, plan_power, plan_switch};

/// A limit that somebody else keeps changing is put right at most this often.
const INSIST: Millis = Millis::from_secs(1);

/// The limits of one GPU as far as they are ours.
#[derive(Debug)]
pub(super) struct Limits {
    claim: Claim,
    recorded: Claim,
    scribe: Scribe,
    /// The last refusal that was logged.
    complaint: Option<DriverError>,
    permitted: Option<bool>,
    foreign: Foreign,
    /// The last batch showed a limit that is not ours.
    misfits: bool,
}

/// What somebody else did to a limit that we hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Foreign {
    /// How often.
    pub(super) changes: u32,
    /// When last.
    pub(super) last: Option<Millis>,
}

impl Limits {
    /// With what the journal says we hold on this GPU.
    pub(super) fn new(uuid: &str, scribe: Scribe) -> Self {
        let claim = scribe.claim(uuid);
        Self {
            claim,
            recorded: claim,
            scribe,
            complaint: None,
            permitted: None,
            foreign: Foreign::default(),
            misfits: false,
        }
    }

    /// What we hold.
    pub(super) const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Whether the driver lets us set limits, as the last attempt has shown.
    pub(super) const fn permitted(&self) -> Option<bool> {
        self.permitted
    }

    /// What somebody else did.
    pub(super) const fn foreign(&self) -> Foreign {
        self.foreign
    }

    /// Looks whether the limit that was just read is still the one we hold, and puts it right if not.
    pub(super) fn defend(&mut self, gpu: &mut dyn Gpu, requested: Milliwatts, now: Millis) {
        let Some(claim) = self.claim.power.filter(|claim| !claim.covers(requested)) else {
            self.misfits = false;
            return;
        };
        // Drivers refresh what they tell each 100 ms: right after a write one batch may still show what was.
        if !std::mem::replace(&mut self.misfits, true) {
            return;
        }
        if self.foreign.last.is_some_and(|last| now.since(last) < INSIST) {
            return;
        }
        self.foreign = Foreign { changes: self.foreign.changes.saturating_add(1), last: Some(now) };
        let (uuid, ours_mw, theirs_mw) = (gpu.card().uuid.as_str(), claim.cap.0, requested.0);
        tracing::warn!(
            uuid,
            ours_mw,
            theirs_mw,
            "somebody else changed a power limit that is held; the lower one stays"
        );
        // What it comes to shows in the next batch.
        let _seen_later = self.hold(gpu);
    }

    /// Makes sure, on a fresh handle, that what we hold is in force. Lowers if need be, never raises: the handle
    /// may be fresh because this process crashed, or because the GPU was reset and forgot its limits.
    pub(super) fn hold(&mut self, gpu: &mut dyn Gpu) -> Result<Verdict, DriverError> {
        let power = match self.claim.power.map(|claim| (claim, gpu.requested_limit())) {
            Some((claim, Ok(found))) => Want::Hold(claim.cap.min(found)),
            Some((_, Err(error))) if error.fault.ends_handle() => return Err(error),
            // The GPU can still be read, watched over and slowed down.
            Some((_, Err(error))) => {
                self.refused(gpu.card(), error);
                Want::Leave
            }
            None => Want::Leave,
        };
        let clock = self.claim.clock.map_or(Want::Leave, Want::Hold);
        let switch = |switch| if self.claim.has(switch) { Want::Hold(()) } else { Want::Leave };
        let wish = Wish {
            power,
            clock,
            low_power_profile: switch(Switch::LowPowerProfile),
            smoothing: switch(Switch::Smoothing),
            may_release: false,
        };
        Ok(self.apply(gpu, wish))
    }

    /// Brings the GPU to `wish`, as far as it can be.
    pub(super) fn apply(&mut self, gpu: &mut dyn Gpu, wish: Wish) -> Verdict {
        let before = self.claim;
        let power = self.look_at_power(gpu, wish);
        let clock = plan_clock(wish.clock, before.clock, gpu.card(), wish.may_release);

        let switches = Switch::ALL.map(|switch| (switch, self.look_at_switch(gpu, wish, switch)));

        self.announce(power.as_ref().ok(), clock, &switches);
        self.record(gpu.card());
        let [(first, to_first), (second, to_second)] = switches;
        let verdicts = [
            self.act_on_power(gpu, power, before),
            self.act_on_clock(gpu, clock, before),
            self.act_on_switch(gpu, first, to_first, before),
            self.act_on_switch(gpu, second, to_second, before),
        ];
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

    fn look_at_switch(
        &self,
        gpu: &mut dyn Gpu,
        wish: Wish,
        switch: Switch,
    ) -> Result<SwitchStep, DriverError> {
        let (want, ours) = (wish.switch(switch), self.claim.has(switch));
        match want {
            _ if !gpu.card().switches.contains(&switch) => Ok(SwitchStep::Keep),
            Want::Leave => Ok(SwitchStep::Keep),
            Want::Release if !ours => Ok(SwitchStep::Keep),
            Want::Hold(()) | Want::Release => {
                Ok(plan_switch(want, ours, gpu.switch_is_on(switch)?, wish.may_release))
            }
        }
    }

    /// Claims what is about to be held. What is about to be restored stays claimed until it is.
    fn announce(
        &mut self,
        power: Option<&PowerStep>,
        clock: ClockStep,
        switches: &[(Switch, Result<SwitchStep, DriverError>)],
    ) {
        for (switch, step) in switches {
            if step == &Ok(SwitchStep::TurnOn) {
                self.claim.set(*switch, true);
            }
        }
        if let Some(PowerStep::Hold { claim, .. }) = power {
            self.claim.power = Some(*claim);
        }
        if let ClockStep::Lock { highest, .. } = clock {
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
                Verdict::Yielded
            }
            Ok(PowerStep::Hold { claim, withheld }) => match self.hold_power(gpu, claim, before.power) {
                Verdict::Applied if withheld => Verdict::Withheld,
                verdict => verdict,
            },
            Ok(PowerStep::Restore { claim, found }) => self.restore_power(gpu, claim, found),
        }
    }

    fn hold_power(&mut self, gpu: &mut dyn Gpu, claim: PowerClaim, before: Option<PowerClaim>) -> Verdict {
        match self.write_power(gpu, claim.cap, claim.was) {
            Ok(stands) => {
                // What stood before is no longer ours to find: whoever brings it back is somebody else. A limit far from
                // what was written is an old reading, or the write did nothing: then both are ours.
                let rounded = stands.0.abs_diff(claim.cap.0) <= ROUNDING;
                let cap = if rounded { stands } else { claim.cap };
                self.claim.power = Some(PowerClaim { cap, was: stands, ..claim });
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
            ClockStep::Lock { highest, withheld } => match gpu.lock_clock(highest) {
                Ok(()) => {
                    self.permitted = Some(true);
                    if withheld { Verdict::Withheld } else { Verdict::Applied }
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

    fn act_on_switch(
        &mut self,
        gpu: &mut dyn Gpu,
        switch: Switch,
        step: Result<SwitchStep, DriverError>,
        before: Claim,
    ) -> Verdict {
        let (on, claim_after, claim_when_refused) = match step {
            Err(error) => return self.refused(gpu.card(), error),
            Ok(SwitchStep::Keep) => return Verdict::Applied,
            Ok(SwitchStep::Withhold) => return Verdict::Withheld,
            Ok(SwitchStep::Forget) => {
                let (uuid, switch_name) = (gpu.card().uuid.as_str(), switch.as_str());
                tracing::warn!(uuid, switch = switch_name, "switch was turned off by somebody else");
                self.claim.set(switch, false);
                return Verdict::Applied;
            }
            Ok(SwitchStep::TurnOn) => (true, true, before.has(switch)),
            Ok(SwitchStep::TurnOff) => (false, false, true),
        };
        match gpu.set_switch(switch, on) {
            Ok(()) => {
                self.permitted = Some(true);
                self.claim.set(switch, claim_after);
                Verdict::Applied
            }
            Err(error) => {
                let verdict = self.refused(gpu.card(), error);
                if is_definite(verdict) {
                    self.claim.set(switch, claim_when_refused);
                }
                verdict
            }
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
        Verdict::Applied
        | Verdict::Superseded
        | Verdict::Unreachable
        | Verdict::Withheld
        | Verdict::Yielded
        | Verdict::Guarded
        | Verdict::Stale
        | Verdict::NoSuchGpu
        | Verdict::Detached => false,
    }
}

/// The answer that needs the agent's attention most.
fn worst<const N: usize>(verdicts: [Verdict; N]) -> Verdict {
    let gravity = |verdict: &Verdict| match verdict {
        Verdict::Applied => 0,
        Verdict::Superseded | Verdict::Stale | Verdict::Detached | Verdict::Guarded => 1,
        Verdict::Yielded => 2,
        Verdict::Withheld => 3,
        Verdict::Refused | Verdict::NoSuchGpu => 4,
        Verdict::NotPermitted => 5,
        Verdict::Unreachable => 6,
    };
    verdicts.into_iter().max_by_key(gravity).unwrap_or(Verdict::Applied)
}

#[cfg(test)]
mod tests;
