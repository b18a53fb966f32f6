//! What the instruments see of the plant, and what the actuators want from it.
//!
//! Plain numbers on purpose: this is the seam between the plant and the devices, and neither knows the other's types.
//! NaN means that the instrument cannot tell; each device shows it the way its vendor does. That is also the default,
//! for an instrument that has not measured yet.

/// What all instruments measure at one moment of plant time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Readings {
    /// The pump's own drive and sensors.
    pub pump: PumpReadings,
    /// The recovery branch, as the valve's flow body sees it.
    pub valve: ValveReadings,
    /// The main loop, as the heat meter sees it.
    pub meter: MeterReadings,
    /// The air beside the cold pipes.
    pub air: AirReadings,
    /// The leak rope.
    pub leak: LeakReadings,
}

/// Measurements of the circulation pump.
#[derive(Clone, Copy, Debug)]
pub struct PumpReadings {
    /// Shaft speed as a share of the nominal speed, 0..1.
    pub speed: f64,
    /// Shaft speed in revolutions per minute.
    pub speed_rpm: f64,
    /// Differential pressure across the pump in kPa.
    pub head_kpa: f64,
    /// Flow through the pump in L/min.
    pub flow_lpm: f64,
    /// Electrical input power in W.
    pub power_watts: f64,
    /// Pressure at the suction side in kPa above atmosphere.
    pub inlet_kpa: f64,
    /// Temperature of the pumped liquid in °C.
    pub liquid_celsius: f64,
    /// What stops the drive now, as a Grundfos code (51 blocked, 57 dry run); 0 for nothing.
    pub alarm_code: u16,
    /// What the drive warns of now, as a Grundfos code; 0 for nothing.
    pub warning_code: u16,
    /// Someone holds the pump in local at its own panel.
    pub forced_local: bool,
    /// Someone presses reset at its own panel.
    pub reset_pressed: bool,
}

impl Default for PumpReadings {
    fn default() -> Self {
        Self {
            speed: f64::NAN,
            speed_rpm: f64::NAN,
            head_kpa: f64::NAN,
            flow_lpm: f64::NAN,
            power_watts: f64::NAN,
            inlet_kpa: f64::NAN,
            liquid_celsius: f64::NAN,
            alarm_code: 0,
            warning_code: 0,
            forced_local: false,
            reset_pressed: false,
        }
    }
}

/// Measurements of the recovery valve.
#[derive(Clone, Copy, Debug)]
pub struct ValveReadings {
    /// Actual stroke, 0 closed to 1 open.
    pub position: f64,
    /// Flow through the branch in L/min.
    pub flow_lpm: f64,
    /// T1, the remote sensor at the hot inlet, in °C.
    pub t1_celsius: f64,
    /// T2, the sensor in the flow body, in °C.
    pub t2_celsius: f64,
    /// Heat given to the heat network in W; below zero the branch takes heat up.
    pub recovered_watts: f64,
    /// Heat given to the heat network since commissioning in kWh.
    pub recovered_kwh: f64,
}

impl Default for ValveReadings {
    fn default() -> Self {
        Self {
            position: f64::NAN,
            flow_lpm: f64::NAN,
            t1_celsius: f64::NAN,
            t2_celsius: f64::NAN,
            recovered_watts: f64::NAN,
            recovered_kwh: f64::NAN,
        }
    }
}

/// Measurements of the heat meter in the main loop.
#[derive(Clone, Copy, Debug)]
pub struct MeterReadings {
    /// Loop flow in L/min.
    pub flow_lpm: f64,
    /// Supply to the servers in °C (the cold side).
    pub supply_celsius: f64,
    /// Return from the servers in °C (the hot side).
    pub return_celsius: f64,
    /// Heat taken from the servers since commissioning in kWh.
    pub energy_kwh: f64,
    /// Volume that has passed since commissioning in m³.
    pub volume_m3: f64,
}

impl Default for MeterReadings {
    fn default() -> Self {
        Self {
            flow_lpm: f64::NAN,
            supply_celsius: f64::NAN,
            return_celsius: f64::NAN,
            energy_kwh: f64::NAN,
            volume_m3: f64::NAN,
        }
    }
}

/// Measurements of the humidity and temperature transmitter.
#[derive(Clone, Copy, Debug)]
pub struct AirReadings {
    /// Air temperature in °C.
    pub temperature_celsius: f64,
    /// Relative humidity in percent.
    pub humidity_percent: f64,
    /// Dew point in °C.
    pub dew_point_celsius: f64,
}

impl Default for AirReadings {
    fn default() -> Self {
        Self { temperature_celsius: f64::NAN, humidity_percent: f64::NAN, dew_point_celsius: f64::NAN }
    }
}

/// State of the leak rope.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeakReadings {
    /// The rope is wet.
    pub leak: bool,
    /// The rope is broken or unplugged.
    pub rope_fault: bool,
}

/// What the actuators want from the plant now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orders {
    /// The pump's drive is on.
    pub pump_run: bool,
    /// Speed that the drive is to reach, 0..1; 0 when it is off.
    pub pump_speed: f64,
    /// Stroke that the valve is to reach, 0 closed to 1 open.
    pub valve_position: f64,
}
