//! World of eisbach: what the agent is tested against, and what the demo shows.
//!
//! ```text
//!   workload ─► plant ◄─► devices (Modbus TCP) ◄─► agent ◄─► broker ─► dashboard
//!                 ▲                                  │
//!                 └──── NVML state (shared file) ◄───┘
//! ```
//!
//! The plant is not written from the controller's model: other structure, other numbers, so that the controller is
//! tested against a world it does not know.

pub mod broker;
pub mod certificates;
pub mod clock;
pub mod closed_loop;
pub mod contest;
pub mod control;
pub mod demo;
pub mod devices;
pub mod factory;
pub mod outside;
pub mod plant;
pub mod proxy;
pub mod replay;
pub mod rng;
pub mod scenario;
pub mod serve;
pub mod speed;
pub mod stage;
pub mod workload;
pub mod world;
