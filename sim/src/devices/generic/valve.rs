//! The generic valve; its registers are tabled one level up.

use super::super::device::{Device, Exception, Function};
use super::super::readings::{Orders, Readings, ValveReadings};
use super::super::words::{bits, signed, unsigned};
use super::{Settings, status};

/// The valve counts as moving this far from its target.
const POSITION_TOLERANCE: f64 = 0.02;
const IDENTITY: u16 = 0x0E17;

/// The valve.
#[derive(Debug)]
pub(in super::super) struct Valve {
    settings: Settings,
    seen: ValveReadings,
}

impl Valve {
    /// `setpoint` is the one it holds from before, 0..1.
    pub(in super::super) fn new(setpoint: f64) -> Self {
        Self { settings: Settings::new(setpoint), seen: ValveReadings::default() }
    }

    fn target(&self) -> f64 {
        if self.settings.is_safe() { 0.0 } else { self.settings.share() }
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
        self.settings.tick(plant_ms);
    }

    fn register(&self, address: u16) -> Option<u16> {
        self.settings.register(address)
    }

    fn input_register(&self, address: u16) -> Option<u16> {
        let seen = &self.seen;
        Some(match address {
            0 => unsigned(seen.position, 0.000_1),
            1 => bits(&[
                (status::RUNNING, (seen.position - self.target()).abs() > POSITION_TOLERANCE),
                (status::ALARM, seen.position.is_nan()),
                (status::REMOTE, true),
                (status::BUS_TIMEOUT, self.settings.expired),
            ]),
            2 => unsigned(seen.flow_lpm, 0.1),
            3 => signed(seen.t1_celsius, 0.01),
            4 => signed(seen.t2_celsius, 0.01),
            15 => IDENTITY,
            _ => return None,
        })
    }

    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        Settings::check(address, value)
    }

    fn apply(&mut self, address: u16, value: u16) {
        self.settings.apply(address, value);
    }

    fn order(&self, orders: &mut Orders) {
        orders.valve_position = self.target();
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::device::{input_words, words, write};
    use super::*;

    fn valve() -> Valve {
        let mut valve = Valve::new(0.42);
        let seen = ValveReadings {
            position: 0.42,
            flow_lpm: 10.5,
            t1_celsius: 44.44,
            t2_celsius: -0.55,
            ..ValveReadings::default()
        };
        valve.sense(&Readings { valve: seen, ..Readings::default() });
        valve
    }

    /// Where the plant is told to bring the valve, in percent.
    fn ordered(valve: &Valve) -> u16 {
        let mut orders = Orders { pump_run: false, pump_speed: f64::NAN, valve_position: f64::NAN };
        valve.order(&mut orders);
        unsigned(orders.valve_position, 0.01)
    }

    #[test]
    fn the_two_tables_are_as_written_above() {
        let valve = valve();
        assert_eq!(words::<5>(&valve, 0), [4200, 1, 10, 1, 0]);
        assert_eq!(input_words::<5>(&valve, 0), [4200, status::REMOTE, 105, 4444, (-55_i16).cast_unsigned()]);
        assert_eq!((valve.register(5), valve.input_register(5)), (None, None));
    }

    #[test]
    fn it_moves_to_its_set_point() {
        let mut valve = valve();
        write(&mut valve, 0, 9000).unwrap();
        assert_eq!((ordered(&valve), valve.input_register(1)), (90, Some(status::RUNNING | status::REMOTE)));
    }

    #[test]
    fn without_a_write_for_the_timeout_it_holds_or_closes() {
        for (action, position) in [(0, 90), (1, 0)] {
            let mut valve = valve();
            write(&mut valve, 3, action).unwrap();
            write(&mut valve, 0, 9000).unwrap();
            valve.tick(9_999);
            assert_eq!(ordered(&valve), 90);
            valve.tick(10_000);
            assert_eq!(ordered(&valve), position, "action {action}");
            assert_ne!(valve.input_register(1).unwrap() & status::BUS_TIMEOUT, 0);
            write(&mut valve, 4, 1).unwrap();
            assert_eq!(ordered(&valve), 90, "the master is back");
        }
    }

    #[test]
    fn what_is_not_measured_is_marked_and_an_alarm() {
        let mut valve = valve();
        valve.blind();
        assert_eq!(
            input_words::<5>(&valve, 0),
            [0xFFFF, status::ALARM | status::REMOTE, 0xFFFF, 0x8000, 0x8000]
        );
    }
}
