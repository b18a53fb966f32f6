//! What a desk keeps in mind and says: each trouble once when it begins and once when it ends.

use std::fmt::Display;
use std::mem::replace;

use eisbach_protocol::units::Millis;
use tracing::{info, warn};

use super::{Desk, Scene};
use crate::modbus::gate::Verdict;
use crate::modbus::write_state::WriteTrouble;

/// A command that is not in force is written again so often at its shortest interval, then at its refresh.
const RETRIES: u8 = 3;
/// A unit that was just reached may have restarted with other values; that is no other master.
const SETTLING: Millis = Millis::from_secs(5);

impl Desk {
    pub(super) fn fail(&mut self, scene: &Scene<'_>, trouble: WriteTrouble, why: &dyn Display) {
        if self.state.trouble != Some(trouble) {
            let (device, control) = (scene.device, scene.command.control);
            warn!(device, ?control, holds = self.proof.held(), ?trouble, %why, "command not in force");
        }
        self.state.trouble = Some(trouble);
        if trouble != WriteTrouble::NotEffective {
            self.state.verified = None;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures <= RETRIES {
            self.gate.doubt();
        }
    }

    pub(super) fn calm(&mut self, scene: &Scene<'_>) {
        self.failures = 0;
        if self.state.trouble.take().is_some() {
            info!(device = scene.device, control = ?scene.command.control, "command in force again");
        }
    }

    /// Somebody else wrote, unless the device has only just come back.
    pub(super) fn event(&mut self, scene: &Scene<'_>) {
        let now = scene.today.now;
        if now.since(scene.reached_at) < SETTLING {
            return;
        }
        self.state.foreign_events = self.state.foreign_events.saturating_add(1);
        self.foreign.event(now);
        self.note_yield(scene);
    }

    pub(super) fn note_yield(&mut self, scene: &Scene<'_>) {
        let (device, control) = (scene.device, scene.command.control);
        let yielded = self.foreign.is_yielded_to(scene.today.now);
        match (replace(&mut self.state.yielded, yielded), yielded) {
            (false, true) => {
                let holds = self.proof.held();
                warn!(
                    device,
                    ?control,
                    holds,
                    "another master writes here: from now on only more cooling is asked for"
                );
            }
            (true, false) => info!(device, ?control, "the other master has stopped: commanding again"),
            (true, true) | (false, false) => {}
        }
    }

    pub(super) fn note_budget(&mut self, scene: &Scene<'_>, spent: bool) {
        if spent && !self.state.budget_spent {
            let (device, control) = (scene.device, scene.command.control);
            warn!(
                device,
                ?control,
                writes = self.purse.spent(),
                "too few of today's writes are left for this one"
            );
        }
        self.state.budget_spent = spent;
    }

    pub(super) fn note(&mut self, scene: &Scene<'_>, verdict: Verdict) {
        let (device, control) = (scene.device, scene.command.control);
        match verdict {
            Verdict::Due(..) => {
                self.idle = false;
                if self.state.trouble == Some(WriteTrouble::Forbidden) {
                    self.calm(scene);
                }
            }
            Verdict::Refused(error) => {
                self.idle = false;
                if self.state.trouble != Some(WriteTrouble::Forbidden) {
                    self.state.refused = self.state.refused.saturating_add(1);
                    self.state.trouble = Some(WriteTrouble::Forbidden);
                    warn!(device, ?control, ?error, "request outside the profile, not written");
                }
            }
            Verdict::Expired => {
                if !replace(&mut self.idle, true) {
                    self.state.expired = self.state.expired.saturating_add(1);
                    warn!(
                        device,
                        ?control,
                        "the cycle has not renewed its request: it is not written any more"
                    );
                }
            }
            Verdict::Idle => self.idle = true,
        }
    }
}
