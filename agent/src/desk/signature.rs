//! Who can tell whether a signed envelope is its issuer's.
//!
//! ```text
//!   [[commands.issuers]] key ─► file, at start ─► pinned under the issuer's name ─┐
//!   header . envelope . signature ── by the key of that name? ────────────────────┴─► envelope, and whose it is
//! ```

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use tracing::error;

use crate::config::CommandsConfig;
use crate::facility::{PinnedKey, verify};
use crate::report::events::Short;

/// Longest key file that is read.
const LONGEST: u64 = 64 * 1024;

/// Keys that were pinned beforehand.
pub trait Seals: Debug + Send + Sync {
    /// What was signed, and by the key of which name; nothing if it is not believed.
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)>;
}

/// The keys of the issuers, each under its issuer's name.
#[derive(Debug, Default)]
pub struct IssuerKeys(Vec<PinnedKey>);

impl IssuerKeys {
    /// Reads the key files of a configuration. A key that cannot be used leaves its issuer without a voice.
    #[must_use]
    pub fn load(commands: &CommandsConfig) -> Self {
        let mut keys = Vec::new();
        for issuer in &commands.issuers {
            let Some(path) = &issuer.key else { continue };
            let path_shown = path.display();
            match read(path).map(|pem| PinnedKey::from_pem(&issuer.name, &pem)) {
                Ok(Ok(key)) => keys.push(key),
                Ok(Err(error)) => {
                    error!(issuer = issuer.name, "{path_shown} {error}; its commands are refused");
                }
                Err(error) => {
                    error!(issuer = issuer.name, "{path_shown}: {error}; its commands are refused");
                }
            }
        }
        Self(keys)
    }
}

impl Seals for IssuerKeys {
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)> {
        let signed = verify(compact, &self.0).ok()?;
        Some((signed.payload, Short::new(&signed.kid)))
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut pem = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut pem)?;
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Issuer;
    use crate::facility::{SigningKey, sign};
    use rcgen::KeyPair;

    #[test]
    fn a_signature_counts_for_the_issuer_of_its_key_and_for_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let issuer = |name: &str, file: &str| Issuer {
            name: name.to_owned(),
            may: Vec::new(),
            key: Some(folder.path().join(file)),
        };
        let pair = KeyPair::generate().unwrap();
        std::fs::write(folder.path().join("scada.pem"), pair.public_key_pem()).unwrap();
        std::fs::write(folder.path().join("broken.pem"), "no key").unwrap();
        let issuers =
            vec![issuer("other", "broken.pem"), issuer("scada", "scada.pem"), issuer("absent", "absent.pem")];
        let keys = IssuerKeys::load(&CommandsConfig { issuers, ..CommandsConfig::default() });

        let signed = |name: &str| {
            let key = SigningKey::from_pem(name, pair.serialize_pem().as_bytes()).unwrap();
            sign(b"{}", &key, 1_790_000_000_000).unwrap()
        };
        assert_eq!(keys.open(&signed("scada")), Some((b"{}".to_vec(), "scada".into())));
        assert_eq!(keys.open(&signed("other")), None);
        let (words, signature) =
            signed("scada").rsplit_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert_eq!(keys.open(&format!("{words}x.{signature}")), None);
        assert_eq!(IssuerKeys::default().open(&signed("scada")), None);
    }
}
