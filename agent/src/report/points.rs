//! Every point's value, from the snapshot, the decision and the links.
//!
//! The catalogue lists the points; here each gets its value. A point without one does not compile.

use std::sync::Arc;

use eisbach_control::{AlarmView, Decision, Snapshot};
use eisbach_protocol::catalogue::{Owner, PointId, PointValue, points_of};
use eisbach_protocol::gpu_link::GpuSample;
use eisbach_protocol::reading::{BadReason, Reading};
use eisbach_protocol::registers::Signal;
use eisbach_protocol::units::{Millis, Percent};

use super::cycle::Cycle;
use super::decided::{escalation, escalation_reason, missing_margin, power_to_go, time_left};
use super::sources::{Gpu, Sources};
use super::value::{count, facility, heard, int, known, millis, number, of, set, text};
use super::{ObjectReport, Report, commands, learned, outside};
use crate::config::DeviceRole;
use crate::gpu::client::GPU_LINK_GONE;
use crate::links::Links;
use crate::sense::GPU_STALE;
use crate::why;

/// The report of one cycle.
#[must_use]
pub fn compose(
    links: &Links,
    snapshot: &Snapshot,
    decision: &Decision,
    cycle: &Cycle,
    (now, wall_ms): (Millis, u64),
) -> Report {
    let view = &links.gpu.view();
    let sources = Sources { links, snapshot, decision, cycle, view, now, wall_ms };
    let mut objects = vec![sources.object("node".into(), Owner::Node, true, None)];
    objects.extend(sources.gpus());
    for (role, _) in &links.devices {
        let owner = owner(*role);
        objects.push(sources.object(owner.as_str().into(), owner, sources.online(*role), None));
    }
    Report {
        at: now,
        wall_ms,
        objects,
        alarms: cycle.book,
        facility: cycle.facility.clone(),
        hooks: cycle.hooks,
        events: Arc::clone(&cycle.events),
    }
}

const fn owner(role: DeviceRole) -> Owner {
    match role {
        DeviceRole::Pump => Owner::Pump,
        DeviceRole::Valve => Owner::Valve,
        DeviceRole::Meter => Owner::Meter,
        DeviceRole::Room => Owner::Room,
        DeviceRole::Leak => Owner::Leak,
    }
}

impl Sources<'_> {
    fn gpus(&self) -> Vec<ObjectReport> {
        let gone = self.snapshot.gpus.is_empty();
        self.view
            .gpus
            .iter()
            .enumerate()
            .map(|(index, entry)| {
                let plate = self.decision.learned.plates.get(index).copied().flatten();
                let gpu = Gpu { entry, decision: self.decision.gpus.get(index), plate };
                // A GPU that is lost or hung stays on the faces: its health says so.
                let online = !gone;
                let unknown = GpuSample::default();
                let sample = if entry.age(self.now) <= GPU_STALE { &*entry.sample } else { &unknown };
                let note = why::sentence(sample, gpu.decision, self.now);
                ObjectReport { note, ..self.object(format!("gpu{index}"), Owner::Gpu, online, Some(&gpu)) }
            })
            .collect()
    }

    /// A device is online while any of its values is fresh.
    fn online(&self, role: DeviceRole) -> bool {
        let signal = match role {
            DeviceRole::Pump => Signal::PumpSpeed,
            DeviceRole::Valve => Signal::ValvePosition,
            DeviceRole::Meter => Signal::Flow,
            DeviceRole::Room => Signal::DewPoint,
            DeviceRole::Leak => Signal::Leak,
        };
        self.links.reading(role, signal, self.now).usable().is_some()
    }

    fn object(&self, name: String, owner: Owner, online: bool, gpu: Option<&Gpu<'_>>) -> ObjectReport {
        let points = points_of(owner).map(|def| (def.id, self.value(def.id, gpu))).collect();
        ObjectReport { name, owner, online, points, note: None }
    }

    // One line a point, in catalogue order.
    fn value(&self, id: PointId, gpu: Option<&Gpu<'_>>) -> Reading<PointValue> {
        use DeviceRole as Role;
        let decision = self.decision;
        match id {
            PointId::NodeState => text(decision.state.as_str()),
            PointId::NodeRung => int(decision.rung.number()),
            PointId::NodeLeader => text(decision.leader.as_str()),
            PointId::NodeReason => text(decision.reason.as_str()),
            PointId::NodePower => self.derived(decision.node_power),
            PointId::NodeMargin => decision
                .hottest_margin
                .map_or(Reading::bad(BadReason::NeverRead), |margin| self.derived(margin)),
            PointId::NodeCooled => known(PointValue::Bool(decision.cooling_proven)),
            PointId::NodeCycles => count(self.cycle.count),
            PointId::NodeOverruns => count(self.cycle.overruns),
            PointId::NodeDriver => heard(
                PointValue::Text(self.view.driver.as_str()),
                self.view.driver_age(self.now),
                GPU_LINK_GONE,
            ),
            PointId::NodeEscalation => text(escalation(decision)),
            PointId::NodeEscReason => text(escalation_reason(decision)),
            PointId::NodeFirstOut => text(self.first_out()),
            PointId::NodeAlarmsShown => self.alarms_that(AlarmView::is_shown),
            PointId::NodeAlarmsUnseen => self.alarms_that(AlarmView::is_unseen),
            PointId::NodeSupplyTarget => set(Some(decision.supply_target)),
            PointId::NodeFlowTarget => set(Some(decision.flow_demand)),
            PointId::NodeRiseTarget => set(Some(decision.set_points.rise)),
            PointId::NodeReturnTarget => set(Some(outside::return_target(decision))),
            PointId::NodeSetPointMode => text(decision.set_points.mode.as_str()),
            PointId::NodeSetPointReason => text(decision.set_points.reason.as_str()),
            PointId::NodeRiver => number(self.snapshot.surroundings.river),
            PointId::NodeRiverFlow => number(self.snapshot.surroundings.river_flow),
            PointId::NodeHeatDemand => number(self.snapshot.surroundings.heat_demand),
            PointId::NodeNetwork => number(self.snapshot.surroundings.network_supply),
            PointId::NodePermitState => text(decision.river.state.as_str()),
            PointId::NodePermitted => outside::limit(decision.river.permitted),
            PointId::NodeRiverHeat => outside::reckoned(Some(decision.river.heat)),
            PointId::NodeMixing => outside::reckoned(decision.river.mixing),
            PointId::NodeDayLeft => outside::limit(decision.river.day_left),
            PointId::NodeRiverAtMost => set(self.cycle.commands.in_force.remote.river_at_most),
            PointId::NodeFacility => text(facility(self.cycle)),
            PointId::NodeCertificate => self.certificate_days(),
            PointId::NodeMode => text(commands::mode(&self.cycle.commands, &decision.remote)),
            PointId::NodeModeUntil => {
                self.cycle.commands.in_force.manual_until.map_or(int(0), |until| self.wall_then(until))
            }
            PointId::NodeBudget => set(self.cycle.commands.in_force.power_budget),
            PointId::NodeEnvelope => text(""),
            PointId::NodeCommandId => known(commands::id(&self.cycle.commands)),
            PointId::NodeCommandState => text(commands::state(&self.cycle.commands)),
            PointId::NodeCommandReason => known(commands::reason(&self.cycle.commands)),
            PointId::NodeCommandsGood => count(self.cycle.commands.counts.accepted),
            PointId::NodeCommandsBad => count(self.cycle.commands.counts.refused),
            PointId::NodeCommandsLost => count(self.cycle.commands.counts.dropped),
            PointId::NodeLearning => text(decision.learned.learning.as_str()),
            PointId::NodeAtBound => text(decision.learned.at_bound().unwrap_or("none")),
            PointId::NodeHeatFactor => learned::value(decision.learned.heat_per_gpu_watt.value),
            PointId::NodeBalance => learned::percent(decision.learned.balance),
            PointId::NodeSuspect => text(decision.learned.suspect.as_str()),
            PointId::NodeExchanger => learned::resistance(decision.learned.exchanger),
            PointId::NodeExchangerDrift => learned::drift(decision.learned.exchanger),
            PointId::NodeRecorder => text(self.cycle.recorder.recording.as_str()),
            PointId::NodeRecordLost => count(self.cycle.recorder.lost),

            PointId::GpuHealth => {
                of(gpu, |gpu| self.said(gpu, PointValue::Text(gpu.entry.sample.health.as_str())))
            }
            PointId::GpuTemperature => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.temperature)),
            PointId::GpuMemoryTemp => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.memory_temperature)),
            PointId::GpuMargin => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.margin)),
            PointId::GpuDoubtful => {
                of(gpu, |gpu| self.batch(gpu, PointValue::Bool(gpu.entry.sample.margin_doubtful)))
            }
            PointId::GpuPower => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.power)),
            PointId::GpuPowerAverage => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.power_average)),
            PointId::GpuEnergy => of(gpu, |gpu| self.counted(gpu, &gpu.entry.sample.energy_mj)),
            PointId::GpuLimit => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.limit_enforced)),
            PointId::GpuRequested => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.limit_requested)),
            PointId::GpuCap => of(gpu, |gpu| {
                set(gpu.decision.and_then(|wanted| wanted.power_cap).or(gpu.entry.sample.limit_default))
            }),
            PointId::GpuClock => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.sm_clock)),
            PointId::GpuClockCap => of(gpu, |gpu| {
                set(gpu.decision.and_then(|wanted| wanted.clock_max).or(gpu.entry.sample.sm_clock_max))
            }),
            PointId::GpuUtilization => of(gpu, |gpu| self.sampled(gpu, &gpu.entry.sample.utilization)),
            PointId::GpuReasons => of(gpu, |gpu| {
                self.told(gpu, &gpu.entry.sample.throttle_reasons).map(|bits| PointValue::Int(bits.into()))
            }),
            PointId::GpuPState => of(gpu, |gpu| self.counted(gpu, &gpu.entry.sample.performance_state)),
            PointId::GpuProcesses => of(gpu, |gpu| self.counted(gpu, &gpu.entry.sample.processes)),
            PointId::GpuMig => of(gpu, |gpu| self.told(gpu, &gpu.entry.sample.mig).map(PointValue::Bool)),
            PointId::GpuPersistence => {
                of(gpu, |gpu| self.told(gpu, &gpu.entry.sample.persistence).map(PointValue::Bool))
            }
            PointId::GpuEccMended => of(gpu, |gpu| self.counted(gpu, &gpu.entry.sample.ecc_corrected)),
            PointId::GpuEccUnmended => of(gpu, |gpu| self.counted(gpu, &gpu.entry.sample.ecc_uncorrected)),
            PointId::GpuRemapped => of(gpu, |gpu| {
                let rows = self.told(gpu, &gpu.entry.sample.remapped_rows);
                rows.map(|rows| PointValue::Int(i64::from(rows.correctable) + i64::from(rows.uncorrectable)))
            }),
            PointId::GpuRemapPending => of(gpu, |gpu| {
                let rows = self.told(gpu, &gpu.entry.sample.remapped_rows);
                rows.map(|rows| PointValue::Bool(rows.pending || rows.failed))
            }),
            PointId::GpuRecovery => of(gpu, |gpu| {
                let action = self.told(gpu, &gpu.entry.sample.recovery_action);
                action.map(|action| PointValue::Text(action.as_str()))
            }),
            PointId::GpuXids => {
                of(gpu, |gpu| self.said(gpu, PointValue::Int(gpu.entry.sample.xid_count.into())))
            }
            PointId::GpuXidLast => {
                of(gpu, |gpu| self.said(gpu, PointValue::Int(gpu.entry.sample.xid_last.into())))
            }
            PointId::GpuBatch => {
                of(gpu, |gpu| self.batch(gpu, PointValue::Float(millis(gpu.entry.sample.batch_us))))
            }
            PointId::GpuForeign => {
                of(gpu, |gpu| self.said(gpu, PointValue::Int(gpu.entry.sample.foreign_changes.into())))
            }
            PointId::GpuLowPower => {
                of(gpu, |gpu| self.said(gpu, PointValue::Bool(gpu.entry.sample.held_profile)))
            }
            PointId::GpuSlowBy => {
                of(gpu, |gpu| self.batch(gpu, PointValue::Text(why::slow_by(&gpu.entry.sample).as_str())))
            }
            PointId::GpuRungSince => of(gpu, |gpu| gpu.decided(|wanted| self.wall(wanted.since))),
            PointId::GpuReleaseWaits => {
                of(gpu, |gpu| gpu.decided(|wanted| text(why::waits_for(&wanted.release))))
            }
            PointId::GpuReleaseMargin => {
                of(gpu, |gpu| gpu.decided(|wanted| set(missing_margin(&wanted.release))))
            }
            PointId::GpuReleaseTime => of(gpu, |gpu| gpu.decided(|wanted| time_left(&wanted.release))),
            PointId::GpuReleasePower => {
                of(gpu, |gpu| gpu.decided(|wanted| set(power_to_go(&wanted.release))))
            }
            PointId::GpuRung => of(gpu, |gpu| gpu.decided(|wanted| int(wanted.rung.number()))),
            PointId::GpuReason => of(gpu, |gpu| gpu.decided(|wanted| text(wanted.reason.as_str()))),
            PointId::GpuPlate => of(gpu, |gpu| learned::resistance(gpu.plate)),
            PointId::GpuPlateDrift => of(gpu, |gpu| learned::drift(gpu.plate)),

            PointId::PumpTarget => set(decision.pump.value),
            PointId::PumpLeader => text(decision.pump.leader.as_str()),
            PointId::PumpReason => text(decision.pump.reason.as_str()),
            PointId::PumpSpeed => self.number(Role::Pump, Signal::PumpSpeed),
            PointId::PumpRpm => self.number(Role::Pump, Signal::PumpRpm),
            PointId::PumpHead => self.number(Role::Pump, Signal::PumpHead),
            PointId::PumpPower => self.number(Role::Pump, Signal::PumpPower),
            PointId::PumpRunning => self.flag(Role::Pump, Signal::PumpRunning),
            PointId::PumpRemote => self.flag(Role::Pump, Signal::PumpRemote),
            PointId::PumpInlet => self.number(Role::Pump, Signal::InletPressure),
            PointId::PumpAtLeast => {
                set(self.cycle.commands.in_force.remote.pump_at_least.or(Some(Percent::ZERO)))
            }

            PointId::PumpLink => self.link(Role::Pump),
            PointId::PumpProtection => self.protection(Role::Pump),
            PointId::PumpWrites => self.writes(Role::Pump, |write| write.writes_today),
            PointId::PumpForeign => self.writes(Role::Pump, |write| write.foreign_events),
            PointId::PumpFullFlow => learned::value(decision.learned.full_speed_flow.value),
            PointId::PumpFriction => learned::percent(Some(decision.learned.friction.value)),

            PointId::ValveTarget => set(decision.valve.value),
            PointId::ValveLeader => text(decision.valve.leader.as_str()),
            PointId::ValveReason => text(decision.valve.reason.as_str()),
            PointId::ValvePosition => self.number(Role::Valve, Signal::ValvePosition),
            PointId::ValveFlow => self.number(Role::Valve, Signal::ValveFlow),
            PointId::ValveInlet => self.number(Role::Valve, Signal::RecoveryInlet),
            PointId::ValveOutlet => self.number(Role::Valve, Signal::RecoveryOutlet),
            PointId::ValveHeat => self.number(Role::Valve, Signal::RecoveredPower),

            PointId::ValveAtMost => {
                set(self.cycle.commands.in_force.remote.valve_at_most.or(Some(Percent::new(100.0))))
            }
            PointId::ValveLink => self.link(Role::Valve),
            PointId::ValveProtection => self.protection(Role::Valve),
            PointId::ValveWrites => self.writes(Role::Valve, |write| write.writes_today),
            PointId::ValveForeign => self.writes(Role::Valve, |write| write.foreign_events),
            PointId::ValveForward => learned::value(decision.learned.valve_forward.value),
            PointId::ValveDelay => learned::value(decision.learned.supply_delay_s),

            PointId::MeterFlow => self.number(Role::Meter, Signal::Flow),
            PointId::MeterSupply => self.number(Role::Meter, Signal::SupplyTemperature),
            PointId::MeterReturn => self.number(Role::Meter, Signal::ReturnTemperature),
            PointId::MeterHeat => self.number(Role::Meter, Signal::HeatPower),

            PointId::MeterLink => self.link(Role::Meter),

            PointId::RoomDewPoint => self.number(Role::Room, Signal::DewPoint),
            PointId::RoomTemperature => self.number(Role::Room, Signal::AirTemperature),
            PointId::RoomHumidity => self.number(Role::Room, Signal::RelativeHumidity),

            PointId::RoomLink => self.link(Role::Room),

            PointId::LeakDetected => self.flag(Role::Leak, Signal::Leak),
            PointId::LeakFault => self.flag(Role::Leak, Signal::LeakSensorFault),
            PointId::LeakLink => self.link(Role::Leak),
        }
    }
}
