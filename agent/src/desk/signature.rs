//! Who can tell whether a signed envelope is its issuer's.

use std::fmt::Debug;

use tracing::error;

use crate::config::Issuer;
use crate::facility::flex::jws::verify;
use crate::facility::flex::keys::PinnedKey;
use crate::report::events::Short;

/// Keys that were pinned beforehand.
pub trait Seals: Debug + Send + Sync {
    /// What was signed, and by the key of which name; nothing if it is not believed.
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)>;
}

/// The public keys of the issuers, each under its issuer's name.
#[derive(Debug, Default)]
pub struct PinnedSeals(Vec<PinnedKey>);

impl PinnedSeals {
    /// Reads the keys of those issuers that have one. Blocks while the disk does.
    ///
    /// An issuer whose key cannot be read is believed nothing, signed or not, and that is said.
    #[must_use]
    pub fn read(issuers: &[Issuer]) -> Self {
        let pinned = issuers.iter().filter_map(|issuer| {
            let path = issuer.key.as_ref()?;
            let told = |problem: String| {
                let key = path.display();
                error!(issuer = issuer.name, %key, problem, "the issuer's key cannot be used: nothing of it is obeyed; give its public key as a PEM file");
            };
            let pem = std::fs::read(path).map_err(|problem| told(problem.to_string())).ok()?;
            PinnedKey::from_pem(&issuer.name, &pem).map_err(|problem| told(problem.to_string())).ok()
        });
        Self(pinned.collect())
    }
}

impl Seals for PinnedSeals {
    fn open(&self, compact: &str) -> Option<(Vec<u8>, Short)> {
        let signed = verify(compact, &self.0).ok()?;
        // Exactly one key has the name in the header, and it has signed.
        let by = self.0.iter().find(|key| verify(compact, std::slice::from_ref(key)).is_ok())?;
        Some((signed.payload, Short::new(by.kid())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facility::flex::bench::EcSigner;
    use std::path::PathBuf;

    fn issuer(name: &str, key: Option<PathBuf>) -> Issuer {
        Issuer { name: name.to_owned(), may: Vec::new(), key }
    }

    #[test]
    fn what_an_issuer_has_signed_is_opened_under_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (signer, stranger) = (EcSigner::new("scada"), EcSigner::new("scada"));
        let key = folder.path().join("scada.pem");
        std::fs::write(&key, signer.public_pem()).unwrap();
        let seals = PinnedSeals::read(&[issuer("other", None), issuer("scada", Some(key))]);
        assert_eq!(seals.open(&signer.sign(b"words")), Some((b"words".to_vec(), Short::new("scada"))));
        assert_eq!(seals.open(&stranger.sign(b"words")), None);
        assert_eq!(seals.open("words"), None);
    }

    #[test]
    fn an_issuer_whose_key_cannot_be_read_is_believed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("scada.pem");
        let signer = EcSigner::new("scada");
        let read = || PinnedSeals::read(&[issuer("scada", Some(key.clone()))]);
        assert_eq!(read().open(&signer.sign(b"words")), None);
        std::fs::write(&key, "no key").unwrap();
        assert_eq!(read().open(&signer.sign(b"words")), None);
    }
}
