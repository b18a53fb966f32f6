//! What a unit's failures cost it, and what they cost the wire.

use std::fmt;

use eisbach_protocol::units::Millis;
use tracing::warn;

use super::{Standing, Unit};
use crate::modbus::backoff::apart;
use crate::modbus::bus::Request;
use crate::modbus::check::Refusal;
use crate::modbus::probe::{Probe, STARTING};
use crate::modbus::state::{Phase, Stranger};

/// What a lost answer makes unusable for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::modbus::endpoint) enum Damage {
    Unit,
    Wire,
}

impl Unit {
    /// It cannot be reached any more: what it holds is unknown, and it is looked at anew before anything else.
    pub(in crate::modbus::endpoint) fn lost(&mut self, cause: &dyn fmt::Display) {
        if !self.cells.image.borrow().lost {
            let (device, wire, unit) = (&self.settings.name, &self.settings.wire, self.settings.unit);
            warn!(device, %wire, unit, %cause, "device out of reach; trying again until it answers");
        }
        let not_before = match self.standing {
            Standing::Probing { not_before, .. } => not_before,
            Standing::Stranger { .. } | Standing::Up { .. } => Millis::ZERO,
        };
        self.commander.doubt();
        self.nameless_since = None;
        self.standing = Standing::Probing { probe: Probe::new(self.unanswered), not_before };
        self.enter(Phase::Down);
        self.count();
    }

    /// It answered, but to no purpose: it is probed again a little later.
    pub(super) fn declined(&mut self, cause: &dyn fmt::Display) {
        self.lost(cause);
        self.failures = self.failures.saturating_add(1);
        self.wait(self.clock.now() + apart(&self.settings.name, self.failures));
    }

    /// Since when it has been starting, if that may be why it does not say who it is.
    pub(super) fn starting_since(&self, stranger: &Stranger) -> Option<Millis> {
        let now = self.clock.now();
        let since = self.nameless_since.unwrap_or(now);
        (stranger.found.is_none() && now.since(since) < STARTING).then_some(since)
    }

    /// Whether a gateway has not reached it for longer than a round of reads and longer than one exchange, so that
    /// it is the device that is away, and not one of its registers that is silent. It may have started anew.
    pub(super) fn is_cut_off(&self, now: Millis) -> bool {
        let longest = self.settings.period().max(self.deadline());
        matches!(self.standing, Standing::Up { .. })
            && self.failing_since.is_some_and(|since| now.since(since) > longest)
    }

    /// An exchange with it failed. Where others answer, it is not asked for a while, the longer the more it failed.
    pub(in crate::modbus::endpoint) fn failed(&mut self, others_answer: bool, now: Millis) {
        self.failing_since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let name = self.settings.name.as_str();
        if self.breaker.failed(name, others_answer, now) {
            self.counters.dormant += 1;
            warn!(device = name, "does not answer while others on its wire do; it is asked ever more seldom");
        }
        if let Some(until) = self.breaker.dormant_until() {
            if matches!(self.standing, Standing::Up { .. }) {
                self.lost(&Refusal::Unreachable);
            }
            self.enter(Phase::Dormant);
            self.wait(until);
        } else if others_answer {
            self.wait(now + apart(&self.settings.name, self.failures));
        } else {
            // Nobody answers: each has its turn.
            self.wait(now);
        }
        self.count();
    }

    /// If it is to be looked at, not before `until`.
    pub(super) fn wait(&mut self, until: Millis) {
        if let Standing::Probing { not_before, .. } = &mut self.standing {
            *not_before = until.max(*not_before);
        }
    }

    /// The answer to `request` was lost on a wire where it may come until `until`. A dormant unit keeps the quiet by
    /// itself; an answer of it that does come is no other unit's and only costs a connection.
    pub(in crate::modbus::endpoint) fn quarantine(&mut self, request: Request, until: Millis) -> Damage {
        self.counters.quarantines += 1;
        self.unanswered = Some(request);
        let dormant = self.breaker.dormant_until().is_some();
        if let Standing::Probing { probe, .. } = &mut self.standing {
            *probe = Probe::new(Some(request));
        }
        self.wait(until);
        if !dormant {
            self.enter(Phase::Quarantine);
        }
        self.count();
        if dormant { Damage::Unit } else { Damage::Wire }
    }
}
