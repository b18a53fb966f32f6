//! Signed words (JWS, RFC 7515, compact form), with keys that were pinned beforehand.
//!
//! ```text
//!   header . payload . signature
//!     │ alg, kid         │
//!     ▼                  │
//!   pinned key of that name, of the signer we were told of ── is for this alg? ── has signed? ──► Signed
//! ```
//!
//! Nothing in the message chooses anything: not the key beyond its name, not the algorithm, no address to fetch a key
//! from. `none` and every HMAC are just algorithms that no key of ours is for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::keys::{PinnedKey, SigningKey};

/// Longest compact form that is looked at.
pub(crate) const LONGEST: usize = 64 * 1024;

/// Words that somebody whose key we hold has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Name of the key.
    pub(crate) kid: String,
    /// What was signed.
    pub(crate) payload: Vec<u8>,
    /// When it was signed, seconds since 1970, where the signer says so.
    pub(crate) signed_at: Option<u64>,
    /// One for all that was signed. The same words signed again, without a time, have the same.
    pub(crate) digest: Digest,
}

/// SHA-256 of what was signed.
pub(crate) type Digest = [u8; 32];

/// Why words are not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Disbelief {
    /// Beyond [`LONGEST`].
    TooLong,
    /// Not three parts in base64url, or no header in the first.
    Malformed,
    /// The header demands what we do not understand.
    Critical,
    /// No key of that name is pinned for this signer.
    UnknownKey,
    /// The key of that name is for another algorithm.
    Algorithm,
    /// Somebody else signed, or the words were changed.
    Signature,
}

impl Disbelief {
    /// One stable word for logs and answers.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed => "not_signed",
            Self::Critical => "critical_header",
            Self::UnknownKey => "unknown_key",
            Self::Algorithm => "wrong_algorithm",
            Self::Signature => "wrong_signature",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    iat: Option<u64>,
    crit: Option<serde::de::IgnoredAny>,
}

#[derive(Serialize)]
struct OwnHeader<'a> {
    alg: &'static str,
    kid: &'a str,
    iat: u64,
}

/// What is signed by `compact`, if one of `keys` has signed it.
///
/// # Errors
/// If it is not believed.
pub(crate) fn verify(compact: &str, keys: &[PinnedKey]) -> Result<Signed, Disbelief> {
    if compact.len() > LONGEST {
        return Err(Disbelief::TooLong);
    }
    let (input, signature) = compact.rsplit_once('.').ok_or(Disbelief::Malformed)?;
    let (header, payload) = input.split_once('.').ok_or(Disbelief::Malformed)?;
    let decode = |part: &str| BASE64.decode(part).map_err(|_| Disbelief::Malformed);
    let (header, payload, signature) = (decode(header)?, decode(payload)?, decode(signature)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| Disbelief::Malformed)?;
    if header.crit.is_some() {
        return Err(Disbelief::Critical);
    }
    let key = keys.iter().find(|key| key.kid() == header.kid).ok_or(Disbelief::UnknownKey)?;
    if key.algorithm() != header.alg {
        return Err(Disbelief::Algorithm);
    }
    if !key.has_signed(input.as_bytes(), &signature) {
        return Err(Disbelief::Signature);
    }
    let mut seal = Digest::default();
    seal.copy_from_slice(digest(&SHA256, input.as_bytes()).as_ref());
    Ok(Signed { kid: header.kid, payload, signed_at: header.iat, digest: seal })
}

/// `payload` signed by us at `wall_ms`; none if the system has no random numbers.
pub(crate) fn sign(payload: &[u8], key: &SigningKey, wall_ms: u64) -> Option<String> {
    let header = OwnHeader { alg: "ES256", kid: key.kid(), iat: wall_ms / 1000 };
    let header = serde_json::to_vec(&header).ok()?;
    let input = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let signature = key.sign(input.as_bytes())?;
    Some(format!("{input}.{}", BASE64.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::super::bench::{EcSigner, RsaSigner, compact};
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const WORDS: &[u8] = br#"{"targets":[]}"#;

    #[test]
    fn es256_by_a_pinned_key_is_believed() {
        let signer = EcSigner::new("k1");
        let signed = verify(&signer.sign(WORDS), &[signer.pinned()]).unwrap();
        assert_eq!((signed.payload.as_slice(), signed.signed_at), (WORDS, None));
        let again = verify(&signer.sign(WORDS), &[signer.pinned()]).unwrap();
        assert_eq!(signed.digest, again.digest, "the seal is over the words, not over the signature");
    }

    #[test]
    fn rs256_by_a_pinned_key_is_believed() {
        let signer = RsaSigner::new("k1");
        assert_eq!(verify(&signer.sign(WORDS), &[signer.pinned()]).unwrap().payload, WORDS);
    }

    #[test]
    fn what_we_sign_others_can_check() {
        let signer = EcSigner::new("ours");
        let own = SigningKey::from_pem("ours", signer.private_pem().as_bytes()).unwrap();
        let signed = verify(&sign(WORDS, &own, 1_700_000_000_999).unwrap(), &[signer.pinned()]).unwrap();
        assert_eq!((signed.payload.as_slice(), signed.signed_at), (WORDS, Some(1_700_000_000)));
    }

    #[test]
    fn an_algorithm_that_the_key_is_not_for_is_refused() {
        let (ec, rsa) = (EcSigner::new("k1"), RsaSigner::new("k1"));
        for alg in ["none", "None", "HS256", "HS512", "RS512", "PS256", "ES384", ""] {
            for key in [ec.pinned(), rsa.pinned()] {
                let forged = compact(&json!({"alg": alg, "kid": "k1"}), WORDS, &[0; 64]);
                assert_eq!(verify(&forged, &[key]), Err(Disbelief::Algorithm), "{alg}");
            }
        }
        assert_eq!(verify(&ec.sign(WORDS), &[rsa.pinned()]), Err(Disbelief::Algorithm));
        assert_eq!(verify(&rsa.sign(WORDS), &[ec.pinned()]), Err(Disbelief::Algorithm));
    }

    #[test]
    fn the_public_key_as_the_secret_of_an_hmac_is_refused() {
        let signer = RsaSigner::new("k1");
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signer.public_pem().as_bytes());
        let header = json!({"alg": "HS256", "kid": "k1"});
        let unsigned = compact(&header, WORDS, &[]);
        let tag = ring::hmac::sign(&secret, unsigned.trim_end_matches('.').as_bytes());
        assert_eq!(
            verify(&compact(&header, WORDS, tag.as_ref()), &[signer.pinned()]),
            Err(Disbelief::Algorithm)
        );
    }

    #[test]
    fn a_key_that_is_not_pinned_is_refused() {
        let (signer, other) = (EcSigner::new("k1"), EcSigner::new("k2"));
        assert_eq!(verify(&signer.sign(WORDS), &[other.pinned()]), Err(Disbelief::UnknownKey));
        assert_eq!(verify(&signer.sign(WORDS), &[]), Err(Disbelief::UnknownKey));
        let namesake = EcSigner::new("k1");
        assert_eq!(verify(&signer.sign(WORDS), &[namesake.pinned()]), Err(Disbelief::Signature));
    }

    #[test]
    fn a_key_that_the_message_brings_along_is_not_used() {
        let (signer, stranger) = (EcSigner::new("k1"), EcSigner::new("k1"));
        let header = json!({"alg": "ES256", "kid": "k1", "jwk": {"kty": "EC"}, "jku": "https://x.invalid", "x5c": ["AAAA"]});
        let forged = stranger.sign_under(&header, WORDS);
        assert_eq!(verify(&forged, &[signer.pinned()]), Err(Disbelief::Signature));
    }

    #[test]
    fn a_header_that_demands_more_than_we_know_is_refused() {
        let signer = EcSigner::new("k1");
        let header = json!({"alg": "ES256", "kid": "k1", "crit": ["b64"], "b64": false});
        assert_eq!(verify(&signer.sign_under(&header, WORDS), &[signer.pinned()]), Err(Disbelief::Critical));
    }

    #[test]
    fn what_is_no_compact_form_is_refused() {
        let signer = EcSigner::new("k1");
        let good = signer.sign(WORDS);
        let padded = format!("{good}==");
        let (input, _) = good.rsplit_once('.').unwrap();
        let unsigned = format!("{input}.");
        for text in ["", ".", "..", "a.b", "{}", padded.as_str(), "e30.e30.e30"] {
            assert_eq!(verify(text, &[signer.pinned()]), Err(Disbelief::Malformed), "{text}");
        }
        assert_eq!(verify(&unsigned, &[signer.pinned()]), Err(Disbelief::Signature));
        assert_eq!(verify(&format!("a.{good}"), &[signer.pinned()]), Err(Disbelief::Malformed));
        assert_eq!(verify(&"a".repeat(LONGEST + 1), &[signer.pinned()]), Err(Disbelief::TooLong));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn one_changed_letter_is_refused(at in 0_usize..200, to in "[A-Za-z0-9_-]") {
            let signer = EcSigner::fixed();
            let good = signer.sign(WORDS);
            let at = at % good.len();
            let changed = format!("{}{to}{}", &good[..at], &good[at + 1..]);
            prop_assert!(changed == good || verify(&changed, &[signer.pinned()]).is_err());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = verify(&text, &[EcSigner::fixed().pinned()]);
        }
    }
}
