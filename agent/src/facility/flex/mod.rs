//! NVIDIA DSX Flex: the grid's wishes about power, as signed words on the exchange's event bus.
//!
//! ```text
//!   grid/v1/isv/<issuer>/loadtarget/set ─────────┐                    ┌──► budget, drain ──► cycle
//!   grid/v1/dsx-flex-agent/<issuer>/powerbreach ─┴─► gate ─► engine ──┤
//!                                                                     └──► grid/v1/infra/<us>/powerbreach/enforcement
//! ```
//!
//! A broker proves nothing about who wrote a message; a signature by a key that was pinned beforehand does.

mod engine;
mod face;
mod gate;
mod jws;
mod keeper;
mod keys;
mod lapse;
mod load;
mod ramp;
mod refusal;
mod schedule;
mod settings;
mod shed;
mod words;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;

pub use self::engine::FlexRules;
pub(super) use self::face::FlexFace;
#[cfg(test)]
pub(crate) use self::jws::sign;
pub(crate) use self::jws::verify;
pub(super) use self::keeper::Keeper as FlexKeeper;
pub(crate) use self::keys::PinnedKey;
#[cfg(test)]
pub(crate) use self::keys::SigningKey;
pub use self::settings::{FlexSettings, IssuerFiles, IssuerRole};
