//! Grundfos E-pump with a CIM 500 module: "Modbus for Grundfos pumps", functional profile, literature 6012947.
//!
//! ```text
//!                 ControlReg bit 0 = 1
//!     ┌───────┐ ────────────────────────► ┌────────┐
//!     │ Local │                           │ Remote │ ── every request winds the bus timeout up
//!     └───────┘ ◄──────────────────────── └────────┘
//!   local speed   bit 0 = 0, or no request      set-point and on bit from the bus
//!                 for the bus timeout
//!
//!   Someone at the panel forces local over both. An alarm stops the drive in both, until its cause has gone and
//!   ResetAlarm rises.
//! ```
//!
//! After a fall to local, bit 0 of `ControlReg` reads 0 and has to be written again to come back. The document leaves
//! that open, and this is the stricter reading (estimate).

mod map;
#[cfg(test)]
mod tests;

use super::device::{Device, Exception, Function};
use super::readings::{Orders, PumpReadings, Readings};
use super::trip::Trip;
use super::words::{NO_WORD, millis, unsigned};

/// How the pump was commissioned.
#[derive(Clone, Copy, Debug)]
pub struct PumpSettings {
    /// Without a request for this long, in ms of plant time, the pump goes back to local (estimate).
    pub bus_timeout_ms: u64,
    /// Speed in local mode, 0..1. In local the pump is always on: the safe side for cooling.
    pub local_speed: f64,
    /// Lowest speed at which the drive runs, 0..1 (estimate for small E-pumps).
    pub min_speed: f64,
}

impl Default for PumpSettings {
    fn default() -> Self {
        Self { bus_timeout_ms: 5_000, local_speed: 0.8, min_speed: 0.25 }
    }
}

/// Resolution of set-points, speeds and shares.
const PERCENT: f64 = 0.01;
const FULL_SCALE: u16 = 10_000;
const MS_PER_HOUR: f64 = 3_600_000.0;

/// Bits of `ControlReg`, wire 100.
mod control {
    pub(super) const REMOTE: u16 = 1 << 0;
    pub(super) const ON: u16 = 1 << 1;
    pub(super) const RESET_ALARM: u16 = 1 << 2;
    pub(super) const COPY_TO_LOCAL: u16 = 1 << 4;
    pub(super) const MAX_FLOW_LIMIT: u16 = 1 << 5;
}

/// Control modes that this drive can run; it keeps the last of them when asked for another.
const CONSTANT_SPEED: u16 = 0;
const CONSTANT_FREQUENCY: u16 = 1;

/// Operation modes.
const AUTO: u16 = 0;
const OPEN_LOOP_MIN: u16 = 4;
const OPEN_LOOP_MAX: u16 = 6;

/// Who commands the pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Local,
    Remote { heard_ms: u64 },
}

/// What the pump is told to do, by the bus or by its local settings.
struct Command {
    on: bool,
    operation: u16,
    setpoint: u16,
}

/// The pump and its communication module.
#[derive(Debug)]
pub(super) struct Pump {
    settings: PumpSettings,
    now_ms: u64,
    access: Access,
    control: u16,
    control_mode: u16,
    actual_control_mode: u16,
    operation_mode: u16,
    setpoint: u16,
    local_setpoint: u16,
    relays: u16,
    max_flow: u16,
    trip: Trip,
    seen: PumpReadings,
    powered_hours: f64,
    run_hours: f64,
    energy_kwh: f64,
    starts: f64,
    eeprom_writes: u64,
}

impl Pump {
    pub(super) fn new(settings: PumpSettings) -> Self {
        Self {
            settings,
            now_ms: 0,
            access: Access::Local,
            control: 0,
            control_mode: CONSTANT_SPEED,
            actual_control_mode: CONSTANT_SPEED,
            operation_mode: AUTO,
            setpoint: 0,
            local_setpoint: unsigned(settings.local_speed * 100.0, PERCENT).min(FULL_SCALE),
            relays: 0,
            max_flow: NO_WORD,
            trip: Trip::default(),
            seen: PumpReadings::default(),
            powered_hours: 0.0,
            run_hours: 0.0,
            energy_kwh: 0.0,
            starts: 1.0,
            eeprom_writes: 0,
        }
    }

    fn is_remote(&self) -> bool {
        self.access != Access::Local && !self.seen.forced_local
    }

    fn command(&self) -> Command {
        if self.is_remote() {
            Command {
                on: self.control & control::ON != 0,
                operation: self.operation_mode,
                setpoint: self.setpoint,
            }
        } else {
            Command { on: true, operation: AUTO, setpoint: self.local_setpoint }
        }
    }

    fn runs(&self) -> bool {
        self.command().on && !self.trip.is_set()
    }

    /// The speed that the drive aims at while it runs, 0..1.
    fn wanted_speed(&self) -> f64 {
        let command = self.command();
        match command.operation {
            OPEN_LOOP_MIN => self.settings.min_speed,
            OPEN_LOOP_MAX => 1.0,
            _ => (f64::from(command.setpoint) / f64::from(FULL_SCALE)).max(self.settings.min_speed),
        }
    }

    fn write_control(&mut self, value: u16) {
        let rising = value & !self.control;
        self.control = value;
        if rising & control::RESET_ALARM != 0 {
            self.trip.reset();
        }
        if value & control::REMOTE != 0 {
            self.access = Access::Remote { heard_ms: self.now_ms };
        } else {
            self.fall_to_local();
        }
    }

    fn fall_to_local(&mut self) {
        if self.access == Access::Local {
            return;
        }
        self.access = Access::Local;
        self.control &= !control::REMOTE;
        if self.control & control::COPY_TO_LOCAL != 0 {
            self.local_setpoint = self.setpoint;
            self.eeprom_writes += 1;
        }
    }

    /// Change what the drive is told, and count a start where that makes it run.
    fn steer(&mut self, change: impl FnOnce(&mut Self)) {
        let ran = self.runs();
        change(self);
        if !ran && self.runs() {
            self.starts += 1.0;
        }
    }
}

impl Device for Pump {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        self.steer(|pump| {
            pump.seen = readings.pump;
            pump.trip.sense(&pump.seen);
        });
    }

    fn blind(&mut self) {
        let PumpReadings { alarm_code, warning_code, forced_local, .. } = self.seen;
        self.seen = PumpReadings { alarm_code, warning_code, forced_local, ..PumpReadings::default() };
    }

    fn tick(&mut self, plant_ms: u64) {
        let hours = millis(plant_ms.saturating_sub(self.now_ms)) / MS_PER_HOUR;
        self.now_ms = plant_ms;
        self.powered_hours += hours;
        if self.seen.speed_rpm > 0.0 {
            self.run_hours += hours;
        }
        if self.seen.power_watts > 0.0 {
            self.energy_kwh += self.seen.power_watts / 1000.0 * hours;
        }
        if let Access::Remote { heard_ms } = self.access
            && plant_ms.saturating_sub(heard_ms) >= self.settings.bus_timeout_ms
        {
            self.steer(Self::fall_to_local);
        }
    }

    fn heard(&mut self) {
        if let Access::Remote { heard_ms } = &mut self.access {
            *heard_ms = self.now_ms;
        }
    }

    fn register(&self, address: u16) -> Option<u16> {
        self.word(address)
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        let allowed = match address {
            100 | 104 | 105 => true,
            101 => matches!(value, 0 | 1 | 3..=10 | 128..=130),
            102 => matches!(value, AUTO | OPEN_LOOP_MIN | OPEN_LOOP_MAX),
            103 => value <= FULL_SCALE,
            _ => return Err(Exception::Address),
        };
        if allowed { Ok(()) } else { Err(Exception::Value) }
    }

    fn apply(&mut self, address: u16, value: u16) {
        self.steer(|pump| match address {
            100 => pump.write_control(value),
            101 => {
                pump.control_mode = value;
                if matches!(value, CONSTANT_SPEED | CONSTANT_FREQUENCY) {
                    pump.actual_control_mode = value;
                }
            }
            102 => pump.operation_mode = value,
            103 => pump.setpoint = value,
            104 => pump.relays = value,
            105 => pump.max_flow = value,
            _ => {}
        });
    }

    fn order(&self, orders: &mut Orders) {
        orders.pump_run = self.runs();
        orders.pump_speed = if self.runs() { self.wanted_speed() } else { 0.0 };
    }

    fn eeprom_writes(&self) -> u64 {
        self.eeprom_writes
    }
}
