//! What to do about a GPU's limits, before anything is done. Pure.
//!
//! ```text
//!   wish:     Hold(cap)                      Release
//!              │                              │
//!   found:     │ not ours: it is the          ├─ nothing of ours ────────────► Keep
//!              │ new original                 ├─ not ours ───────────────────► Forget   (theirs stays)
//!              ▼                              ├─ ours, cooling proven ───────► Restore  (the original)
//!             Hold(cap, raised to the         └─ ours, not proven ───────────► Withhold
//!                  device's lowest, never
//!                  above the original; above
//!                  what we hold only with
//!                  cooling proven)
//! ```
//!
//! A limit found on the device that we did not put there is somebody else's: we never go above it, and it is what
//! we return to. A switch that was on already is not ours to turn off.

use eisbach_protocol::gpu_link::Throttle;

use super::driver::{Card, ClockMhz, Milliwatts, Switch};
use super::journal::PowerClaim;

/// What is wanted of one limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want<T> {
    /// Nothing: it stays as it is.
    Leave,
    /// At most this.
    Hold(T),
    /// Our limit gone.
    Release,
}

impl<T> Want<T> {
    fn asked(limit: Option<T>) -> Self {
        limit.map_or(Self::Release, Self::Hold)
    }
}

/// What is wanted of one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) power: Want<Milliwatts>,
    pub(super) clock: Want<ClockMhz>,
    pub(super) low_power_profile: Want<()>,
    pub(super) smoothing: Want<()>,
    /// Whether a limit may be given back now: the agent has proven that heat is carried away.
    pub(super) may_release: bool,
}

impl Wish {
    /// As the agent asks.
    pub(super) fn asked(throttle: &Throttle, may_release: bool) -> Self {
        Self {
            power: Want::asked(throttle.power_cap.map(Milliwatts::of)),
            clock: Want::asked(throttle.sm_clock_max.map(ClockMhz::of)),
            low_power_profile: Want::asked(throttle.low_power_profile.then_some(())),
            smoothing: Want::asked(throttle.smoothing.then_some(())),
            may_release,
        }
    }

    /// Everything given back.
    pub(super) const fn release(may_release: bool) -> Self {
        Self {
            power: Want::Release,
            clock: Want::Release,
            low_power_profile: Want::Release,
            smoothing: Want::Release,
            may_release,
        }
    }

    /// As low as the device can be set.
    pub(super) fn lowest(card: &Card) -> Self {
        Self {
            power: card.limits.map_or(Want::Leave, |(lowest, _)| Want::Hold(lowest)),
            clock: card.lowest_clock.map_or(Want::Leave, Want::Hold),
            low_power_profile: Want::Hold(()),
            smoothing: Want::Leave,
            may_release: false,
        }
    }

    /// What is wanted of a switch.
    pub(super) const fn switch(&self, switch: Switch) -> Want<()> {
        match switch {
            Switch::LowPowerProfile => self.low_power_profile,
            Switch::Smoothing => self.smoothing,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PowerStep {
    Keep,
    /// `withheld` where it is less than was asked, for want of proof.
    Hold {
        claim: PowerClaim,
        withheld: bool,
    },
    Restore {
        claim: PowerClaim,
        found: Milliwatts,
    },
    Forget(Milliwatts),
    Withhold,
    Impossible,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockStep {
    Keep,
    Lock { highest: ClockMhz, withheld: bool },
    Unlock,
    Withhold,
}

/// What to do about power, given the limit found on the device.
pub(super) fn plan_power(
    want: Want<Milliwatts>,
    held: Option<PowerClaim>,
    found: Milliwatts,
    card: &Card,
    may_release: bool,
) -> PowerStep {
    match (want, held, card.limits) {
        (Want::Leave, _, _) | (Want::Release, None, _) => PowerStep::Keep,
        (Want::Hold(_), _, None) => PowerStep::Impossible,
        (Want::Hold(cap), _, Some((lowest, _))) => {
            let ours = held.filter(|claim| claim.covers(found));
            let original = ours.map_or(found, |claim| claim.original);
            let asked = cap.max(lowest).min(original);
            // Whoever asks for more may be the agent that was silent until now.
            let kept = ours.filter(|_| !may_release).map(|claim| claim.cap.max(lowest));
            let cap = kept.map_or(asked, |kept| asked.min(kept));
            PowerStep::Hold { claim: PowerClaim { original, cap, was: found }, withheld: cap < asked }
        }
        (Want::Release, Some(claim), _) if !claim.covers(found) => PowerStep::Forget(found),
        (Want::Release, Some(claim), _) if may_release => PowerStep::Restore { claim, found },
        (Want::Release, Some(_), _) => PowerStep::Withhold,
    }
}

/// What to do about the clock. A lock is written again each time it is asked for, since it cannot be read back.
pub(super) fn plan_clock(
    want: Want<ClockMhz>,
    held: Option<ClockMhz>,
    card: &Card,
    may_release: bool,
) -> ClockStep {
    match (want, held) {
        (Want::Leave, _) | (Want::Release, None) => ClockStep::Keep,
        (Want::Hold(highest), held) => {
            let asked = card.lowest_clock.map_or(highest, |lowest| highest.max(lowest));
            let kept = held.filter(|_| !may_release);
            let highest = kept.map_or(asked, |kept| asked.min(kept));
            ClockStep::Lock { highest, withheld: highest < asked }
        }
        (Want::Release, Some(_)) if may_release => ClockStep::Unlock,
        (Want::Release, Some(_)) => ClockStep::Withhold,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SwitchStep {
    Keep,
    TurnOn,
    TurnOff,
    Forget,
    Withhold,
}

/// What to do about a switch that the device has, given whether we turned it on and whether it is on now.
pub(super) const fn plan_switch(want: Want<()>, ours: bool, is_on: bool, may_release: bool) -> SwitchStep {
    match (want, ours, is_on) {
        (Want::Leave, ..) | (Want::Release, false, _) | (Want::Hold(()), _, true) => SwitchStep::Keep,
        (Want::Hold(()), _, false) => SwitchStep::TurnOn,
        (Want::Release, true, false) => SwitchStep::Forget,
        (Want::Release, true, true) if may_release => SwitchStep::TurnOff,
        (Want::Release, true, true) => SwitchStep::Withhold,
    }
}
