//! What a factory is made of.

use eisbach_nvml_sim::GpuModel;
use thiserror::Error;

use crate::plant::PlantParams;

/// Longest step, s: the mixed volumes of the loops are stepped explicitly, and lag by four seconds.
const LONGEST_STEP_S: f64 = 1.0;

/// A factory of nodes of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct FactoryParams {
    /// The GPUs, as NVML tells them.
    pub model: GpuModel,
    /// One node, and its share of CDU, facility loop, exchangers and heat pump.
    pub node: PlantParams,
    /// Nodes in all, 1 to 12,500 and more.
    pub nodes: usize,
    /// Nodes behind one CDU with its pump and recovery valve, 1 or more; the last row may have fewer.
    pub nodes_per_row: usize,
    /// Length of a step, s: above 0, at most 1.
    pub step_s: f64,
}

/// Numbers of which no factory can be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a factory cannot have {what}; give {mend}")]
pub struct FactoryError {
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub mend: &'static str,
}

impl FactoryParams {
    /// One node on a CDU of its own, as in the detailed plant.
    #[must_use]
    pub fn single(model: GpuModel, node: PlantParams, step_s: f64) -> Self {
        Self { model, node, nodes: 1, nodes_per_row: 1, step_s }
    }

    pub(super) fn check(&self) -> Result<(), FactoryError> {
        let wrong = |what: String, mend| Err(FactoryError { what, mend });
        if self.nodes == 0 {
            return wrong("no nodes".to_owned(), "at least one node");
        }
        if self.nodes_per_row == 0 {
            return wrong("no nodes in a row".to_owned(), "at least one node a row");
        }
        if !(self.step_s > 0.0 && self.step_s <= LONGEST_STEP_S) {
            return wrong(format!("steps of {} s", self.step_s), "a step above 0 and up to 1 s");
        }
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.nodes.div_ceil(self.nodes_per_row)
    }
}

impl Default for FactoryParams {
    /// 1,250 nodes of eight H200, ten behind each CDU, stepped by the second.
    fn default() -> Self {
        Self {
            model: GpuModel::H200,
            node: PlantParams::default(),
            nodes: 1250,
            nodes_per_row: 10,
            step_s: 1.0,
        }
    }
}
