//! The alarms a node can raise: one table for every face.
//!
//! An alarm names a cause, not a symptom, and carries what an operator needs: how urgent it is, what follows if
//! nobody acts, and what to do.

/// A cause for alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Water where none should be.
    Leak,
    /// Coolant does not flow as commanded.
    LossOfFlow,
    /// A GPU has no margin left to its slowdown temperature.
    OverTemperature,
    /// Cooling cannot be restored by anything the agent commands.
    Uncontrollable,
    /// A GPU fell off the bus, hangs in the driver or needs a reset.
    GpuUnavailable,
    /// No GPU telemetry at all: the GPU process or the driver is not there.
    GpuLinkDown,
    /// The GPU process has let go of the driver, as somebody asked.
    GpuDetached,
    /// A GPU reports an error that needs a person: XID, uncorrectable memory errors, a pending row remap.
    GpuError,
    /// What a GPU says about its margin does not fit its temperature.
    GpuMarginDoubtful,
    /// Somebody else changes the limits of a GPU.
    ForeignLimit,
    /// A GPU's persistence mode is off.
    PersistenceOff,
    /// A throttle request was not carried out.
    ThrottleRefused,
    /// The pump does not answer.
    PumpSilent,
    /// The pump's drive reports an alarm.
    PumpFault,
    /// Somebody else is in charge of the pump.
    PumpLocal,
    /// The recovery valve does not answer.
    ValveSilent,
    /// The recovery valve does not follow its set-point.
    ValveFault,
    /// Somebody else is in charge of the recovery valve.
    ValveLocal,
    /// The flow and temperature meter does not answer, or not with both.
    MeterSilent,
    /// Flow cannot be judged as it should: no head, or far less flow than commissioned.
    FlowDoubtful,
    /// An actuator does not do what it was told.
    SetPointIgnored,
    /// Another master writes to an actuator.
    ForeignWriter,
    /// An actuator would hold its last set-point if the agent fell silent.
    UnprotectedActuator,
    /// An actuator's writes for today are used up.
    WriteBudgetSpent,
    /// A device is not the one that its profile describes.
    WrongDevice,
    /// A device takes heartbeats and does not follow them.
    DeviceFrozen,
    /// The dew point is unknown; the condensation limit rests on a worst case.
    DewPointUnknown,
    /// Supply is close to the dew point.
    Condensation,
    /// The leak sensor does not answer or is broken.
    LeakSensorFault,
    /// The configuration file was refused; the last good one is in use.
    ConfigRefused,
    /// A hook did not do what it should.
    HookFailed,
    /// A control cycle took longer than its period.
    CycleOverrun,
}

/// How soon somebody must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// At once: damage is near.
    Critical,
    /// Within minutes.
    High,
    /// Within the shift.
    Medium,
    /// When convenient.
    Low,
}

/// What an operator needs to know about an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmDef {
    /// The alarm.
    pub alarm: Alarm,
    /// Name on every face.
    pub name: &'static str,
    /// How soon to act.
    pub priority: Priority,
    /// Stays until it is reset, even when its cause is gone.
    pub latched: bool,
    /// What follows if nobody acts.
    pub consequence: &'static str,
    /// What to do.
    pub action: &'static str,
}

macro_rules! alarms {
    ($($alarm:ident $name:literal $priority:ident $latched:literal $consequence:literal $action:literal)+) => {
        /// Every alarm, most urgent first within its group.
        pub const ALARMS: [AlarmDef; COUNT] = [$(AlarmDef {
            alarm: Alarm::$alarm,
            name: $name,
            priority: Priority::$priority,
            latched: $latched,
            consequence: $consequence,
            action: $action,
        }),+];
        /// Number of alarms.
        pub const COUNT: usize = [$(Alarm::$alarm),+].len();
        impl Alarm {
            /// Name on every face.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$alarm => $name),+ }
            }
        }
    };
}

alarms! {
    Leak "leak" Critical true
        "Water reaches electronics; the loop is stopped and its GPUs are at minimum power."
        "Find and close the leak, dry the tray, then reset the alarm."
    LossOfFlow "loss_of_flow" Critical false
        "GPUs are capped; without flow they reach shutdown within a minute."
        "Check pump, valves and coupling of the node loop."
    OverTemperature "over_temperature" Critical false
        "The GPU slows itself down, then shuts down."
        "Check flow and supply temperature; look for a blocked cold plate."
    Uncontrollable "uncontrollable" Critical true
        "GPUs stay at minimum power; hardware protection is the last line."
        "Drain the node, restore cooling, then restart the agent (this ends it)."
    GpuUnavailable "gpu_unavailable" High false
        "Its temperature is unknown; the loop is cooled as for a hot GPU."
        "See the GPU's health point; reset or replace it."
    GpuLinkDown "gpu_link_down" High false
        "All GPU temperatures are unknown; the loop runs at full flow."
        "Check the GPU service and the driver."
    GpuDetached "gpu_detached" Medium false
        "GPU temperatures are unknown and no GPU can be throttled; the loop runs at full flow."
        "Finish the work on driver or GPU, then `eisbach-agent attach`."
    GpuError "gpu_error" High false
        "The GPU may fail; its jobs may already have."
        "See the GPU's error points and NVIDIA's list of XIDs; drain it, then reset or replace it."
    GpuMarginDoubtful "gpu_margin_doubtful" Medium false
        "The smaller of what margin and temperature tell is used; the GPU may be throttled early."
        "Compare the GPU's points; reset the GPU or update its driver."
    ForeignLimit "foreign_limit" Medium false
        "The lower of two limits is kept; the GPU may be slower than either side expects."
        "Find who else sets limits (nvidia-smi, DCGM, a power manager) and leave it to one."
    PersistenceOff "persistence_off" Medium false
        "Limits are lost whenever the last user of a GPU goes."
        "Enable nvidia-persistenced."
    ThrottleRefused "throttle_refused" High false
        "A GPU keeps drawing more power than cooling allows."
        "Check the GPU service's privileges and the device's limits."
    PumpSilent "pump_silent" High false
        "The pump runs on its local set-point; speed cannot be changed."
        "Check the pump's bus connection and power."
    PumpFault "pump_fault" High false
        "Flow may stop."
        "Read the pump's alarm code; see its manual."
    PumpLocal "pump_local" Medium false
        "The agent cannot change the speed."
        "Switch the pump to remote when work on it is done."
    ValveSilent "valve_silent" Medium false
        "The valve holds its position; heat recovery and supply temperature are not controlled."
        "Check the valve's bus connection and power."
    ValveFault "valve_fault" Medium false
        "Supply temperature may leave its set-point."
        "Check the valve's drive."
    ValveLocal "valve_local" Medium false
        "Heat recovery and supply temperature are not controlled."
        "Switch the valve to remote when work on it is done."
    MeterSilent "meter_silent" Medium false
        "Flow and loop temperatures are unknown; the pump runs at full speed."
        "Check the meter's bus connection and power."
    FlowDoubtful "flow_doubtful" Medium false
        "A loss of flow would be noticed late."
        "Check head sensor, meter and strainer; check full_speed_flow in the configuration."
    SetPointIgnored "set_point_ignored" High false
        "Pump or valve is somewhere else than control wants it."
        "Look for a second master, a local mode or a blocked drive."
    ForeignWriter "foreign_writer" High false
        "Two masters move one actuator; the agent yields and only ever raises cooling."
        "Find the other master and take one of the two off the device."
    UnprotectedActuator "unprotected_actuator" Medium false
        "If the agent or its network fails, the actuator stays where it is."
        "Set the device's bus watchdog and fail action; `eisbach-agent probe` shows both."
    WriteBudgetSpent "write_budget_spent" Medium false
        "Set-points follow only towards more cooling, or not at all, until midnight UTC."
        "Look for a hunting set-point; check daily_budget in the device's profile."
    WrongDevice "wrong_device" High false
        "The device is left alone: nothing is read from it or written to it."
        "Check its address and unit, and the profile in the configuration."
    DeviceFrozen "device_frozen" High false
        "Its controller stands still: set-points do nothing, and its values may be old."
        "Restart the device's controller; check its program."
    DewPointUnknown "dew_point_unknown" Low false
        "Supply is kept warmer than needed."
        "Check the dew point sensor."
    Condensation "condensation" High false
        "Water condenses on cold pipes and plates."
        "Dry the room air or raise the supply temperature."
    LeakSensorFault "leak_sensor_fault" Medium false
        "A leak would not be noticed."
        "Repair the leak rope or its relay."
    ConfigRefused "config_refused" Medium false
        "Changes in the configuration are not in force."
        "Mend the line that the log names, then reload."
    HookFailed "hook_failed" Medium false
        "A drain, freeze or stop that control asked for has not happened."
        "See the log for the hook's exit and output; try its command as the agent's user."
    CycleOverrun "cycle_overrun" Low false
        "Reactions come late."
        "Check the node for processor starvation."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_has_one_name_and_says_what_to_do() {
        for (at, def) in ALARMS.iter().enumerate() {
            assert_eq!(def.alarm.as_str(), def.name);
            assert!(!def.consequence.is_empty() && !def.action.is_empty());
            assert!(ALARMS[..at].iter().all(|earlier| earlier.name != def.name));
            assert_eq!(def.alarm as usize, at, "the table is in the order of the enum");
        }
    }
}
