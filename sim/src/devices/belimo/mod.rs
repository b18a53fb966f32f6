//! Belimo Energy Valve 4 on Modbus TCP.
//!
//! ```text
//!                bus watchdog expired?  ── yes, action set ──► open, close, max, min, mid, or stay
//!                        │ no, or action 0
//!                        ▼
//!                override set?          ── yes ──► open, close, min, mid, max, nominal, or stay
//!                        │ no
//!                        ▼
//!                set-point, 0..100 % of the range Min..Max
//!
//!   Writing the set-point or the override winds the watchdog up, and ends a bus failure.
//! ```
//!
//! Sources: Belimo "VAV-Compact Modbus Register" 2019-03 for the layout that the family shares; OpenBMC
//! `phosphor-modbus` profile of the EV for registers 8, 13, 19, 21, 25, 157 and 158; Beckhoff `Tc2_MPBus` for the bus
//! failure actions of the EV. Two things differ inside the family and have to be checked on a device: actions 3 and 5
//! mean minimum and maximum on the VAV controllers, and register 109 is grade "family only". Markers for values that
//! are not available are estimates. 32-bit values have the **low** word first.

use super::device::{Device, Exception, Function};
use super::readings::{Orders, Readings, ValveReadings};
use super::words::{Pair, bits, counter, signed, unsigned};

#[cfg(test)]
mod tests;

/// Register 3: this is an Energy Valve.
const ENERGY_VALVE: u16 = 4;
/// Register 103: firmware 4.10.
const FIRMWARE: u16 = 410;
/// Register 25: glycol in the loop, 0.01 %.
const GLYCOL: u16 = 2_500;
/// Stroke of the ball in degrees.
const STROKE_DEGREES: f64 = 90.0;
/// Nominal flow of the body in L/min, for the relative flow (estimate: DN 15).
const NOMINAL_FLOW_LPM: f64 = 21.0;
/// US gallons in one litre.
const GALLONS_PER_LITRE: f64 = 0.264_172;
const FULL_SCALE: u16 = 10_000;
/// The position counts as reached this close to the target.
const POSITION_TOLERANCE: f64 = 0.02;
/// Smallest change that counts as movement.
const MOVEMENT: f64 = 0.002;
/// Off target and not moving for this long: blocked (estimate).
const BLOCKED_AFTER_MS: u64 = 5_000;
/// Off target for longer than the actuator's running time: set-point not reached.
const RUNNING_TIME_MS: u64 = 90_000;

/// Bits of register 157.
mod status {
    pub(super) const BLOCKED: u16 = 1 << 2;
    pub(super) const REVERSE_FLOW: u16 = 1 << 3;
    pub(super) const SETPOINT_NOT_REACHED: u16 = 1 << 4;
    pub(super) const FLOW_ERROR: u16 = 1 << 7;
    pub(super) const T1_ERROR: u16 = 1 << 8;
    pub(super) const T2_ERROR: u16 = 1 << 9;
    pub(super) const BUS_WATCHDOG: u16 = 1 << 15;
}

/// Bit of register 158.
const MIN_POSITION_APPLIED: u16 = 1 << 2;

/// Where the actuator is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Goal {
    Open,
    Close,
    Min,
    Mid,
    Max,
    Stay,
    Setpoint,
}

impl Goal {
    /// Register 1.
    fn of_override(value: u16) -> Option<Self> {
        match value {
            0 => Some(Self::Setpoint),
            1 | 6 => Some(Self::Open), // 6: nominal
            2 => Some(Self::Close),
            3 => Some(Self::Min),
            4 => Some(Self::Mid),
            5 => Some(Self::Max),
            10 => Some(Self::Stay), // motor stop
            _ => None,
        }
    }

    /// Register 108. None is no goal of its own: the actuator goes on as it was told.
    fn of_bus_failure(value: u16) -> Option<Self> {
        match value {
            0 => Some(Self::Setpoint),
            1 => Some(Self::Open),
            2 => Some(Self::Close),
            3 => Some(Self::Max),
            4 => Some(Self::Min),
            5 => Some(Self::Mid),
            6 => Some(Self::Stay),
            _ => None,
        }
    }
}

/// Supervision of the master, register 109.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watchdog {
    Off,
    Wound { at_ms: u64 },
    Expired,
}

/// How long the actuator has been away from its target.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Travel {
    OnTarget,
    Underway { since_ms: u64, moved_ms: u64, last: f64 },
}

/// The valve, its actuator and its sensors.
#[derive(Debug)]
pub(super) struct Valve {
    now_ms: u64,
    setpoint: u16,
    override_control: u16,
    min: u16,
    max: u16,
    bus_failure_action: u16,
    watchdog_seconds: u16,
    watchdog: Watchdog,
    travel: Travel,
    seen: ValveReadings,
    eeprom_writes: u64,
}

impl Valve {
    /// `setpoint` is the one it holds from before, 0..1.
    pub(super) fn new(setpoint: f64) -> Self {
        Self {
            now_ms: 0,
            setpoint: unsigned(setpoint, 1.0 / f64::from(FULL_SCALE)).min(FULL_SCALE),
            override_control: 0,
            min: 0,
            max: FULL_SCALE,
            bus_failure_action: 0,
            watchdog_seconds: 0,
            watchdog: Watchdog::Off,
            travel: Travel::OnTarget,
            seen: ValveReadings::default(),
            eeprom_writes: 0,
        }
    }

    /// With the bus watchdog set to so many seconds, and to close when it runs out: 0 is as it ships.
    pub(super) fn watching(self, watchdog_seconds: u16) -> Self {
        let bus_failure_action = if watchdog_seconds > 0 { 2 } else { 0 };
        Self { watchdog_seconds, bus_failure_action, ..self }
    }

    fn goal(&self) -> Goal {
        if self.watchdog == Watchdog::Expired
            && let Some(goal) = Goal::of_bus_failure(self.bus_failure_action)
            && goal != Goal::Setpoint
        {
            return goal;
        }
        Goal::of_override(self.override_control).unwrap_or(Goal::Setpoint)
    }

    /// Where the actuator is to go, 0..1.
    fn target(&self) -> f64 {
        let [min, max] = [self.min, self.max].map(share);
        match self.goal() {
            Goal::Open => 1.0,
            Goal::Close => 0.0,
            Goal::Min => min,
            Goal::Mid => min.midpoint(max),
            Goal::Max => max,
            Goal::Stay if !self.seen.position.is_nan() => self.seen.position,
            Goal::Stay | Goal::Setpoint => min + share(self.setpoint) * (max - min),
        }
    }

    fn wind_up(&mut self) {
        self.watchdog = match self.watchdog_seconds {
            0 => Watchdog::Off,
            _ => Watchdog::Wound { at_ms: self.now_ms },
        };
    }

    fn follow(&mut self) {
        let position = self.seen.position;
        self.travel = match self.travel {
            _ if position.is_nan() || (position - self.target()).abs() <= POSITION_TOLERANCE => {
                Travel::OnTarget
            }
            Travel::OnTarget => {
                Travel::Underway { since_ms: self.now_ms, moved_ms: self.now_ms, last: position }
            }
            Travel::Underway { since_ms, last, .. } if (position - last).abs() >= MOVEMENT => {
                Travel::Underway { since_ms, moved_ms: self.now_ms, last: position }
            }
            underway @ Travel::Underway { .. } => underway,
        };
    }

    fn status(&self) -> u16 {
        let (blocked, late) = match self.travel {
            Travel::OnTarget => (false, false),
            Travel::Underway { since_ms, moved_ms, .. } => (
                self.now_ms.saturating_sub(moved_ms) >= BLOCKED_AFTER_MS,
                self.now_ms.saturating_sub(since_ms) >= RUNNING_TIME_MS,
            ),
        };
        bits(&[
            (status::BLOCKED, blocked),
            (status::REVERSE_FLOW, self.seen.flow_lpm < 0.0),
            (status::SETPOINT_NOT_REACHED, late),
            (status::FLOW_ERROR, self.seen.flow_lpm.is_nan()),
            (status::T1_ERROR, self.seen.t1_celsius.is_nan()),
            (status::T2_ERROR, self.seen.t2_celsius.is_nan()),
            (status::BUS_WATCHDOG, self.watchdog == Watchdog::Expired),
        ])
    }

    fn further_status(&self) -> u16 {
        let at_min = self.goal() == Goal::Setpoint && self.min > 0 && self.setpoint == 0;
        if at_min { MIN_POSITION_APPLIED } else { 0 }
    }

    /// Cooling and heating power: the branch gives heat (heating) or takes it up (cooling).
    fn powers(&self) -> (Pair, Pair) {
        let watts = self.seen.recovered_watts;
        (counter(-watts), counter(watts))
    }
}

impl Device for Valve {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.valve;
    }

    fn blind(&mut self) {
        self.seen = ValveReadings::default();
    }

    fn tick(&mut self, plant_ms: u64) {
        self.now_ms = plant_ms;
        if let Watchdog::Wound { at_ms } = self.watchdog
            && plant_ms.saturating_sub(at_ms) >= u64::from(self.watchdog_seconds) * 1000
        {
            self.watchdog = Watchdog::Expired;
        }
        self.follow();
    }

    fn register(&self, address: u16) -> Option<u16> {
        let seen = &self.seen;
        let (cooling, heating) = self.powers();
        let cooling_kwh = Pair::new(0); // the branch of this plant only gives heat away
        let heating_kwh = counter(seen.recovered_kwh);
        Some(match address {
            0 => self.setpoint,
            1 => self.override_control,
            2 => 0, // a command is done at once, and the register returns to 0
            3 => ENERGY_VALVE,
            4 => unsigned(seen.position, 0.000_1),
            5 => unsigned(seen.position * STROKE_DEGREES, 0.01),
            6 => unsigned(seen.flow_lpm / NOMINAL_FLOW_LPM, 0.000_1),
            7 => unsigned(seen.flow_lpm / 60.0, 0.001), // l/s
            8 => unsigned(seen.flow_lpm * GALLONS_PER_LITRE, 0.1),
            13 | 19 => signed(seen.t1_celsius, 0.01),
            21 => signed(seen.t2_celsius, 0.01),
            25 => GLYCOL,
            27 => cooling.low(),
            28 => cooling.high(),
            33 => heating.low(),
            34 => heating.high(),
            65 => cooling_kwh.low(),
            66 => cooling_kwh.high(),
            71 => heating_kwh.low(),
            72 => heating_kwh.high(),
            103 => FIRMWARE,
            105 => self.min,
            106 => self.max,
            108 => self.bus_failure_action,
            109 => self.watchdog_seconds,
            157 => self.status(),
            158 => self.further_status(),
            _ => return None,
        })
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        let allowed = match address {
            0 => value <= FULL_SCALE,
            1 => Goal::of_override(value).is_some(),
            2 => value <= 4,
            105 => value <= self.max,
            106 => (self.min..=FULL_SCALE).contains(&value),
            108 => Goal::of_bus_failure(value).is_some(),
            109 => true,
            _ => return Err(Exception::Address),
        };
        if allowed { Ok(()) } else { Err(Exception::Value) }
    }

    fn apply(&mut self, address: u16, value: u16) {
        match address {
            0 => self.setpoint = value,
            1 => self.override_control = value,
            105 => self.min = value,
            106 => self.max = value,
            108 => self.bus_failure_action = value,
            109 => self.watchdog_seconds = value,
            _ => {}
        }
        if matches!(address, 0 | 1 | 109) {
            self.wind_up();
        }
        if matches!(address, 105 | 106 | 108 | 109) {
            self.eeprom_writes += 1;
        }
    }

    fn order(&self, orders: &mut Orders) {
        orders.valve_position = self.target();
    }

    fn eeprom_writes(&self) -> u64 {
        self.eeprom_writes
    }
}

/// A word of 0.01 % as a share.
fn share(word: u16) -> f64 {
    f64::from(word) / f64::from(FULL_SCALE)
}
