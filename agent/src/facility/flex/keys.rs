//! Keys that a signature may be checked against, or made with: read from PEM files, each under one name.
//!
//! ```text
//!   PEM, SubjectPublicKeyInfo ─► P-256 point ──────► ES256, and nothing else
//!                             └► RSA, 2048 to 8192 ─► RS256, and nothing else
//!   PEM, PKCS #8 ─► P-256 ─► our own signatures
//! ```
//!
//! The key decides which algorithm it is for; what a message says about that is only compared with it. So a public
//! RSA key can never be taken for the secret of an HMAC.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_2048_8192_SHA256,
    UnparsedPublicKey,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// What every `SubjectPublicKeyInfo` of a P-256 key begins with: its algorithm, and a bit string of 65 bytes.
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
    0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The algorithm of an RSA key: `rsaEncryption`, without parameters.
const RSA: [u8; 15] =
    [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00];

/// Why a key is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    /// No PEM block of the wanted kind.
    #[error("holds no PEM block `PUBLIC KEY`; make one with `openssl pkey -pubout`")]
    NoPublicKey,
    /// Neither P-256 nor RSA.
    #[error("is neither a P-256 nor an RSA key: ES256 and RS256 are understood")]
    Kind,
    /// An RSA key whose length is not safe or not supported.
    #[error("is an RSA key that is not 2048 to 8192 bits long")]
    Length,
    /// No PKCS #8 block, or another curve in it.
    #[error("holds no P-256 key in a PEM block `PRIVATE KEY` (PKCS #8)")]
    NoPrivateKey,
}

/// A public key and the name under which signers refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedKey {
    kid: String,
    key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    /// An uncompressed point.
    Es256(Vec<u8>),
    /// `RSAPublicKey` of PKCS #1.
    Rs256(Vec<u8>),
}

impl PinnedKey {
    /// The key in a PEM file's text.
    ///
    /// # Errors
    /// If there is none that can be used.
    pub(crate) fn from_pem(kid: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| KeyError::NoPublicKey)?;
        Ok(Self { kid: kid.to_owned(), key: Key::from_info(&info)? })
    }

    /// Its name.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm it is for, as headers name it.
    pub(super) const fn algorithm(&self) -> &'static str {
        match self.key {
            Key::Es256(_) => "ES256",
            Key::Rs256(_) => "RS256",
        }
    }

    /// Whether `signature` is its owner's, under `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verdict = match &self.key {
            Key::Es256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Key::Rs256(key) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature)
            }
        };
        verdict.is_ok()
    }
}

impl Key {
    fn from_info(info: &[u8]) -> Result<Self, KeyError> {
        if let Some(point) = info.strip_prefix(&P256) {
            return if point.len() == 65 { Ok(Self::Es256(point.to_vec())) } else { Err(KeyError::Kind) };
        }
        let rest = value(info, 0x30).and_then(|info| info.strip_prefix(&RSA)).ok_or(KeyError::Kind)?;
        // A bit string begins with the number of bits it leaves unused.
        let key = value(rest, 0x03).and_then(|bits| bits.strip_prefix(&[0])).ok_or(KeyError::Kind)?;
        let modulus = value(key, 0x30).and_then(|key| value(key, 0x02)).ok_or(KeyError::Kind)?;
        let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
        if (256..=1024).contains(&bytes) { Ok(Self::Rs256(key.to_vec())) } else { Err(KeyError::Length) }
    }
}

/// What the first DER element of `der` holds, if it is one of this kind.
fn value(der: &[u8], kind: u8) -> Option<&[u8]> {
    let (_, rest) = der.split_first().filter(|(first, _)| **first == kind)?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7F => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest
            .split_first_chunk::<2>()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        // Longer than 64 KiB, or not DER.
        _ => return None,
    };
    rest.get(..length)
}

/// Our own key, for what we publish.
#[derive(Debug)]
pub(crate) struct SigningKey {
    kid: String,
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl SigningKey {
    /// The key in a PEM file's text.
    ///
    /// # Errors
    /// If there is none that can be used.
    pub(crate) fn from_pem(kid: &str, pem: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoPrivateKey)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random);
        Ok(Self { kid: kid.to_owned(), key: key.map_err(|_| KeyError::NoPrivateKey)?, random })
    }

    /// Its name.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// A signature (ES256) under `message`; none if the system has no random numbers.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.key.sign(&self.random, message).ok().map(|signature| signature.as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_without_a_public_key_is_refused() {
        for text in [
            "",
            "-----BEGIN PUBLIC KEY-----\n",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(PinnedKey::from_pem("k", text.as_bytes()), Err(KeyError::NoPublicKey), "{text}");
        }
    }

    #[test]
    fn a_key_of_another_curve_is_refused() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        assert_eq!(PinnedKey::from_pem("k", key.public_key_pem().as_bytes()), Err(KeyError::Kind));
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert_eq!(PinnedKey::from_pem("k", key.public_key_pem().as_bytes()), Err(KeyError::Kind));
        assert_eq!(
            SigningKey::from_pem("k", key.serialize_pem().as_bytes()).err(),
            Some(KeyError::NoPrivateKey)
        );
    }

    #[test]
    fn a_short_rsa_key_is_refused() {
        let key = super::super::bench::rsa_public_pem(1024);
        assert_eq!(PinnedKey::from_pem("k", key.as_bytes()), Err(KeyError::Length));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), prefix in 0_usize..27) {
            let _ = Key::from_info(&bytes);
            let _ = Key::from_info(&[P256.get(..prefix).unwrap_or_default(), &bytes].concat());
            let _ = Key::from_info(&[&[0x30, 0x82, 1, 0x22], &RSA[..], &bytes].concat());
        }
    }
}
