//! A device without a plant, for tests: every register holds its own address.
//!
//! ```text
//!   read  holding 0..=65535  ──► what was written there, or else the address
//!   read  input   0..=65535  ──► always the address
//!   read  discrete input     ──► lowest bit of the address
//!   write anything anywhere  ──► remembered
//! ```
//!
//! A reply that belongs to another request cannot hide: it carries the other address. The plant goes on with what was
//! commissioned.

use std::collections::BTreeMap;

use super::device::{Device, Exception, Function};
use super::readings::Readings;

/// Its memory is bounded by the address space.
#[derive(Debug, Default)]
pub(super) struct AddressEcho {
    written: BTreeMap<u16, u16>,
}

impl Device for AddressEcho {
    fn functions(&self) -> &'static [Function] {
        &[
            Function::ReadInputs,
            Function::ReadHolding,
            Function::ReadInputRegisters,
            Function::WriteSingle,
            Function::WriteMultiple,
        ]
    }

    fn sense(&mut self, _readings: &Readings) {}

    fn blind(&mut self) {}

    fn tick(&mut self, _plant_ms: u64) {}

    fn register(&self, address: u16) -> Option<u16> {
        Some(self.written.get(&address).copied().unwrap_or(address))
    }

    fn input_register(&self, address: u16) -> Option<u16> {
        Some(address)
    }

    fn input(&self, address: u16) -> Option<bool> {
        Some(address & 1 == 1)
    }

    fn check(&self, _address: u16, _value: u16) -> Result<(), Exception> {
        Ok(())
    }

    fn apply(&mut self, address: u16, value: u16) {
        self.written.insert(address, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::device::{input_words, words, write};
    use super::*;

    #[test]
    fn every_register_holds_its_own_address() {
        let echo = AddressEcho::default();
        assert!((0..=u16::MAX).all(|address| echo.register(address) == Some(address)));
        assert!((0..=u16::MAX).all(|address| echo.input_register(address) == Some(address)));
        assert_eq!([6, 7].map(|address| echo.input(address)), [Some(false), Some(true)]);
    }

    #[test]
    fn a_write_reads_back_and_leaves_the_input_registers_alone() {
        let mut echo = AddressEcho::default();
        write(&mut echo, 103, 4500).unwrap();
        assert_eq!(words::<3>(&echo, 102), [102, 4500, 104]);
        assert_eq!(input_words::<3>(&echo, 102), [102, 103, 104]);
    }
}
