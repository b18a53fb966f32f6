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
//! feature `sparkplug`, whose payloads have no fixed size, asks for one.

#![no_std]

#[cfg(feature = "sparkplug")]
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
