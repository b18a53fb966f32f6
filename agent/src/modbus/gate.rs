//! The gate before every command: nothing is written inside its dead-band, above its rate, or without a fresh
//! request behind it.
//!
//! ```text
//!   wish ── too old ─────────────► Expired         (a cycle that hangs must not look alive)
//!     │ ── not encodable ────────► Refused
//!     ▼
//!   new, or the last write is in doubt ──► after min_interval ──► Write
//!   same within the dead-band ───────────► after refresh ───────► Write
//! ```
//!
//! Pure: time is an argument. One gate for each command of one device. Which words may be written at all is the
//! [`permit`](super::permit)'s matter.

use eisbach_protocol::registers::{Command, CommandForm, Control, EncodeError, Words, encode};
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
    /// Write it, but not before this time.
    Due(Millis, Write),
    /// There is no wish.
    Idle,
    /// The wish is too old.
    Expired,
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
        let Some(wish) = wish else {
            return Verdict::Idle;
        };
        if now.since(wish.at) > WISH_LIFE {
            return Verdict::Expired;
        }
        let write = match encode(command, wish.value) {
            Ok(Words(word)) => Write { value: wish.value, word },
            Err(error) => return Verdict::Refused(error),
        };
        let Some(last) = self.last else {
            return Verdict::Due(wish.at, write);
        };
        let pause = if self.in_doubt || write.differs(last.write, &command.form) {
            command.min_interval_ms
        } else {
            command.refresh_ms
        };
        Verdict::Due(last.at + Millis::new(pause.into()), write)
    }

    /// `write` is being made. Whether it arrives or not, it counts.
    pub(super) const fn attempt(&mut self, write: Write, now: Millis) {
        self.last = Some(Attempt { write, at: now });
        self.in_doubt = false;
    }

    /// What was written may not be what the device holds: it may have restarted, or somebody else wrote.
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

    /// The word to write right before this one, where the device starts on an edge and does not stand before it.
    /// What is not known to run is started.
    pub(super) fn arm(self, command: &Command, held: Option<u16>) -> Option<u16> {
        match command.form {
            CommandForm::Word { on, arm, .. } if self.word == on && held != Some(on) => arm,
            CommandForm::Word { .. } | CommandForm::Number { .. } => None,
        }
    }

    /// Whether this cools at least as well as the word that the device holds, or stops a leaking loop. Where it is
    /// not known what the device holds, only what the profile calls safe is safe.
    pub(super) fn is_towards_safety(self, command: &Command, held: Option<u16>) -> bool {
        let than = held.and_then(|word| meaning(command, word)).unwrap_or(command.safe);
        self.stops_a_leak(command) || command.control.is_at_least_as_safe(self.value, than)
    }

    /// Whether it is such a write, and not just the repetition of one.
    pub(super) fn is_urgent(self, command: &Command, held: Option<u16>) -> bool {
        held != Some(self.word) && self.is_towards_safety(command, held)
    }

    /// The controller stops a pump only where water runs out.
    pub(super) fn stops_a_leak(self, command: &Command) -> bool {
        command.control == Control::PumpRun && self.value < 0.5
    }
}

/// The value that a word stands for, in the control's unit; nothing for a control word that is none of the profile's.
pub(super) fn meaning(command: &Command, word: u16) -> Option<f32> {
    match command.form {
        CommandForm::Number { scale, .. } => Some(f32::from(word) * scale),
        CommandForm::Word { on, off, reset, .. } => {
            if word == on || Some(word) == reset {
                Some(1.0)
            } else {
                (word == off).then_some(0.0)
            }
        }
    }
}

#[cfg(test)]
mod tests;
