//! The facility's side of the demo: a SCADA host that only listens.
//!
//! ```text
//!   broker ──► watch (MQTT task) ──► Board (tags, alarms, messages) ──► dashboard, plain lines, summary
//!                  └── asks for births when it has missed something
//! ```

mod board;
mod notice;
mod tag;
mod watch;

pub(crate) use board::{Board, NODE};
pub(crate) use notice::{Notice, What};
pub(crate) use watch::{Host, HostSettings, spawn};
