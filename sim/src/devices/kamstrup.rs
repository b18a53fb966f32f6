//! Kamstrup MULTICAL 403/603/803 heat meter with a Modbus module (HC-003-67, HC-003-82), datagram 300.
//!
//! | wire | what | unit |
//! |---|---|---|
//! | 0x0000 | flow V1 | L/h |
//! | 0x0002 | flow V2: this meter has one flow sensor | |
//! | 0x0004 | power | kW |
//! | 0x0006 | t1, the hot side | °C |
//! | 0x0008 | t2, the cold side | °C |
//! | 0x000A, 0x000C | t3, t4: not fitted | |
//!
//! Floats, high word first. A value that the meter does not have reads as invalid: every bit set, which is a NaN.
//!
//! Source: Kamstrup data sheet 58101758, "Modbus register mapping". Units, word order and the invalid pattern are
//! estimates: the sheet keeps units in registers of their own, whose places are not known here.

use super::device::{Device, Function};
use super::readings::{MeterReadings, Readings};
use super::words::{Pair, float};

/// Heat that 1 L/h carries for 1 K, in kW: 25 % propylene glycol near 40 °C (estimate).
const KW_PER_LPH_KELVIN: f64 = 1.105e-3;
const MINUTES_PER_HOUR: f64 = 60.0;
/// What a missing value reads as.
const INVALID: u32 = u32::MAX;

/// The heat meter.
#[derive(Debug, Default)]
pub(super) struct Multical {
    seen: MeterReadings,
}

impl Multical {
    /// The value whose first register is `first`.
    fn pair(&self, first: u16) -> Option<Pair> {
        let MeterReadings { flow_lpm, supply_celsius, return_celsius, .. } = self.seen;
        let flow_lph = flow_lpm * MINUTES_PER_HOUR;
        let value = match first {
            0x0000 => flow_lph,
            0x0004 => flow_lph * KW_PER_LPH_KELVIN * (return_celsius - supply_celsius),
            0x0006 => return_celsius,
            0x0008 => supply_celsius,
            0x0002 | 0x000A | 0x000C => f64::NAN,
            _ => return None,
        };
        Some(if value.is_nan() { Pair::new(INVALID) } else { float(value) })
    }
}

impl Device for Multical {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.meter;
    }

    fn blind(&mut self) {
        self.seen = MeterReadings::default();
    }

    fn tick(&mut self, _plant_ms: u64) {}

    fn register(&self, address: u16) -> Option<u16> {
        (self.pair(address).map(Pair::high)).or_else(|| self.pair(address.wrapping_sub(1)).map(Pair::low))
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact in binary")]
mod tests {
    use super::super::device::words;
    use super::*;

    fn meter() -> Multical {
        let mut meter = Multical::default();
        let seen = MeterReadings {
            flow_lpm: 12.5,
            supply_celsius: 40.25,
            return_celsius: 50.25,
            ..MeterReadings::default()
        };
        meter.sense(&Readings { meter: seen, ..Readings::default() });
        meter
    }

    /// As a master reads it: high word first.
    fn value(meter: &Multical, address: u16) -> f32 {
        let [high, low] = words(meter, address).map(u32::from);
        f32::from_bits(high << 16 | low)
    }

    #[test]
    fn the_datagram_has_the_data_sheets_places() {
        let meter = meter();
        assert_eq!(value(&meter, 0), 750.0, "L/h");
        assert!((value(&meter, 4) - 8.2875).abs() < 1e-5, "kW");
        assert_eq!((value(&meter, 6), value(&meter, 8)), (50.25, 40.25), "°C");
    }

    #[test]
    fn a_missing_value_reads_as_invalid() {
        let mut meter = meter();
        for address in [2, 10, 12] {
            assert_eq!(words::<2>(&meter, address), [0xFFFF; 2], "register {address}");
        }
        meter.blind();
        assert_eq!(words::<14>(&meter, 0), [0xFFFF; 14]);
        assert!(value(&meter, 0).is_nan());
    }

    #[test]
    fn registers_outside_the_datagram_do_not_exist() {
        assert_eq!((meter().register(14), meter().register(u16::MAX)), (None, None));
    }
}
