//! The facility link, proven four ways.
//!
//! ```text
//!   settings  what cannot work is refused at start
//!   rules     one rule of Sparkplug or ours a test, on the bare session
//!   history   what a host did not hear
//!   hosting   the primary host, and the walk over the brokers
//!   laws      any order of events, read by a strict host
//!   malformed messages that are none
//!   tls       the same within TLS
//!   link      the whole link against a scripted broker on a real socket
//! ```

mod broker;
mod history;
mod host;
mod hosting;
mod laws;
mod link;
mod malformed;
mod rules;
mod settings;
mod tls;
mod world;
