//! Vaisala HMD110 humidity and temperature transmitter: HMDW110 user guide M211726EN, appendix A.
//!
//! Floats have the **least significant word first**, and a value that is not available is a quiet NaN, never an
//! exception. The test registers 7936.. let a master prove its word order. There is no "online" register at 513: that
//! one belongs to the HMT330 family.

use super::device::{Device, Function};
use super::readings::{AirReadings, Readings};
use super::words::{Pair, float};

/// Device status, register 512.
const NO_ERRORS: u16 = 1;
const ERRORS: u16 = 0;
/// Bits of the error code, registers 515-516.
const TEMPERATURE_ERROR: u32 = 1;
const HUMIDITY_ERROR: u32 = 2;
/// Registers 517-518; changes with the settings, and nobody changes them here.
const SECURITY_HASH: u32 = 0x5EA5_10DE;
/// What the test registers hold.
const TEST_INTEGER: i16 = -12_345;
const TEST_FLOAT: f64 = -123.45;
const TEST_TEXT: [u16; 4] = [0x2D31, 0x3233, 0x2E34, 0x3500]; // "-123.45"
/// Air pressure in hPa for the enthalpy.
const AIR_HPA: f64 = 1013.25;

/// The transmitter.
#[derive(Debug, Default)]
pub(super) struct AirSensor {
    seen: AirReadings,
}

impl AirSensor {
    fn errors(&self) -> u32 {
        let temperature = if self.seen.temperature_celsius.is_nan() { TEMPERATURE_ERROR } else { 0 };
        let humidity = if self.seen.humidity_percent.is_nan() { HUMIDITY_ERROR } else { 0 };
        temperature | humidity
    }

    /// The value whose first register is `first`.
    fn pair(&self, first: u16) -> Option<Pair> {
        let AirReadings { temperature_celsius, humidity_percent, dew_point_celsius } = self.seen;
        Some(match first {
            0 => float(humidity_percent),
            2 => float(temperature_celsius),
            8 => float(dew_point_celsius),
            18 => float(wet_bulb_celsius(temperature_celsius, humidity_percent)),
            26 => float(enthalpy_kj_per_kg(temperature_celsius, humidity_percent)),
            515 => Pair::new(self.errors()),
            517 => Pair::new(SECURITY_HASH),
            7937 => float(TEST_FLOAT),
            _ => return None,
        })
    }
}

impl Device for AirSensor {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.air;
    }

    fn blind(&mut self) {
        self.seen = AirReadings::default();
    }

    fn tick(&mut self, _plant_ms: u64) {}

    fn register(&self, address: u16) -> Option<u16> {
        match address {
            512 => Some(if self.errors() == 0 { NO_ERRORS } else { ERRORS }),
            7936 => Some(TEST_INTEGER.cast_unsigned()),
            7939..=7942 => TEST_TEXT.get(usize::from(address - 7939)).copied(),
            _ => (self.pair(address).map(Pair::low))
                .or_else(|| self.pair(address.wrapping_sub(1)).map(Pair::high)),
        }
    }
}

/// R. Stull, "Wet-Bulb Temperature from Relative Humidity and Air Temperature", J. Appl. Meteor. Climatol. 50 (2011):
/// within 1 K for 5..99 % and −20..50 °C.
fn wet_bulb_celsius(celsius: f64, percent: f64) -> f64 {
    celsius * (0.151_977 * (percent + 8.313_659).sqrt()).atan() + (celsius + percent).atan()
        - (percent - 1.676_331).atan()
        + 0.003_918_38 * percent.powf(1.5) * (0.023_101 * percent).atan()
        - 4.686_035
}

/// Enthalpy of moist air per kg of dry air, with the Magnus formula for the saturation pressure.
fn enthalpy_kj_per_kg(celsius: f64, percent: f64) -> f64 {
    let vapour_hpa = percent / 100.0 * 6.112 * (17.62 * celsius / (243.12 + celsius)).exp();
    let mixing_ratio = 0.622 * vapour_hpa / (AIR_HPA - vapour_hpa);
    1.006 * celsius + mixing_ratio * (2501.0 + 1.86 * celsius)
}

#[cfg(test)]
mod tests {
    use super::super::device::{Exception, words, write};
    use super::*;

    fn sensor() -> AirSensor {
        let mut sensor = AirSensor::default();
        let air = AirReadings { temperature_celsius: 20.0, humidity_percent: 50.0, dew_point_celsius: 9.25 };
        sensor.sense(&Readings { air, ..Readings::default() });
        sensor
    }

    /// As a master reads it: low word first.
    fn value(sensor: &AirSensor, address: u16) -> f32 {
        let [low, high] = words(sensor, address).map(u32::from);
        f32::from_bits(high << 16 | low)
    }

    #[test]
    fn the_map_has_the_vendors_places() {
        let sensor = sensor();
        assert_eq!((value(&sensor, 0), value(&sensor, 2), value(&sensor, 8)), (50.0, 20.0, 9.25));
        assert!((value(&sensor, 18) - 13.7).abs() < 0.05, "wet bulb, Stull's own example");
        assert!((value(&sensor, 26) - 38.5).abs() < 0.2, "enthalpy in kJ/kg");
        assert_eq!(words::<1>(&sensor, 512), [1]);
        assert_eq!(words::<4>(&sensor, 515), [0, 0, 0x10DE, 0x5EA5], "error code, security hash");
    }

    #[test]
    fn the_test_registers_prove_the_word_order() {
        let sensor = sensor();
        assert_eq!(words::<1>(&sensor, 7936), [0xCFC7]);
        assert_eq!(words::<2>(&sensor, 7937), [0xE666, 0xC2F6]);
        let text: Vec<u8> = words::<4>(&sensor, 7939).into_iter().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text, b"-123.45\0");
    }

    #[test]
    fn what_is_not_available_is_a_quiet_nan() {
        let mut sensor = sensor();
        sensor.blind();
        for address in [0, 2, 8, 18, 26] {
            assert_eq!(words::<2>(&sensor, address), [0, 0x7FC0], "register {address}");
        }
        assert_eq!((words::<1>(&sensor, 512), words::<2>(&sensor, 515)), ([0], [3, 0]));
    }

    #[test]
    fn registers_outside_the_map_do_not_exist_and_none_is_written() {
        for address in [4, 7, 10, 17, 20, 25, 28, 511, 513, 514, 519, 7935, 7943] {
            assert_eq!(sensor().register(address), None, "register {address}");
        }
        assert_eq!(write(&mut sensor(), 0, 0), Err(Exception::Address));
    }
}
