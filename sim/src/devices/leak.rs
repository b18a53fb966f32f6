//! Leak relay on generic remote I/O: two discrete inputs.
//!
//! ```text
//!   0  leak: the rope is wet
//!   1  rope fault: broken or unplugged; it cannot see a leak then
//! ```

use super::device::{Device, Function};
use super::readings::{LeakReadings, Readings};

/// The relay's contacts.
#[derive(Debug)]
pub(super) struct LeakRelay {
    seen: LeakReadings,
}

impl LeakRelay {
    /// Before the relay has looked at its rope it reports a fault.
    pub(super) fn new() -> Self {
        Self { seen: LeakReadings { leak: false, rope_fault: true } }
    }
}

impl Device for LeakRelay {
    fn functions(&self) -> &'static [Function] {
        &[Function::ReadInputs]
    }

    fn sense(&mut self, readings: &Readings) {
        self.seen = readings.leak;
    }

    fn blind(&mut self) {
        self.seen = LeakReadings { leak: false, rope_fault: true };
    }

    fn tick(&mut self, _plant_ms: u64) {}

    fn input(&self, address: u16) -> Option<bool> {
        match address {
            0 => Some(self.seen.leak),
            1 => Some(self.seen.rope_fault),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(relay: &LeakRelay) -> [Option<bool>; 3] {
        [0, 1, 2].map(|address| relay.input(address))
    }

    #[test]
    fn a_leak_and_a_rope_fault_have_a_contact_each() {
        let mut relay = LeakRelay::new();
        relay
            .sense(&Readings { leak: LeakReadings { leak: true, rope_fault: false }, ..Readings::default() });
        assert_eq!(contacts(&relay), [Some(true), Some(false), None]);
        relay.sense(&Readings::default());
        assert_eq!(contacts(&relay), [Some(false), Some(false), None]);
    }

    #[test]
    fn a_relay_that_cannot_see_reports_a_fault_and_no_leak() {
        let mut relay = LeakRelay::new();
        assert_eq!(contacts(&relay)[..2], [Some(false), Some(true)]);
        relay
            .sense(&Readings { leak: LeakReadings { leak: true, rope_fault: false }, ..Readings::default() });
        relay.blind();
        assert_eq!(contacts(&relay)[..2], [Some(false), Some(true)]);
    }
}
