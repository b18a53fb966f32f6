//! How this node takes part in DSX Flex, and how its key files become keys.

use std::io::Read;
use std::path::{Path, PathBuf};

use tracing::error;

use super::engine::FlexRules;
use super::gate::Issuer;
use super::keys::{PinnedKey, SigningKey};

/// Longest key file that is read; RSA of 8192 bits needs a tenth.
const LONGEST_KEY: u64 = 16 * 1024;

/// The face's settings. All names fit into topics.
#[derive(Clone, Debug, PartialEq)]
pub struct FlexSettings {
    /// Under which name outcomes are published.
    pub agent: String,
    /// What targets and hints mean for this node.
    pub rules: FlexRules,
    /// Those whose word counts.
    pub issuers: Vec<IssuerFiles>,
    /// Name and file of our own key; without one nothing is published.
    pub signing: Option<(String, PathBuf)>,
}

/// Somebody whose word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerFiles {
    /// What he may say.
    pub role: IssuerRole,
    /// His name on the bus.
    pub name: String,
    /// Names and files of his public keys.
    pub keys: Vec<(String, PathBuf)>,
}

/// What an issuer may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerRole {
    /// Load targets.
    Isv,
    /// Breach alerts with hints.
    FlexAgent,
}

impl FlexSettings {
    /// The issuers with their keys. A key that cannot be used is left out, and said: nobody is believed without one.
    pub(super) fn issuers(&self) -> Vec<Issuer> {
        let keys = |of: &IssuerFiles| {
            let key = |(kid, file): &(String, PathBuf)| {
                let key =
                    read(file).and_then(|pem| PinnedKey::from_pem(kid, &pem).map_err(|why| why.to_string()));
                key.inspect_err(|why| refuse(&of.name, kid, file, why)).ok()
            };
            of.keys.iter().filter_map(key).collect()
        };
        let issuer = |of: &IssuerFiles| match of.role {
            IssuerRole::Isv => Issuer::isv(of.name.clone(), keys(of)),
            IssuerRole::FlexAgent => Issuer::flex_agent(of.name.clone(), keys(of)),
        };
        self.issuers.iter().map(issuer).collect()
    }

    /// Our own key, if there is one that can be used.
    pub(super) fn signing_key(&self) -> Option<SigningKey> {
        let (kid, file) = self.signing.as_ref()?;
        let key = read(file).and_then(|pem| SigningKey::from_pem(kid, &pem).map_err(|why| why.to_string()));
        key.inspect_err(|why| refuse(&self.agent, kid, file, why)).ok()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    let mut pem = Vec::new();
    let open = std::fs::File::open(file);
    open.and_then(|file| file.take(LONGEST_KEY).read_to_end(&mut pem)).map_err(|why| why.to_string())?;
    Ok(pem)
}

fn refuse(name: &str, kid: &str, file: &Path, why: &str) {
    error!(name, kid, file = %file.display(), why, "a key of DSX Flex cannot be used; go on without it");
}
