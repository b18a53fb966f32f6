//! Act: a decision becomes requests to the links. GPUs first: where a loop must stop, power goes before flow does.
//!
//! A driver that was let go is taken back once the loop fails its GPUs: nobody could throttle them else.

use eisbach_control::{Decision, GpuDecision, StateName};
use eisbach_protocol::gpu_link::{Beat, MAX_GPUS, Throttle, Verdict};
use eisbach_protocol::registers::Control;
use eisbach_protocol::units::{Millis, Percent, Watts};

use crate::config::DeviceRole;
use crate::gpu::client::GpuView;
use crate::links::Links;

/// A request that was not carried out is made again after this.
const AGAIN: Millis = Millis::from_secs(1);

/// A limit in force this far above our cap is not our cap.
const RAISED: Watts = Watts::new(2.0);

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
    // The GPU process lowered it while we were silent, and waits for our word; or somebody else raised it since.
    let guarded = entry.is_some_and(|entry| entry.sample.guarded);
    let raised = entry
        .and_then(|entry| entry.sample.limit_enforced.value())
        .zip(throttle.power_cap)
        .is_some_and(|(enforced, cap)| enforced > cap + RAISED);
    (undone || guarded || raised) && now.since(at) >= AGAIN
}
