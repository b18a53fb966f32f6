//! Modbus links: every pump, valve, meter and sensor; one task for each wire, whatever hangs on it.
//!
//! ```text
//!  cycle ── request, beat ──► cells ──► commander ─┐                        ┌─► unit 1
//!    ▲                       (latest    (gate,     ├─► agenda ─► session ─► bus ─► unit 2
//!    │                        wins)      verify)   │  (most     (deadline,  (TCP, TLS,
//!    └── reading, state ◄─── cells ◄─── poller ────┘   urgent)   checks)     RTU)
//!                                       (plan, quality)
//!
//!              endpoint, for each wire: Down ─► Connecting ─► Settling ─► Up ─► Quarantine
//!              unit, for each device:   Probing ─► Up, Dormant, Refused
//! ```
//!
//! The cycle touches only the cells and never waits. What a device means is data ([`profile`]). What may be written
//! is the gate's judgement, and when it is written the agenda's. Nothing above [`wire`] knows what a wire is. An
//! answer is believed only after `check` found that it belongs to its request.

mod agenda;
mod authority;
mod backoff;
mod breaker;
mod budget;
mod bus;
mod check;
mod commander;
mod desk;
mod endpoint;
mod foreign;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gate;
mod heartbeat;
mod ledger;
mod permit;
mod plan;
mod poller;
mod probe;
mod quality;
mod session;
mod verify;
mod writer;

pub mod commission;
pub mod device;
pub mod failsafe;
pub mod profile;
pub mod state;
pub mod wire;
pub mod write_state;

#[cfg(test)]
mod tests;
