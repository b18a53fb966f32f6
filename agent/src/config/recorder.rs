//! The flight recorder of a configuration: on, and small, unless told otherwise.

use std::path::{Path, PathBuf};

use super::ConfigError;
use super::checked::Checker;
use super::raw;

/// What the flight recorder keeps, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecorderConfig {
    /// Whether anything is written.
    pub enabled: bool,
    /// A folder of its own.
    pub directory: PathBuf,
    /// Never more than this, bytes.
    pub bytes: u64,
    /// The last hours of control.
    pub hours: u8,
}

impl Checker<'_> {
    pub(super) fn recorder(&self, raw: raw::Recorder, state: &Path) -> Result<RecorderConfig, ConfigError> {
        let directory = raw.directory.unwrap_or_else(|| state.join("record"));
        self.absolute("recorder.directory", &directory)?;
        self.within("recorder.megabytes", raw.megabytes, &(8..=4096))?;
        self.within("recorder.hours", raw.hours, &(1..=48))?;
        let bytes = u64::from(raw.megabytes) * 1_000_000;
        Ok(RecorderConfig { enabled: raw.enabled, directory, bytes, hours: raw.hours })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::parse;

    fn with(section: &str) -> Result<crate::config::Config, String> {
        let text = format!(
            "[node]\nname = \"n\"\n[pump]\naddress = \"127.0.0.1:1\"\n[meter]\naddress = \"127.0.0.1:2\"\n{section}"
        );
        parse(Path::new("agent.toml"), &text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_record_is_kept_beside_the_rest_of_the_state_unless_told_otherwise() {
        let recorder = with("").unwrap().recorder;
        assert_eq!((recorder.enabled, recorder.bytes, recorder.hours), (true, 64_000_000, 1));
        assert_eq!(recorder.directory, Path::new("/var/lib/eisbach-agent/record"));
        let elsewhere =
            with("[recorder]\ndirectory = \"/data/eisbach\"\nenabled = false\n").unwrap().recorder;
        assert!(!elsewhere.enabled && elsewhere.directory == Path::new("/data/eisbach"));
    }

    #[test]
    fn a_ring_too_small_for_a_minute_is_refused() {
        let refused = with("[recorder]\nmegabytes = 1\n").unwrap_err();
        assert_eq!(refused, "agent.toml: recorder.megabytes = 1 must be between 8 and 4096");
    }
}
