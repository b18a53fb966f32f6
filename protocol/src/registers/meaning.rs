//! What a value is for: the agent's own words, whatever the device calls it.

use serde::{Deserialize, Serialize};

/// What a value means to the agent, with its unit. The unit is part of the meaning: the profile's scale converts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The drive turns the pump (0 or 1).
    PumpRunning,
    /// The drive reports an alarm (0 or 1).
    PumpAlarm,
    /// The device obeys the bus (0 or 1); 0 means a person or the device itself is in charge.
    PumpRemote,
    /// A person has taken the pump over: forced to local at its panel or by its input (0 or 1).
    PumpLocal,
    /// Speed as a share of full speed, %.
    PumpSpeed,
    /// Shaft speed, rpm.
    PumpRpm,
    /// Head over the pump, kPa.
    PumpHead,
    /// Electric power, W.
    PumpPower,
    /// The device's own alarm code.
    PumpAlarmCode,
    /// Pressure at the suction side, kPa.
    InletPressure,
    /// Coolant flow through the node loop, L/min.
    Flow,
    /// Coolant temperature into the cold plates, °C.
    SupplyTemperature,
    /// Coolant temperature out of the cold plates, °C.
    ReturnTemperature,
    /// Heat carried by the node loop, W.
    HeatPower,
    /// Recovery valve position, % (0 all to the river, 100 all to recovery).
    ValvePosition,
    /// Flow through the recovery branch, L/min.
    ValveFlow,
    /// Temperature into the recovery exchanger, °C.
    RecoveryInlet,
    /// Temperature out of the recovery exchanger, °C.
    RecoveryOutlet,
    /// Heat given to recovery, W.
    RecoveredPower,
    /// The valve cannot reach its set-point or its drive failed (0 or 1).
    ValveFault,
    /// A person has taken the valve over (0 or 1).
    ValveLocal,
    /// The device's own bus watchdog has run out since it was last fed (0 or 1).
    WatchdogTripped,
    /// Dew point of the room air, °C.
    DewPoint,
    /// Temperature of the room air, °C.
    AirTemperature,
    /// Relative humidity of the room air, %.
    RelativeHumidity,
    /// Water where none should be (0 or 1).
    Leak,
    /// The leak sensor itself is broken (0 or 1).
    LeakSensorFault,
}

/// What the agent can ask of a device, with its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Pump off (0), on (1), or on while forgetting an alarm (2); always together with taking remote control.
    PumpRun,
    /// Pump speed set-point, %.
    PumpSpeed,
    /// Recovery valve position set-point, %.
    ValvePosition,
}

impl Signal {
    /// Its unit as people write it; nothing for a code.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::PumpRunning
            | Self::PumpAlarm
            | Self::PumpRemote
            | Self::PumpLocal
            | Self::ValveFault
            | Self::ValveLocal
            | Self::WatchdogTripped
            | Self::Leak
            | Self::LeakSensorFault => "0/1",
            Self::PumpSpeed | Self::ValvePosition | Self::RelativeHumidity => "%",
            Self::PumpRpm => "rpm",
            Self::PumpHead | Self::InletPressure => "kPa",
            Self::PumpPower | Self::HeatPower | Self::RecoveredPower => "W",
            Self::PumpAlarmCode => "",
            Self::Flow | Self::ValveFlow => "L/min",
            Self::SupplyTemperature
            | Self::ReturnTemperature
            | Self::RecoveryInlet
            | Self::RecoveryOutlet
            | Self::DewPoint
            | Self::AirTemperature => "°C",
        }
    }
}

impl Control {
    /// Its unit as people write it.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::PumpRun => "0/1",
            Self::PumpSpeed | Self::ValvePosition => "%",
        }
    }

    /// Whether `value` cools at least as well as `than`: more flow, or less heat held back for recovery.
    #[must_use]
    pub fn is_at_least_as_safe(self, value: f32, than: f32) -> bool {
        match self {
            Self::PumpRun | Self::PumpSpeed => value >= than,
            Self::ValvePosition => value <= than,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i02_the_safe_side_is_more_flow_and_less_recovery() {
        assert!(Control::PumpSpeed.is_at_least_as_safe(80.0, 60.0));
        assert!(!Control::PumpSpeed.is_at_least_as_safe(40.0, 60.0));
        assert!(Control::ValvePosition.is_at_least_as_safe(0.0, 30.0));
        assert!(!Control::ValvePosition.is_at_least_as_safe(f32::NAN, 30.0));
    }
}
