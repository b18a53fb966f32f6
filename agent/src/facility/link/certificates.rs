//! Our certificates, kept fresh: read anew while the agent runs, used from the next connection on.
//!
//! ```text
//!   files ──look, each 10 s──► changed and usable ──► next identity ──► connector takes it at its next connection
//!                        │                                └───────────► carrier leaves and comes back, some time soon
//!                        └───► unusable: the one before stays in use, and is told to be the old one
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::rustls::ClientConfig;
use tracing::{error, info, warn};

use crate::aside::Aside;
use crate::tls::{Material, TlsFiles};

/// How a connection stands with its certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CertificateState {
    /// No broker on the list wants TLS.
    #[default]
    NotUsed,
    /// The files are in use.
    Good,
    /// The files cannot be used; what was read before them is, if anything was.
    Unusable,
}

/// What the status faces show of the certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertificateStatus {
    /// How they stand.
    pub state: CertificateState,
    /// When the one in use ends, UTC milliseconds.
    pub expires_ms: Option<u64>,
}

/// What a handshake is made with. Nothing while no files could be used yet.
pub(crate) type Identity = Option<Arc<ClientConfig>>;

/// The task that looks at the files.
#[derive(Debug)]
pub(crate) struct Keeper {
    files: TlsFiles,
    /// By which a broker knows us, if it goes by certificates.
    name: String,
    /// How often the files are looked at.
    every: Duration,
    identity: watch::Sender<Identity>,
    status: watch::Sender<CertificateStatus>,
}

impl Keeper {
    /// A keeper, what it will find, and how that stands.
    pub(crate) fn new(
        files: TlsFiles,
        name: String,
        every: Duration,
    ) -> (Self, watch::Receiver<Identity>, watch::Receiver<CertificateStatus>) {
        let (identity, found) = watch::channel(None);
        let (status, stands) = watch::channel(CertificateStatus::default());
        (Self { files, name, every, identity, status }, found, stands)
    }

    /// Looks until nobody wants to know any more.
    pub(crate) async fn run(self) {
        let aside = Aside::new();
        let mut used = None;
        let mut told = None;
        while !self.identity.is_closed() {
            match self.look(&aside).await {
                Ok((material, config)) => {
                    told = None;
                    self.take(material, config, &mut used);
                }
                Err(problem) => {
                    self.status.send_modify(|status| status.state = CertificateState::Unusable);
                    if told.as_ref() != Some(&problem) {
                        error!(problem, "certificates cannot be used; those in use stay in use");
                        told = Some(problem);
                    }
                }
            }
            tokio::select! {
                () = self.identity.closed() => {}
                () = sleep(self.every) => {}
            }
        }
    }

    async fn look(&self, aside: &Aside) -> Result<(Material, ClientConfig), String> {
        let files = self.files.clone();
        let read = move || {
            let material = Material::read(&files)?;
            let config = material.config(&files)?;
            Ok((material, config))
        };
        aside.run("reading the certificates", read).await.map_err(|error| error.to_string())
    }

    fn take(&self, material: Material, config: ClientConfig, used: &mut Option<Material>) {
        let expires_ms = material.expires_ms();
        self.status.send_replace(CertificateStatus { state: CertificateState::Good, expires_ms });
        if used.as_ref() == Some(&material) {
            return;
        }
        if used.is_some() {
            info!(expires_ms, "renewed certificates are used from the next connection on");
        }
        if let Some(name) = material.common_name().filter(|name| *name != self.name) {
            let certificate = self.files.certificate.display();
            warn!(%certificate, name, node = self.name, "the certificate has another name than this node: a broker that goes by certificates drops what we say, and does not tell");
        }
        *used = Some(material);
        self.identity.send_replace(Some(Arc::new(config)));
    }
}

/// An identity that never changes: none.
pub(crate) fn no_certificates() -> (watch::Receiver<Identity>, watch::Receiver<CertificateStatus>) {
    (watch::channel(None).1, watch::channel(CertificateStatus::default()).1)
}
