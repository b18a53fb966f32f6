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
mod docs;
mod event;
mod file;
mod histogram;
mod judge;
mod mismatch;
mod montecarlo;
mod outside;
mod plant;
mod play;
mod plot;
mod protection;
mod report;
mod sensor;
mod span;
mod suite;
mod svg;
mod synthetic;
mod track;

pub use cli::{CommandError, RunArguments, SuiteArguments, run as run_command, suite as suite_command};
pub use course::Course;
pub use criterion::{Criterion, Kind, Raised, State, Verdict};
pub use docs::{Bare, between_marks, results_table, without_table};
pub use event::{Event, Orders, What};
pub use file::{Form, Scenario, ScenarioError};
pub use histogram::histograms;
pub use montecarlo::{
    Broken, Cases, Distribution, Findings, MonteCarloArguments, command as monte_carlo_command, monte_carlo,
};
pub use outside::Outside;
pub use plant::PlantChoice;
pub use play::{Outcome, Stripped, run, run_without};
pub use plot::plot;
pub use protection::Protection;
pub use report::{Report, bare_table, table};
pub use sensor::{How, Sensor, UnknownSensor};
pub use span::{Span, SpanError};
pub use suite::built_in;
pub use synthetic::restless;
pub use track::{Sample, Track};
