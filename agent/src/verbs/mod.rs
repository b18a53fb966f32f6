//! What a person may ask of a running agent: let go of the driver, take it again, acknowledge an alarm, leave the node
//! to a person.
//!
//! ```text
//!   eisbach-agent detach ── one line of JSON ──► control socket ──► GPU link ──► GPU process
//!                        ◄── one line of JSON ──               ◄── HandedOver ──
//!   eisbach-agent alarms ack …                       ──► control socket ──► alarm desk ──► cycle
//!   eisbach-agent maintenance on                     ──► control socket ──► desk
//! ```
//!
//! The socket's mode decides who may ask: root and the agent's group. Nothing here is on the network, and nothing here
//! can warm a GPU: the GPU process refuses to let go while one is warm or unseen.

mod client;
mod server;
mod words;

pub use client::{VerbError, ask};
pub use server::{Ears, serve};
pub use words::{Answer, Verb, duration};
