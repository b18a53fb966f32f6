//! Which configuration a starting agent uses: the file, the last good one, or none.
//!
//! ```text
//!   file good ───────────────► Use(file)           (and keep a copy)
//!   file bad, copy good ─────► Use(copy), refused  (alarm)
//!   file bad, no copy ───────► Salvage             (drive the safe state, wait for a mend)
//! ```

use std::path::{Path, PathBuf};

use tracing::{error, info, warn};

use crate::config::salvage::{self, Actuator};
use crate::config::{self, Config, last_good};

/// The configuration to start with.
#[derive(Debug)]
pub enum Start {
    /// A whole one.
    Use {
        /// The configuration.
        config: Box<Config>,
        /// The file was refused and this is the last good one.
        refused: bool,
    },
    /// None; these actuators could still be read from the file.
    Salvage {
        /// Pump and valve, as far as they can be known.
        actuators: Vec<Actuator>,
        /// Where the agent's state lies, as far as that can be known.
        state: PathBuf,
    },
}

/// Whose copy of a good configuration is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The agent's, in its state directory.
    Agent,
    /// The GPU process's, in its own.
    Gpu,
    /// None: a command that only looks.
    Nothing,
}

/// Chooses, and says what it chose.
#[must_use]
pub fn choose(path: &Path, keep: Keep) -> Start {
    let refusal = match config::load(path) {
        Ok(config) => {
            let folder = match keep {
                Keep::Agent => Some(&config.state),
                Keep::Gpu => Some(&config.gpu.state),
                Keep::Nothing => None,
            };
            if let Some(folder) = folder
                && let Err(error) = last_good::keep(path, folder)
            {
                warn!(%error, folder = %folder.display(), "no copy of the good configuration could be kept");
            }
            return Start::Use { config: Box::new(config), refused: false };
        }
        Err(refusal) => refusal,
    };
    error!("{refusal}");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let copy = last_good::path(&state_directory(&text));
    match config::load(&copy) {
        Ok(config) => {
            warn!(copy = %copy.display(), "starting with the last good configuration");
            Start::Use { config: Box::new(config), refused: true }
        }
        Err(_) => {
            let actuators = salvage::actuators(&text);
            info!(
                actuators = actuators.len(),
                "no good configuration: driving the safe state with what can be read"
            );
            Start::Salvage { actuators, state: state_directory(&text) }
        }
    }
}

/// The state directory while there is no configuration: what the file still says, the service manager's, or the usual.
fn state_directory(text: &str) -> PathBuf {
    salvage::state(text)
        .or_else(|| std::env::var_os("STATE_DIRECTORY").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from("/var/lib/eisbach-agent"))
}
