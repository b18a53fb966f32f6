//! The configuration: one TOML file for both processes. Only names and addresses are required.
//!
//! ```text
//!   text ── raw (serde: shape) ── checked (meaning) ──► Config
//!     │            │                    │
//!     └────────────┴──── one line: file, line or key, value, mend
//! ```
//!
//! A bad file never replaces a good one: a running agent keeps what it has, a starting one takes the copy of the
//! last good file ([`last_good`]), and with none it drives the safe state with whatever addresses it can still
//! read ([`salvage`]).

mod checked;
mod commands;
mod devices;
mod dsx;
mod error;
mod facility;
mod flex;
mod hooks;
pub mod last_good;
mod raw;
mod recorder;
pub mod salvage;

use std::path::Path;

pub use checked::{Config, FailsafeConfig, GpuConfig};
pub use commands::{CommandsConfig, Issuer};
pub use devices::{DeviceConfig, DeviceRole};
pub use error::ConfigError;
pub use facility::ConnectionConfig;
pub use hooks::{HookConfig, HooksConfig};
pub use raw::STATUS_SOCKET;
pub use recorder::RecorderConfig;

/// Reads and checks the file.
///
/// # Errors
/// One line that names the file, the place, the value and the mend.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    parse(path, &text)
}

/// Checks `text` as if it were read from `path`.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let raw = raw::read(path, text)?;
    checked::check(path, raw)
}
