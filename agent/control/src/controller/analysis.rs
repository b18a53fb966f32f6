//! What one snapshot means: memory follows it, nothing is decided yet.
//!
//! ```text
//!   snapshot ─► GPUs ─► observer ─► flow guard ─► findings ─► the state has its turn
//! ```

use eisbach_protocol::units::Millis;

use super::Controller;
use crate::decision::Reason;
use crate::estimate::NodeView;
use crate::flow_guard::{Flow, Known};
use crate::remote::Remote;
use crate::snapshot::Snapshot;
use crate::standing::is_silent;
use crate::state::{Findings, PATIENCE, StateName};
use crate::supply::{self, SupplyTarget};

/// What one snapshot means, before anything is decided.
pub(super) struct Analysis<'a> {
    pub(super) node: &'a NodeView,
    pub(super) flow: Flow,
    pub(super) findings: Findings,
    pub(super) target: SupplyTarget,
    /// The orders from afar that make sense.
    pub(super) remote: Remote,
}

impl Controller {
    pub(super) fn analyse<'a>(
        &mut self,
        node: &'a NodeView,
        snapshot: &Snapshot,
        now: Millis,
        step_s: f32,
    ) -> Analysis<'a> {
        self.history.record(now, node.mean_temperature, node.power);
        self.observer.follow(node, snapshot, step_s, &self.tuning);
        let known = Known {
            run: self.run,
            set_point: self.loops.held().0.value,
            thermal: self.history.thermal(),
            calm: node.hottest_measured.is_some_and(|margin| margin >= self.tuning.calm_margin),
            carries: self.observer.carries(&self.tuning),
            now,
            dt_s: step_s,
        };
        let flow = self.guard.judge(snapshot, known, &self.tuning);
        let sound = flow == Flow::Proven && self.state.name() == StateName::Running;
        self.observer.learn((node, snapshot), self.guard.law(), sound, step_s, &self.tuning);
        self.effects.watch(snapshot, (self.loops.held().0.value, self.loops.held().1.value), now);
        if snapshot.meter.flow.usable().is_some() && snapshot.meter.supply.usable().is_some() {
            self.meter_seen = Some(now);
        }
        self.gpus_seen |= node.hottest_measured.is_some();
        let remote = snapshot.remote.sensible();
        let findings = Findings {
            // A broken rope is a fault of its own: what it says about water is not believed.
            water: snapshot.leak.detected.usable() == Some(true)
                && snapshot.leak.fault.usable() != Some(true),
            isolate: remote.isolate,
            flow,
            hottest: node.hottest,
            hottest_measured: node.hottest_measured,
            all_seen: node.all_seen
                && self.meter_seen.is_some()
                && snapshot.pump.speed.usable().is_some()
                && !is_silent(&snapshot.valve.position),
            silent: self.silent(node, snapshot, now),
            slowed: node.slowed,
            runs_away: self.budgets.runs_away(),
            throttled: self.throttle.is_hot(),
            pump_alarm: snapshot.pump.alarm.usable() == Some(true),
            reset: snapshot.reset,
        };
        let target =
            supply::target(snapshot, remote.supply_target, &self.set_points.held(&self.tuning), &self.tuning);
        Analysis { node, flow, findings, target, remote }
    }

    /// The required part that has been silent for too long, if any.
    fn silent(&self, node: &NodeView, snapshot: &Snapshot, now: Millis) -> Option<Reason> {
        let unseen = now.since(self.started.unwrap_or(now)) > PATIENCE && !node.all_seen;
        let meter_gone = now.since(self.meter_seen.or(self.started).unwrap_or(now)) > self.tuning.blind_after;
        if snapshot.detached {
            Some(Reason::GpusDetached)
        } else if unseen || (snapshot.gpus.is_empty() && snapshot.gpus_expected > 0) {
            Some(Reason::GpuSilent)
        } else if meter_gone && snapshot.meter.flow.usable().is_some() {
            Some(Reason::SupplyUnknown)
        } else if meter_gone {
            Some(Reason::MeterSilent)
        } else {
            None
        }
    }
}
