//! A decision from what every part of the controller holds, in the words of the outside.
//!
//! ```text
//!   state ─► who and why ─┐
//!   loops, ladders ───────┼─► decision
//!   alarms, learned ──────┘
//! ```

use eisbach_protocol::gpu_link::MAX_GPUS;
use eisbach_protocol::units::Millis;
use heapless::Vec;

use super::Controller;
use super::analysis::Analysis;
use crate::alarm_book::Devices;
use crate::alarms::AlarmSet;
use crate::decision::{Decision, Escalation, GpuDecision, Leader, Reason};
use crate::learned::{Learned, Suspect};
use crate::remote::RemoteOutcome;
use crate::rungs::{distance_to_next, highest_rung};
use crate::snapshot::Snapshot;
use crate::standing::{Facts, standing};
use crate::state::{Cause, PATIENCE, State, StateName};
use crate::supply;

impl Controller {
    pub(super) fn decide(
        &self,
        snapshot: &Snapshot,
        analysis: &Analysis<'_>,
        gpus: Vec<GpuDecision, MAX_GPUS>,
        now: Millis,
    ) -> Decision {
        let (leader, reason) = self.cause(analysis);
        let (pump, valve) = self.loops.held();
        let rung = highest_rung(&gpus, pump, valve);
        let (alarms, ignoring) = self.alarms(snapshot, analysis, now);
        Decision {
            state: self.state.name(),
            leader,
            reason,
            rung,
            next_rung_in: distance_to_next(rung, analysis.node.hottest, &self.tuning),
            pump_run: self.run,
            pump_reset: false,
            pump,
            valve,
            gpus,
            supply_target: analysis.target.celsius,
            set_points: self.set_points.held(&self.tuning),
            river: self.permit.view(),
            flow_demand: self.loops.flow(),
            node_power: analysis.node.power,
            hottest_margin: analysis.node.hottest,
            cooling_proven: self.cooling_proven(analysis),
            escalation: Escalation::default(),
            remote: RemoteOutcome::default(),
            alarms,
            ignoring,
            learned: self.learned(snapshot),
        }
    }

    fn learned(&self, snapshot: &Snapshot) -> Learned {
        let delay_s = supply::supply_delay(self.loops.flow(), &self.tuning);
        let (law, travel) = (self.guard.law(), self.loops.travel());
        self.observer.learned(snapshot.gpus.len(), law, travel, delay_s, &self.tuning)
    }

    fn cause(&self, analysis: &Analysis<'_>) -> Cause {
        match self.state {
            State::Boot { .. } => (Leader::Boot, Reason::FirstReadings),
            State::Running => self.throttle.led().unwrap_or((Leader::Normal, Reason::Nothing)),
            State::Hot { cause, .. } | State::Critical { cause, .. } => cause,
            State::Leak => analysis.findings.stopped(),
            State::Uncontrollable => (Leader::FlowGuard, Reason::NothingHelped),
        }
    }

    fn alarms(&self, snapshot: &Snapshot, analysis: &Analysis<'_>, now: Millis) -> (AlarmSet, Devices) {
        let state = self.state.name();
        standing(&Facts {
            snapshot,
            state,
            isolated: self.isolated,
            starting: state == StateName::Boot && now.since(self.started.unwrap_or(now)) <= PATIENCE,
            flow: analysis.flow,
            doubtful: self.guard.is_doubtful(snapshot, now, &self.tuning),
            hottest_measured: analysis.findings.hottest_measured,
            sensor_doubtful: self.observer.suspect() != Suspect::Nothing,
            degraded: self.observer.is_degraded(),
            effects: &self.effects,
            river: (self.permit.is_silent(), self.permit.view().broken),
            floor: analysis.target.floor,
            now,
            tuning: &self.tuning,
        })
    }
}
