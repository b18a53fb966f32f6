//! The unit's registers, block by block. All are holding registers; 32-bit values have the high word first (estimate).

use super::super::words::{bits, characters, counter, signed, unsigned};
use super::{Make, Rpu};

/// Leak lines that have a latch, 6561..6572, in the order of the bits of 37378.
pub(super) const LATCHED_LINES: u16 = 0x0FFF;
/// Pumps fitted; they run together (estimate).
const PUMPS_FITTED: u16 = 2;
/// Heat that 1 L/min carries for 1 K, W: 25 % propylene glycol near 40 °C (estimate).
const WATTS_PER_LPM_KELVIN: f64 = 66.3;
/// Share of the unit's own electronics and fans in its power, W (estimate).
const OWN_WATTS: f64 = 35.0;
const SUPPLY_VOLTS: f64 = 48.0;
const FAN_RPM: u16 = 4200;
/// Flow below this with turning pumps is a blocked loop, L/min (estimate).
const BLOCKED_LPM: f64 = 1.0;

/// Bits of 37376: which instrument has failed.
pub(super) mod sensor_alarm {
    pub(in super::super) const INLET_THERMOMETER: u16 = 1 << 0;
    pub(in super::super) const OUTLET_THERMOMETER: u16 = 1 << 1;
    pub(in super::super) const INLET_GAUGE: u16 = 1 << 2;
    pub(in super::super) const OUTLET_GAUGE: u16 = 1 << 3;
    pub(in super::super) const FLOW_METER: u16 = 1 << 4;
    pub(in super::super) const AIR_THERMOMETER: u16 = 1 << 10;
}

/// Bits of 37377.
pub(super) mod status_alarm {
    pub(in super::super) const PUMP_ABNORMAL: u16 = 1 << 6;
    pub(in super::super) const LOOP_BLOCKED: u16 = 1 << 7;
    pub(in super::super) const NOT_READY: u16 = 1 << 9;
}

/// Bits of 37378.
pub(super) mod leakage {
    /// The line of the chassis in which the rope lies.
    pub(in super::super) const CHASSIS_0: u16 = 1 << 0;
    pub(in super::super) const FLOOR_ERROR: u16 = 1 << 13;
}

impl Rpu {
    /// The word at a wire address.
    pub(super) fn word(&self, address: u16) -> Option<u16> {
        match address {
            6561..=6572 => Some(self.leak_latches >> (address - 6561) & 1),
            6604..=6635 => self.identity(address),
            36864..=36889 => Some(self.measurement(address)),
            36912..=36919 => Some(self.runtime(address - 36912)),
            37376 => Some(self.sensor_alarms()),
            37377 => Some(self.status_alarms()),
            37378 => Some(self.leak_lines()),
            37375 | 37379 => Some(0), // filter sensor; heat exchanger: nothing is wrong with either
            37888 => Some(self.target().unwrap_or(0)),
            37889 => Some(self.outlet_target),
            37890 => Some(self.switch_interval),
            37891 => Some(self.manual_pump_duty),
            37892 => Some(self.manual_fan_duty),
            37904 => Some(self.control),
            37905 => Some(self.leak_settings),
            _ => None,
        }
    }

    /// The leak lines as they are now.
    pub(super) fn leak_lines(&self) -> u16 {
        bits(&[(leakage::CHASSIS_0, self.leak.leak), (leakage::FLOOR_ERROR, self.leak.rope_fault)])
    }

    fn identity(&self, address: u16) -> Option<u16> {
        let model = match self.make {
            Make::Orv3 => "AALC-RPU-SIM",
            Make::DeltaRdf040 => "RDF040DSS5193E0",
        };
        Some(match address {
            6604..=6611 => characters(model, address - 6604),
            6612..=6615 => characters("20260101", address - 6612),
            6616..=6623 => characters("SIM0000000000012", address - 6616),
            6632..=6635 => characters("V1.2", address - 6632),
            _ => return None,
        })
    }

    fn measurement(&self, address: u16) -> u16 {
        let (pump, meter) = (&self.pump, &self.meter);
        let unit_watts = pump.power_watts + OWN_WATTS;
        let warming = meter.return_celsius - meter.supply_celsius;
        match address {
            36864 => unsigned(meter.flow_lpm, 0.1),
            36865 => signed(meter.supply_celsius, 0.1), // its outlet is the supply of the rack
            36866 => signed(meter.return_celsius, 0.1),
            36867 => signed(pump.inlet_kpa + pump.head_kpa, 0.1),
            36868 => signed(pump.inlet_kpa, 0.1),
            36869 | 36870 => unsigned(unit_watts, 0.1),
            36871 => unsigned(SUPPLY_VOLTS, 0.1),
            36872 => signed(self.air.temperature_celsius, 0.1),
            36873 => unsigned(if self.runs() { self.duty } else { 0.0 }, 0.01),
            36874..=36877 if address - 36874 < PUMPS_FITTED => unsigned(pump.speed_rpm, 1.0),
            36878 => 0b11, // both fans turn
            36879 | 36880 => FAN_RPM,
            36881 => unsigned(meter.flow_lpm * WATTS_PER_LPM_KELVIN * warming, 0.1),
            36882..=36885 if address - 36882 < PUMPS_FITTED => u16::from(!self.trip.is_set()),
            36886 | 36889 => 1, // reservoir and fans are well
            36887 => bits(&[
                (1 << 2, self.leak.leak),
                (1 << 3, self.trip.is_set()),
                (1 << 4, true), // power
            ]),
            36888 => u16::from(self.runs()),
            _ => 0, // pumps that are not fitted
        }
    }

    fn runtime(&self, offset: u16) -> u16 {
        let hours = counter(self.runtime_hours.floor());
        match (offset / 2 < PUMPS_FITTED, offset % 2) {
            (false, _) => 0,
            (true, 0) => hours.high(),
            (true, _) => hours.low(),
        }
    }

    fn sensor_alarms(&self) -> u16 {
        bits(&[
            (sensor_alarm::INLET_THERMOMETER, self.meter.return_celsius.is_nan()),
            (sensor_alarm::OUTLET_THERMOMETER, self.meter.supply_celsius.is_nan()),
            (sensor_alarm::INLET_GAUGE, self.pump.inlet_kpa.is_nan()),
            (sensor_alarm::OUTLET_GAUGE, (self.pump.inlet_kpa + self.pump.head_kpa).is_nan()),
            (sensor_alarm::FLOW_METER, self.meter.flow_lpm.is_nan()),
            (sensor_alarm::AIR_THERMOMETER, self.air.temperature_celsius.is_nan()),
        ])
    }

    fn status_alarms(&self) -> u16 {
        let blocked = self.runs() && self.pump.speed_rpm > 0.0 && self.meter.flow_lpm < BLOCKED_LPM;
        bits(&[
            (status_alarm::PUMP_ABNORMAL, self.trip.is_set()),
            (status_alarm::LOOP_BLOCKED, blocked),
            (status_alarm::NOT_READY, !self.runs()),
        ])
    }
}
