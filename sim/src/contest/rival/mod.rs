//! The rivals: ways to control one node that are in use, each with honest numbers.
//!
//! ```text
//!               ┌ fixed flow      pump stands at its design flow
//!               │ PI on rise      pump holds return − supply
//!   Snapshot ──►│ PI on hottest   pump holds the hottest GPU         ──► Move ──► pump, valve, GPU limits
//!               │ zone            the largest wish of several PIDs
//!               └ ours            eisbach_control::Controller
//! ```
//!
//! All see what sensors tell, ten times a second, and nothing else. Who has no loop for the recovery valve gets the
//! same one as all others ([`SupplyValve`]).

mod delta;
mod fixed;
mod hottest;
mod ours;
mod pi;
mod valve;
mod zone;

use eisbach_control::{Decision, Snapshot};
use eisbach_protocol::units::Millis;

pub use delta::PiOnRise;
pub use fixed::FixedFlow;
pub use hottest::PiOnHottest;
pub use ours::Ours;
pub use pi::Gains;
pub use valve::SupplyValve;
pub use zone::{Zone, ZoneTuning};

/// Least pump speed of every rival, %: the same that ours keeps.
pub(super) const PUMP_MIN: f64 = 30.0;

/// What a rival does.
#[derive(Clone, Debug)]
pub enum Move {
    /// Pump and valve, %: what a controller sets that knows nothing of GPU limits.
    Set {
        /// Pump speed.
        pump: f64,
        /// Recovery valve: 0 all river, 100 all recovery.
        valve: f64,
    },
    /// Everything that ours decides.
    Decided(Box<Decision>),
}

/// A way to control one node.
pub trait Rival: core::fmt::Debug {
    /// What it does about `snapshot`, taken at `now`. Called ten times a second.
    fn decide(&mut self, snapshot: &Snapshot, now: Millis) -> Move;
}

/// Lets a loop run once a second however often it is asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Second {
    last: Option<Millis>,
}

impl Second {
    /// Seconds since the last turn, if one is due.
    pub(super) fn due(&mut self, now: Millis) -> Option<f64> {
        let since = self.last.map_or(Millis::from_secs(1), |last| now.since(last));
        (since >= Millis::from_secs(1)).then(|| {
            self.last = Some(now);
            f64::from(since.as_secs_f32())
        })
    }
}
