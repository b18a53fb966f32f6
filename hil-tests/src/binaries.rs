//! The binaries under test: built once by the cargo that builds the tests, or those in the folder that
//! `EISBACH_BINARIES` names.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A program of the workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `eisbach-agent`.
    Agent,
    /// `eisbach-sim`.
    Sim,
}

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Path of a binary under test.
///
/// # Panics
/// If it cannot be built.
pub fn binary(binary: Binary) -> PathBuf {
    let given = || std::env::var_os("EISBACH_BINARIES").map(PathBuf::from);
    let folder = FOLDER.get_or_init(|| given().unwrap_or_else(build));
    folder.join(match binary {
        Binary::Agent => "eisbach-agent",
        Binary::Sim => "eisbach-sim",
    })
}

/// Builds them in the profile of the test, and returns their folder.
fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/test").to_owned();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "eisbach-agent", "-p", "eisbach-sim", "-p", "eisbach-nvml-sim"]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    // What cargo tells a test of its package would be news to build scripts that look at it, and rebuild half the tree.
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("CARGO_PKG_")) {
        build.env_remove(key);
    }
    build.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
    build.arg("--target-dir").arg(folder.parent().expect("target/<profile>"));
    let status = build.status().expect("cargo can be started");
    assert!(status.success(), "the binaries under test do not build");
    folder
}
