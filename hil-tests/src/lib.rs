//! Proof of eisbach: black-box tests with real processes, real brokers, foreign peers and faults.
//!
//! ```text
//!   Rig ── starts ──► eisbach-sim serve   (plant, Modbus devices, NVML state)
//!       ── starts ──► mosquitto           (or nothing)
//!       ── starts ──► eisbach-agent gpu, eisbach-agent run
//!       ── steers ──► control socket of the simulator
//!       ── looks ───► plant's truth · agent's status · MQTT observer · logs
//! ```
//!
//! Nothing here sleeps for a fixed time: a test waits until a condition holds, and fails with what it last saw.
//! Every process is started on free ports in a folder of its own and dies with its rig.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test rig fails loudly"
)]

mod binaries;
mod broker;
mod clock;
mod observer;
mod process;
mod rig;
mod truth;
mod wait;

pub use binaries::{Binary, binary};
pub use broker::Mosquitto;
pub use observer::{Observer, Seen};
pub use process::Process;
pub use rig::{Rig, RigOptions};
pub use truth::Truth;
pub use wait::{until, until_some};
