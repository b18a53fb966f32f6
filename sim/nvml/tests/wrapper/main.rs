//! The built C library as its consumers meet it: loaded by `nvml-wrapper`, and called raw.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is all test code")]
#![allow(unsafe_code, reason = "a C library is called")]

mod blackwell;
mod driver;
mod events;
mod faults;
mod models;
mod node;
mod quirks;
mod readings;
mod setters;
