//! The alarm of a drive: it stops the drive until its cause has gone **and** someone resets it.
//!
//! ```text
//!            cause appears                     cause gone
//!   Well ───────────────────► Tripped, caused ────────────► Tripped, waits ──┐
//!     ▲                                                                      │
//!     └────────────────── reset, over the bus or at the panel ───────────────┘
//! ```

use super::readings::PumpReadings;

/// The latch. Codes are those of the readings, or of the drive itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trip {
    caused: bool,
    code: Option<u16>,
}

impl Trip {
    /// Take over what stops the drive now, and what is pressed at its panel.
    pub(super) fn sense(&mut self, seen: &PumpReadings) {
        self.caused = seen.alarm_code != 0;
        if self.caused {
            self.code = Some(seen.alarm_code);
        } else if seen.reset_pressed {
            self.code = None;
        }
    }

    /// The drive stops for a reason of its own.
    pub(super) fn set(&mut self, code: u16) {
        self.code = self.code.or(Some(code));
    }

    /// Somebody asks for the alarm to be forgotten. True where that ended one.
    pub(super) fn reset(&mut self) -> bool {
        !self.caused && self.code.take().is_some()
    }

    /// What the drive reports; none while it is well.
    pub(super) fn code(self) -> Option<u16> {
        self.code
    }

    /// Whether an alarm stops the drive.
    pub(super) fn is_set(self) -> bool {
        self.code.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trip(alarm_code: u16) -> Trip {
        let mut trip = Trip::default();
        trip.sense(&PumpReadings { alarm_code, ..PumpReadings::default() });
        trip
    }

    #[test]
    fn an_alarm_outlives_its_cause_until_a_reset() {
        let mut trip = trip(57);
        assert!(!trip.reset(), "the cause is still there");
        trip.sense(&PumpReadings::default());
        assert_eq!(trip.code(), Some(57));
        assert!(trip.reset() && !trip.is_set());
        assert!(!trip.reset(), "nothing to reset");
    }

    #[test]
    fn the_panel_resets_only_what_has_no_cause_any_more() {
        let mut trip = trip(51);
        let pressed = PumpReadings { reset_pressed: true, ..PumpReadings::default() };
        trip.sense(&PumpReadings { alarm_code: 51, ..pressed });
        assert!(trip.is_set());
        trip.sense(&pressed);
        assert!(!trip.is_set());
    }

    #[test]
    fn the_first_reason_of_its_own_is_kept() {
        let mut trip = Trip::default();
        trip.set(3);
        trip.set(4);
        assert_eq!(trip.code(), Some(3));
    }
}
