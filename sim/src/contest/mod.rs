//! The contest of controllers: `eisbach-sim bench control`.
//!
//! ```text
//!   rivals × courses ─► bouts (two threads, same plant, same seeds) ─► scores ─┬─► table
//!   clairvoyant optimum ───────────────────────────────────────────────────────┤─► JSON
//!                                                                              └─► docs/control-results.md
//! ```
//!
//! Nobody in it is handicapped: the rivals' numbers come from a search over courses of another seed, and who has no
//! loop for the recovery valve gets one.

mod bout;
mod command;
mod course;
mod optimum;
mod page;
mod report;
mod rival;
mod score;
mod site;
mod steady_bout;
#[cfg(test)]
mod tests;
mod tune;
mod year;

pub use bout::{Ground, fight};
pub use command::{ContestError, ControlArguments, run};
pub use course::Course;
pub use optimum::{Best, Cost, Limits, Optimum, Weights};
pub use rival::{FixedFlow, Gains, Move, Ours, PiOnHottest, PiOnRise, Rival, SupplyValve, Zone, ZoneTuning};
pub use score::{CLOSE_KELVIN, Score};
pub use year::Year;
