//! A set of standing alarms.

use eisbach_protocol::alarm::{ALARMS, Alarm, COUNT};

/// Which alarms stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    }
}
