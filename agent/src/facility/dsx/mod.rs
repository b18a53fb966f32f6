//! NVIDIA DSX Exchange, BMS event bus: this node as the owner of its rack's liquid loop.
//!
//! ```text
//!   report ──► board ──► BMS/v1/PUB/Metadata/…  kept by the broker, again each 95 s
//!                   └──► BMS/v1/PUB/Value/…     on change, again each 95 s        pulse ──► System/Heartbeat… each 10 s
//!
//!   BMS/v1/<integration>/Value/…Request ──► rails ──► standing order ──► controller ──► LiquidTemperature, set-point
//! ```
//!
//! We are on the side of the building: what we own we publish, what others want of it is a request. Where another BMS
//! describes the rack (`requests = "metadata"`), the points to listen to are found in what it publishes.

mod board;
mod face;
mod identity;
mod places;
mod points;
mod pulse;
mod rails;
mod reading;
mod settings;
#[cfg(test)]
mod tests;
mod topics;
mod words;

pub use self::board::Points;
pub(super) use self::face::DsxFace;
pub use self::settings::{Described, DsxSettings, RequestSettings};
pub(crate) use self::topics::fits;
