//! What is wrong with a configuration, in one line.

use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read ({source}); check that it exists and that the agent's user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or has a key or a type that does not belong there.
    #[error("{}:{line}: {message}; the line reads `{content}`", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
        /// The line itself.
        content: String,
    },
    /// A value has the right type and cannot be right.
    #[error("{}: {key} = {value} must be {must}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key with its section.
        key: String,
        /// The value as found.
        value: String,
        /// What it must be.
        must: String,
    },
    /// A device profile is missing or wrong.
    #[error("{}: {key} = \"{name}\": {message}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// The key with its section.
        key: String,
        /// Name of the profile.
        name: String,
        /// What is wrong with it.
        message: String,
    },
}
