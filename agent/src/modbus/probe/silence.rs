//! Steps of a probe that a device passes over in silence: they must not keep it from its commands.
//!
//! ```text
//!   asked ── answer lost ──► asked with the next probe ── lost ──► passed over, with a warning ── up ──┐
//!     ▲                       ▲                                                                       │
//!     └── answered            └───────────────── one more chance ─────────────────────────────────────┘
//! ```
//!
//! A lost answer costs the connection, and each connection begins with a probe; without this, it would never end.

use std::collections::BTreeMap;
use std::fmt;

use tracing::warn;

use crate::modbus::session::Broken;

/// A step that a device can do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::modbus) enum Step {
    /// The look who has the device.
    Switch,
    /// The preset in this register.
    Preset(u16),
}

/// How often in a row each step of one device went without its answer. It outlives connections.
#[derive(Clone, Debug)]
pub(in crate::modbus) struct Patience {
    limit: u8,
    losses: BTreeMap<Step, u8>,
}

impl Patience {
    /// A step is passed over once `limit` of its answers in a row were lost.
    pub(in crate::modbus) const fn new(limit: u8) -> Self {
        Self { limit, losses: BTreeMap::new() }
    }

    /// Whether `step` has cost enough.
    pub(in crate::modbus) fn passes_over(&self, step: Step) -> bool {
        self.losses.get(&step).is_some_and(|&losses| losses >= self.limit)
    }

    /// What became of `step`, handed through.
    pub(in crate::modbus) fn note<T>(
        &mut self,
        step: Step,
        device: &str,
        outcome: Result<T, Broken>,
    ) -> Result<T, Broken> {
        match &outcome {
            Ok(_) => {
                self.losses.remove(&step);
            }
            Err(cause) => {
                let losses = self.losses.entry(step).or_default();
                *losses = losses.saturating_add(1);
                if *losses == self.limit {
                    warn!(device, %step, %cause, "passed over: its answer is lost every time");
                }
            }
        }
        outcome
    }

    /// The device is up: what was passed over is tried once more when it is next probed.
    pub(in crate::modbus) fn one_more_chance(&mut self) {
        let before_limit = self.limit.saturating_sub(1);
        self.losses.values_mut().for_each(|losses| *losses = (*losses).min(before_limit));
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch => f.write_str("local/remote switch"),
            Self::Preset(register) => write!(f, "preset in register {register}"),
        }
    }
}
