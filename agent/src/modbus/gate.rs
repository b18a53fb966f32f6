//! The gate before every command: nothing is written inside its dead-band, above its rate, or without a fresh
//! request behind it.
//!
//! ```text
//!   wish ── too old ─────────────► Closed          (a cycle that hangs must not look alive)
//!     │ ── not encodable ────────► Refused
//!     ▼
//!   new, or the last write is in doubt ──► after min_interval ──► Write
//!   same within the dead-band ───────────► after refresh ───────► Write
//! ```
//!
//! Pure: time is an argument. One gate for each command of one device.

use eisbach_protocol::registers::{Command, CommandForm, EncodeError, Words, encode};
use eisbach_protocol::units::Millis;

/// A request that the cycle has not renewed for so long is not written any more: ten cycles.
///
/// The repetition of a request feeds the device's bus watchdog, and that is the cycle's to do, not the link's.
pub(super) const WISH_LIFE: Millis = Millis::from_secs(1);

/// What the cycle asks for, and when it last said so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Wish {
    pub(super) value: f32,
    pub(super) at: Millis,
}

/// What may be done about a wish now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Write it.
    Write(Write),
    /// Not before this time; until then only another wish changes anything.
    Wait(Millis),
    /// There is no wish, or it is too old.
    Closed,
    /// The wish cannot be written.
    Refused(EncodeError),
}

/// A wish and the word that says it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Write {
    pub(super) value: f32,
    pub(super) word: u16,
}

/// What a gate remembers of its command.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gate {
    last: Option<Attempt>,
    in_doubt: bool,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    write: Write,
    at: Millis,
}

impl Gate {
    /// Judges `wish` at `now`.
    pub(super) fn judge(&self, command: &Command, wish: Option<Wish>, now: Millis) -> Verdict {
        let Some(wish) = wish.filter(|wish| now.since(wish.at) <= WISH_LIFE) else {
            return Verdict::Closed;
        };
        let write = match encode(command, wish.value) {
            Ok(Words(word)) => Write { value: wish.value, word },
            Err(error) => return Verdict::Refused(error),
        };
        let Some(last) = self.last else {
            return Verdict::Write(write);
        };
        let pause = if self.in_doubt || write.differs(last.write, &command.form) {
            command.min_interval_ms
        } else {
            command.refresh_ms
        };
        let earliest = last.at + Millis::new(pause.into());
        if now >= earliest { Verdict::Write(write) } else { Verdict::Wait(earliest) }
    }

    /// `write` is being made. Whether it arrives or not, it counts.
    pub(super) const fn attempt(&mut self, write: Write, now: Millis) {
        self.last = Some(Attempt { write, at: now });
        self.in_doubt = false;
    }

    /// The connection was lost: the device may have restarted and hold something else.
    pub(super) const fn doubt(&mut self) {
        self.in_doubt = true;
    }
}

impl Write {
    fn differs(self, last: Self, form: &CommandForm) -> bool {
        self.word != last.word
            && match *form {
                CommandForm::Number { dead_band, .. } => (self.value - last.value).abs() >= dead_band,
                CommandForm::Word { .. } => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eisbach_protocol::registers::{Control, Grade};
    use proptest::prelude::*;

    const REFRESH: u64 = 5_000;
    const INTERVAL: u64 = 100;
    const DEAD_BAND: f32 = 0.5;

    fn speed() -> Command {
        Command {
            control: Control::PumpSpeed,
            address: 103,
            form: CommandForm::Number { scale: 0.01, low: 0.0, high: 100.0, dead_band: DEAD_BAND },
            refresh_ms: 5_000,
            min_interval_ms: 100,
            grade: Grade::A,
        }
    }

    fn judge(gate: &Gate, value: f32, now: u64) -> Verdict {
        let now = Millis::new(now);
        gate.judge(&speed(), Some(Wish { value, at: now }), now)
    }

    const fn write(value: f32, word: u16) -> Verdict {
        Verdict::Write(Write { value, word })
    }

    fn written(value: f32, now: u64) -> Gate {
        let mut gate = Gate::default();
        let Verdict::Write(write) = judge(&gate, value, now) else {
            panic!("the first wish is written at once")
        };
        gate.attempt(write, Millis::new(now));
        gate
    }

    #[test]
    fn i09_a_change_inside_the_dead_band_waits_for_the_refresh() {
        let gate = written(50.0, 1_000);
        assert_eq!(judge(&gate, 50.4, 1_200), Verdict::Wait(Millis::new(1_000 + REFRESH)));
        assert_eq!(judge(&gate, 50.4, 1_000 + REFRESH), write(50.4, 5040));
    }

    #[test]
    fn i09_a_change_waits_for_its_interval() {
        let gate = written(50.0, 1_000);
        assert_eq!(judge(&gate, 60.0, 1_050), Verdict::Wait(Millis::new(1_000 + INTERVAL)));
        assert_eq!(judge(&gate, 60.0, 1_100), write(60.0, 6000));
    }

    #[test]
    fn i07_a_request_that_the_cycle_does_not_renew_is_not_repeated() {
        let gate = written(50.0, 1_000);
        let stale = Some(Wish { value: 50.0, at: Millis::new(1_000) });
        assert_eq!(gate.judge(&speed(), stale, Millis::new(1_000 + REFRESH)), Verdict::Closed);
        assert_eq!(gate.judge(&speed(), None, Millis::new(1_000 + REFRESH)), Verdict::Closed);
    }

    #[test]
    fn after_a_lost_connection_the_same_request_is_written_again() {
        let mut gate = written(50.0, 1_000);
        gate.doubt();
        assert_eq!(judge(&gate, 50.0, 1_100), write(50.0, 5000));
    }

    #[test]
    fn i01_what_is_no_number_is_refused() {
        for value in [f32::NAN, f32::INFINITY, 100.1, -0.1] {
            assert!(matches!(judge(&Gate::default(), value, 0), Verdict::Refused(_)), "{value}");
        }
    }

    #[test]
    fn a_word_command_is_always_the_whole_word() {
        let run = Command {
            control: Control::PumpRun,
            form: CommandForm::Word { on: 3, off: 1, reset: None },
            ..speed()
        };
        let mut gate = Gate::default();
        let wish = |value| Some(Wish { value, at: Millis::ZERO });
        assert_eq!(gate.judge(&run, wish(1.0), Millis::ZERO), write(1.0, 3));
        gate.attempt(Write { value: 1.0, word: 3 }, Millis::ZERO);
        assert_eq!(gate.judge(&run, wish(0.0), Millis::new(INTERVAL)), write(0.0, 1));
    }

    proptest! {
        #[test]
        fn i09_there_are_never_more_writes_than_the_profile_allows(
            steps in prop::collection::vec((0..400_u64, 0.0_f32..100.0, 0.0_f32..1.0), 1..300),
        ) {
            let (mut gate, mut now, mut value) = (Gate::default(), 0, 50.0);
            let mut last: Option<(u64, f32, bool)> = None;
            for (pause, jump, chance) in steps {
                now += pause;
                value = if chance < 0.1 { jump } else { (value + (jump - 50.0) / 200.0).clamp(0.0, 100.0) };
                let lost = chance > 0.98;
                if lost {
                    gate.doubt();
                    last = last.map(|(at, value, _)| (at, value, true));
                }
                if let Verdict::Write(write) = judge(&gate, value, now) {
                    if let Some((at, before, doubted)) = last {
                        prop_assert!(now - at >= INTERVAL);
                        prop_assert!(doubted || (value - before).abs() >= DEAD_BAND || now - at >= REFRESH);
                    }
                    gate.attempt(write, Millis::new(now));
                    last = Some((now, value, false));
                }
            }
        }

        #[test]
        fn a_renewed_request_is_repeated_at_least_as_often_as_the_profile_says(pauses in prop::collection::vec(1..1_000_u64, 1..100)) {
            let (mut gate, mut now, mut last) = (written(50.0, 0), 0, 0);
            for pause in pauses {
                now += pause;
                if let Verdict::Write(write) = judge(&gate, 50.0, now) {
                    gate.attempt(write, Millis::new(now));
                    last = now;
                }
                prop_assert!(now - last < REFRESH);
            }
        }
    }
}
