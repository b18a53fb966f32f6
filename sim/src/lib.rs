//! placeholder
pub mod broker;
pub mod clock;
pub mod demo;
pub mod devices;
pub mod plant;
pub mod rng;
pub mod serve;
pub mod stage;
pub mod workload;
pub mod world;
