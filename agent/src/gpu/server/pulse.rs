//! The agent's pulse: when it last completed a control cycle, and what it said about the coolant.

use std::sync::Mutex;

use eisbach_protocol::gpu_link::Beat;
use eisbach_protocol::units::Millis;

use crate::gpu::lock;

/// Written by the supervisor, read by every worker.
#[derive(Debug)]
pub(super) struct Pulse {
    silence: Millis,
    started: Millis,
    last: Mutex<Option<(Millis, Beat)>>,
}

impl Pulse {
    /// Nothing heard since `started`; a pulse older than `silence` has stopped.
    pub(super) const fn new(started: Millis, silence: Millis) -> Self {
        Self { silence, started, last: Mutex::new(None) }
    }

    /// A beat arrived.
    pub(super) fn hear(&self, now: Millis, beat: Beat) {
        *lock(&self.last) = Some((now, beat));
    }

    /// When the agent was last heard, or since when it could have been.
    pub(super) fn heard_at(&self) -> Millis {
        lock(&self.last).map_or(self.started, |(at, _)| at)
    }

    /// Whether the agent said that it leaves in good order.
    pub(super) fn leaving(&self) -> bool {
        lock(&self.last).is_some_and(|(_, beat)| beat.leaving)
    }

    /// Whether an agent is there.
    pub(super) fn is_alive(&self, now: Millis) -> bool {
        lock(&self.last).is_some_and(|(at, _)| now.since(at) <= self.silence)
    }

    /// Whether a limit may be given back on the word of an agent that is there.
    pub(super) fn cooling_proven(&self, now: Millis) -> bool {
        self.is_alive(now) && self.last_said_proven()
    }

    /// Whether limits may be given back as this process stops. An agent that left in good order may have left
    /// some time ago; its last word holds.
    pub(super) fn may_restore_at_stop(&self, now: Millis) -> bool {
        (self.is_alive(now) || self.leaving()) && self.last_said_proven()
    }

    fn last_said_proven(&self) -> bool {
        lock(&self.last).is_some_and(|(_, beat)| beat.cooling_proven)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(cooling_proven: bool, leaving: bool) -> Pulse {
        let pulse = Pulse::new(Millis::ZERO, Millis::new(3000));
        pulse.hear(Millis::new(1000), Beat { cycle: 1, cooling_proven, leaving });
        pulse
    }

    #[test]
    fn an_agent_never_heard_is_not_alive_and_proves_nothing() {
        let pulse = Pulse::new(Millis::new(500), Millis::new(3000));
        assert!(!pulse.is_alive(Millis::new(600)));
        assert!(!pulse.cooling_proven(Millis::new(600)));
        assert!(!pulse.may_restore_at_stop(Millis::new(600)));
        assert_eq!(pulse.heard_at(), Millis::new(500));
    }

    #[test]
    fn i08_proof_of_cooling_expires_with_the_agent() {
        let pulse = heard(true, false);
        assert!(pulse.cooling_proven(Millis::new(4000)));
        assert!(!pulse.cooling_proven(Millis::new(4001)));
        assert!(!pulse.may_restore_at_stop(Millis::new(4001)));
    }

    #[test]
    fn i08_an_agent_that_left_with_cooling_proven_lets_the_limits_go_at_stop() {
        assert!(heard(true, true).may_restore_at_stop(Millis::new(60_000)));
        assert!(!heard(false, true).may_restore_at_stop(Millis::new(60_000)));
        assert!(!heard(true, true).cooling_proven(Millis::new(60_000)), "but not while it runs on alone");
    }
}
