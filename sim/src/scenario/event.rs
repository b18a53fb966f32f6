//! What happens in a scenario, and when.

use core::fmt;

use eisbach_control::{Manual, Remote};
use eisbach_protocol::units::{Celsius, Percent, Watts};
use serde::Deserialize;

use super::sensor::{How, Sensor};
use super::span::Span;
use crate::plant::{Fault, FaultKind};
use crate::workload::Workload;

/// One thing that happens at one moment.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, from the scenario's beginning.
    pub at: Span,
    /// What.
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum What {
    /// Something of the plant breaks.
    Fault(Fault),
    /// It is mended.
    Mend(FaultKind),
    /// A sensor lies or falls silent.
    Sensor {
        /// Which.
        of: Sensor,
        /// How.
        how: How,
    },
    /// It tells the truth again.
    SensorMended(Sensor),
    /// Other work for the GPUs.
    Load(Workload),
    /// These orders from afar are in force from now on, and no others.
    Orders(Orders),
    /// The facility can no longer be heard: orders have expired and nothing is told of the world outside.
    FacilityLost,
    /// The facility tells of the world outside again. Orders must be given anew.
    FacilityBack,
    /// The agent dies; a fresh one takes over after `dark`. Devices keep what they do.
    Restart {
        /// How long nobody is at the controls.
        dark: Span,
    },
    /// A person confirms that a latched state may end.
    Reset,
}

/// Orders from afar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Orders {
    /// The pump turns no slower than this, %.
    pub pump_at_least: Option<f32>,
    /// Recovery gets no more of the valve than this, %.
    pub valve_at_most: Option<f32>,
    /// Supply temperature to aim at, °C.
    pub supply_target: Option<f32>,
    /// No more heat to the river than this, W.
    pub river_at_most: Option<f32>,
    /// Pump held by hand, %.
    pub pump_by_hand: Option<f32>,
    /// Valve held by hand, %.
    pub valve_by_hand: Option<f32>,
    /// Most that all GPUs together may draw, W.
    pub power_budget: Option<f32>,
    /// No new work for this node.
    pub drain: bool,
    /// The loop shall stand still and be cut off.
    pub isolate: bool,
}

impl Orders {
    /// As the controller is told.
    pub(super) fn remote(&self) -> Remote {
        let by_hand = self.pump_by_hand.is_some() || self.valve_by_hand.is_some();
        Remote {
            pump_at_least: self.pump_at_least.map(Percent::new),
            valve_at_most: self.valve_at_most.map(Percent::new),
            supply_target: self.supply_target.map(Celsius::new),
            river_at_most: self.river_at_most.map(Watts::new),
            manual: by_hand.then(|| Manual {
                pump: self.pump_by_hand.map(Percent::new),
                valve: self.valve_by_hand.map(Percent::new),
            }),
            drain: self.drain,
            isolate: self.isolate,
        }
    }

    /// The facility's word on power.
    pub(super) fn budget(&self) -> Option<Watts> {
        self.power_budget.map(Watts::new)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{}", fault.kind()),
            Self::Mend(kind) => write!(f, "{kind} mended"),
            Self::Sensor { of, how } => write!(f, "{of} {how}"),
            Self::SensorMended(of) => write!(f, "{of} mended"),
            Self::Load(workload) => write!(f, "load {workload}"),
            Self::Orders(_) => f.write_str("orders"),
            Self::FacilityLost => f.write_str("facility lost"),
            Self::FacilityBack => f.write_str("facility back"),
            Self::Restart { .. } => f.write_str("restart"),
            Self::Reset => f.write_str("reset"),
        }
    }
}
