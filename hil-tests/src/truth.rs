//! What is really the case in the simulated plant, whatever the agent believes.

use serde_json::Value;

/// One look at the plant.
#[derive(Clone, Debug)]
pub struct Truth(Value);

impl Truth {
    pub(crate) fn new(document: Value) -> Self {
        Self(document)
    }

    /// Everything, for messages and rare fields.
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// A number by its path, for example `["gpus", 3, "watts"]` as `/gpus/3/watts`.
    ///
    /// # Panics
    /// If there is none.
    pub fn number(&self, path: &str) -> f64 {
        self.0
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or_else(|| panic!("no number at {path} in {}", self.0))
    }
}
