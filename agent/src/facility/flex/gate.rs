//! Who may speak, and whether it is news: every event passes here before anything is done.
//!
//! ```text
//!   message ─► retained? ─► read ─► topic fits? ─► issuer known? ─► signed? ─► fresh? ─► id seen? ─► believed?
//!                                                                                                     │
//!                             Admitted ◄── remembered by note() ◄── newer? ◄── words seen? ◄── fresh? ┘
//! ```
//!
//! The attributes of an event are not signed, so whoever can write to the broker can put old signed words into a
//! fresh envelope. Therefore the words themselves are remembered, by the digest of what was signed: words that are
//! said twice must differ, and differ if they carry a time of signing (`iat`) or a start. Words without either are not
//! followed: whoever has caught some that never got here could bring them at any time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::jws::{self, Digest, Signed};
use super::keys::PinnedKey;
use super::refusal::{Refusal, fresh};
use super::words::{Event, Kind, Publisher, Role, Uuid};

/// Events and words that are remembered for each issuer. A grid that speaks once a minute fills it in four hours;
/// older words are refused for their age wherever they carry one.
const REMEMBERED: usize = 256;

/// Somebody whose word counts.
#[derive(Clone, Debug)]
pub(crate) struct Issuer {
    /// In which role and under which name.
    publisher: Publisher,
    keys: Vec<PinnedKey>,
}

impl Issuer {
    /// One that sets load targets.
    pub(crate) const fn isv(name: String, keys: Vec<PinnedKey>) -> Self {
        Self { publisher: Publisher { role: Role::Isv, name }, keys }
    }

    /// One that watches feeds and tells of breaches.
    pub(crate) const fn flex_agent(name: String, keys: Vec<PinnedKey>) -> Self {
        Self { publisher: Publisher { role: Role::FlexAgent, name }, keys }
    }

    /// The topic under which it says what we follow.
    pub(super) fn topic(&self) -> Option<String> {
        self.says().map(|(_, what)| self.publisher.topic(what))
    }

    /// What it may say, and where.
    const fn says(&self) -> Option<(Kind, &'static str)> {
        match self.publisher.role {
            Role::Isv => Some((Kind::LoadTargetSet, "loadtarget/set")),
            Role::FlexAgent => Some((Kind::BreachAlert, "powerbreach")),
            Role::Infra => None,
        }
    }
}

/// The gate with its memory.
#[derive(Debug)]
pub(super) struct Gate {
    lines: Vec<(Issuer, Memory)>,
    max_age_ms: u64,
}

/// What one issuer has said.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    newest_ms: u64,
    seen: VecDeque<(Uuid, Digest)>,
}

/// An event that may be followed.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Place of its issuer.
    pub(super) issuer: usize,
    /// What it is about.
    pub(super) kind: Kind,
    /// The event.
    pub(super) event: Event,
    /// Its signed words.
    pub(super) signed: Signed,
}

impl Gate {
    /// A gate that has seen nothing.
    pub(super) fn new(issuers: Vec<Issuer>, max_age_ms: u64) -> Self {
        Self { lines: issuers.into_iter().map(|issuer| (issuer, Memory::default())).collect(), max_age_ms }
    }

    /// Those whose word counts.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &Issuer> {
        self.lines.iter().map(|(issuer, _)| issuer)
    }

    /// What is remembered of each issuer, by its source.
    pub(super) fn memories(&self) -> impl Iterator<Item = (String, &Memory)> {
        self.lines.iter().map(|(issuer, memory)| (issuer.publisher.source(), memory))
    }

    /// Takes up what was remembered before a restart.
    pub(super) fn remember(&mut self, source: &str, mut memory: Memory) {
        memory.seen.truncate(REMEMBERED);
        if let Some((_, own)) = self.lines.iter_mut().find(|(of, _)| of.publisher.source() == source) {
            *own = memory;
        }
    }

    /// The event in a message, if it may be followed. Nothing is remembered yet.
    ///
    /// # Errors
    /// If it may not.
    pub(super) fn admit(
        &self,
        topic: &str,
        payload: &[u8],
        retained: bool,
        wall_ms: u64,
    ) -> Result<Admitted, Refusal> {
        if retained {
            return Err(Refusal::Retained);
        }
        let mut event = Event::read(payload).map_err(|_| Refusal::Malformed)?;
        let (named, what) = Publisher::of_path(topic).map_err(|_| Refusal::Topic)?;
        if named != event.source {
            return Err(Refusal::Topic);
        }
        let by = |(_, (issuer, _)): &(usize, &(Issuer, Memory))| issuer.publisher == event.source;
        let (at, (issuer, memory)) = self.lines.iter().enumerate().find(by).ok_or(Refusal::ForeignIssuer)?;
        let Some((kind, _)) = issuer.says().filter(|said| event.kind == Some(said.0) && what == said.1)
        else {
            return Err(Refusal::Topic);
        };
        let data = event.data.take().ok_or(Refusal::Unsigned)?;
        fresh(event.time_ms, wall_ms, self.max_age_ms)?;
        if memory.seen.iter().any(|(id, _)| *id == event.id) {
            return Err(Refusal::Replayed);
        }
        let signed = jws::verify(&data, &issuer.keys).map_err(Refusal::NotBelieved)?;
        if let Some(at) = signed.signed_at {
            // Whole seconds: up to one more than it says.
            fresh(at.saturating_mul(1000), wall_ms, self.max_age_ms.saturating_add(1000))?;
        }
        if memory.seen.iter().any(|(_, words)| *words == signed.digest) {
            return Err(Refusal::Replayed);
        }
        if event.time_ms < memory.newest_ms {
            return Err(Refusal::Outdated);
        }
        Ok(Admitted { issuer: at, kind, event, signed })
    }

    /// Remembers an event whose words were understood, whether there was room for them or not, so that it is not followed again.
    pub(super) fn note(&mut self, admitted: &Admitted) {
        if let Some((_, memory)) = self.lines.get_mut(admitted.issuer) {
            memory.newest_ms = memory.newest_ms.max(admitted.event.time_ms);
            memory.seen.push_front((admitted.event.id, admitted.signed.digest));
            memory.seen.truncate(REMEMBERED);
        }
    }
}
