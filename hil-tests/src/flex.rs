//! Somebody on the grid's side: signs what it says with a P-256 key, and checks what it hears.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock::wall_ms;

/// A signer and the name of its key.
#[derive(Debug)]
pub struct Signer {
    kid: &'static str,
    pair: KeyPair,
}

impl Signer {
    /// A fresh key.
    pub fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key") }
    }

    /// Writes both halves of the key to a folder: `<kid>.pem` and `<kid>.key`.
    pub fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (public, private) =
            (folder.join(format!("{}.pem", self.kid)), folder.join(format!("{}.key", self.kid)));
        std::fs::write(&public, self.pair.public_key_pem()).expect("a folder");
        std::fs::write(&private, self.pair.serialize_pem()).expect("a folder");
        (public, private)
    }

    /// Signed words.
    pub fn sign(&self, words: &Value) -> String {
        let random = SystemRandom::new();
        let der = self.pair.serialize_der();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der, &random).expect("our own key");
        let header = json!({"alg": "ES256", "kid": self.kid, "iat": wall_ms() / 1000}).to_string();
        let input = format!("{}.{}", BASE64.encode(header), BASE64.encode(words.to_string()));
        let signature = key.sign(&random, input.as_bytes()).expect("a signature");
        format!("{input}.{}", BASE64.encode(signature))
    }

    /// What this signer has signed; nothing if it has not.
    pub fn open(&self, compact: &str) -> Option<Value> {
        let (input, signature) = compact.rsplit_once('.')?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key_raw());
        key.verify(input.as_bytes(), &BASE64.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&BASE64.decode(input.split_once('.')?.1).ok()?).ok()
    }
}

/// An event of `source` of now, with an id of its own.
pub fn flex_event(source: &str, kind: &str, data: &Value) -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    json!({
        "specversion": "1.0.2", "id": format!("6f9619ff-8b86-4011-b42d-{count:012x}"), "source": source,
        "type": kind, "time": rfc3339(0), "datacontenttype": "application/json", "subject": "grid",
        "correlationid": format!("6f9619ff-8b86-4011-b42e-{count:012x}"),
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "data": data,
    })
}

/// So many seconds from now.
pub fn rfc3339(seconds: i64) -> String {
    let now = i64::try_from(wall_ms() / 1000).expect("this century");
    OffsetDateTime::from_unix_timestamp(now + seconds)
        .expect("this century")
        .format(&Rfc3339)
        .expect("a time")
}
