//! How an alarm stands, for whoever shows it.

use eisbach_protocol::alarm::Alarm;

use super::Devices;

/// Where an alarm is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AlarmState {
    /// All is well.
    #[default]
    Normal,
    /// It stands and nobody has seen it.
    Unacked,
    /// It stands and was seen.
    Acked,
    /// It is gone and nobody has seen it.
    Cleared,
    /// Its condition is gone, it waits for a reset, and nobody has seen it.
    LatchedUnacked,
    /// Its condition is gone, it waits for a reset, and was seen.
    LatchedAcked,
}

impl AlarmState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Normal, Self::Unacked, Self::Acked, Self::Cleared, Self::LatchedUnacked, Self::LatchedAcked];

    /// Name on every face.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Unacked => "unacked",
            Self::Acked => "acked",
            Self::Cleared => "cleared",
            Self::LatchedUnacked => "latched_unacked",
            Self::LatchedAcked => "latched_acked",
        }
    }

    /// It stands, or is latched.
    #[must_use]
    pub const fn is_active(self) -> bool {
        match self {
            Self::Unacked | Self::Acked | Self::LatchedUnacked | Self::LatchedAcked => true,
            Self::Normal | Self::Cleared => false,
        }
    }

    /// Nobody needs to look at it any more.
    #[must_use]
    pub const fn is_acked(self) -> bool {
        match self {
            Self::Normal | Self::Acked | Self::LatchedAcked => true,
            Self::Unacked | Self::Cleared | Self::LatchedUnacked => false,
        }
    }

    /// Its condition is gone and it waits for a reset.
    #[must_use]
    pub const fn is_latched(self) -> bool {
        match self {
            Self::LatchedUnacked | Self::LatchedAcked => true,
            Self::Normal | Self::Unacked | Self::Acked | Self::Cleared => false,
        }
    }
}

/// How an alarm stands. Times are UTC milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlarmView {
    /// Where it is in its life.
    pub state: AlarmState,
    /// It is put aside until then.
    pub shelved_until_ms: Option<u64>,
    /// It was put aside, and may be so no longer than until then, however often that is asked for.
    pub shelvable_until_ms: Option<u64>,
    /// Devices behind it of which people know.
    pub known: Devices,
    /// It is active, and hidden behind this alarm.
    pub suppressed_by: Option<Alarm>,
    /// It is active, and this alarm explains it, hiding it or not.
    pub explained_by: Option<Alarm>,
    /// It began the present trip, or the last one.
    pub first_out: bool,
    /// When it last came.
    pub on_ms: Option<u64>,
    /// When it was acknowledged since.
    pub ack_ms: Option<u64>,
    /// When its condition went since.
    pub clear_ms: Option<u64>,
    /// Number of its last change; numbers rise over all alarms of a run.
    pub seq: u64,
}

impl AlarmView {
    /// One word for its state, and for why it is not shown.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        if self.is_shelved() {
            "shelved"
        } else if self.suppressed_by.is_some() {
            "suppressed"
        } else {
            self.state.as_str()
        }
    }

    /// It stands, or is latched.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.state.is_active()
    }

    /// It is put aside.
    #[must_use]
    pub const fn is_shelved(&self) -> bool {
        self.shelved_until_ms.is_some()
    }

    /// It is active and neither put aside nor hidden behind its cause.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        self.is_active() && self.suppressed_by.is_none() && self.shelved_until_ms.is_none()
    }

    /// Somebody needs to look at it, and can: it is neither put aside nor hidden behind its cause.
    #[must_use]
    pub const fn is_unseen(&self) -> bool {
        !self.state.is_acked() && self.suppressed_by.is_none() && self.shelved_until_ms.is_none()
    }

    /// There is something to tell about it, if only that it is put aside or began a trip.
    #[must_use]
    pub const fn is_of_interest(&self) -> bool {
        !matches!(self.state, AlarmState::Normal) || self.is_shelved() || self.first_out
    }
}
