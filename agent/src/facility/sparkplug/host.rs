//! The primary host: nothing is told while it is away.
//!
//! ```text
//!               {"online":true,"timestamp":t}, t not older
//!   Awaited ───────────────────────────────────────────────► Online
//!      ▲                                                        │
//!      └──── {"online":false,"timestamp":t}, t not older ───────┘  NDEATH, and on to the next broker
//! ```
//!
//! The host's own word stands retained at `spBv1.0/STATE/<id>`, with the time at which it was said. An older word
//! than the newest we know is a late will of a session that is over, and changes nothing.

use eisbach_protocol::sparkplug::{Id, Topic};
use eisbach_protocol::units::Millis;
use serde::Deserialize;

/// Longest word of a host, bytes.
const LONGEST: usize = 1024;

/// The host we tell, and what we know of it at this broker.
#[derive(Debug)]
pub(super) struct PrimaryHost {
    topic: String,
    state: HostState,
    asked: bool,
    /// Newest time that it told at this broker, UTC milliseconds. Not kept longer: a host whose clock was wrong once
    /// would be shut out until ours is restarted.
    newest: Option<u64>,
}

/// Whether the host is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostState {
    /// Not yet heard of at this broker, or gone; since when we wait.
    Awaited { since: Millis },
    /// It is there.
    Online,
}

/// What a word of the host changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hosted {
    CameOnline,
    WentOffline,
    /// Said before, or older than what is known.
    Unchanged,
}

#[derive(Debug, Deserialize)]
struct Word {
    online: bool,
    timestamp: u64,
}

impl PrimaryHost {
    /// A host of which nothing is known.
    pub(super) fn new(id: Id<'_>) -> Self {
        let topic = Topic::State { host: id }.to_string();
        Self { topic, state: HostState::Awaited { since: Millis::ZERO }, asked: false, newest: None }
    }

    /// Where its word stands.
    pub(super) fn topic(&self) -> &str {
        &self.topic
    }

    /// Whether it is there; the wait begins with the first look after a connection.
    pub(super) const fn state_at(&mut self, now: Millis) -> HostState {
        if let HostState::Awaited { .. } = self.state
            && !self.asked
        {
            self.state = HostState::Awaited { since: now };
        }
        self.asked = true;
        self.state
    }

    /// The connection is gone: the next broker has to tell anew.
    pub(super) const fn forget(&mut self) {
        self.await_it();
        self.newest = None;
    }

    const fn await_it(&mut self) {
        self.state = HostState::Awaited { since: Millis::ZERO };
        self.asked = false;
    }

    /// Takes its word; `None` if it is none.
    pub(super) fn hear(&mut self, payload: &[u8]) -> Option<Hosted> {
        if payload.len() > LONGEST {
            return None;
        }
        let word: Word = serde_json::from_slice(payload).ok()?;
        if self.newest.is_some_and(|newest| word.timestamp < newest) {
            return Some(Hosted::Unchanged);
        }
        self.newest = Some(word.timestamp);
        Some(match (self.state, word.online) {
            (HostState::Awaited { .. }, true) => {
                self.state = HostState::Online;
                Hosted::CameOnline
            }
            (HostState::Online, false) => {
                self.await_it();
                Hosted::WentOffline
            }
            (HostState::Awaited { .. }, false) | (HostState::Online, true) => Hosted::Unchanged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> PrimaryHost {
        PrimaryHost::new(Id::new("scada").unwrap())
    }

    fn word(online: bool, timestamp: u64) -> Vec<u8> {
        format!(r#"{{"online":{online},"timestamp":{timestamp}}}"#).into_bytes()
    }

    #[test]
    fn it_comes_and_goes_by_its_word() {
        let mut host = host();
        assert_eq!(host.topic(), "spBv1.0/STATE/scada");
        assert_eq!(host.hear(&word(true, 10)), Some(Hosted::CameOnline));
        assert_eq!(host.state_at(Millis::ZERO), HostState::Online);
        assert_eq!(host.hear(&word(true, 11)), Some(Hosted::Unchanged));
        assert_eq!(host.hear(&word(false, 11)), Some(Hosted::WentOffline));
        assert_eq!(host.state_at(Millis::new(7)), HostState::Awaited { since: Millis::new(7) });
        assert_eq!(host.state_at(Millis::new(9)), HostState::Awaited { since: Millis::new(7) });
    }

    #[test]
    fn an_older_word_changes_nothing() {
        let mut host = host();
        host.hear(&word(true, 10));
        assert_eq!(host.hear(&word(false, 9)), Some(Hosted::Unchanged));
        assert_eq!(host.state_at(Millis::ZERO), HostState::Online);
        host.hear(&word(false, 10));
        assert_eq!(host.hear(&word(true, 9)), Some(Hosted::Unchanged), "nor once it is gone");
        assert_eq!(host.hear(&word(true, 10)), Some(Hosted::CameOnline));
    }

    #[test]
    fn a_host_whose_clock_was_wrong_is_heard_on_the_next_connection() {
        let mut host = host();
        host.hear(&word(true, 4_000_000_000_000));
        host.forget();
        assert_eq!(host.hear(&word(true, 10)), Some(Hosted::CameOnline));
    }

    #[test]
    fn what_is_no_word_is_none() {
        for payload in [&b""[..], b"ONLINE", b"{}", br#"{"online":1,"timestamp":2}"#, &[0xFF; 5000]] {
            assert_eq!(host().hear(payload), None);
        }
    }
}
