//! Scenarios in virtual time: what happens to a node, and what must hold meanwhile.
//!
//! ```text
//!   s05-….toml ─► Scenario ─► [Play] node + controller, events, protections ─► verdicts ─► table, JSON
//!                                                                          └─► track ────► CSV, SVG
//! ```
//!
//! A scenario is data: a plant, a load, a world outside, events with their times, and criteria. The same file gives the
//! same bits, on any machine and any number of threads. The sixteen that belong to the product are built in.

mod cli;
mod course;
mod criterion;
mod event;
mod file;
mod judge;
mod outside;
mod plant;
mod play;
mod protection;
mod report;
mod sensor;
mod span;
mod trace;
mod track;

pub use cli::{CommandError, RunArguments, run as run_command};
pub use course::Course;
pub use criterion::{Criterion, Kind, Raised, State, Verdict};
pub use event::{Event, Orders, What};
pub use file::{Form, Scenario, ScenarioError};
pub use outside::{Outside, Permit};
pub use plant::PlantChoice;
pub use play::{Outcome, run, run_without};
pub use protection::Protection;
pub use report::{Report, table};
pub use sensor::{How, Sensor, UnknownSensor};
pub use span::{Span, SpanError};
pub use trace::{Trace, TraceError};
pub use track::{Sample, Track};
