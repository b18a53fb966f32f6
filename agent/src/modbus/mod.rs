//! Modbus links: every pump, valve, meter and sensor, each with a task and a connection of its own.
//!
//! ```text
//!  cycle ── request ──► cells ──► gate ──► session ──► bus ──► device
//!    ▲                 (latest     (may it   (deadline,  (TCP
//!    │                  wins)       be        checks,     today)
//!    └── reading ◄───── cells       written?) read-back)
//!                         ▲                     │
//!                         └──── link: Down ─► Connecting ─► Probing ─► Up
//! ```
//!
//! The cycle touches only the cells and never waits. A link knows one device: what it means is data
//! ([`profile`]), what to read at once is a `plan`, what may be written is the `gate`'s judgement. Nothing above
//! `tcp` knows what the wire is. An answer is believed only after `check` found that it belongs to its request.

mod backoff;
mod bus;
mod check;
mod commander;
mod gate;
mod link;
mod plan;
mod poller;
mod probe;
mod session;
mod tcp;

pub mod device;
pub mod failsafe;
pub mod profile;
pub mod state;

#[cfg(test)]
mod tests;
