//! Aqua Metro CALEC ST heat meter: Modbus register table of its manual.
//!
//! Floats are IEEE 754 singles. The manual does not state their word order; the high word first is assumed, as for
//! the serial number. NaN for a failed sensor is an estimate too; status 1 (ERROR) comes with it. The meter works its
//! power out itself, from flow and temperature difference.

use super::device::{Device, Function};
use super::readings::{MeterReadings, Readings};
use super::words::{Pair, float};

/// Register 0: CALEC ST, the Modbus version.
const DEVICE_ID: u16 = 0xC1;
/// Registers 4-5.
const SERIAL: u32 = 7_340_033;
/// Heat that 1 m³ carries for 1 K, in kWh: 25 % propylene glycol near 40 °C (estimate).
const KWH_PER_M3_KELVIN: f64 = 1.105;
const MS_PER_HOUR: f64 = 3_600_000.0;

const OK: u16 = 0;
const ERROR: u16 = 1;

/// The heat meter.
#[derive(Debug, Default)]
pub(super) struct HeatMeter {
    now_ms: u64,
    error_ms: u64,
    seen: MeterReadings,
}

impl HeatMeter {
    fn status(&self) -> u16 {
        let MeterReadings { flow_lpm, supply_celsius, return_celsius, .. } = self.seen;
        if flow_lpm.is_nan() || supply_celsius.is_nan() || return_celsius.is_nan() { ERROR } else { OK }
    }

    /// The value whose first register is `first`.
    fn pair(&self, first: u16) -> Option<Pair> {
        let seen = &self.seen;
        let flow_m3_per_hour = seen.flow_lpm * 0.06;
        let difference = seen.return_celsius - seen.supply_celsius;
        Some(match first {
            4 => Pair::new(SERIAL),
            6 => float(hours(self.now_ms)),
            8 => float(hours(self.error_ms)),
            100 => float(seen.energy_kwh),
            102 => float(0.0), // cooling energy
            200 => float(seen.volume_m3),
            500 => float(flow_m3_per_hour * KWH_PER_M3_KELVIN * difference),
            600 => float(flow_m3_per_hour),
            800 => float(seen.return_celsius),
            810 => float(seen.supply_celsius),
            820 => float(difference),
            _ => return None,
        })
    }
}

impl Device for HeatMeter {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.meter;
    }

    fn blind(&mut self) {
        self.seen = MeterReadings::default();
    }

    fn tick(&mut self, plant_ms: u64) {
        if self.status() == ERROR {
            self.error_ms += plant_ms.saturating_sub(self.now_ms);
        }
        self.now_ms = plant_ms;
    }

    fn register(&self, address: u16) -> Option<u16> {
        match address {
            0 => Some(DEVICE_ID),
            1 => Some(self.status()),
            2 | 104 => Some(0), // flow meter at the cold side; energy in kWh
            _ => (self.pair(address).map(Pair::high))
                .or_else(|| self.pair(address.wrapping_sub(1)).map(Pair::low)),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 000 years")]
fn hours(ms: u64) -> f64 {
    ms as f64 / MS_PER_HOUR
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are exact in binary")]
mod tests {
    use super::super::device::words;
    use super::*;

    fn meter() -> HeatMeter {
        let mut meter = HeatMeter::default();
        meter.sense(&Readings {
            meter: MeterReadings {
                flow_lpm: 12.5,
                supply_celsius: 40.25,
                return_celsius: 50.75,
                energy_kwh: 1234.5,
                volume_m3: 98.75,
            },
            ..Readings::default()
        });
        meter
    }

    /// As a master reads it: high word first.
    fn value(meter: &HeatMeter, address: u16) -> f32 {
        let [high, low] = words(meter, address).map(u32::from);
        f32::from_bits(high << 16 | low)
    }

    #[test]
    fn the_map_has_the_vendors_places_and_units() {
        let mut meter = meter();
        meter.tick(5_400_000);
        assert_eq!(words::<3>(&meter, 0), [0xC1, 0, 0]);
        assert_eq!(words::<2>(&meter, 4), [112, 1], "serial number, high word first");
        assert_eq!(value(&meter, 6), 1.5, "hours of operation");
        assert_eq!(value(&meter, 8), 0.0, "hours of error");
        assert_eq!(value(&meter, 100), 1234.5, "kWh");
        assert_eq!((value(&meter, 102), words::<1>(&meter, 104)), (0.0, [0]));
        assert_eq!(value(&meter, 200), 98.75, "m³");
        assert!((value(&meter, 500) - 8.701_875).abs() < 1e-5, "kW");
        assert_eq!(value(&meter, 600), 0.75, "m³/h");
        assert_eq!((value(&meter, 800), value(&meter, 810), value(&meter, 820)), (50.75, 40.25, 10.5));
    }

    #[test]
    fn a_failed_sensor_is_nan_and_an_error() {
        let mut meter = meter();
        meter.blind();
        meter.tick(3_600_000);
        assert_eq!(words::<2>(&meter, 0), [0xC1, ERROR]);
        for address in [100, 200, 500, 600, 800, 810, 820] {
            assert!(value(&meter, address).is_nan(), "register {address}");
        }
        assert_eq!(value(&meter, 8), 1.0, "hours of error");
    }

    #[test]
    fn registers_outside_the_map_do_not_exist() {
        for address in [3, 10, 99, 105, 199, 202, 502, 602, 802, 812, 822] {
            assert_eq!(meter().register(address), None, "register {address}");
        }
    }
}
