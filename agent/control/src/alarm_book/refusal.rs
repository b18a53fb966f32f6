//! Why a person's wish about an alarm is not granted.

use core::fmt;

/// Why nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is in ordinary state, or was seen already.
    NothingToDo,
    /// It is one of those that nobody puts aside.
    NotShelvable,
    /// Longer than a shift, or no time at all.
    ShelfTime,
    /// With what it was put aside before, without being seen in between, longer than a shift.
    ShelfSpent,
    /// It is not put aside.
    NotShelved,
    /// It does not latch: it ends by itself.
    NotLatched,
    /// Its condition still holds.
    StillActive,
    /// An interlock holds it and is reset instead.
    Interlocked,
}

impl Refusal {
    /// One stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingToDo => "nothing_to_do",
            Self::NotShelvable => "not_shelvable",
            Self::ShelfTime => "shelf_time",
            Self::ShelfSpent => "shelf_spent",
            Self::NotShelved => "not_shelved",
            Self::NotLatched => "not_latched",
            Self::StillActive => "still_active",
            Self::Interlocked => "interlocked",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingToDo => "there is nothing to acknowledge or to reset",
            Self::NotShelvable => "this alarm cannot be put aside; acknowledge it",
            Self::ShelfTime => "an alarm is put aside for one minute to eight hours",
            Self::ShelfSpent => {
                "an alarm is put aside for no more than eight hours together; let it be seen for a minute first"
            }
            Self::NotShelved => "it is not put aside",
            Self::NotLatched => "it is not latched; it ends when its cause does",
            Self::StillActive => "its cause is still there; mend that first",
            Self::Interlocked => "an interlock holds it; reset that when it is mended",
        })
    }
}

impl core::error::Error for Refusal {}
