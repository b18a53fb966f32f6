//! Reservoir and pump unit of a rack (rack CDU): OCP `ORv3` "AALC RPU", and Delta's RDF040 which has the same map.
//!
//! Pump, heat meter and leak detection of the loop in one device.
//!
//! ```text
//!   control word 37904
//!     bit 5 system stop      ──► pumps off
//!     bit 9 manual control   ──► bit 1 ? duty of 37891 : pumps off
//!     bit 3 flow control     ──► its own loop holds the flow of 37888
//!     none of them           ──► the last duty
//!
//!   leak lines ──► 37378, as they are now
//!              └─► 6561..6572, one latch a line, until bit 11 rises on a dry line
//! ```
//!
//! There is **no** supervision of the bus: a unit that nobody speaks to goes on with what it was told last.
//!
//! Sources: register names, places and scales from `facebook/openbmc` (`rackmon`, `orv3_rpu.csv`) and, for Delta's
//! identity and the signs of temperatures, `openbmc/phosphor-modbus` (RDF040DSS5193E0). Neither says what the unit
//! does with its control bits; the behaviour above, the status codes and the markers for failed sensors are estimates.
//! The block of the air heat exchanger (37120..) is left out: this plant has none.

mod map;
#[cfg(test)]
mod tests;

use super::device::{Device, Exception, Function};
use super::readings::{AirReadings, LeakReadings, MeterReadings, Orders, PumpReadings, Readings};
use super::trip::Trip;
use super::words::{millis, unsigned};

/// Unit number of the pump unit in an `ORv3` rack.
pub(super) const UNIT: u8 = 12;

/// Gain of the flow loop: share of full duty per second and L/min of missing flow (estimate).
const FLOW_GAIN: f64 = 0.005;
/// Lowest duty of the flow loop, share (estimate).
const LOWEST_DUTY: f64 = 0.25;
const MS_PER_HOUR: f64 = 3_600_000.0;

/// Bits of the control word, 37904.
pub(super) mod control {
    pub(in super::super) const MANUAL_PUMP_ON: u16 = 1 << 1;
    pub(in super::super) const FLOW_CONTROL: u16 = 1 << 3;
    pub(in super::super) const SYSTEM_STOP: u16 = 1 << 5;
    pub(in super::super) const POWER_CYCLE: u16 = 1 << 6;
    pub(in super::super) const MANUAL: u16 = 1 << 9;
    pub(in super::super) const CLEAR_RUNTIME: u16 = 1 << 10;
    pub(in super::super) const CLEAR_LOG: u16 = 1 << 11;
    /// Bits 12 to 15, one a pump.
    pub(in super::super) const PUMP_RESET: u16 = 0b1111 << 12;
}

/// Whose unit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    /// By the OCP's register map.
    Orv3,
    /// Delta RDF040DSS5193E0.
    DeltaRdf040,
}

/// What the control word makes of the pumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Stopped,
    Manual,
    FlowControl,
    Hold,
}

/// The unit.
#[derive(Debug)]
pub(super) struct Rpu {
    make: Make,
    /// Duty that it was commissioned with, share.
    first_duty: f64,
    now_ms: u64,
    control: u16,
    /// The flow that the unit found when it saw its loop for the first time, 0.1 L/min.
    first_flow: Option<u16>,
    /// Written over the bus, 0.1 L/min; until then the first flow is the target.
    flow_target: Option<u16>,
    outlet_target: u16,
    switch_interval: u16,
    manual_pump_duty: u16,
    manual_fan_duty: u16,
    leak_settings: u16,
    /// In force, share.
    duty: f64,
    trip: Trip,
    leak_latches: u16,
    runtime_hours: f64,
    pump: PumpReadings,
    meter: MeterReadings,
    air: AirReadings,
    leak: LeakReadings,
}

impl Rpu {
    /// A unit that was commissioned in flow control, with its pumps at `duty`, 0..1.
    pub(super) fn new(make: Make, duty: f64) -> Self {
        Self {
            make,
            first_duty: duty,
            now_ms: 0,
            control: control::FLOW_CONTROL,
            first_flow: None,
            flow_target: None,
            outlet_target: 350,
            switch_interval: 168,
            manual_pump_duty: unsigned(duty, 0.01),
            manual_fan_duty: 60,
            leak_settings: 0b1111,
            duty,
            trip: Trip::default(),
            leak_latches: 0,
            runtime_hours: 0.0,
            pump: PumpReadings::default(),
            meter: MeterReadings::default(),
            air: AirReadings::default(),
            leak: LeakReadings { leak: false, rope_fault: true },
        }
    }

    fn mode(&self) -> Mode {
        let is = |bit| self.control & bit != 0;
        if is(control::SYSTEM_STOP) {
            Mode::Stopped
        } else if is(control::MANUAL) {
            if is(control::MANUAL_PUMP_ON) { Mode::Manual } else { Mode::Stopped }
        } else if is(control::FLOW_CONTROL) {
            Mode::FlowControl
        } else {
            Mode::Hold
        }
    }

    /// The flow that its own loop holds, 0.1 L/min.
    fn target(&self) -> Option<u16> {
        self.flow_target.or(self.first_flow)
    }

    fn runs(&self) -> bool {
        self.mode() != Mode::Stopped && !self.trip.is_set() && self.duty > 0.0
    }

    fn steer(&mut self, seconds: f64) {
        match self.mode() {
            Mode::Stopped | Mode::Hold => {}
            Mode::Manual => self.duty = f64::from(self.manual_pump_duty) / 100.0,
            Mode::FlowControl => {
                let target_lpm = self.target().map_or(f64::NAN, |target| f64::from(target) * 0.1);
                let missing_lpm = target_lpm - self.meter.flow_lpm;
                if !missing_lpm.is_nan() {
                    let duty = self.duty + FLOW_GAIN * missing_lpm * seconds;
                    self.duty = duty.clamp(LOWEST_DUTY, 1.0);
                }
            }
        }
    }

    fn write_control(&mut self, value: u16) {
        let rising = value & !self.control;
        self.control = value;
        if rising & control::PUMP_RESET != 0 {
            self.trip.reset();
        }
        if rising & control::CLEAR_RUNTIME != 0 {
            self.runtime_hours = 0.0;
        }
        if rising & control::CLEAR_LOG != 0 {
            self.leak_latches = self.leak_lines() & map::LATCHED_LINES;
        }
        if rising & control::POWER_CYCLE != 0 {
            self.restart();
        }
    }

    /// Comes up as it was commissioned; what is latched and counted outlasts it.
    fn restart(&mut self) {
        *self = Self {
            now_ms: self.now_ms,
            first_flow: self.first_flow,
            trip: self.trip,
            leak_latches: self.leak_latches,
            runtime_hours: self.runtime_hours,
            pump: self.pump,
            meter: self.meter,
            air: self.air,
            leak: self.leak,
            ..Self::new(self.make, self.first_duty)
        };
    }
}

impl Device for Rpu {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        let Readings { pump, meter, air, leak, .. } = *readings;
        (self.pump, self.meter, self.air, self.leak) = (pump, meter, air, leak);
        self.trip.sense(&self.pump);
        self.leak_latches |= self.leak_lines() & map::LATCHED_LINES;
        if self.first_flow.is_none() && self.meter.flow_lpm > 0.0 {
            self.first_flow = Some(unsigned(self.meter.flow_lpm, 0.1));
        }
    }

    fn blind(&mut self) {
        self.pump = PumpReadings { alarm_code: self.pump.alarm_code, ..PumpReadings::default() };
        (self.meter, self.air) = (MeterReadings::default(), AirReadings::default());
        self.leak = LeakReadings { leak: false, rope_fault: true };
    }

    fn tick(&mut self, plant_ms: u64) {
        let passed_ms = millis(plant_ms.saturating_sub(self.now_ms));
        self.now_ms = plant_ms;
        self.steer(passed_ms / 1000.0);
        if self.pump.speed_rpm > 0.0 {
            self.runtime_hours += passed_ms / MS_PER_HOUR;
        }
    }

    fn register(&self, address: u16) -> Option<u16> {
        self.word(address)
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        let allowed = match address {
            37888..=37890 | 37904 | 37905 => true,
            37891 | 37892 => value <= 100,
            _ => return Err(Exception::Address),
        };
        if allowed { Ok(()) } else { Err(Exception::Value) }
    }

    fn apply(&mut self, address: u16, value: u16) {
        match address {
            37888 => self.flow_target = Some(value),
            37889 => self.outlet_target = value,
            37890 => self.switch_interval = value,
            37891 => self.manual_pump_duty = value,
            37892 => self.manual_fan_duty = value,
            37904 => self.write_control(value),
            37905 => self.leak_settings = value,
            _ => {}
        }
        self.steer(0.0);
    }

    fn order(&self, orders: &mut Orders) {
        orders.pump_run = self.runs();
        orders.pump_speed = if self.runs() { self.duty } else { 0.0 };
    }
}
