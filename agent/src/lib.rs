//! Hands of eisbach: the service on every liquid-cooled GPU node.
//!
//! ```text
//!            ┌──────────── cycle (10 Hz, one file) ─────────────┐
//!  gpu ────► │ sense ─► judge ─► decide ─► act ─► report        │ ────► facility (MQTT)
//!  modbus ─► │                  (control)                       │ ────► status (Unix socket)
//!            └──────────────────────────────────────────────────┘
//! ```
//!
//! Each link is its own task and is reached only through "latest value" cells and bounded queues: nothing blocks
//! the cycle. `eisbach-agent gpu` is the other process: it owns NVML and has no network.

pub mod act;
pub mod alarms;
mod aside;
mod calendar;
pub mod clock;
pub mod config;
pub mod cycle;
pub mod desk;
pub mod device_alarms;
pub mod episodes;
pub mod facility;
pub mod facility_alarms;
pub mod forgive;
pub mod gpu;
pub mod gpu_alarms;
pub mod hooks;
mod kept_file;
pub mod latch;
pub mod links;
pub mod logging;
pub mod modbus;
pub mod probe;
pub mod profiles;
pub mod recorder;
pub mod report;
pub mod run;
pub mod safe_state;
pub mod sense;
pub mod service;
pub mod start_config;
pub mod status;
pub mod tls;
pub mod unix_socket;
pub mod verbs;
pub mod why;
