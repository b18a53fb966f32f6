//! Who an MQTT client is to a broker that goes by certificates.

use std::path::Path;
use std::sync::Arc;

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Options to connect to the broker on `port` within TLS, with the certificate `who` of `folder` and this client id.
///
/// # Panics
/// If there are no such certificates.
pub fn known_as(who: &str, client_id: &str, folder: &Path, port: u16) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, "127.0.0.1", port);
    options
        .set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(config(who, folder)))));
    options
}

fn config(who: &str, folder: &Path) -> ClientConfig {
    let certificate = |name: &str| {
        CertificateDer::from_pem_file(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let mut roots = RootCertStore::empty();
    roots.add(certificate("ca.pem")).expect("an authority's certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join(format!("{who}.key"))).expect("a key");
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the versions that we speak")
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate(&format!("{who}.pem"))], key)
        .expect("a certificate and its key")
}
