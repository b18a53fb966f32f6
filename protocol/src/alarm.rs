//! The alarms a node can raise: one table for every face.
//!
//! An alarm names a cause, not a symptom, and carries what an operator needs: how urgent it is, what follows if
//! nobody acts, and what to do.
//!
//! ```text
//!   condition ──► on-delay ──► alarm ──► off-delay ──► gone, or latched until somebody resets it
//!                                ▲
//!                   causes: while one of them stands, it explains this alarm; one that is at least
//!                   as urgent suppresses it, so that one trouble is one alarm
//! ```

use crate::units::Millis;

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
    /// The loop stands still because somebody ordered it cut off.
    Isolated,
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
    /// A sensor of the loop does not fit the others: flow × rise against GPU power.
    SensorDoubtful,
    /// A cold plate or the exchangers carry less heat than they did.
    CoolingDegraded,
    /// What is known of the river is old, or nothing is known, and there is a permit to keep.
    RiverUnknown,
    /// More heat goes to the river than it may take, because GPUs need the cooling.
    PermitBroken,
    /// The configuration file was refused; the last good one is in use.
    ConfigRefused,
    /// No broker, or not the primary host.
    FacilityUnreachable,
    /// Our certificate for the facility ends soon, or cannot be used.
    CertificateTrouble,
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

impl Priority {
    /// Name on every face.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
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
    /// A person may put it aside for a while.
    pub shelvable: bool,
    /// Its condition must hold so long before it stands.
    pub on_delay: Millis,
    /// Its condition must be gone so long before it goes.
    pub off_delay: Millis,
    /// Alarms that explain this one while they stand.
    pub causes: &'static [Alarm],
    /// What follows if nobody acts.
    pub consequence: &'static str,
    /// What to do.
    pub action: &'static str,
}

impl AlarmDef {
    /// The causes that suppress this alarm while they stand: those that are at least as urgent. So a critical alarm is
    /// never hidden behind a lesser one.
    pub fn suppressors(&self) -> impl Iterator<Item = Alarm> {
        self.causes.iter().copied().filter(|cause| cause.def().priority <= self.priority)
    }
}

macro_rules! alarms {
    ($(
        $alarm:ident $name:literal $priority:ident $latched:literal $shelvable:literal $on:literal $off:literal
        [$($cause:ident)*] $consequence:literal $action:literal
    )+) => {
        /// Every alarm, most urgent first within its group.
        pub const ALARMS: [AlarmDef; COUNT] = [$(*Alarm::$alarm.def()),+];
        /// Number of alarms.
        pub const COUNT: usize = [$(Alarm::$alarm),+].len();
        impl Alarm {
            /// What is known about it.
            #[must_use]
            pub const fn def(self) -> &'static AlarmDef {
                match self { $(Self::$alarm => const { &AlarmDef {
                    alarm: Self::$alarm,
                    name: $name,
                    priority: Priority::$priority,
                    latched: $latched,
                    shelvable: $shelvable,
                    on_delay: Millis::new($on),
                    off_delay: Millis::new($off),
                    causes: &[$(Self::$cause),*],
                    consequence: $consequence,
                    action: $action,
                } }),+ }
            }
        }
    };
}

impl Alarm {
    /// Name on every face.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.def().name
    }

    /// The alarm of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALARMS.iter().find(|def| def.name == name).map(|def| def.alarm)
    }
}

// alarm, name, priority, latched, may be shelved, on-delay and off-delay in ms, [its causes], consequence, action.
// Most conditions are debounced where they are judged; the delays here keep a bus or a value on the edge from chattering
// (estimates). What nobody may put aside: everything critical, water on cold pipes, and a GPU that cannot be throttled.
alarms! {
    Leak "leak" Critical true false 0 0 []
        "Water reaches electronics; the loop is stopped and its GPUs are at minimum power."
        "Find and close the leak, dry the tray, then reset the alarm."
    LossOfFlow "loss_of_flow" Critical false false 0 0 [PumpFault]
        "GPUs are capped; without flow they reach shutdown within a minute."
        "Check pump, valves and coupling of the node loop."
    OverTemperature "over_temperature" Critical false false 0 0 [LossOfFlow Leak Isolated]
        "The GPU slows itself down, then shuts down."
        "Check flow and supply temperature; look for a blocked cold plate."
    Uncontrollable "uncontrollable" Critical true false 0 0 []
        "GPUs stay at minimum power; hardware protection is the last line."
        "Drain the node, restore cooling, restart the agent, then reset the alarm."
    Isolated "isolated" High true true 0 0 []
        "The loop is stopped and its GPUs are at minimum power, until it is reset."
        "Find out who ordered it and why; when the loop may run again, end the order, then reset the alarm."
    GpuUnavailable "gpu_unavailable" High false true 0 0 [GpuLinkDown]
        "Its temperature is unknown; the loop is cooled as for a hot GPU."
        "See the GPU's health point; reset or replace it."
    GpuLinkDown "gpu_link_down" High false true 0 0 []
        "All GPU temperatures are unknown; the loop runs at full flow."
        "Check the GPU service and the driver."
    GpuDetached "gpu_detached" Medium false true 0 0 []
        "GPU temperatures are unknown and no GPU can be throttled; the loop runs at full flow."
        "Finish the work on driver or GPU, then `eisbach-agent attach`."
    GpuError "gpu_error" High false true 0 0 []
        "The GPU may fail; its jobs may already have."
        "See the GPU's error points and NVIDIA's list of XIDs; drain it, then reset or replace it."
    GpuMarginDoubtful "gpu_margin_doubtful" Medium false true 0 5000 [GpuLinkDown]
        "The smaller of what margin and temperature tell is used; the GPU may be throttled early."
        "Compare the GPU's points; reset the GPU or update its driver."
    ForeignLimit "foreign_limit" Medium false true 0 0 []
        "The lower of two limits is kept; the GPU may be slower than either side expects."
        "Find who else sets limits (nvidia-smi, DCGM, a power manager) and leave it to one."
    PersistenceOff "persistence_off" Medium false true 0 0 []
        "Limits are lost whenever the last user of a GPU goes."
        "Enable nvidia-persistenced."
    ThrottleRefused "throttle_refused" High false false 0 0 [GpuLinkDown]
        "A GPU keeps drawing more power than cooling allows."
        "Check the GPU service's privileges and the device's limits."
    PumpSilent "pump_silent" High false true 0 2000 []
        "The pump runs on its local set-point; speed cannot be changed."
        "Check the pump's bus connection and power."
    PumpFault "pump_fault" High false true 0 2000 []
        "Flow may stop."
        "Read the pump's alarm code; see its manual."
    PumpLocal "pump_local" Medium false true 0 2000 []
        "The agent cannot change the speed."
        "Switch the pump to remote when work on it is done."
    ValveSilent "valve_silent" Medium false true 0 2000 []
        "The valve holds its position; heat recovery and supply temperature are not controlled."
        "Check the valve's bus connection and power."
    ValveFault "valve_fault" Medium false true 0 2000 []
        "Supply temperature may leave its set-point."
        "Check the valve's drive."
    ValveLocal "valve_local" Medium false true 0 2000 []
        "Heat recovery and supply temperature are not controlled."
        "Switch the valve to remote when work on it is done."
    MeterSilent "meter_silent" Medium false true 0 2000 []
        "Flow and loop temperatures are unknown; the pump runs at full speed."
        "Check the meter's bus connection and power."
    FlowDoubtful "flow_doubtful" Medium false true 2000 5000 [LossOfFlow Leak Isolated PumpFault PumpSilent MeterSilent]
        "A loss of flow would be noticed late."
        "Check head sensor, meter and strainer; check full_speed_flow in the configuration."
    SetPointIgnored "set_point_ignored" High false true 0 2000 []
        "Pump or valve is somewhere else than control wants it."
        "Look for a second master, a local mode or a blocked drive."
    ForeignWriter "foreign_writer" High false true 0 0 []
        "Two masters move one actuator; the agent yields and only ever raises cooling."
        "Find the other master and take one of the two off the device."
    UnprotectedActuator "unprotected_actuator" Medium false true 0 2000 []
        "If the agent or its network fails, the actuator stays where it is."
        "Set the device's bus watchdog and fail action; `eisbach-agent probe` shows both."
    WriteBudgetSpent "write_budget_spent" Medium false true 0 0 []
        "Set-points follow only towards more cooling, or not at all, until midnight UTC."
        "Look for a hunting set-point; check daily_budget in the device's profile."
    WrongDevice "wrong_device" High false true 0 2000 []
        "The device is left alone: nothing is read from it or written to it."
        "Check its address and unit, and the profile in the configuration."
    DeviceFrozen "device_frozen" High false true 0 2000 []
        "Its controller stands still: set-points do nothing, and its values may be old."
        "Restart the device's controller; check its program."
    DewPointUnknown "dew_point_unknown" Low false true 2000 5000 []
        "Supply is kept warmer than needed."
        "Check the dew point sensor."
    Condensation "condensation" High false false 2000 10000 []
        "Water condenses on cold pipes and plates."
        "Dry the room air or raise the supply temperature."
    LeakSensorFault "leak_sensor_fault" Medium false true 0 2000 []
        "A leak would not be noticed."
        "Repair the leak rope or its relay."
    SensorDoubtful "sensor_doubtful" Medium false true 0 60000 [LossOfFlow Leak Isolated MeterSilent FlowDoubtful]
        "Flow and supply are controlled by the worse of what sensors and balance tell: more cooling than needed."
        "See the node's SuspectSensor point; compare the meter with another instrument."
    CoolingDegraded "cooling_degraded" Low false true 60000 60000 []
        "Margins shrink, and heat is given away colder; in the end GPUs are throttled."
        "See PlateDrift of the GPUs and ExchangerDrift; check filter, plate and exchanger, clean them."
    RiverUnknown "river_unknown" Medium false true 2000 5000 []
        "A careful guess of the river counts; power may be taken for it, or the permit broken."
        "Check who tells the river's temperature and flow to this node, and that its word reaches it."
    PermitBroken "permit_broken" High false false 5000 10000 []
        "The river gets more heat than it may; the authority may want to know."
        "Take work off the node, or find more room in the heat network; see the river points."
    ConfigRefused "config_refused" Medium false true 0 0 []
        "Changes in the configuration are not in force."
        "Mend the line that the log names, then reload."
    FacilityUnreachable "facility_unreachable" Low false true 60000 5000 []
        "Nobody hears of this node and nobody can command it; control goes on by itself."
        "Check the brokers, the network and the SCADA host; the log says what fails."
    CertificateTrouble "certificate_trouble" Medium false true 0 0 []
        "The node will not be let in by its brokers."
        "Put a renewed certificate and its key in place; no restart is needed."
    HookFailed "hook_failed" Medium false true 0 0 []
        "A drain, freeze or stop that control asked for has not happened."
        "See the log for the hook's exit and output; try its command as the agent's user."
    CycleOverrun "cycle_overrun" Low false true 0 0 []
        "Reactions come late."
        "Check the node for processor starvation."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alarm_has_one_name_and_says_what_to_do() {
        for (at, def) in ALARMS.iter().enumerate() {
            assert_eq!(Alarm::named(def.name), Some(def.alarm), "a name is one alarm's");
            assert!(def.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", def.name);
            assert!(!def.consequence.is_empty() && !def.action.is_empty());
            assert_eq!(def.alarm as usize, at, "the table is in the order of the enum");
        }
        assert_eq!(Alarm::named("no_such_alarm"), None);
    }

    #[test]
    fn a_critical_alarm_comes_at_once_and_nobody_puts_it_aside() {
        for def in ALARMS.iter().filter(|def| def.priority == Priority::Critical) {
            assert_eq!((def.on_delay, def.off_delay), (Millis::ZERO, Millis::ZERO), "{}", def.name);
            assert!(!def.shelvable, "{}", def.name);
        }
    }

    #[test]
    fn no_alarm_explains_itself_however_far_around() {
        fn reaches(from: Alarm, to: Alarm, depth: usize) -> bool {
            depth > 0 && from.def().causes.iter().any(|cause| *cause == to || reaches(*cause, to, depth - 1))
        }
        for def in &ALARMS {
            assert!(!reaches(def.alarm, def.alarm, COUNT), "{} is among its own causes", def.name);
        }
    }

    #[test]
    fn an_alarm_is_suppressed_only_by_one_that_is_at_least_as_urgent() {
        for def in &ALARMS {
            assert!(def.suppressors().all(|cause| cause.def().priority <= def.priority), "{}", def.name);
        }
        assert!(Alarm::LossOfFlow.def().suppressors().next().is_none(), "the pump's alarm explains it only");
        assert!(Alarm::FlowDoubtful.def().suppressors().any(|cause| cause == Alarm::LossOfFlow));
    }
}
