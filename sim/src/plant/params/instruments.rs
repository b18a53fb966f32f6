//! Numbers of the sensors.
//!
//! They are those of common products of their kind: a Pt1000 in a well lags by 5 to 8 s, a flow meter by 1 s,
//! a pressure sensor errs by 0.2 % of its range, a humidity sensor lags by half a minute. The rest are
//! estimates. `refresh_steps` are steps of 10 ms.

use crate::plant::instrument::InstrumentSpec;

/// Every instrument of the node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstrumentParams {
    /// NVML core temperature: whole degrees, read anew each 100 ms.
    pub gpu_core: InstrumentSpec,
    /// NVML memory temperature.
    pub gpu_memory: InstrumentSpec,
    /// NVML instant power.
    pub gpu_power: InstrumentSpec,
    /// Speed of the drive.
    pub pump_speed: InstrumentSpec,
    /// Differential pressure over the pump: 0.2 % of 400 kPa.
    pub pump_head: InstrumentSpec,
    /// Electric power of the drive.
    pub pump_power: InstrumentSpec,
    /// Pressure at the pump's inlet: 0.2 % of 400 kPa.
    pub inlet: InstrumentSpec,
    /// Flow in the node loop. The quantum is 0.01 L/min: 0.1 L/min would be 1 % of the design flow and 3 % of
    /// the least flow, and a heat meter resolves finer than it errs (0.5 %).
    pub flow: InstrumentSpec,
    /// Below this the flow meter shows zero, L/min: 5 % of design.
    pub flow_cutoff_lpm: f64,
    /// Pt1000 in a well at the supply.
    pub supply: InstrumentSpec,
    /// Pt1000 in a well at the return.
    pub return_: InstrumentSpec,
    /// Position of the valve's motor.
    pub valve_position: InstrumentSpec,
    /// Flow in the valve.
    pub valve_flow: InstrumentSpec,
    /// Pt1000 pair of the valve.
    pub valve_temperature: InstrumentSpec,
    /// Temperature of room air.
    pub room: InstrumentSpec,
    /// Relative humidity of room air: 0.5 %.
    pub humidity: InstrumentSpec,
    /// Dew point, computed in the sensor.
    pub dew_point: InstrumentSpec,
}

impl Default for InstrumentParams {
    fn default() -> Self {
        let pt1000 = spec(5.0, 0.05, 0.01, 50);
        Self {
            gpu_core: spec(0.7, 0.0, 1.0, 10),
            gpu_memory: spec(1.0, 0.0, 1.0, 10),
            gpu_power: InstrumentSpec { noise_share: 0.01, ..spec(0.05, 0.0, 0.001, 10) },
            pump_speed: spec(0.05, 0.0, 0.0001, 5),
            pump_head: spec(0.1, 0.8, 0.1, 5),
            pump_power: InstrumentSpec { noise_share: 0.01, ..spec(0.5, 0.0, 1.0, 10) },
            inlet: spec(0.1, 0.8, 0.1, 5),
            flow: InstrumentSpec { noise_share: 0.005, ..spec(1.0, 0.0, 0.01, 10) },
            flow_cutoff_lpm: 0.57,
            supply: pt1000,
            return_: pt1000,
            valve_position: spec(0.0, 0.0, 0.005, 10),
            valve_flow: InstrumentSpec { noise_share: 0.01, ..spec(1.0, 0.0, 0.01, 20) },
            valve_temperature: pt1000,
            room: spec(30.0, 0.05, 0.1, 100),
            humidity: spec(30.0, 0.005, 0.001, 100),
            dew_point: spec(30.0, 0.1, 0.1, 100),
        }
    }
}

const fn spec(lag_s: f64, noise: f64, quantum: f64, refresh_steps: u32) -> InstrumentSpec {
    InstrumentSpec { lag_s, noise, noise_share: 0.0, bias: 0.0, quantum, refresh_steps }
}
