//! Modbus/TCP Security: the port of a device behind mutual TLS.
//!
//! ```text
//!   client ──TLS, certificate of our CA──► role ──► request ──allowed──► the device's TCP port
//!                                                      └────not──────► exception 01
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::accept::{Host, accept};
use super::mbap::{Deframer, Frame};
use super::role::Role;
use crate::certificates;

/// Clients at a time.
const MOST_CLIENTS: usize = 8;
/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Exception "illegal function", the answer to those who may not.
const ILLEGAL_FUNCTION: u8 = 1;

/// What the server shows and whom it believes.
#[derive(Clone)]
pub(crate) struct Identity(TlsAcceptor);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error("cannot use {}: {source}; eisbach-sim certificates writes a set", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The certificate or the key.
    #[error("the server's certificate or key does not serve: {0}")]
    Identity(#[from] rustls::Error),
    /// The authority.
    #[error("the authority's certificate does not serve: {0}")]
    Authority(#[from] VerifierBuilderError),
}

impl Identity {
    /// From a folder as `eisbach-sim certificates` writes it.
    ///
    /// # Errors
    /// If a file is missing or wrong.
    pub(crate) fn load(folder: &Path) -> Result<Self, TlsError> {
        let at = |name: &str| folder.join(name);
        let failed = |path: PathBuf| move |source| TlsError::File { path, source };
        let certificate = |path: PathBuf| CertificateDer::from_pem_file(&path).map_err(failed(path));
        let key = at(certificates::SERVER_KEY);
        let key = PrivateKeyDer::from_pem_file(&key).map_err(failed(key))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate(at(certificates::AUTHORITY))?)?;
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate(at(certificates::SERVER))?], key)?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Serve the device at `device` on `listener` until `token` is cancelled.
    pub(crate) fn serve(
        self,
        listener: TcpListener,
        device: SocketAddr,
        tasks: &mut JoinSet<()>,
        token: &CancellationToken,
    ) {
        tasks.spawn(accept(listener, Guard { identity: self, device }, token.clone()));
    }
}

struct Guard {
    identity: Identity,
    device: SocketAddr,
}

impl Host for Guard {
    fn receive(&self, stream: TcpStream, open: usize) -> Option<impl Future<Output = ()> + Send + 'static> {
        let (acceptor, device) = (self.identity.0.clone(), self.device);
        (open < MOST_CLIENTS).then_some(async move {
            match greet(&acceptor, stream).await {
                Ok(client) => drop(converse(client, device).await),
                Err(error) => info!(%error, "a TLS client was turned away"),
            }
        })
    }
}

async fn greet(acceptor: &TlsAcceptor, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    timeout(HANDSHAKE, acceptor.accept(stream)).await?
}

fn role(client: &TlsStream<TcpStream>) -> Role {
    let (_, session) = client.get_ref();
    session.peer_certificates().and_then(<[_]>::first).map_or(Role::Nobody, |own| Role::of(own))
}

/// Hand on what the client may ask, and all that the device answers.
async fn converse(mut client: TlsStream<TcpStream>, device: SocketAddr) -> io::Result<()> {
    let role = role(&client);
    let mut device = TcpStream::connect(device).await?;
    device.set_nodelay(true)?;
    let mut requests = Deframer::default();
    let (mut from_client, mut from_device) = ([0; 512], [0; 512]);
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                match read? {
                    0 => return Ok(()),
                    read => requests.push(from_client.get(..read).unwrap_or_default()),
                }
                while let Some(request) = requests.next()? {
                    if role.may(request.function()) {
                        device.write_all(&request.encode()).await?;
                    } else {
                        client.write_all(&refusal(&request)).await?;
                    }
                }
            }
            read = device.read(&mut from_device) => match read? {
                0 => return client.shutdown().await,
                read => client.write_all(from_device.get(..read).unwrap_or_default()).await?,
            },
        }
        client.flush().await?;
    }
}

fn refusal(request: &Frame) -> Vec<u8> {
    request.answer(&[request.function() | 0x80, ILLEGAL_FUNCTION])
}

#[cfg(test)]
mod tests {
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream as ClientStream;
    use tokio_rustls::rustls::ClientConfig;

    use super::super::accept::listen;
    use super::super::{DeviceHub, DeviceKind, DeviceOptions};
    use super::*;

    const READ: [u8; 5] = [3, 0, 29, 0, 1];
    const WRITE: [u8; 5] = [6, 0, 103, 0x11, 0x94];

    struct Bench {
        hub: DeviceHub,
        folder: tempfile::TempDir,
        address: SocketAddr,
        _tasks: JoinSet<()>,
    }

    impl Bench {
        fn new() -> Self {
            let (mut tasks, token) = (JoinSet::new(), CancellationToken::new());
            let hub = DeviceHub::start(&mut tasks, &token, &DeviceOptions::default()).unwrap();
            let folder = tempfile::tempdir().unwrap();
            certificates::write(folder.path(), &[]).unwrap();
            let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).unwrap();
            let pump = hub.endpoint(DeviceKind::Pump).address;
            Identity::load(folder.path()).unwrap().serve(listener, pump, &mut tasks, &token);
            Self { hub, folder, address, _tasks: tasks }
        }

        /// A client with the certificate `name` of `folder`, or with none.
        async fn connect(&self, folder: &Path, name: Option<&str>) -> io::Result<ClientStream<TcpStream>> {
            let mut roots = RootCertStore::empty();
            let authority = self.folder.path().join(certificates::AUTHORITY);
            roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots);
            let config = match name.map(|name| folder.join(name)) {
                None => config.with_no_client_auth(),
                Some(path) => {
                    let certificate = CertificateDer::from_pem_file(path.with_extension("pem")).unwrap();
                    let key = PrivateKeyDer::from_pem_file(path.with_extension("key")).unwrap();
                    config.with_client_auth_cert(vec![certificate], key).unwrap()
                }
            };
            let stream = TcpStream::connect(self.address).await?;
            TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await
        }

        async fn of_role(&self, name: &str) -> ClientStream<TcpStream> {
            self.connect(self.folder.path(), Some(name)).await.unwrap()
        }
    }

    async fn ask(client: &mut ClientStream<TcpStream>, pdu: &[u8]) -> io::Result<Vec<u8>> {
        let request = Frame { transaction: 7, unit: 1, pdu: pdu.to_vec() };
        timeout(HANDSHAKE, async {
            client.write_all(&request.encode()).await?;
            client.flush().await?;
            let answer = Frame::read(client).await?;
            assert_eq!((answer.transaction, answer.unit), (7, 1));
            Ok(answer.pdu)
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn an_operator_reads_and_writes() {
        let bench = Bench::new();
        let mut operator = bench.of_role("operator").await;
        assert_eq!(ask(&mut operator, &READ).await.unwrap(), [3, 2, 0, 2]);
        assert_eq!(ask(&mut operator, &WRITE).await.unwrap(), WRITE);
        assert_eq!(bench.hub.traffic(DeviceKind::Pump).writes, 1);
    }

    #[tokio::test]
    async fn an_observer_reads_and_is_refused_a_write() {
        let bench = Bench::new();
        let mut observer = bench.of_role("observer").await;
        assert_eq!(ask(&mut observer, &WRITE).await.unwrap(), [0x86, 1]);
        assert_eq!(ask(&mut observer, &READ).await.unwrap(), [3, 2, 0, 2], "and goes on");
        assert_eq!(bench.hub.traffic(DeviceKind::Pump).requests, 1, "the write did not reach the device");
    }

    #[tokio::test]
    async fn who_has_no_role_is_refused_everything() {
        let bench = Bench::new();
        let mut roleless = bench.of_role("roleless").await;
        assert_eq!(ask(&mut roleless, &READ).await.unwrap(), [0x83, 1]);
        assert_eq!(ask(&mut roleless, &WRITE).await.unwrap(), [0x86, 1]);
        assert_eq!(bench.hub.traffic(DeviceKind::Pump).requests, 0);
    }

    #[tokio::test]
    async fn without_a_certificate_of_our_authority_nobody_gets_in() {
        let bench = Bench::new();
        let strangers = tempfile::tempdir().unwrap();
        certificates::write(strangers.path(), &[]).unwrap();
        for name in [None, Some("operator")] {
            // With TLS 1.3 a client learns of its refusal only with the first answer.
            let refused = match bench.connect(strangers.path(), name).await {
                Ok(mut client) => ask(&mut client, &READ).await.is_err(),
                Err(_) => true,
            };
            assert!(refused, "{name:?}");
        }
        assert_eq!(bench.hub.traffic(DeviceKind::Pump).requests, 0);
    }

    #[test]
    fn a_folder_without_certificates_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = Identity::load(folder.path()).err().unwrap().to_string();
        assert!(error.contains("server.key") && error.contains("eisbach-sim certificates"), "{error}");
    }
}
