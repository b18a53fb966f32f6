//! What the cycle itself knows, from one turn to the next.

use std::sync::Arc;

use eisbach_control::{AlarmSet, AlarmView};
use eisbach_protocol::alarm::{Alarm, COUNT};

use super::events::Events;
use crate::desk::CommandsView;
use crate::facility::FacilityStatus;
use crate::hooks::{Hook, HookStatus};
use crate::recorder::RecorderStatus;

/// What the cycle itself knows.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// Cycles completed.
    pub count: u64,
    /// Cycles that took longer than their period.
    pub overruns: u64,
    /// Alarms that are not the controller's: configuration, overruns, refused throttles.
    pub alarms: AlarmSet,
    /// How every alarm stands, the controller's too.
    pub book: [AlarmView; COUNT],
    /// How the connections to the facility go.
    pub facility: Vec<FacilityStatus>,
    /// What became of the hooks.
    pub hooks: [HookStatus; Hook::COUNT],
    /// How the flight record goes.
    pub recorder: RecorderStatus,
    /// What happened.
    pub events: Arc<Events>,
    /// What became of the commands.
    pub commands: CommandsView,
}

impl Default for Cycle {
    fn default() -> Self {
        Self {
            count: 0,
            overruns: 0,
            alarms: AlarmSet::NONE,
            book: [AlarmView::default(); COUNT],
            facility: Vec::new(),
            hooks: [HookStatus::default(); Hook::COUNT],
            recorder: RecorderStatus::default(),
            events: Arc::default(),
            commands: CommandsView::default(),
        }
    }
}

impl Cycle {
    /// Whether the condition of an alarm of the agent's own holds.
    #[must_use]
    pub const fn alarm(&self, alarm: Alarm) -> bool {
        self.alarms.has(alarm)
    }

    /// Says whether the condition of an alarm of the agent's own holds.
    pub fn set_alarm(&mut self, alarm: Alarm, holds: bool) {
        self.alarms.set(holds, alarm);
    }
}
