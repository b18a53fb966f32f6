//! The hooks of a configuration: programs that ask for help outside the node. None is required.
//!
//! ```text
//!   [hooks.drain]  ends with  [hooks.undrain]      [hooks.freeze]  ends with  [hooks.thaw]      [hooks.stop]
//! ```

use std::path::Path;
use std::time::Duration;

use eisbach_protocol::units::Millis;

use super::ConfigError;
use super::checked::Checker;
use super::raw;

/// Words of a command, the program included.
const MOST_WORDS: usize = 32;
/// Longest word of a command, in bytes.
const LONGEST_WORD: usize = 1024;

/// Whom the agent asks for help outside the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HooksConfig {
    /// No new work for this node.
    pub drain: Option<HookConfig>,
    /// Work again.
    pub undrain: Option<HookConfig>,
    /// The jobs stand still.
    pub freeze: Option<HookConfig>,
    /// They go on.
    pub thaw: Option<HookConfig>,
    /// The node is to be stopped.
    pub stop: Option<HookConfig>,
}

/// One program and its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookConfig {
    /// The program by its absolute path, and its arguments. No shell reads them.
    pub command: Vec<String>,
    /// It is ended after this time.
    pub timeout: Duration,
    /// Time from one start to the next, retries too.
    pub min_interval: Millis,
}

impl Checker<'_> {
    pub(super) fn hooks(&self, raw: raw::Hooks) -> Result<HooksConfig, ConfigError> {
        let hook = |name, raw: Option<raw::Hook>| raw.map(|raw| self.hook(name, raw)).transpose();
        let hooks = HooksConfig {
            drain: hook("drain", raw.drain)?,
            undrain: hook("undrain", raw.undrain)?,
            freeze: hook("freeze", raw.freeze)?,
            thaw: hook("thaw", raw.thaw)?,
            stop: hook("stop", raw.stop)?,
        };
        self.not_alone("undrain", hooks.undrain.as_ref(), "drain", hooks.drain.as_ref())?;
        self.not_alone("thaw", hooks.thaw.as_ref(), "freeze", hooks.freeze.as_ref())?;
        Ok(hooks)
    }

    /// What ends something needs what begins it.
    fn not_alone(
        &self,
        end: &str,
        ending: Option<&HookConfig>,
        begin: &str,
        beginning: Option<&HookConfig>,
    ) -> Result<(), ConfigError> {
        match (ending, beginning) {
            (Some(_), None) => {
                let must = format!("left out, or given together with hooks.{begin}, which it ends");
                Err(self.value(&format!("hooks.{end}"), "a section", must))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    fn hook(&self, name: &str, raw: raw::Hook) -> Result<HookConfig, ConfigError> {
        let key = format!("hooks.{name}.command");
        let words = raw.command.len();
        if !(1..=MOST_WORDS).contains(&words) {
            let must = format!("a program and its arguments, 1 to {MOST_WORDS} words");
            return Err(self.value(&key, format!("{words} words"), must));
        }
        if let Some(program) = raw.command.first().filter(|program| !Path::new(program).is_absolute()) {
            let must = "a program with an absolute path: no shell and no search path is used";
            return Err(self.value(&key, shortened(program), must));
        }
        if let Some(word) = raw.command.iter().find(|word| word.len() > LONGEST_WORD) {
            let value = format!("a word of {} bytes", word.len());
            return Err(self.value(&key, value, format!("words of at most {LONGEST_WORD} bytes each")));
        }
        if let Some(word) = raw.command.iter().find(|word| word.contains('\0')) {
            return Err(self.value(
                &key,
                shortened(word),
                "without NUL characters: no program can be given one",
            ));
        }
        self.within(&format!("hooks.{name}.timeout_ms"), raw.timeout_ms, &(100..=300_000))?;
        self.within(&format!("hooks.{name}.min_interval_ms"), raw.min_interval_ms, &(1000..=86_400_000))?;
        Ok(HookConfig {
            command: raw.command,
            timeout: Duration::from_millis(raw.timeout_ms),
            min_interval: Millis::new(raw.min_interval_ms),
        })
    }
}

/// As much of a word as belongs on one line.
fn shortened(word: &str) -> String {
    let shown: String = word.chars().take(64).collect();
    format!("{shown:?}")
}
