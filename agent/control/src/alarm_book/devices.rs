//! Which devices are behind an alarm that several of them can raise.

use eisbach_protocol::alarm::{Alarm, COUNT};
use serde::{Deserialize, Serialize};

/// A set of devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices(u8);

impl Devices {
    /// No device.
    pub const NONE: Self = Self(0);
    /// The pump.
    pub const PUMP: Self = Self(1);
    /// The recovery valve.
    pub const VALVE: Self = Self(1 << 1);
    /// The flow and temperature meter.
    pub const METER: Self = Self(1 << 2);
    /// The room sensor.
    pub const ROOM: Self = Self(1 << 3);
    /// The leak detector.
    pub const LEAK: Self = Self(1 << 4);

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// One bit a device: for a record.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// These, if `such`.
    #[must_use]
    pub const fn only_if(self, such: bool) -> Self {
        if such { self } else { Self::NONE }
    }

    /// The devices of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// There is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of these is one of `other`.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

/// The devices behind each alarm; none behind one that is not about devices, or about one only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind([Devices; COUNT]);

impl Default for Behind {
    fn default() -> Self {
        Self([Devices::NONE; COUNT])
    }
}

impl Behind {
    /// The devices behind `alarm`.
    #[must_use]
    pub fn of(&self, alarm: Alarm) -> Devices {
        self.0.get(alarm as usize).copied().unwrap_or_default()
    }

    /// Says which devices are behind `alarm`.
    pub fn set(&mut self, alarm: Alarm, devices: Devices) {
        if let Some(place) = self.0.get_mut(alarm as usize) {
            *place = devices;
        }
    }
}
