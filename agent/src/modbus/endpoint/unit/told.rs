//! What a unit tells the cycle of where it stands.

use tracing::{info, warn};

use super::Unit;
use crate::modbus::commission::Protection;
use crate::modbus::state::Phase;

impl Unit {
    /// Tells a phase of the wire, unless the unit's own says more: a stranger, a dormant unit, or one that goes on.
    pub(in crate::modbus::endpoint) fn tell_wire(&self, phase: &Phase) {
        let own = {
            let image = self.cells.image.borrow();
            matches!(image.state.phase, Phase::Up | Phase::Dormant | Phase::Refused(_))
        };
        if !own {
            self.enter(phase.clone());
        }
    }

    pub(super) fn enter(&self, phase: Phase) {
        let now = self.clock.now();
        self.cells.image.send_modify(|image| {
            if phase == Phase::Probing && matches!(image.state.phase, Phase::Refused(_)) {
                return;
            }
            if (phase == Phase::Up) != (image.state.phase == Phase::Up) {
                image.state.since = now;
            }
            match phase {
                Phase::Up => image.lost = false,
                Phase::Down | Phase::Dormant | Phase::Refused(_) => image.lost = true,
                Phase::Connecting | Phase::Settling | Phase::Probing | Phase::Quarantine => {}
            }
            image.state.phase = phase;
        });
    }

    pub(super) fn count(&self) {
        self.cells.image.send_if_modified(|image| {
            let changed = image.counters != self.counters;
            image.counters = self.counters;
            changed
        });
    }

    /// Said once for each change.
    pub(super) fn tell_protection(&self, protection: Protection) {
        if self.cells.image.borrow().protection != protection {
            say(&self.settings.name, &protection);
            self.cells.image.send_modify(|image| image.protection = protection);
        }
    }
}

fn say(device: &str, protection: &Protection) {
    match protection {
        Protection::Unprotected { why } => warn!(device, why, "unprotected actuator"),
        Protection::Unknown { why } => warn!(device, why, "it is unknown whether this actuator is protected"),
        Protection::LocalMode { commission } => {
            info!(device, commission, "falls back to what is set at its panel; see that it is this");
        }
        Protection::Protected { after_ms } => info!(device, after_ms, "actuator protected by its watchdog"),
        Protection::NotNeeded => {}
    }
}
