//! What every device is: a register map that behaves.
//!
//! ```text
//!   sense / blind ──►┐
//!   tick(plant time) ├── state ──► register, input   (what a master reads)
//!   heard, apply ───►┘        └──► order             (what the plant must do)
//! ```

use super::readings::{Orders, Readings};

/// The function codes that our devices know. All others are answered with exception 01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// 02
    ReadInputs,
    /// 03
    ReadHolding,
    /// 04
    ReadInputRegisters,
    /// 06
    WriteSingle,
    /// 16
    WriteMultiple,
}

impl Function {
    pub(super) fn from_code(code: u8) -> Option<Self> {
        match code {
            2 => Some(Self::ReadInputs),
            3 => Some(Self::ReadHolding),
            4 => Some(Self::ReadInputRegisters),
            6 => Some(Self::WriteSingle),
            16 => Some(Self::WriteMultiple),
            _ => None,
        }
    }
}

/// Why a device turns a request down; the numbers are those of the Modbus application protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    /// The device does not know this function.
    Function = 1,
    /// A register in the range does not exist, or cannot be written.
    Address = 2,
    /// The quantity, the length or the value is wrong.
    Value = 3,
}

/// A register map with its behaviour. Pure: no socket and no clock; `tick` tells the time.
pub(super) trait Device: Send {
    /// The functions that the vendor documents.
    fn functions(&self) -> &'static [Function];

    /// Take over what the instruments measure now.
    fn sense(&mut self, readings: &Readings);

    /// The measuring part has failed; show it as the vendor does.
    fn blind(&mut self);

    /// Plant time has come to `plant_ms`.
    fn tick(&mut self, plant_ms: u64);

    /// A master has spoken to this device.
    fn heard(&mut self) {}

    /// The word at `address`, or `None` where the map has no register.
    fn register(&self, address: u16) -> Option<u16> {
        let _ = address;
        None
    }

    /// The input register at `address`. Most vendors show one map to both functions.
    fn input_register(&self, address: u16) -> Option<u16> {
        self.register(address)
    }

    /// The discrete input at `address`.
    fn input(&self, address: u16) -> Option<bool> {
        let _ = address;
        None
    }

    /// May `value` be written to `address`? Asked for every register of a request before any is written.
    fn check(&self, address: u16, value: u16) -> Result<(), Exception> {
        let _ = (address, value);
        Err(Exception::Address)
    }

    /// Write a register that `check` has passed.
    fn apply(&mut self, address: u16, value: u16) {
        let _ = (address, value);
    }

    /// Enter this device's wishes.
    fn order(&self, orders: &mut Orders) {
        let _ = orders;
    }

    /// How often the device has written to its EEPROM, which lasts for about 100 000 writes.
    fn eeprom_writes(&self) -> u64 {
        0
    }
}

/// The words from `first` on, for tests of the maps.
#[cfg(test)]
pub(super) fn words<const N: usize>(device: &dyn Device, first: u16) -> [u16; N] {
    std::array::from_fn(|i| device.register(first + u16::try_from(i).unwrap()).unwrap())
}

/// The input registers from `first` on, for tests of maps that have two tables.
#[cfg(test)]
pub(super) fn input_words<const N: usize>(device: &dyn Device, first: u16) -> [u16; N] {
    std::array::from_fn(|i| device.input_register(first + u16::try_from(i).unwrap()).unwrap())
}

/// The speed in percent that a drive is told, or `None` to stop, for tests of the behaviour.
#[cfg(test)]
pub(super) fn ordered_speed(device: &dyn Device) -> Option<u16> {
    let mut orders = Orders { pump_run: false, pump_speed: f64::NAN, valve_position: f64::NAN };
    device.order(&mut orders);
    orders.pump_run.then(|| super::words::unsigned(orders.pump_speed, 0.01))
}

/// Check and write, for tests of the behaviour.
#[cfg(test)]
pub(super) fn write(device: &mut dyn Device, address: u16, value: u16) -> Result<(), Exception> {
    device.check(address, value)?;
    device.apply(address, value);
    Ok(())
}
