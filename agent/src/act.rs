//! Act: a decision becomes requests to the links. GPUs first: where a loop must stop, power goes before flow does.
//!
//! A driver that was let go is taken back once the loop fails its GPUs: nobody could throttle them else.

use eisbach_control::{Decision, GpuDecision, StateName};
use eisbach_protocol::gpu_link::{Beat, MAX_GPUS, Throttle, Verdict};
use eisbach_protocol::registers::Control;
use eisbach_protocol::units::{Megahertz, Millis, Percent};

use crate::config::DeviceRole;
use crate::gpu::client::GpuView;
use crate::links::Links;

/// A request that was not carried out is made again after this.
const AGAIN: Millis = Millis::from_secs(1);

/// A clock this far above our lock is not under our lock: clocks come in steps of 15 MHz.
const UNLOCKED: Megahertz = Megahertz::new(30.0);

/// Remembers what was asked of the GPUs, so that each request is made once and not ten times a second.
#[derive(Debug, Default)]
pub struct Hands {
    asked: [Option<(Throttle, Millis)>; MAX_GPUS],
    taken_back_at: Option<Millis>,
}

impl Hands {
    /// Hands `decision` to the links and says so with a heartbeat. Nothing here waits.
    pub fn act(&mut self, links: &Links, decision: &Decision, cycle: u64, now: Millis) {
        let view = links.gpu.view();
        self.throttle(links, &view, decision, cycle, now);
        self.take_driver_back(links, view.is_detached(now), decision.state, now);
        // A pump that nobody has taken over yet keeps doing what it does.
        if let Some(speed) = decision.pump.value {
            links.request(DeviceRole::Pump, Control::PumpSpeed, speed.get());
            let run = match (decision.pump_run, decision.pump_reset) {
                (false, _) => 0.0,
                (true, false) => 1.0,
                (true, true) => 2.0,
            };
            links.request(DeviceRole::Pump, Control::PumpRun, run);
        }
        if let Some(position) = decision.valve.value.map(Percent::get) {
            links.request(DeviceRole::Valve, Control::ValvePosition, position);
        }
        links.gpu.beat(Beat { cycle, cooling_proven: decision.cooling_proven, leaving: false });
    }

    fn take_driver_back(&mut self, links: &Links, detached: bool, state: StateName, now: Millis) {
        if !(detached && fails_gpus(state)) {
            self.taken_back_at = None;
        } else if self.taken_back_at.is_none_or(|at| now.since(at) >= AGAIN) {
            if self.taken_back_at.is_none() {
                tracing::error!(
                    state = state.as_str(),
                    "the NVIDIA driver is taken back though it was let go: its GPUs must be throttled"
                );
            }
            self.taken_back_at = Some(now);
            links.gpu.take_back();
        }
    }

    fn throttle(&mut self, links: &Links, view: &GpuView, decision: &Decision, cycle: u64, now: Millis) {
        for ((gpu, wanted), asked) in (0_u8..).zip(&decision.gpus).zip(&mut self.asked) {
            let throttle = Throttle {
                cycle,
                power_cap: wanted.power_cap,
                sm_clock_max: wanted.clock_max,
                low_power_profile: wanted.low_power_profile,
                smoothing: wanted.smoothing,
                ..Throttle::nothing(gpu)
            };
            if due(*asked, &throttle, wanted, view, now) {
                links.gpu.throttle(throttle);
                *asked = Some((throttle, now));
            }
        }
    }
}

/// Whether every GPU has to go to its lowest power, whatever it is doing and whoever wanted it left alone.
const fn fails_gpus(state: StateName) -> bool {
    match state {
        StateName::Critical | StateName::Leak | StateName::Uncontrollable => true,
        StateName::Boot | StateName::Running | StateName::Hot => false,
    }
}

/// Whether to ask (again).
fn due(
    asked: Option<(Throttle, Millis)>,
    throttle: &Throttle,
    wanted: &GpuDecision,
    view: &GpuView,
    now: Millis,
) -> bool {
    // Of a GPU that was never seen nothing is known, not even whether there is something to take away.
    let nothing = throttle.asks_the_same(&Throttle::nothing(throttle.gpu));
    if wanted.margin.is_none() && nothing {
        return false;
    }
    let Some((before, at)) = asked else { return true };
    if !before.asks_the_same(throttle) {
        return true;
    }
    let undone = view.requests.iter().any(|request| {
        request.throttle.gpu == throttle.gpu
            && match request.verdict {
                Some(
                    Verdict::Withheld
                    | Verdict::Unreachable
                    | Verdict::NotPermitted
                    | Verdict::Refused
                    | Verdict::Guarded
                    | Verdict::Stale
                    | Verdict::NoSuchGpu
                    | Verdict::Detached,
                ) => true,
                Some(Verdict::Applied | Verdict::Superseded | Verdict::Yielded) | None => false,
            }
    });
    let entry = view.gpus.iter().find(|entry| entry.sample.index == throttle.gpu);
    // The GPU process lowered it while we were silent, and waits for our word. A power limit that somebody else changes
    // it puts right by itself.
    let guarded = entry.is_some_and(|entry| entry.sample.guarded);
    // A lock cannot be read back, and whoever resets the clocks takes it away: the clock itself tells.
    let unlocked = entry
        .and_then(|entry| entry.sample.sm_clock.value())
        .zip(throttle.sm_clock_max)
        .is_some_and(|(clock, highest)| clock > highest + UNLOCKED);
    (undone || guarded || unlocked) && now.since(at) >= AGAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::client::GpuRequest;
    use eisbach_control::{Leader, Reason, Release, Rung};
    use eisbach_protocol::gpu_link::{Field, GpuSample};
    use eisbach_protocol::units::Kelvin;

    const WANTED: GpuDecision = GpuDecision {
        rung: Rung::Soft,
        since: Millis::ZERO,
        power_cap: None,
        clock_max: Some(Megahertz::new(1485.0)),
        low_power_profile: false,
        smoothing: false,
        leader: Leader::Temperature,
        reason: Reason::GpuHot,
        release: Release::CoolingProof,
        margin: Some(Kelvin::new(14.0)),
    };
    const ASKED: Throttle =
        Throttle { cycle: 9, sm_clock_max: Some(Megahertz::new(1485.0)), ..Throttle::nothing(0) };

    /// Whether it is asked again so many ms later, the clock and the answer being these.
    fn asks_again(clock: f32, verdict: Verdict, after_ms: u64) -> bool {
        let sample = GpuSample { sm_clock: Field::fresh(Megahertz::new(clock)), ..GpuSample::default() };
        let requests = vec![GpuRequest { throttle: ASKED, verdict: Some(verdict) }];
        let view = GpuView { requests, ..GpuView::of_one(sample) };
        due(Some((ASKED, Millis::ZERO)), &ASKED, &WANTED, &view, Millis::new(after_ms))
    }

    #[test]
    fn a_lock_that_somebody_took_away_is_asked_for_again_once_a_second() {
        assert!(!asks_again(1485.0, Verdict::Applied, 60_000), "it holds");
        assert!(!asks_again(1500.0, Verdict::Applied, 60_000), "a step above");
        assert!(!asks_again(1980.0, Verdict::Applied, 999), "clocks need a moment");
        assert!(asks_again(1980.0, Verdict::Applied, 1000));
    }

    #[test]
    fn what_was_withheld_is_asked_for_again() {
        assert!(!asks_again(1485.0, Verdict::Withheld, 999));
        assert!(asks_again(1485.0, Verdict::Withheld, 1000));
    }

    #[test]
    fn i02_gpus_that_the_loop_fails_are_not_left_alone() {
        let failing = [StateName::Critical, StateName::Leak, StateName::Uncontrollable];
        assert!(failing.into_iter().all(fails_gpus));
        assert!(![StateName::Boot, StateName::Running, StateName::Hot].into_iter().any(fails_gpus));
    }
}
