//! The generic pump; its registers are tabled one level up.

use super::super::device::{Device, Exception, Function};
use super::super::readings::{Orders, PumpReadings, Readings};
use super::super::trip::Trip;
use super::super::words::{bits, unsigned};
use super::{Settings, status};

const CONTROL: u16 = 1;
/// Bits of the control word.
const RUN: u16 = 1 << 0;
const RESET: u16 = 1 << 1;
const IDENTITY: u16 = 0x0E16;

/// The pump.
#[derive(Debug)]
pub(in super::super) struct Pump {
    settings: Settings,
    local_speed: f64,
    min_speed: f64,
    trip: Trip,
    seen: PumpReadings,
}

impl Pump {
    /// A pump that runs at `local_speed` until it is told otherwise, and at a panel's word; both are shares.
    pub(in super::super) fn new(local_speed: f64, min_speed: f64) -> Self {
        Self {
            settings: Settings::new(local_speed),
            local_speed,
            min_speed,
            trip: Trip::default(),
            seen: PumpReadings::default(),
        }
    }

    fn runs(&self) -> bool {
        // A stop outlasts the timeout: it may be for a leak.
        let told = self.settings.run & RUN != 0 || self.seen.forced_local;
        told && !self.trip.is_set()
    }

    fn wanted_speed(&self) -> f64 {
        if self.seen.forced_local {
            self.local_speed
        } else if self.settings.is_safe() {
            1.0
        } else {
            self.settings.share().max(self.min_speed)
        }
    }
}

impl Device for Pump {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadHolding, Function::ReadInputRegisters, Function::WriteSingle, Function::WriteMultiple]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.pump;
        self.trip.sense(&self.seen);
    }

    fn blind(&mut self) {
        let PumpReadings { alarm_code, forced_local, .. } = self.seen;
        self.seen = PumpReadings { alarm_code, forced_local, ..PumpReadings::default() };
    }

    fn tick(&mut self, plant_ms: u64) {
        self.settings.tick(plant_ms);
    }

    fn register(&self, address: u16) -> Option<u16> {
        self.settings.register(address)
    }

    fn input_register(&self, address: u16) -> Option<u16> {
        let seen = &self.seen;
        Some(match address {
            0 => unsigned(seen.speed, 0.000_1),
            1 => bits(&[
                (status::RUNNING, self.runs()),
                (status::ALARM, self.trip.is_set()),
                (status::REMOTE, !seen.forced_local),
                (status::BUS_TIMEOUT, self.settings.expired),
                (status::FORCED_LOCAL, seen.forced_local),
            ]),
            2 => unsigned(seen.flow_lpm, 0.1),
            3 => unsigned(seen.head_kpa, 0.1),
            4 => unsigned(seen.power_watts, 1.0),
            5 => unsigned(seen.speed_rpm, 1.0),
            15 => IDENTITY,
            _ => return None,
        })
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        Settings::check(address, value)
    }

    fn apply(&mut self, address: u16, value: u16) {
        let before = self.settings.run;
        self.settings.apply(address, value);
        if address == CONTROL && value & !before & RESET != 0 {
            self.trip.reset();
        }
    }

    fn order(&self, orders: &mut Orders) {
        orders.pump_run = self.runs();
        orders.pump_speed = if self.runs() { self.wanted_speed() } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::device::{input_words, ordered_speed, words, write};
    use super::*;

    fn seen() -> PumpReadings {
        PumpReadings {
            speed: 0.62,
            speed_rpm: 1798.4,
            head_kpa: 134.56,
            flow_lpm: 45.0,
            power_watts: 215.0,
            ..PumpReadings::default()
        }
    }

    fn sees(pump: &mut Pump, seen: PumpReadings) {
        pump.sense(&Readings { pump: seen, ..Readings::default() });
    }

    fn pump() -> Pump {
        let mut pump = Pump::new(0.8, 0.25);
        sees(&mut pump, seen());
        pump
    }

    #[test]
    fn the_two_tables_are_as_written_above() {
        let pump = pump();
        assert_eq!(words::<5>(&pump, 0), [8000, 1, 10, 1, 0]);
        assert_eq!(
            input_words::<6>(&pump, 0),
            [6200, status::RUNNING | status::REMOTE, 450, 1346, 215, 1798]
        );
        assert_eq!((pump.register(5), pump.input_register(6)), (None, None));
    }

    #[test]
    fn it_follows_set_point_and_run() {
        let mut pump = pump();
        write(&mut pump, 0, 4500).unwrap();
        assert_eq!(ordered_speed(&pump), Some(45));
        write(&mut pump, 0, 100).unwrap();
        assert_eq!(ordered_speed(&pump), Some(25), "not below its lowest speed");
        write(&mut pump, 1, 0).unwrap();
        assert_eq!(ordered_speed(&pump), None);
    }

    #[test]
    fn without_a_write_for_the_timeout_it_holds_or_goes_to_full_speed() {
        for (action, speed) in [(0, 45), (1, 100)] {
            let mut pump = pump();
            write(&mut pump, 3, action).unwrap();
            write(&mut pump, 0, 4500).unwrap();
            pump.tick(9_999);
            pump.heard();
            assert_eq!((ordered_speed(&pump), pump.input_register(1)), (Some(45), Some(0b0101)));
            pump.tick(10_000);
            assert_eq!((ordered_speed(&pump), pump.input_register(1)), (Some(speed), Some(0b1101)));
            write(&mut pump, 4, 7).unwrap();
            assert_eq!((ordered_speed(&pump), pump.input_register(1)), (Some(45), Some(0b0101)));
            pump.tick(19_999);
            assert_eq!(ordered_speed(&pump), Some(45), "a heartbeat winds it up");
        }
    }

    #[test]
    fn a_stopped_pump_that_is_forgotten_stays_stopped() {
        let mut pump = pump();
        write(&mut pump, 1, 0).unwrap();
        pump.tick(10_000);
        assert_eq!(ordered_speed(&pump), None, "the stop may be for a leak");
    }

    #[test]
    fn a_timeout_of_zero_is_no_timeout() {
        let mut pump = pump();
        write(&mut pump, 2, 0).unwrap();
        write(&mut pump, 0, 4500).unwrap();
        pump.tick(u64::MAX);
        assert_eq!(ordered_speed(&pump), Some(45));
    }

    #[test]
    fn an_alarm_waits_for_its_reset() {
        let mut pump = pump();
        sees(&mut pump, PumpReadings { alarm_code: 51, ..seen() });
        sees(&mut pump, seen());
        assert_eq!((ordered_speed(&pump), pump.input_register(1)), (None, Some(0b0110)));
        write(&mut pump, CONTROL, RUN).unwrap();
        assert_eq!(ordered_speed(&pump), None, "to run is not to forget");
        write(&mut pump, CONTROL, RUN | RESET).unwrap();
        assert_eq!((ordered_speed(&pump), pump.register(CONTROL)), (Some(80), Some(RUN | RESET)));
    }

    #[test]
    fn at_its_panel_it_runs_at_its_local_speed() {
        let mut pump = pump();
        write(&mut pump, 1, 0).unwrap();
        sees(&mut pump, PumpReadings { forced_local: true, ..seen() });
        assert_eq!(
            (ordered_speed(&pump), pump.input_register(1)),
            (Some(80), Some(status::RUNNING | status::FORCED_LOCAL))
        );
    }

    #[test]
    fn a_value_outside_its_range_is_refused() {
        let mut pump = pump();
        assert_eq!(write(&mut pump, 0, 10_001), Err(Exception::Value));
        assert_eq!(write(&mut pump, 1, 4), Err(Exception::Value));
        assert_eq!(write(&mut pump, 6, 0), Err(Exception::Address));
    }
}
