//! Which alarms stand after a step.

use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::gpu_link::GpuHealth;
use eisbach_protocol::reading::{BadReason, Quality, Reading};
use eisbach_protocol::units::{Celsius, Kelvin, Millis};

use crate::alarm_book::Devices;
use crate::alarms::AlarmSet;
use crate::effects::Effects;
use crate::flow_guard::Flow;
use crate::snapshot::Snapshot;
use crate::state::StateName;
use crate::tuning::Tuning;

/// Supply this far below its floor is an alarm; less is the sensor's noise.
const CONDENSATION_SLACK: Kelvin = Kelvin::new(0.5);

/// What the alarms are judged by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) state: StateName,
    /// The loop stands still by order, and no water was found.
    pub(crate) isolated: bool,
    /// Inputs are still awaited: silence is no alarm yet.
    pub(crate) starting: bool,
    pub(crate) flow: Flow,
    pub(crate) doubtful: bool,
    pub(crate) hottest_measured: Option<Kelvin>,
    /// A sensor of the loop does not fit the others.
    pub(crate) sensor_doubtful: bool,
    /// A plate or the exchangers carry less heat than they should.
    pub(crate) degraded: bool,
    pub(crate) effects: &'a Effects,
    /// What should be told of the river is not, and more goes to it than may.
    pub(crate) river: (bool, bool),
    /// Lowest supply temperature that does not condense.
    pub(crate) floor: Celsius,
    pub(crate) now: Millis,
    pub(crate) tuning: &'a Tuning,
}

/// The alarms, and the actuators that ignore their set-points.
pub(crate) fn standing(facts: &Facts<'_>) -> (AlarmSet, Devices) {
    let Facts { snapshot, state, effects, now, .. } = *facts;
    let mut set = AlarmSet::NONE;
    set.raise_if(state == StateName::Leak && !facts.isolated, Alarm::Leak);
    set.raise_if(facts.isolated, Alarm::Isolated);
    set.raise_if(state == StateName::Uncontrollable, Alarm::Uncontrollable);
    // A stopped loop has no flow by intention.
    set.raise_if(matches!(facts.flow, Flow::Lost(_)) && state != StateName::Leak, Alarm::LossOfFlow);
    let at_limit = facts.hottest_measured.is_some_and(|margin| margin < facts.tuning.deep_margin);
    set.raise_if(at_limit, Alarm::OverTemperature);
    if facts.starting {
        return (set, Devices::NONE);
    }

    gpus(snapshot, &mut set);
    set.raise_if(snapshot.pump.speed.usable().is_none(), Alarm::PumpSilent);
    set.raise_if(snapshot.pump.alarm.usable() == Some(true), Alarm::PumpFault);
    set.raise_if(effects.pump_is_local(now), Alarm::PumpLocal);
    set.raise_if(is_silent(&snapshot.valve.position), Alarm::ValveSilent);
    set.raise_if(snapshot.valve.fault.usable() == Some(true), Alarm::ValveFault);
    let no_meter = snapshot.meter.flow.usable().is_none() || snapshot.meter.supply.usable().is_none();
    set.raise_if(no_meter, Alarm::MeterSilent);
    set.raise_if(facts.doubtful, Alarm::FlowDoubtful);
    set.raise_if(facts.sensor_doubtful, Alarm::SensorDoubtful);
    set.raise_if(facts.degraded, Alarm::CoolingDegraded);
    // A tripped drive ignores its set-point too: that has an alarm of its own.
    let pump_down = set.has(Alarm::LossOfFlow) || set.has(Alarm::PumpFault);
    let ignoring = Devices::PUMP
        .only_if(effects.pump_is_off(now) && !pump_down)
        .with(Devices::VALVE.only_if(effects.valve_is_off(now)));
    set.raise_if(!ignoring.is_empty(), Alarm::SetPointIgnored);
    set.raise_if(is_silent(&snapshot.room.dew_point), Alarm::DewPointUnknown);
    let rope = is_silent(&snapshot.leak.detected) || snapshot.leak.fault.usable() == Some(true);
    set.raise_if(rope, Alarm::LeakSensorFault);
    set.raise_if(facts.river.0, Alarm::RiverUnknown);
    set.raise_if(facts.river.1, Alarm::PermitBroken);
    let supply = snapshot.meter.supply.usable();
    let cold = supply.is_some_and(|supply| supply < facts.floor - CONDENSATION_SLACK);
    set.raise_if(cold && snapshot.room.dew_point.usable().is_some(), Alarm::Condensation);
    (set, ignoring)
}

fn gpus(snapshot: &Snapshot, set: &mut AlarmSet) {
    set.raise_if(snapshot.detached, Alarm::GpuDetached);
    if snapshot.detached {
        // They are away on purpose: that says it all.
        return;
    }
    let no_link = snapshot.gpus.is_empty() && snapshot.gpus_expected > 0;
    set.raise_if(no_link, Alarm::GpuLinkDown);
    let missing = snapshot.gpus.len() < snapshot.gpus_expected;
    let unwell = snapshot.gpus.iter().any(|gpu| !matches!(gpu.health, GpuHealth::Ok | GpuHealth::Unknown));
    set.raise_if(!no_link && (missing || unwell), Alarm::GpuUnavailable);
}

/// Whether something that should answer does not. What the node does not have is not silent.
pub(crate) fn is_silent<T: Copy>(reading: &Reading<T>) -> bool {
    reading.usable().is_none() && reading.quality() != Quality::Bad(BadReason::NotSupported)
}
