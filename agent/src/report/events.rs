//! What happened, in order: a ring of the newest events, behind every report.
//!
//! ```text
//!   alarm book ──┐
//!   command desk ─┼─► push ─► [ 257 │ 258 │ … │ 512 ] ─► Report.events ─► each face: since(last number told)
//!   power ───────┘            256 places, the oldest goes             events, and how many it missed
//! ```
//!
//! The ring is shared: a report holds it as it was, a push makes a new one that shares the events. Numbers count from
//! one, rise by one and are never used again while the process lives; after a restart they begin anew.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

pub use eisbach_control::AlarmChange;
use eisbach_protocol::alarm::Alarm;
use eisbach_protocol::units::Watts;

/// Events that are kept. Every face looks ten times a second, so what is overwritten unseen is a flood.
pub const KEPT: usize = 256;

/// Longest text in an event, in bytes.
pub const SHORT: usize = 64;

/// A text of at most [`SHORT`] bytes; what is longer is cut between two characters.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Short(heapless::String<SHORT>);

impl Short {
    /// The beginning of `text`, all of it if it is short.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut kept = heapless::String::new();
        // Full: the rest is cut.
        let _cut = text.chars().try_for_each(|character| kept.push(character));
        Self(kept)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Short {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its number: one more than that of the event before.
    pub number: u64,
    /// What it was.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// An alarm changed.
    Alarm(AlarmEvent),
    /// A command was answered.
    Command(Answer),
    /// A word of the facility about power was carried out, or not.
    Power(PowerOutcome),
}

/// A change of an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlarmEvent {
    /// Whose.
    pub alarm: Alarm,
    /// What changed.
    pub change: AlarmChange,
    /// Who wanted it; nobody where it came about by itself.
    pub by: Option<Short>,
    /// When, in UTC milliseconds.
    pub wall_ms: u64,
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The command's own name.
    pub id: Short,
    /// Who gave it.
    pub issuer: Short,
    /// What it asked for.
    pub action: Short,
    /// How it stands.
    pub state: AnswerState,
    /// Since when, in UTC milliseconds.
    pub wall_ms: u64,
}

/// How a command stands.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerState {
    /// It is in force as asked.
    Accepted,
    /// It is in force, with another number than asked for.
    Clamped {
        /// That number, in the unit of the command.
        to: f32,
    },
    /// Nothing changed.
    Refused {
        /// One word that tells why.
        reason: Short,
    },
    /// It is fulfilled, or was taken back.
    Done,
    /// Its time is over.
    Expired,
}

impl AnswerState {
    /// One stable word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Clamped { .. } => "clamped",
            Self::Refused { .. } => "refused",
            Self::Done => "done",
            Self::Expired => "expired",
        }
    }
}

/// What became of a power target or a hint to shed load.
#[derive(Clone, Debug, PartialEq)]
pub struct PowerOutcome {
    /// The name that the facility gave it.
    pub id: Short,
    /// What it was about: the node, or one of its GPUs.
    pub target: Short,
    /// What became of it.
    pub enforcement: Enforcement,
    /// Power that was asked for; none for a release.
    pub asked: Option<Watts>,
    /// Power that is in force instead of, or as, what was asked.
    pub applied: Option<Watts>,
    /// One word that tells why, where there is something to tell.
    pub reason: Option<Short>,
    /// When, in UTC milliseconds.
    pub wall_ms: u64,
}

/// Whether a word about power is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It is in force.
    Applied,
    /// It could not be reached.
    Failed,
    /// It was not for us, or no longer due.
    Skipped,
}

impl Enforcement {
    /// One stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

impl EventKind {
    /// When it happened, in UTC milliseconds.
    #[must_use]
    pub const fn wall_ms(&self) -> u64 {
        match self {
            Self::Alarm(event) => event.wall_ms,
            Self::Command(answer) => answer.wall_ms,
            Self::Power(outcome) => outcome.wall_ms,
        }
    }
}

/// The newest events.
#[derive(Clone, Debug, Default)]
pub struct Events {
    ring: VecDeque<Arc<Event>>,
    last: u64,
}

/// What a face has not told yet.
#[derive(Debug)]
pub struct News<'a> {
    /// Events that were overwritten before they could be told.
    pub missed: u64,
    /// The others, oldest first.
    pub events: std::collections::vec_deque::Iter<'a, Arc<Event>>,
}

impl Events {
    /// Adds what happened to a ring that reports may hold: theirs stays as it is.
    pub fn push(shared: &mut Arc<Self>, kind: EventKind) {
        let events = Arc::make_mut(shared);
        events.last += 1;
        if events.ring.len() >= KEPT {
            events.ring.pop_front();
        }
        events.ring.push_back(Arc::new(Event { number: events.last, kind }));
    }

    /// Number of the newest event; zero before the first. Also how many there ever were.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many are no longer kept.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.last.saturating_sub(u64::try_from(self.ring.len()).unwrap_or(u64::MAX))
    }

    /// What happened after event `told`.
    #[must_use]
    pub fn since(&self, told: u64) -> News<'_> {
        let overwritten = self.overwritten();
        let known = usize::try_from(told.saturating_sub(overwritten)).unwrap_or(usize::MAX);
        News {
            missed: overwritten.saturating_sub(told),
            events: self.ring.range(known.min(self.ring.len())..),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64) -> Arc<Events> {
        let mut events = Arc::default();
        for wall_ms in 1..=count {
            let change = AlarmChange::Cleared;
            let event = AlarmEvent { alarm: Alarm::PumpSilent, change, by: None, wall_ms };
            Events::push(&mut events, EventKind::Alarm(event));
        }
        events
    }

    fn told(events: &Events, after: u64) -> (u64, Vec<u64>) {
        let news = events.since(after);
        (news.missed, news.events.map(|event| event.number).collect())
    }

    #[test]
    fn a_face_is_told_every_event_once_in_order() {
        let events = filled(5);
        assert_eq!(told(&events, 0), (0, vec![1, 2, 3, 4, 5]));
        assert_eq!(told(&events, 3), (0, vec![4, 5]));
        assert_eq!(told(&events, 5), (0, vec![]));
        assert_eq!(told(&Events::default(), 0), (0, vec![]));
    }

    #[test]
    fn what_a_face_missed_is_counted_and_the_ring_stays_bounded() {
        let events = filled(1000);
        let (missed, numbers) = told(&events, 10);
        assert_eq!((missed, numbers.len()), (1000 - 256 - 10, KEPT));
        assert_eq!((numbers.first(), numbers.last()), (Some(&745), Some(&1000)));
        assert_eq!(events.overwritten() + numbers.len() as u64, events.last());
        assert_eq!(told(&events, 2000), (0, vec![]), "a number of an earlier run is no panic");
    }

    #[test]
    fn a_report_keeps_the_events_it_was_made_with() {
        let mut events = filled(3);
        let held = Arc::clone(&events);
        Events::push(&mut events, held.ring[0].kind.clone());
        assert_eq!((held.last(), events.last()), (3, 4));
        assert!(Arc::ptr_eq(&held.ring[2], &events.ring[2]), "the events themselves are shared");
    }

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(Short::new("scada-1").as_str(), "scada-1");
        let long = "ä".repeat(40);
        assert_eq!(Short::new(&long).as_str(), "ä".repeat(32));
        assert_eq!(Short::new(&format!("a{long}")).as_str().len(), 63);
    }
}
