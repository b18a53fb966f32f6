//! What the controller has found out about its loop, for people to see.
//!
//! ```text
//!   steady evidence ─► slow, bounded learning ─┬─► the loops' own model
//!   trouble         ─► nothing is learned      └─► this, on every face
//! ```
//!
//! No two loops are alike, and none stays as it was commissioned. What is learned here shifts set-points a little; no
//! limit and no alarm of safety depends on it.

use eisbach_protocol::gpu_link::MAX_GPUS;
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// What the controller has found out about its loop.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Learned {
    /// Flow at full pump speed with coolant at 35 °C, L/min.
    pub full_speed_flow: Bounded,
    /// Share of the loop's resistance, at full speed, that grows with flow and not with its square, 0 to 1: laminar
    /// friction, which grows with viscosity.
    pub friction: Bounded,
    /// Heat into the loop per watt of GPU power, W/W.
    pub heat_per_gpu_watt: Bounded,
    /// Travel of the recovery valve that answers twice the heat, %.
    pub valve_forward: Bounded,
    /// Time from a move of the CDU's outlet to the reading of the supply at the present flow, s. Reckoned, not
    /// measured: pipe volume by flow, and the sensor's lag.
    pub supply_delay_s: f32,
    /// Whether anything is learned at the moment.
    pub learning: Learning,
    /// Heat that the meter finds in the loop as a share of what the GPUs' power lets expect; absent while load or flow
    /// changes, or something needed is not measured.
    pub balance: Option<f32>,
    /// The loop sensor that does not fit the others.
    pub suspect: Suspect,
    /// Supply above the river per watt of heat, K/W, while all heat goes there; absent until that was seen.
    pub exchanger: Option<Drift>,
    /// Core above supply per watt, K/W, of each GPU in the snapshot's order; absent until it worked steadily.
    pub plates: Vec<Option<Drift>, MAX_GPUS>,
}

impl Learned {
    /// Name of the first value that stands at its bound: the loop is not what its tuning describes.
    #[must_use]
    pub fn at_bound(&self) -> Option<&'static str> {
        [
            ("full_speed_flow", self.full_speed_flow),
            ("friction", self.friction),
            ("heat_per_gpu_watt", self.heat_per_gpu_watt),
            ("valve_forward", self.valve_forward),
        ]
        .into_iter()
        .find_map(|(name, value)| value.is_at_bound().then_some(name))
    }
}

/// A learned number and the bounds within which it may be learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounded {
    /// The number.
    pub value: f32,
    /// Lowest that may be learned.
    pub low: f32,
    /// Highest that may be learned.
    pub high: f32,
}

impl Bounded {
    /// `value`, held between `low` and `high`; no number is taken for the middle of both.
    #[must_use]
    pub fn new(value: f32, low: f32, high: f32) -> Self {
        let value = if value.is_finite() { value } else { low.midpoint(high) };
        Self { value: value.max(low).min(high), low, high }
    }

    /// Moves by `step`, no further than the bounds. What is no number moves nothing.
    pub(crate) fn nudge(&mut self, step: f32) {
        if step.is_finite() {
            self.value = (self.value + step).max(self.low).min(self.high);
        }
    }

    /// Whether the number would go further if it could.
    #[must_use]
    pub fn is_at_bound(&self) -> bool {
        let near = 0.001 * (self.high - self.low);
        self.high > self.low && (self.value <= self.low + near || self.value >= self.high - near)
    }
}

/// A thermal resistance as it is and as it was, K/W, both at the same flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Of the last minutes.
    pub now: f32,
    /// When it was first known.
    pub baseline: f32,
}

impl Drift {
    /// How much has been added since, as a share of what it was.
    #[must_use]
    pub fn share(&self) -> f32 {
        if self.baseline > 0.0 { self.now / self.baseline - 1.0 } else { 0.0 }
    }
}

/// Whether anything is learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Learning {
    /// Load, flow or temperatures change.
    #[default]
    Waiting,
    /// The loop is steady and sound.
    Active,
    /// Something is wrong, or suspected: what was learned stays as it is.
    Frozen,
}

impl Learning {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Active => "active",
            Self::Frozen => "frozen",
        }
    }
}

/// A sensor of the loop that does not fit the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suspect {
    /// None.
    #[default]
    Nothing,
    /// The flow meter.
    Flow,
    /// The supply's temperature.
    Supply,
    /// The return's temperature.
    Return,
    /// One of those three: flow × rise does not fit the GPUs' power.
    Meter,
}

impl Suspect {
    /// Stable text for faces and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Flow => "flow",
            Self::Supply => "supply",
            Self::Return => "return",
            Self::Meter => "meter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learned_number_never_leaves_its_bounds_and_says_when_it_would() {
        let mut value = Bounded::new(1.3, 1.0, 2.0);
        value.nudge(0.5);
        assert!(!value.is_at_bound());
        value.nudge(f32::NAN);
        value.nudge(7.0);
        assert!(value.is_at_bound() && value.value <= 2.0, "{value:?}");
        assert!(Bounded::new(f32::NAN, 1.0, 2.0).value.is_finite());
    }

    #[test]
    fn the_first_value_at_its_bound_is_named() {
        let mut learned = Learned { heat_per_gpu_watt: Bounded::new(2.0, 1.0, 2.0), ..Learned::default() };
        assert_eq!(learned.at_bound(), Some("heat_per_gpu_watt"));
        learned.heat_per_gpu_watt = Bounded::new(1.5, 1.0, 2.0);
        assert_eq!(learned.at_bound(), None);
    }
}
