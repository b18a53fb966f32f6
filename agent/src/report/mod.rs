//! What leaves the node: every point of every object with its reading, how each alarm stands, and what happened.
//!
//! The cycle makes one [`Report`] when it is done; every face is a pure function over it.

mod commands;
mod cycle;
mod decided;
pub mod events;
mod learned;
mod outside;
mod points;
mod sources;
mod value;

pub use cycle::Cycle;
pub use points::compose;
pub(crate) use sources::SLOW_STALE;

use std::sync::Arc;

use eisbach_control::AlarmView;
use eisbach_protocol::alarm::{ALARMS, AlarmDef, COUNT};
use eisbach_protocol::catalogue::{Owner, PointId, PointValue};
use eisbach_protocol::reading::Reading;
use eisbach_protocol::units::Millis;

use self::events::Events;
use crate::facility::FacilityStatus;
use crate::hooks::{Hook, HookStatus};

/// The node's state after one control cycle.
#[derive(Clone, Debug)]
pub struct Report {
    /// When the cycle ended, on the agent's clock.
    pub at: Millis,
    /// The same moment in UTC milliseconds.
    pub wall_ms: u64,
    /// Every object, always in the same order.
    pub objects: Vec<ObjectReport>,
    /// How every alarm stands, in the order of [`ALARMS`].
    pub alarms: [AlarmView; COUNT],
    /// How the connections to the facility go; none if there are none.
    pub facility: Vec<FacilityStatus>,
    /// What became of the hooks, in the order of [`Hook::ALL`].
    pub hooks: [HookStatus; Hook::COUNT],
    /// The newest events.
    pub events: Arc<Events>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            at: Millis::ZERO,
            wall_ms: 0,
            objects: Vec::new(),
            alarms: [AlarmView::default(); COUNT],
            facility: Vec::new(),
            hooks: [HookStatus::default(); Hook::COUNT],
            events: Arc::default(),
        }
    }
}

/// One object: the node, a GPU, the pump and so on.
#[derive(Clone, Debug)]
pub struct ObjectReport {
    /// Name on every face, for example `gpu3`.
    pub name: String,
    /// What kind of object it is.
    pub owner: Owner,
    /// Whether it answers. The node itself always does.
    pub online: bool,
    /// Its points, in catalogue order.
    pub points: Vec<(PointId, Reading<PointValue>)>,
    /// One sentence for people about a GPU that is throttled or slow.
    pub note: Option<String>,
}

impl Report {
    /// Whether this cycle had evidence of cooling.
    #[must_use]
    pub fn cooling_proven(&self) -> bool {
        self.node_point(PointId::NodeCooled) == Some(PointValue::Bool(true))
    }

    /// Every alarm with how it stands, in the order of the table.
    pub fn alarms(&self) -> impl Iterator<Item = (&'static AlarmDef, &AlarmView)> {
        ALARMS.iter().map(|def| def.alarm.def()).zip(&self.alarms)
    }

    /// Value of one of the node's own points.
    #[must_use]
    pub fn node_point(&self, id: PointId) -> Option<PointValue> {
        let node = self.objects.iter().find(|object| object.owner == Owner::Node)?;
        node.points.iter().find(|(point, _)| *point == id).and_then(|(_, reading)| reading.usable())
    }
}
