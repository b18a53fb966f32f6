//! What the node draws and may draw, as its report tells: the ground that hints are translated on.

use eisbach_protocol::catalogue::{Owner, PointId, PointValue};
use eisbach_protocol::units::Watts;
use serde::{Deserialize, Serialize};

use crate::report::{ObjectReport, Report};

/// Power of the node's GPUs at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Load {
    /// All of them together.
    pub(super) drawn: Option<Watts>,
    /// Each by its name.
    pub(super) gpus: Vec<(String, Option<Watts>)>,
    /// The sum of the limits in force; unknown if one of them is.
    pub(super) limit: Option<Watts>,
}

impl Load {
    /// As the report tells.
    pub(super) fn of(report: &Report) -> Self {
        let gpus = || report.objects.iter().filter(|object| object.owner == Owner::Gpu);
        let node = report.objects.iter().find(|object| object.owner == Owner::Node);
        let limits: Option<Vec<_>> = gpus().map(|gpu| watts(gpu, PointId::GpuLimit)).collect();
        let sum = |limits: Vec<Watts>| limits.into_iter().fold(Watts::ZERO, |sum, limit| sum + limit);
        Self {
            drawn: node.and_then(|node| watts(node, PointId::NodePower)),
            gpus: gpus().map(|gpu| (gpu.name.clone(), watts(gpu, PointId::GpuPower))).collect(),
            limit: limits.filter(|limits| !limits.is_empty()).map(sum),
        }
    }
}

fn watts(object: &ObjectReport, id: PointId) -> Option<Watts> {
    let (_, reading) = object.points.iter().find(|(point, _)| *point == id)?;
    match reading.usable()? {
        PointValue::Float(watts) if watts.is_finite() => Some(Watts::new(watts)),
        PointValue::Float(_)
        | PointValue::Int(_)
        | PointValue::Bool(_)
        | PointValue::Text(_)
        | PointValue::Label(_) => None,
    }
}
