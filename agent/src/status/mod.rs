//! Local status: the newest report as JSON over a Unix socket, and `eisbach-agent status` that shows it.
//!
//! ```text
//!   cycle ─► newest Report ─► server: one JSON document a connection ─► client: table or raw JSON
//! ```

mod client;
mod driver;
mod json;
mod server;

pub use client::{StatusError, fetch, render};
pub use server::serve;
