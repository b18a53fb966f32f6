//! A set of standing alarms.

use eisbach_protocol::alarm::{ALARMS, Alarm, COUNT};
use serde::{Deserialize, Serialize};

/// Which alarms stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmSet(u64);

const _: () = assert!(COUNT <= 64, "the set is one word");

impl AlarmSet {
    /// No alarm.
    pub const NONE: Self = Self(0);

    /// Raises `alarm` if `standing`.
    pub fn raise_if(&mut self, standing: bool, alarm: Alarm) {
        if standing {
            self.0 |= 1 << alarm as u64;
        }
    }

    /// Raises or clears `alarm`.
    pub fn set(&mut self, standing: bool, alarm: Alarm) {
        self.0 &= !(1 << alarm as u64);
        self.raise_if(standing, alarm);
    }

    /// The alarms of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `alarm` stands.
    #[must_use]
    pub const fn has(self, alarm: Alarm) -> bool {
        self.0 & (1 << alarm as u64) != 0
    }

    /// The standing alarms, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Alarm> {
        ALARMS.iter().map(|def| def.alarm).filter(move |alarm| self.has(*alarm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_raised_stands() {
        let mut set = AlarmSet::NONE;
        set.raise_if(true, Alarm::Leak);
        set.raise_if(false, Alarm::PumpSilent);
        set.raise_if(true, Alarm::CycleOverrun);
        assert!(set.iter().eq([Alarm::Leak, Alarm::CycleOverrun]));
        set.set(false, Alarm::Leak);
        set.set(true, Alarm::Condensation);
        assert!(set.iter().eq([Alarm::Condensation, Alarm::CycleOverrun]));
        let mut other = AlarmSet::NONE;
        other.set(true, Alarm::Leak);
        assert!(set.with(other).iter().eq([Alarm::Leak, Alarm::Condensation, Alarm::CycleOverrun]));
    }
}
