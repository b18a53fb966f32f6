//! TLS as both sides of the agent use it, to devices and to brokers: whom we believe, and who we are.
//!
//! ```text
//!   ca, certificate, key (PEM files) ──read──► Material ──► ClientConfig for a handshake
//!                                                  └──────► when our certificate ends
//! ```
//!
//! `rustls` with `ring`, so that nothing is tied to the TLS library of the node's distribution.

#[cfg(test)]
pub(crate) mod authority;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// PEM files for TLS. Renewed ones need no restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TlsFiles {
    /// Certificates of those who may vouch for the other side; nobody else is believed.
    pub ca: PathBuf,
    /// Our certificate, followed by those between it and its CA. The other side takes our name and role from it.
    pub certificate: PathBuf,
    /// The private key to our certificate.
    pub key: PathBuf,
}

/// Why there can be no handshake.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    #[error("cannot use the {what} in {path}: {source}; give a PEM file that the service's user may read")]
    Unusable { what: &'static str, path: PathBuf, source: pem::Error },
    #[error("there is no certificate in {path}; give a PEM file with the {what}")]
    Empty { what: &'static str, path: PathBuf },
    #[error("a certificate in {path} cannot vouch for anyone: {source}; give the CA's own")]
    Authority { path: PathBuf, source: Error },
    #[error("the certificate in {certificate} and the key in {key} cannot be used: {source}; give a pair")]
    Pair { certificate: PathBuf, key: PathBuf, source: Error },
    #[error("TLS cannot be set up: {0}")]
    Provider(Error),
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// What the files hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Material {
    authorities: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Material {
    /// Reads the files. Blocks while the disk does.
    pub(crate) fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            authorities: certificates("CA certificates", &files.ca)?,
            chain: certificates("certificate", &files.certificate)?,
            key: PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::Unusable {
                what: "key",
                path: files.key.clone(),
                source,
            })?,
        })
    }

    /// For a handshake; `files` are named where they do not fit.
    pub(crate) fn config(&self, files: &TlsFiles) -> Result<ClientConfig, TlsError> {
        let mut authorities = RootCertStore::empty();
        for authority in &self.authorities {
            authorities
                .add(authority.clone())
                .map_err(|source| TlsError::Authority { path: files.ca.clone(), source })?;
        }
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Provider)?
            .with_root_certificates(authorities)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())
            .map_err(|source| TlsError::Pair {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
                source,
            })
    }

    /// When the first of our own certificates ends, in UTC milliseconds; `None` if that cannot be read.
    pub(crate) fn expires_ms(&self) -> Option<u64> {
        let end = |der: &CertificateDer<'_>| {
            let (_rest, certificate) = X509Certificate::from_der(der).ok()?;
            u64::try_from(certificate.validity().not_after.timestamp()).ok()?.checked_mul(1000)
        };
        self.chain.iter().map(end).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// The common name in our certificate, by which brokers know us.
    pub(crate) fn common_name(&self) -> Option<String> {
        let (_rest, certificate) = X509Certificate::from_der(self.chain.first()?).ok()?;
        let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
        Some(name.to_owned())
    }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |source| TlsError::Unusable { what, path: path.to_owned(), source };
    let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unusable)?;
    if found.is_empty() {
        return Err(TlsError::Empty { what, path: path.to_owned() });
    }
    Ok(found)
}
