//! A copy of the last configuration that was good, for the start after a typo.

use std::fs;
use std::path::{Path, PathBuf};

use crate::kept_file;

/// Where the copy lies.
#[must_use]
pub fn path(state: &Path) -> PathBuf {
    state.join("agent.toml.good")
}

/// Keeps a copy of the good file at `original`.
///
/// # Errors
/// If it cannot be written; the agent goes on without.
pub fn keep(original: &Path, state: &Path) -> std::io::Result<()> {
    let text = fs::read(original)?;
    let target = path(state);
    if fs::read(&target).is_ok_and(|kept| kept == text) {
        return Ok(());
    }
    kept_file::replace(&target, &text)
}
