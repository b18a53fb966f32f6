//! Black-box tests of the whole chain. One file a subject; a test's name is the rule it proves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    clippy::print_stderr,
    reason = "tests may be blunt, and zero seconds of throttling is exactly zero"
)]

mod alarms;
mod authority;
mod bad_config;
mod broker;
mod commands;
mod commissioning;
mod conformance;
mod contract;
mod detach;
mod devices;
mod dsx;
mod dsx_cluster;
mod dsx_flex;
mod dsx_nats;
mod fault_matrix;
mod flight_record;
mod flow;
mod flow_models;
mod foreign_devices;
mod foreign_masters;
mod foreign_sparkplug;
mod gpu_driver;
mod gpu_foreign_readers;
mod gpu_journal;
mod gpu_limits;
mod gpu_probe;
mod gpu_states;
mod gpus;
mod hooks;
mod late_reply;
mod restarts;
mod security;
mod serial_lines;
mod the_loop;
mod tls;
mod uninterruptible;
