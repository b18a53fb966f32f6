//! The cycle: sense, judge, decide, act, report, ten times a second. Read it top to bottom.
//!
//! ```text
//!   ticker ─► snapshot ─► step ─► act ─► report ─► heartbeat
//!      ▲                                              │
//!      └──────────── next absolute deadline ◄─────────┘
//! ```
//!
//! Nothing in here waits but the ticker. A heartbeat is given only behind a completed cycle: to the GPU process
//! with the decision, to the service manager at the end.

use std::sync::Arc;
use std::time::Duration;

use eisbach_control::{Cause, Controller, Escalation, Moment, StateName, Tuning};
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::gpu_link::{Beat, Verdict};
use eisbach_protocol::units::Millis;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::act::Hands;
use crate::alarms::{Alarms, Found};
use crate::calendar;
use crate::clock::Clock;
use crate::desk::Tray;
use crate::device_alarms;
use crate::episodes::Teller;
use crate::facility::FacilityLink;
use crate::facility_alarms;
use crate::gpu::client::GpuView;
use crate::gpu_alarms;
use crate::hooks::{Hooks, Wanted};
use crate::latch::Latch;
use crate::links::Links;
use crate::recorder::Recorder;
use crate::report::{Cycle, Report, compose};
use crate::sense::snapshot;
use crate::service::Manager;

/// Period of the guard, and so of the cycle.
pub const PERIOD: Duration = Duration::from_millis(100);
/// An overrun stands as an alarm for this long after the last one.
const OVERRUN_STANDS: Millis = Millis::from_secs(60);

/// What the cycle is told from outside while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Orders {
    /// The controller's numbers.
    pub tuning: Tuning,
    /// A configuration was refused and the one before is in use.
    pub config_refused: bool,
}

/// What the cycle works with besides the links.
type Outside<'a> =
    (&'a mut Latch, &'a mut Alarms, &'a mut Tray, &'a mut Manager, &'a Teller, &'a Hooks, &'a mut Recorder);

/// Runs until `token` is cancelled. `latest` always holds the newest report. Returns whether the node leaks.
pub async fn run(
    links: &Links,
    gpus_expected: usize,
    mut orders: watch::Receiver<Orders>,
    latest: &watch::Sender<Arc<Report>>,
    (latch, alarms, tray, manager, teller, hooks, recorder): Outside<'_>,
    clock: Clock,
    token: &CancellationToken,
) -> bool {
    let first = *orders.borrow_and_update();
    let mut tuning = first.tuning;
    let mut leaking = latch.found_at_start();
    let mut controller =
        if leaking { Controller::with_latched_leak(first.tuning) } else { Controller::new(first.tuning) };
    let mut cycle = Cycle::default();
    cycle.set_alarm(Alarm::ConfigRefused, first.config_refused);
    let mut hands = Hands::default();
    let mut gpu_memory = gpu_alarms::Memory::default();
    let mut last_overrun = None;
    let mut ticker = tokio::time::interval(PERIOD);
    // A late tick is not made up for: the deadlines stay where they are.
    ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);

    loop {
        tokio::select! {
            () = token.cancelled() => break,
            _deadline = ticker.tick() => {}
        }
        if orders.has_changed().unwrap_or(false) {
            let orders = *orders.borrow_and_update();
            tuning = orders.tuning;
            controller.retune(tuning);
            recorder.retuned();
            cycle.set_alarm(Alarm::ConfigRefused, orders.config_refused);
        }
        let began = clock.now();
        let reset = latch.was_reset();
        cycle.commands.in_force = tray.in_force(began);
        let standing = links.standing(began).allowed(tray.is_local(), tuning.supply_target);
        standing.join(&mut cycle.commands.in_force);
        let calendar = calendar::at(Clock::wall_ms(), tuning.permit.standard_time_minutes);
        cycle.commands.in_force.surroundings.calendar = calendar;
        let snapshot = snapshot(links, gpus_expected, &cycle.commands.in_force, reset, began);
        recorder.before(&controller, began);
        let decision = controller.step(&snapshot, began);
        leaking = decision.state == StateName::Leak;
        latch.tell(leaking);
        hands.act(links, &decision, cycle.count, began);
        hooks.want(wanted(&decision.escalation, decision.state), began);

        cycle.count += 1;
        let view = links.gpu.view();
        let refused = throttle_refused(&view, cycle.alarm(Alarm::ThrottleRefused));
        cycle.set_alarm(Alarm::ThrottleRefused, refused);
        let behind = device_alarms::tell(&mut cycle, links, &decision);
        gpu_alarms::tell(&mut cycle, &mut gpu_memory, &view, began);
        cycle.set_alarm(Alarm::HookFailed, hooks.failed());
        cycle.hooks = hooks.status();
        cycle.facility = links.facility.iter().map(FacilityLink::status).collect();
        tray.tell(decision.state);
        tray.collect(&mut cycle.commands, &mut cycle.events);
        let now = Moment { at: began, wall_ms: Clock::wall_ms() };
        recorder.after(&snapshot, &decision, now);
        cycle.recorder = recorder.status();
        facility_alarms::tell(&mut cycle, now.wall_ms);
        let found =
            Found::of(&snapshot.leak, snapshot.remote.isolate, decision.alarms, cycle.alarms).with(behind);
        if alarms.step(&found, &mut cycle.events, now) {
            latch.ask_reset();
        }
        cycle.book = alarms.views();
        links.tell(&mut cycle.events);
        let report = Arc::new(compose(links, &snapshot, &decision, &cycle, (began, now.wall_ms)));
        teller.tell(decision.clone(), Arc::clone(&report));
        links.publish(&report);
        latest.send_replace(report);
        links.beat(cycle.count);
        manager.completed(decision.state);

        let took = clock.now().since(began);
        if took > PERIOD_MILLIS {
            cycle.overruns += 1;
            if last_overrun.is_none() {
                warn!(took_ms = took.get(), "a control cycle took longer than its period");
            }
            last_overrun = Some(began);
        }
        if last_overrun.is_some_and(|last| began.since(last) > OVERRUN_STANDS) {
            last_overrun = None;
        }
        cycle.set_alarm(Alarm::CycleOverrun, last_overrun.is_some());
    }
    let cooled = latest.borrow().cooling_proven();
    links.gpu.beat(Beat { cycle: cycle.count, cooling_proven: cooled, leaving: true });
    leaking
}

const PERIOD_MILLIS: Millis = Millis::new(100);

/// What the decision asks of others, each with its reason.
fn wanted(asked: &Escalation, state: StateName) -> Wanted {
    let reason = |cause: Option<Cause>| cause.map(|(_, reason)| reason.as_str());
    let (drain, freeze, stop) = (reason(asked.drain), reason(asked.freeze), reason(asked.stop));
    Wanted { drain, freeze, stop, well: state == StateName::Running }
}

/// Whether the GPU process could not do what it was asked. One that is `standing` ends with an answer, not with the
/// request that is made again every second.
fn throttle_refused(view: &GpuView, standing: bool) -> bool {
    view.requests.iter().any(|request| match request.verdict {
        Some(Verdict::NotPermitted | Verdict::Refused | Verdict::NoSuchGpu) => true,
        None => standing,
        // A GPU that cannot be reached, and a driver that was let go, have alarms of their own; what is withheld or
        // stale is asked for again.
        Some(
            Verdict::Applied
            | Verdict::Superseded
            | Verdict::Unreachable
            | Verdict::Withheld
            | Verdict::Yielded
            | Verdict::Guarded
            | Verdict::Stale
            | Verdict::Detached,
        ) => false,
    })
}
