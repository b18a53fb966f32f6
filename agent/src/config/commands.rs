//! The commands of a configuration: who may do what from afar, and for how long.
//!
//! ```text
//!   [commands]            plain, lives
//!   [[commands.issuers]]  name, may, key          without any: only what goes in a safe direction is obeyed
//! ```

use std::path::PathBuf;

use eisbach_protocol::units::Millis;

use super::ConfigError;
use super::checked::Checker;
use super::raw;
use crate::desk::{ActionName, FACES};

/// Most issuers.
const MOST_ISSUERS: usize = 16;

/// Who may do what from afar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandsConfig {
    /// A write to a point without an envelope counts, where it goes in a safe direction.
    pub plain: bool,
    /// How long such a write stays in force.
    pub plain_life: Millis,
    /// How long an order stays in force that does not say.
    pub usual: Millis,
    /// Longest time that an order may stay in force.
    pub longest: Millis,
    /// The same for one by hand.
    pub manual_longest: Millis,
    /// Who may do what needs a right.
    pub issuers: Vec<Issuer>,
}

/// Somebody who may do more than what is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Name in envelopes.
    pub name: String,
    /// What it may do.
    pub may: Vec<ActionName>,
    /// Its public key; with one, only what it has signed counts.
    pub key: Option<PathBuf>,
}

impl CommandsConfig {
    /// The issuer of that name.
    #[must_use]
    pub fn issuer(&self, name: &str) -> Option<&Issuer> {
        self.issuers.iter().find(|issuer| issuer.name == name)
    }
}

impl Default for CommandsConfig {
    fn default() -> Self {
        let raw::Commands { plain_s, usual_s, longest_s, manual_longest_s, .. } = raw::Commands::default();
        Self {
            plain: true,
            plain_life: Millis::from_secs(plain_s),
            usual: Millis::from_secs(usual_s),
            longest: Millis::from_secs(longest_s),
            manual_longest: Millis::from_secs(manual_longest_s),
            issuers: Vec::new(),
        }
    }
}

impl Checker<'_> {
    pub(super) fn commands(&self, raw: raw::Commands) -> Result<CommandsConfig, ConfigError> {
        let plain = match raw.plain.as_str() {
            "safe" => true,
            "off" => false,
            other => return Err(self.value("commands.plain", format!("{other:?}"), "\"safe\" or \"off\"")),
        };
        self.within("commands.longest_s", raw.longest_s, &(10..=86_400))?;
        self.within("commands.manual_longest_s", raw.manual_longest_s, &(10..=86_400))?;
        for (key, value) in [("commands.plain_s", raw.plain_s), ("commands.usual_s", raw.usual_s)] {
            if !(10..=raw.longest_s).contains(&value) {
                return Err(self.value(key, value, "at least 10 and at most commands.longest_s"));
            }
        }
        if raw.issuers.len() > MOST_ISSUERS {
            let value = format!("{} issuers", raw.issuers.len());
            return Err(self.value("commands.issuers", value, format!("at most {MOST_ISSUERS}")));
        }
        let mut issuers: Vec<Issuer> = Vec::new();
        for raw in raw.issuers {
            let issuer = self.issuer(raw)?;
            if issuers.iter().any(|other| other.name == issuer.name) {
                let value = format!("{:?}", issuer.name);
                return Err(self.value("commands.issuers.name", value, "another for every issuer"));
            }
            issuers.push(issuer);
        }
        Ok(CommandsConfig {
            plain,
            plain_life: Millis::from_secs(raw.plain_s),
            usual: Millis::from_secs(raw.usual_s),
            longest: Millis::from_secs(raw.longest_s),
            manual_longest: Millis::from_secs(raw.manual_longest_s),
            issuers,
        })
    }

    fn issuer(&self, raw: raw::Issuer) -> Result<Issuer, ConfigError> {
        self.name("commands.issuers.name", &raw.name)?;
        if FACES.contains(&raw.name.as_str()) {
            let value = format!("{:?}", raw.name);
            return Err(self.value("commands.issuers.name", value, "no name of a face"));
        }
        let right = |word: &String| {
            let name = ActionName::parse(word).filter(|name| name.is_a_right());
            name.ok_or_else(|| {
                let must =
                    "supply_target, manual, isolate, acknowledge, shelve or reset; all else needs no right";
                self.value("commands.issuers.may", format!("{word:?}"), must)
            })
        };
        let may = raw.may.iter().map(right).collect::<Result<_, _>>()?;
        if let Some(key) = &raw.key {
            self.absolute("commands.issuers.key", key)?;
        }
        Ok(Issuer { name: raw.name, may, key: raw.key })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn parsed(name: &str, may: &str) -> Result<CommandsConfig, String> {
        let text = format!(
            "[node]\nname = 'n'\n[pump]\naddress = '10.0.0.1:502'\n[meter]\naddress = '10.0.0.2:502'\n\
             [[commands.issuers]]\nname = '{name}'\nmay = [{may}]"
        );
        let config =
            super::super::parse(Path::new("agent.toml"), &text).map_err(|error| error.to_string())?;
        Ok(config.commands)
    }

    #[test]
    fn i05_no_issuer_has_the_name_of_a_face() {
        assert_eq!(parsed("scada", "").unwrap().issuers.len(), 1);
        for name in FACES {
            let line = parsed(name, "").unwrap_err();
            assert!(line.contains("commands.issuers.name") && line.contains("no name of a face"), "{line}");
        }
    }
}
