//! One node's block: alive, forgotten or empty.
//!
//! ```text
//!            heartbeat changes              still for 3 s                      still for 1 h
//!   Empty ────────────────────► Live ───────────────────────► Expired ───────────────────────► Empty
//!                                ▲                               │
//!                                └──────── heartbeat changes ────┘
//!
//!   Empty    does not count
//!   Live     its demand counts; with "raise only" it never counts for less than before
//!   Expired  its demand climbs from the last one to full within 30 s and stays there: over-cooling, never under-cooling
//!
//!   A leak stop request outlasts its node: the slot does not climb and is not emptied, for the water is still there.
//! ```

use super::{FULL_SCALE, NO_WORD};

/// A heartbeat that stands still for this long is a node that is gone.
const EXPIRES_MS: u64 = 3_000;
/// From the last demand to full at most.
const CLIMB_MS: u64 = 30_000;
/// Without life for this long the slot is given up.
const DROPPED_MS: u64 = 3_600_000;

/// Bits of the flags.
pub(super) mod flag {
    pub(in super::super) const RAISE_ONLY: u16 = 1 << 0;
    pub(in super::super) const LEAK_STOP: u16 = 1 << 1;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Empty,
    Live {
        beat_ms: u64,
    },
    Expired {
        beat_ms: u64,
        since_ms: u64,
    },
}

/// What a slot asks of the pump. Any demand is more than a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Stop,
    Demand(u16),
}

impl Wish {
    /// 0.01 %; 0 stops the pump.
    pub(super) fn demand(self) -> u16 {
        match self {
            Self::Stop => 0,
            Self::Demand(demand) => demand.max(1),
        }
    }
}

/// The block, and what the PLC makes of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// +0 to +5 as the node wrote them.
    written: [u16; 6],
    seen_heartbeat: u16,
    counted: u16,
    life: Life,
}

impl Slot {
    pub(super) fn is_live(&self) -> bool {
        matches!(self.life, Life::Live { .. })
    }

    pub(super) fn write(&mut self, offset: u16, value: u16) {
        if let Some(word) = self.written.get_mut(usize::from(offset)) {
            *word = value;
        }
    }

    pub(super) fn register(&self, offset: u16, now_ms: u64) -> Option<u16> {
        Some(match offset {
            0..=5 => self.written.get(usize::from(offset)).copied()?,
            8 => self.seen_heartbeat,
            9 => match self.life {
                Life::Empty => 0,
                Life::Live { .. } => 1,
                Life::Expired { .. } => 2,
            },
            10 => match self.life {
                Life::Empty => NO_WORD,
                Life::Live { beat_ms } | Life::Expired { beat_ms, .. } => {
                    u16::try_from((now_ms.saturating_sub(beat_ms)) / 100).unwrap_or(NO_WORD - 1)
                }
            },
            _ => 0,
        })
    }

    /// The PLC reads the block, once a cycle.
    pub(super) fn look(&mut self, now_ms: u64) {
        let [heartbeat, demand, flags, ..] = self.written;
        let beats = heartbeat != self.seen_heartbeat;
        self.seen_heartbeat = heartbeat;
        self.life = match self.life {
            _ if beats => Life::Live { beat_ms: now_ms },
            Life::Live { beat_ms } if now_ms.saturating_sub(beat_ms) >= EXPIRES_MS => {
                Life::Expired { beat_ms, since_ms: now_ms }
            }
            Life::Expired { beat_ms, .. }
                if now_ms.saturating_sub(beat_ms) >= DROPPED_MS && !self.asks_to_stop() =>
            {
                Life::Empty
            }
            same => same,
        };
        self.counted = match self.life {
            Life::Empty => 0,
            Life::Live { .. } if flags & flag::RAISE_ONLY == 0 => demand,
            Life::Live { .. } => demand.max(self.counted),
            Life::Expired { .. } => self.counted,
        };
    }

    /// What the slot asks for; nothing where it is empty.
    pub(super) fn wish(&self, now_ms: u64) -> Option<Wish> {
        let climbed = match self.life {
            Life::Empty => return None,
            Life::Live { .. } => 0,
            Life::Expired { since_ms, .. } => {
                let share = now_ms.saturating_sub(since_ms).min(CLIMB_MS) * u64::from(FULL_SCALE) / CLIMB_MS;
                u16::try_from(share).unwrap_or(FULL_SCALE)
            }
        };
        let demand = Wish::Demand(self.counted.saturating_add(climbed).min(FULL_SCALE));
        Some(if self.asks_to_stop() { Wish::Stop } else { demand })
    }

    fn asks_to_stop(&self) -> bool {
        let [_, _, flags, ..] = self.written;
        flags & flag::LEAK_STOP != 0
    }
}
