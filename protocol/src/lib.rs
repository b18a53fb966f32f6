//! Words of eisbach: what both sides of any wire agree on.
//!
//! ```text
//!   units ──► reading ──► catalogue ──► every face (Sparkplug, status, dashboard)
//!     │          ▲
//!     │          │ judged
//!     └──► registers ◄── profiles (data)            gpu_link: frames agent ◄─► GPU process
//! ```
//!
//! Nothing here does I/O, reads a clock or decides. The crate is `no_std` and needs no allocator; only the
//! features `sparkplug`, whose payloads have no fixed size, and `schema`, which is for tests, ask for one.

#![no_std]

#[cfg(any(feature = "sparkplug", feature = "schema"))]
extern crate alloc;

pub mod alarm;
pub mod catalogue;
pub mod gpu_link;
pub mod profiles;
pub mod reading;
pub mod registers;
pub mod units;

#[cfg(feature = "sparkplug")]
pub mod sparkplug;
