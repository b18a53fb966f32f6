//! Do the actuators do what they were told?

use eisbach_protocol::units::{Millis, Percent};
use serde::{Deserialize, Serialize};

use crate::snapshot::Snapshot;

/// A pump that is asked for is given this long to obey the bus.
const TAKE_REMOTE: Millis = Millis::from_secs(3);
/// The pump may be off its set-point by so many points, and for so long: drives ramp.
const PUMP_OFF: (f32, Millis) = (10.0, Millis::from_secs(12));
/// The valve may be off its set-point by so many points, and for so long: strokes take minutes.
const VALVE_OFF: (f32, Millis) = (10.0, Millis::from_secs(150));

/// Since when an actuator does not do what it was told.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Effects {
    pump_off_since: Option<Millis>,
    local_since: Option<Millis>,
    valve_off_since: Option<Millis>,
}

impl Effects {
    /// Compares what is with what was asked of pump and valve.
    pub(crate) fn watch(
        &mut self,
        snapshot: &Snapshot,
        (pump, valve): (Option<Percent>, Option<Percent>),
        now: Millis,
    ) {
        let off = |value: Option<Percent>, wanted: Option<Percent>, band: f32| {
            value.zip(wanted).is_some_and(|(value, wanted)| (value - wanted).get().abs() > band)
        };
        let remote = snapshot.pump.remote.usable() != Some(false);
        self.local_since = (!remote).then(|| self.local_since.unwrap_or(now));
        // A drive that is down, or was until now, has an alarm of its own and then a ramp to climb.
        let down =
            snapshot.pump.running.usable() == Some(false) || snapshot.pump.alarm.usable() == Some(true);
        let speed = snapshot.pump.speed.usable();
        let faster = snapshot.pump.shared && speed.zip(pump).is_some_and(|(is, asked)| is > asked);
        let pump_off = remote && !down && !faster && off(speed, pump, PUMP_OFF.0);
        self.pump_off_since = pump_off.then(|| self.pump_off_since.unwrap_or(now));
        let valve_off = off(snapshot.valve.position.usable(), valve, VALVE_OFF.0);
        self.valve_off_since = valve_off.then(|| self.valve_off_since.unwrap_or(now));
    }

    /// The pump obeys somebody else.
    pub(crate) fn pump_is_local(&self, now: Millis) -> bool {
        longer(self.local_since, TAKE_REMOTE, now)
    }

    /// The pump is off its set-point for longer than its ramp takes.
    pub(crate) fn pump_is_off(&self, now: Millis) -> bool {
        longer(self.pump_off_since, PUMP_OFF.1, now)
    }

    /// The valve is off its set-point for longer than its stroke takes.
    pub(crate) fn valve_is_off(&self, now: Millis) -> bool {
        longer(self.valve_off_since, VALVE_OFF.1, now)
    }
}

fn longer(since: Option<Millis>, limit: Millis, now: Millis) -> bool {
    since.is_some_and(|since| now.since(since) > limit)
}
