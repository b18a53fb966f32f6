//! The pump's registers: what a master sees, block by block.
//!
//! Wire addresses are those of the document less one. Registers that the document does not list answer exception 02,
//! and reserved ones inside a block 0xFFFF, as the document's fault-finding table says. 32-bit values have the high
//! word first.

use super::super::words::{NO_WORD, Pair, bits, counter, signed, unsigned};
use super::{FULL_SCALE, PERCENT, Pump, control};

/// Unit family: E-pump. Type and version are not of interest here.
const FAMILY_E_PUMP: u16 = 2;
const UNIT_TYPE: u16 = 1;
const UNIT_VERSION: u16 = 1;
/// Mains frequency at nominal speed in Hz.
const NOMINAL_HZ: f64 = 50.0;
/// For the motor current, from power: single phase, power factor near 1 (estimate).
const MAINS_VOLTS: f64 = 230.0;
const KPA_PER_BAR: f64 = 100.0;
const KELVIN_AT_ZERO_CELSIUS: f64 = 273.15;

/// Bits of `StatusReg`, wire 200.
pub(super) mod status {
    pub(in super::super) const COPY_TO_LOCAL: u16 = 1 << 1;
    pub(in super::super) const MAX_FLOW_LIMIT: u16 = 1 << 2;
    pub(in super::super) const RESET_ALARM_ACK: u16 = 1 << 3;
    pub(in super::super) const ROTATION: u16 = 1 << 6;
    pub(in super::super) const REMOTE: u16 = 1 << 8;
    pub(in super::super) const ON: u16 = 1 << 9;
    pub(in super::super) const ALARM: u16 = 1 << 10;
    pub(in super::super) const WARNING: u16 = 1 << 11;
    pub(in super::super) const FORCED_LOCAL: u16 = 1 << 12;
    pub(in super::super) const AT_MAX_SPEED: u16 = 1 << 13;
    pub(in super::super) const AT_MIN_SPEED: u16 = 1 << 15;
}

impl Pump {
    /// The word at a wire address.
    pub(super) fn word(&self, address: u16) -> Option<u16> {
        match address {
            29 => Some(FAMILY_E_PUMP),
            30 => Some(UNIT_TYPE),
            31 => Some(UNIT_VERSION),
            100..=105 => Some(self.control_block(address)),
            200..=216 => Some(self.status_block(address)),
            300..=355 => Some(self.data_block(address)),
            _ => None,
        }
    }

    fn control_block(&self, address: u16) -> u16 {
        match address {
            100 => self.control,
            101 => self.control_mode,
            102 => self.operation_mode,
            103 => self.setpoint,
            104 => self.relays,
            105 => self.max_flow,
            _ => NO_WORD,
        }
    }

    fn status_block(&self, address: u16) -> u16 {
        match address {
            200 => self.status(),
            201 => unsigned(self.seen.speed * 100.0, PERCENT), // open loop: share of the nominal frequency
            202 => self.actual_control_mode,
            203 => self.command().operation,
            204 => self.trip.code().unwrap_or(0),
            205 => self.seen.warning_code,
            212 => unsigned(NOMINAL_HZ, 0.1),
            213 | 215 => unsigned(self.settings.min_speed * 100.0, PERCENT), // lowest frequency, lowest set-point
            214 | 216 => FULL_SCALE,
            _ => NO_WORD, // reserved, and feedback sensor: none in open loop
        }
    }

    fn status(&self) -> u16 {
        let speed = self.seen.speed;
        bits(&[
            (status::COPY_TO_LOCAL, self.control & control::COPY_TO_LOCAL != 0),
            (status::MAX_FLOW_LIMIT, self.control & control::MAX_FLOW_LIMIT != 0),
            (status::RESET_ALARM_ACK, self.control & control::RESET_ALARM != 0),
            (status::ROTATION, self.seen.speed_rpm > 0.0),
            (status::REMOTE, self.is_remote()),
            (status::ON, self.runs()),
            (status::ALARM, self.trip.is_set()),
            (status::WARNING, self.seen.warning_code != 0),
            (status::FORCED_LOCAL, self.seen.forced_local),
            (status::AT_MAX_SPEED, self.runs() && speed >= 0.999),
            (status::AT_MIN_SPEED, self.runs() && speed <= self.settings.min_speed + 0.001),
        ])
    }

    fn data_block(&self, address: u16) -> u16 {
        let seen = &self.seen;
        let head_bar = seen.head_kpa / KPA_PER_BAR;
        let inlet_bar = seen.inlet_kpa / KPA_PER_BAR;
        match address {
            300 | 338 => unsigned(head_bar, 0.001),
            301 => unsigned(seen.flow_lpm * 0.06, 0.1), // 1 L/min = 0.06 m³/h
            302 => unsigned(seen.speed * 100.0, PERCENT),
            303 => unsigned(seen.speed_rpm, 1.0),
            304 => unsigned(seen.speed * NOMINAL_HZ, 0.1),
            307 => self.command().setpoint,
            308 => unsigned(seen.power_watts / MAINS_VOLTS, 0.1),
            311 => counter(seen.power_watts).high(),
            312 => counter(seen.power_watts).low(),
            314 => signed_or_no_word(inlet_bar, 0.001),
            321 => unsigned(seen.liquid_celsius + KELVIN_AT_ZERO_CELSIUS, 0.01),
            326 => whole(self.run_hours).high(),
            327 => whole(self.run_hours).low(),
            328 => whole(self.powered_hours).high(),
            329 => whole(self.powered_hours).low(),
            331 => whole(self.energy_kwh).high(),
            332 => whole(self.energy_kwh).low(),
            333 => whole(self.starts).high(),
            334 => whole(self.starts).low(),
            339 => unsigned(inlet_bar + head_bar, 0.001),
            _ => NO_WORD, // reserved, or no such sensor in this pump
        }
    }
}

/// The profile has one marker for all words, so a pressure just below zero cannot be told from "not available".
fn signed_or_no_word(value: f64, resolution: f64) -> u16 {
    if value.is_nan() { NO_WORD } else { signed(value, resolution) }
}

/// A counter shows whole units that have passed.
fn whole(value: f64) -> Pair {
    counter(value.floor())
}
