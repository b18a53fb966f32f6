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
mod codecs;
mod configuration;
pub mod conformance;
mod control_socket;
mod echo;
mod flex;
mod foreign;
mod frozen_disk;
mod gpu_link;
mod gpu_node;
mod gpus;
mod host;
mod identity;
mod nats;
mod observer;
mod process;
mod proxy;
mod rig;
mod simulator;
mod tap;
mod truth;
mod wait;

pub use binaries::{Binary, binary};
pub use broker::Mosquitto;
pub use clock::{Stopwatch, wall_ms};
pub use codecs::Codec;
pub use configuration::Configuration;
pub use echo::{
    ECHO, ECHO_UNIT, SPEED_REGISTER, echo_points, is_allowed, write_echo_profile, written_registers,
    wrong_values,
};
pub use flex::{Signer, flex_event, rfc3339};
pub use foreign::{Collectd, Collected, PlantRoom, Poll, SerialCable, mbpoll, mbpoll_read, nvml_reader};
pub use frozen_disk::{Disk, Thaw};
pub use gpu_link::GpuPeer;
pub use gpu_node::GpuNode;
pub use gpus::MINUTE;
pub use host::Host;
pub use identity::known_as;
pub use nats::{Nats, free_port};
pub use observer::{Observer, Seen};
pub use process::Process;
pub use proxy::{Line, Proxy};
pub use rig::{Rig, RigOptions, shown_alarms};
pub use simulator::Simulator;
pub use tap::{Tap, Tape};
pub use truth::Truth;
pub use wait::{until, until_some};
