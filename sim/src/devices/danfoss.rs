//! Danfoss `NovoCon` M (003Z8540): actuator on a pressure-independent control valve.
//!
//! | wire | what | type |
//! |---|---|---|
//! | 0x0110 | software version | 25 registers of text |
//! | 0x801E | design flow, L/min | f32 |
//! | 0x8104 | greatest design flow, % | f32 |
//! | 0x8120, 0x8140, 0x8160, 0x81A0 | model, part number, manufacturer, serial number | 25 registers of text each |
//! | 0x81C2 | supply temperature, °C | f32 |
//! | 0x8206 | voltage at the analogue output, V | f32 |
//! | 0x8300, 0x8301 | alarms: surroundings, actuator | bits |
//! | 0x8414, 0x8416 | minutes closed, minutes open | u32 |
//! | 0x8608, 0x860E | estimated flow, spindle position, % | f32 |
//!
//! All have the high word first. **Read only**: the open profile lists no register that commands the valve, so it
//! follows its analogue input, and stays where it was commissioned.
//!
//! Source: `openbmc/phosphor-modbus`, profile `Danfoss003Z8540`. The unit of the flows is an estimate.

use super::device::{Device, Function};
use super::readings::{Readings, ValveReadings};
use super::words::{Pair, bits, characters, counter, float, millis};

/// Registers of every text.
const TEXT_LENGTH: u16 = 25;
/// Flow at full stroke, L/min (estimate: DN 15).
const DESIGN_FLOW_LPM: f64 = 21.0;
/// The analogue output repeats the position.
const OUTPUT_VOLTS: f64 = 10.0;
/// The spindle is at its end this close to it.
const AT_END: f64 = 0.005;
const MS_PER_MINUTE: f64 = 60_000.0;

/// Bit of 0x8300.
const TEMPERATURE_OUT_OF_RANGE: u16 = 1 << 0;
/// Bit of 0x8301.
const ERROR_DURING_MOVEMENT: u16 = 1 << 1;

/// The valve.
#[derive(Debug, Default)]
pub(super) struct NovoCon {
    now_ms: u64,
    closed_minutes: f64,
    open_minutes: f64,
    seen: ValveReadings,
}

impl NovoCon {
    fn text(address: u16) -> Option<u16> {
        let texts = [
            (0x0110, "1.10"),
            (0x8120, "NovoCon M"),
            (0x8140, "003Z8540"),
            (0x8160, "Danfoss A/S"),
            (0x81A0, "SIM0000000000002"),
        ];
        texts.into_iter().find_map(|(first, text)| {
            let index = address.checked_sub(first)?;
            (index < TEXT_LENGTH).then(|| characters(text, index))
        })
    }

    /// The value whose first register is `first`.
    fn pair(&self, first: u16) -> Option<Pair> {
        let ValveReadings { position, flow_lpm, t1_celsius, .. } = self.seen;
        Some(match first {
            0x801E => float(DESIGN_FLOW_LPM),
            0x8104 => float(100.0),
            0x81C2 => float(t1_celsius),
            0x8206 => float(position * OUTPUT_VOLTS),
            0x8414 => counter(self.closed_minutes.floor()),
            0x8416 => counter(self.open_minutes.floor()),
            0x8608 => float(flow_lpm / DESIGN_FLOW_LPM * 100.0),
            0x860E => float(position * 100.0),
            _ => return None,
        })
    }
}

impl Device for NovoCon {
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
        let minutes = millis(plant_ms.saturating_sub(self.now_ms)) / MS_PER_MINUTE;
        self.now_ms = plant_ms;
        if self.seen.position <= AT_END {
            self.closed_minutes += minutes;
        } else if self.seen.position >= 1.0 - AT_END {
            self.open_minutes += minutes;
        }
    }

    fn register(&self, address: u16) -> Option<u16> {
        match address {
            0x8300 => Some(bits(&[(TEMPERATURE_OUT_OF_RANGE, self.seen.t1_celsius.is_nan())])),
            0x8301 => Some(bits(&[(ERROR_DURING_MOVEMENT, self.seen.position.is_nan())])),
            _ => Self::text(address)
                .or_else(|| self.pair(address).map(Pair::high))
                .or_else(|| self.pair(address.wrapping_sub(1)).map(Pair::low)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::{Exception, words, write};
    use super::*;

    fn sees(valve: &mut NovoCon, position: f64) {
        let seen = ValveReadings { position, flow_lpm: 10.5, t1_celsius: 41.5, ..ValveReadings::default() };
        valve.sense(&Readings { valve: seen, ..Readings::default() });
    }

    fn valve() -> NovoCon {
        let mut valve = NovoCon::default();
        sees(&mut valve, 0.25);
        valve
    }

    /// As a master reads it: high word first.
    fn value(valve: &NovoCon, address: u16) -> f32 {
        let [high, low] = words(valve, address).map(u32::from);
        f32::from_bits(high << 16 | low)
    }

    #[test]
    fn it_says_who_made_it() {
        let bytes: Vec<u8> = words::<25>(&valve(), 0x8160).into_iter().flat_map(u16::to_be_bytes).collect();
        assert_eq!(&bytes[..12], b"Danfoss A/S\0");
        assert!(bytes[12..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_map_has_the_places_of_the_open_profile() {
        let valve = valve();
        assert_eq!((value(&valve, 0x8608), value(&valve, 0x860E)), (50.0, 25.0), "flow and position, %");
        assert_eq!((value(&valve, 0x801E), value(&valve, 0x8104)), (21.0, 100.0), "design flow");
        assert_eq!((value(&valve, 0x81C2), value(&valve, 0x8206)), (41.5, 2.5), "°C and V");
        assert_eq!(words::<2>(&valve, 0x8300), [0, 0]);
    }

    #[test]
    fn time_at_either_end_is_counted() {
        let mut valve = valve();
        for (position, until_ms) in [(0.0, 120_000), (0.5, 240_000), (1.0, 420_000)] {
            sees(&mut valve, position);
            valve.tick(until_ms);
        }
        assert_eq!(words::<4>(&valve, 0x8414), [0, 2, 0, 3]);
    }

    #[test]
    fn what_is_not_measured_is_nan_and_an_alarm() {
        let mut valve = valve();
        valve.blind();
        assert!([0x8608, 0x860E, 0x81C2, 0x8206].into_iter().all(|address| value(&valve, address).is_nan()));
        assert_eq!(words::<2>(&valve, 0x8300), [TEMPERATURE_OUT_OF_RANGE, ERROR_DURING_MOVEMENT]);
    }

    #[test]
    fn nothing_can_be_written() {
        for address in [0x8200, 0x8206, 0x8608, 0x860E] {
            assert_eq!(write(&mut valve(), address, 0), Err(Exception::Address), "register {address:#x}");
        }
        for address in [0x010F, 0x0129, 0x801D, 0x8179, 0x8200, 0x8302, 0x860A] {
            assert_eq!(valve().register(address), None, "register {address:#x}");
        }
    }
}
