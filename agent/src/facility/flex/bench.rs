//! Signers of test time.

use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::keys::PinnedKey;

/// The compact form of these parts.
pub(super) fn compact(header: &Value, payload: &[u8], signature: &[u8]) -> String {
    let header = BASE64.encode(header.to_string());
    format!("{header}.{}.{}", BASE64.encode(payload), BASE64.encode(signature))
}

fn signing_input(header: &Value, payload: &[u8]) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(payload))
}

/// An event of `source` that carries `data`, at `wall_ms`. Each has an id of its own.
pub(super) fn event(source: &str, kind: &str, wall_ms: u64, data: &Value) -> Value {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(wall_ms) * 1_000_000).unwrap();
    json!({
        "specversion": "1.0.2", "id": format!("00000000-0000-4000-8000-{count:012x}"), "source": source,
        "type": kind, "time": time.format(&time::format_description::well_known::Rfc3339).unwrap(),
        "datacontenttype": "application/json", "subject": "x",
        "correlationid": format!("00000000-0000-4000-9000-{count:012x}"),
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "data": data,
    })
}

/// Somebody with a P-256 key.
#[derive(Debug)]
pub(super) struct EcSigner {
    kid: String,
    pair: KeyPair,
}

impl EcSigner {
    pub(super) fn new(kid: &str) -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        Self { kid: kid.to_owned(), pair }
    }

    /// The same one at each call.
    pub(super) fn fixed() -> &'static Self {
        static SIGNER: LazyLock<EcSigner> = LazyLock::new(|| EcSigner::new("k1"));
        &SIGNER
    }

    pub(super) fn pinned(&self) -> PinnedKey {
        PinnedKey::from_pem(&self.kid, self.pair.public_key_pem().as_bytes()).unwrap()
    }

    pub(super) fn private_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    pub(super) fn sign(&self, payload: &[u8]) -> String {
        self.sign_under(&json!({"alg": "ES256", "kid": self.kid}), payload)
    }

    pub(super) fn sign_under(&self, header: &Value, payload: &[u8]) -> String {
        let random = SystemRandom::new();
        let pkcs8 = self.pair.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &random).unwrap();
        let signature = key.sign(&random, signing_input(header, payload).as_bytes()).unwrap();
        compact(header, payload, signature.as_ref())
    }
}

/// Somebody with an RSA key of 2048 bits.
#[derive(Debug)]
pub(super) struct RsaSigner {
    kid: String,
    pem: String,
}

impl RsaSigner {
    pub(super) fn new(kid: &str) -> Self {
        static PEM: LazyLock<String> = LazyLock::new(|| rsa_private_pem(2048));
        Self { kid: kid.to_owned(), pem: PEM.clone() }
    }

    pub(super) fn public_pem(&self) -> String {
        openssl(&["pkey", "-pubout"], &self.pem)
    }

    pub(super) fn pinned(&self) -> PinnedKey {
        PinnedKey::from_pem(&self.kid, self.public_pem().as_bytes()).unwrap()
    }

    pub(super) fn sign(&self, payload: &[u8]) -> String {
        let header = json!({"alg": "RS256", "kid": self.kid});
        let der = PrivatePkcs8KeyDer::from_pem_slice(self.pem.as_bytes()).unwrap();
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        let input = signing_input(&header, payload);
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        compact(&header, payload, &signature)
    }
}

/// The public half of a fresh RSA key.
pub(super) fn rsa_public_pem(bits: u16) -> String {
    openssl(&["pkey", "-pubout"], &rsa_private_pem(bits))
}

fn rsa_private_pem(bits: u16) -> String {
    let bits = format!("rsa_keygen_bits:{bits}");
    openssl(&["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", &bits], "")
}

fn openssl(arguments: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}
