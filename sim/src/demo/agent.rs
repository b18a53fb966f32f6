//! Where the agent's binary is. In a clone it is built first, so that one command is enough.
//!
//! ```text
//!   --agent PATH ─────────────────────────────► that one
//!   started by cargo (CARGO is set) ── build ─► beside this program
//!   otherwise ────────────────────────────────► beside this program
//! ```

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

const NAME: &str = "eisbach-agent";

/// Why there is no agent to demonstrate.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The given path holds no file.
    #[error("--agent {}: there is no such file", path.display())]
    Given {
        /// The path.
        path: PathBuf,
    },
    /// The program does not know where it is.
    #[error("this program cannot find its own place: {0}; name the agent with --agent PATH")]
    OwnPlace(#[source] std::io::Error),
    /// Cargo could not be run.
    #[error("{}: {source}; build eisbach-agent yourself and name it with --agent PATH", cargo.display())]
    Cargo {
        /// The cargo that started us.
        cargo: OsString,
        /// What the system says.
        source: std::io::Error,
    },
    /// The build failed.
    #[error("building eisbach-agent failed ({status}); cargo's message is above")]
    Build {
        /// How cargo ended.
        status: ExitStatus,
    },
    /// Nothing beside this program.
    #[error("{} does not exist; build it (cargo build -p eisbach-agent) or name it with --agent PATH", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// The agent's binary. `say` is told when there is something to wait for.
///
/// # Errors
/// If there is none and none can be built.
pub(crate) fn find(given: Option<&Path>, say: impl FnOnce(&str)) -> Result<PathBuf, AgentError> {
    if let Some(path) = given {
        let exists = path.is_file();
        return exists.then(|| path.to_owned()).ok_or_else(|| AgentError::Given { path: path.to_owned() });
    }
    let own = std::env::current_exe().map_err(AgentError::OwnPlace)?;
    if let Some(cargo) = std::env::var_os("CARGO")
        && let Some(arguments) = build_arguments(&own, std::env::var_os("CARGO_MANIFEST_DIR").as_deref())
    {
        say("building eisbach-agent with cargo, as this program was started by it");
        let built = Command::new(&cargo).args(arguments).status();
        let status = built.map_err(|source| AgentError::Cargo { cargo, source })?;
        if !status.success() {
            return Err(AgentError::Build { status });
        }
    }
    let path = own.with_file_name(NAME);
    if path.is_file() { Ok(path) } else { Err(AgentError::Missing { path }) }
}

/// Builds the agent to where `own` lies: `TARGET/PROFILE/eisbach-sim`.
fn build_arguments(own: &Path, manifest: Option<&OsStr>) -> Option<Vec<OsString>> {
    let folder = own.parent()?;
    let target = folder.parent()?;
    let profile = match folder.file_name()?.to_str()? {
        "debug" => "dev",
        named => named,
    };
    let mut arguments: Vec<OsString> =
        ["build", "--quiet", "-p", NAME, "--profile", profile].map(Into::into).into();
    arguments.extend(["--target-dir".into(), target.into()]);
    if let Some(manifest) = manifest {
        arguments.extend(["--manifest-path".into(), Path::new(manifest).join("Cargo.toml").into()]);
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(own: &str) -> String {
        let arguments = build_arguments(Path::new(own), Some(OsStr::new("/src/sim"))).unwrap();
        arguments.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn the_agent_is_built_beside_this_program_in_the_same_profile() {
        let rest = "--manifest-path /src/sim/Cargo.toml";
        assert_eq!(
            built("/t/release/eisbach-sim"),
            format!("build --quiet -p eisbach-agent --profile release --target-dir /t {rest}")
        );
        assert_eq!(
            built("/t/debug/eisbach-sim"),
            format!("build --quiet -p eisbach-agent --profile dev --target-dir /t {rest}")
        );
    }

    #[test]
    fn a_path_that_does_not_exist_is_named() {
        let error = find(Some(Path::new("/nowhere/agent")), |_| {}).unwrap_err().to_string();
        assert!(error.contains("/nowhere/agent"), "{error}");
    }
}
