//! The proof of one command: what its register was seen to hold, and what that brought about.
//!
//! ```text
//!   Unknown ── look ──► Seen ── write, echo ──► Awaited ── look: as written ──► Held ── look, every 2 s ──┐
//!      ▲                 ▲  ▲                     │  ▲ │                          │ ▲                     │
//!      │ connection lost,│  │                     │  └─┘ not yet, within_ms       │ └─── still ───────────┘
//!      │ local operator  │  │ as before: Rejected │                               │
//!      └── any state     │  └ else:   Overwritten ┘                               │
//!                        └──────── other than written, and not by us: Foreign ────┘
//!
//!   Held, and steady for the effect's within_ms:  the device's own reading agrees ─► Reached, else ─► Missed
//! ```
//!
//! Pure: time is an argument. What follows from a finding is the [`desk`](super::desk)'s to decide.

use eisbach_protocol::registers::{Command, Effect, ReadBack};
use eisbach_protocol::units::Millis;

use super::gate::meaning;
use super::state::Sample;

/// A register is looked at so often between own writes.
pub(super) const WATCH: Millis = Millis::from_secs(2);
/// Looks while a device takes its time to take a word over.
const LOOKS: u32 = 8;
/// Shortest and longest time between two such looks, ms: the first a few requests of a slow bus.
const LOOK_GAP_MS: (u32, u32) = (20, 500);

/// What is known of one register.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Proof {
    stage: Stage,
    /// What it was last seen to hold.
    held: Option<u16>,
    /// The word in force, and since when.
    steady: Option<(u16, Millis)>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Stage {
    #[default]
    Unknown,
    Seen {
        looked: Millis,
    },
    Awaited {
        word: u16,
        before: Option<u16>,
        until: Millis,
        look: Millis,
    },
    Held {
        word: u16,
        looked: Millis,
    },
}

/// What a look brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing is awaited: now it is known what the register holds.
    Known,
    /// It holds what was written, for the first time since.
    Held,
    /// It still does.
    Still,
    /// Not yet; there is time.
    Pending,
    /// It holds what it held before.
    Rejected,
    /// It holds neither that nor what it held before.
    Overwritten,
    /// It was written, and does not let itself be read.
    Unproven,
    /// It held what was written, and no longer does.
    Foreign,
}

/// Whether a set-point brought about what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// The device's own reading agrees.
    Reached,
    /// It does not, and has had the time.
    Missed,
    /// It does not yet.
    Open,
    /// There is no such reading, or none to rely on.
    Unknown,
}

impl Proof {
    /// When to look next, and whether a write waits for it. Nothing as long as nothing is known: who wants to write
    /// has to look first, at once.
    pub(super) fn look(&self) -> Option<(Millis, bool)> {
        match self.stage {
            Stage::Unknown => None,
            Stage::Seen { looked } | Stage::Held { looked, .. } => Some((looked + WATCH, false)),
            Stage::Awaited { look, .. } => Some((look, true)),
        }
    }

    /// Whether a written word waits for its proof.
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self.stage, Stage::Awaited { .. })
    }

    /// What the register was last seen to hold, if that is to be relied on.
    pub(super) const fn held(&self) -> Option<u16> {
        self.held
    }

    /// The written word that the register is seen to hold.
    pub(super) const fn word(&self) -> Option<u16> {
        match self.stage {
            Stage::Held { word, .. } => Some(word),
            Stage::Unknown | Stage::Seen { .. } | Stage::Awaited { .. } => None,
        }
    }

    /// Whether a write that is due since `at` would hide that somebody else has written since the last look.
    pub(super) fn is_hidden_by_a_write(&self, at: Millis) -> bool {
        matches!(self.stage, Stage::Held { looked, .. } if looked < at)
    }

    /// Nobody knows any more what the register holds.
    pub(super) const fn doubt(&mut self) {
        *self = Self { stage: Stage::Unknown, held: None, steady: None };
    }

    /// `word` was written and echoed. If a word before it still waits for its proof, the device may hold either.
    pub(super) fn written(&mut self, word: u16, read_back: &ReadBack, now: Millis) {
        let until = now + Millis::new(read_back.within_ms.into());
        let before = if self.is_awaited() { None } else { self.held };
        self.stage = Stage::Awaited { word, before, until, look: now };
        if self.steady.is_some_and(|(steady, _)| steady != word) {
            self.steady = None;
        }
    }

    /// The device declined the write: what it holds has not changed, and is looked at soon enough.
    pub(super) const fn declined(&mut self, now: Millis) {
        self.stage = Stage::Seen { looked: now };
        self.steady = None;
    }

    /// The register is found to hold the word that would have been written.
    pub(super) fn adopt(&mut self, word: u16, now: Millis) {
        self.stage = Stage::Held { word, looked: now };
        self.steady.get_or_insert((word, now));
    }

    /// The register holds `found`; nothing if the device declined to say.
    pub(super) fn seen(&mut self, found: Option<u16>, read_back: &ReadBack, now: Millis) -> Finding {
        let known = self.held;
        self.held = found.or(self.held);
        match self.stage {
            Stage::Unknown | Stage::Seen { .. } => {
                self.stage = Stage::Seen { looked: now };
                Finding::Known
            }
            Stage::Awaited { word, .. } if found.is_some_and(|found| agrees(read_back, word, found)) => {
                self.adopt(word, now);
                Finding::Held
            }
            Stage::Awaited { word, before, until, .. } if now < until => {
                self.stage = Stage::Awaited { word, before, until, look: now + gap(read_back) };
                // Whoever compares a wish with what is held must not take a device in motion at its word.
                self.held = known;
                Finding::Pending
            }
            Stage::Awaited { before, .. } => {
                self.stage = Stage::Seen { looked: now };
                self.steady = None;
                failure(before, found, read_back)
            }
            Stage::Held { word, .. } if found.is_none_or(|found| agrees(read_back, word, found)) => {
                self.stage = Stage::Held { word, looked: now };
                Finding::Still
            }
            Stage::Held { .. } => {
                self.stage = Stage::Seen { looked: now };
                self.steady = None;
                Finding::Foreign
            }
        }
    }

    /// Whether the word in force brought about what it should, by the device's own reading.
    pub(super) fn effect(
        &self,
        command: &Command,
        effect: &Effect,
        sample: Option<Sample>,
        now: Millis,
        stale: Millis,
    ) -> Judgement {
        let Some((word, since)) = self.steady else {
            return Judgement::Open;
        };
        let (Some(wanted), Some(Sample { outcome: Ok(value), at, .. })) = (meaning(command, word), sample)
        else {
            return Judgement::Unknown;
        };
        if now.since(at) > stale {
            Judgement::Unknown
        } else if at >= since && (value - wanted).abs() <= effect.tolerance {
            Judgement::Reached
        } else if at >= since + Millis::new(effect.within_ms.into()) {
            Judgement::Missed
        } else {
            Judgement::Open
        }
    }
}

/// Why the awaited word is not there.
fn failure(before: Option<u16>, found: Option<u16>, read_back: &ReadBack) -> Finding {
    match (before, found) {
        (_, None) => Finding::Unproven,
        (Some(before), Some(found)) if !agrees(read_back, before, found) => Finding::Overwritten,
        (Some(_) | None, Some(_)) => Finding::Rejected,
    }
}

/// Whether `found` counts as `word`.
pub(super) fn agrees(read_back: &ReadBack, word: u16, found: u16) -> bool {
    let kept = !read_back.ignore_mask;
    (word & kept).abs_diff(found & kept) <= read_back.tolerance
}

fn gap(read_back: &ReadBack) -> Millis {
    let (shortest, longest) = LOOK_GAP_MS;
    Millis::new((read_back.within_ms / LOOKS).clamp(shortest, longest).into())
}

#[cfg(test)]
mod tests;
