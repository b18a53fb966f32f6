//! Modbus/TCP Security (MB-TCP-Security V2.1): Modbus TCP within TLS 1.2 or newer, each side with a certificate.
//!
//! The files are read anew for each connection, and each connection is a full handshake: a renewed certificate is
//! used, and an expired one noticed, at the next connection.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, tcp};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{CertificateError, Error};

use super::call::call;
use super::tcp as socket;
use crate::aside::Aside;
use crate::modbus::bus::{Bus, CallError, Request, Response};
use crate::tls::{Material, TlsFiles};

/// A controller of a pump computes an RSA signature in a second or two (estimate).
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(3);

/// A secured connection to `host:port`, proven to be who `server_name`, or else the host, says.
pub(super) async fn connect(
    address: &str,
    files: &TlsFiles,
    server_name: Option<&str>,
    aside: &Aside,
) -> io::Result<TlsStream<TcpStream>> {
    let name = name_of(address, server_name)?;
    let read = files.clone();
    let config =
        aside.run("reading the certificates", move || Ok(Material::read(&read)?.config(&read)?)).await?;
    let stream = socket::connect(address).await?;
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(HANDSHAKE_DEADLINE, handshake).await {
        Ok(outcome) => outcome.map_err(|error| explained(error, files)),
        Err(_elapsed) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "connected, but no TLS handshake in time; look whether the port is the one for TLS, usually 802",
        )),
    }
}

/// A Modbus/TCP Security connection.
pub(super) struct TlsBus {
    context: Context,
    files: TlsFiles,
}

impl TlsBus {
    pub(super) fn attach(stream: TlsStream<TcpStream>, files: TlsFiles) -> Self {
        // The unit is set by each call; until then nobody is addressed.
        Self { context: tcp::attach_slave(stream, Slave(0)), files }
    }
}

impl Bus for TlsBus {
    /// With TLS 1.3 a device's refusal of our certificate comes only now.
    async fn call(&mut self, unit: u8, request: Request) -> Result<Response, CallError> {
        call(&mut self.context, unit, request).await.map_err(|error| match error {
            CallError::Transport(error) => CallError::Transport(explained(error, &self.files)),
            CallError::Header(_) | CallError::Exception(_) | CallError::Broadcast => error,
        })
    }
}

fn name_of(address: &str, server_name: Option<&str>) -> io::Result<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _port)| host);
    let name = server_name.unwrap_or_else(|| host.trim_start_matches('[').trim_end_matches(']'));
    ServerName::try_from(name.to_owned()).map_err(|_no_name| {
        let message =
            format!("`{name}` cannot stand in a certificate; set `server_name` to the name in the device's");
        io::Error::new(io::ErrorKind::InvalidInput, message)
    })
}

/// `error` with what to do, where it is about certificates.
fn explained(error: io::Error, files: &TlsFiles) -> io::Error {
    let Some(cause) = error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) else {
        return error;
    };
    let ca = files.ca.display();
    let certificate = files.certificate.display();
    let message = match cause {
        Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            format!("the device's certificate is not from a CA in {ca}; add its CA there if you trust it")
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            format!("the device has another name: {cause}; set `server_name` to the name in its certificate")
        }
        Error::InvalidCertificate(_) => {
            format!("{cause}; renew the device's certificate, and look at both clocks")
        }
        Error::AlertReceived(_) => {
            format!(
                "the device refuses us: {cause}; have the certificate in {certificate} issued by a CA it trusts"
            )
        }
        Error::InvalidMessage(_) => {
            format!("no TLS there: {cause}; look whether the port is the one for TLS")
        }
        _ => return error,
    };
    io::Error::new(error.kind(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::bus::Span;
    use crate::tls::authority::{Authority, server};
    use std::sync::Mutex;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;

    /// Answers every request with one register of 200. Ends when dropped.
    struct Device {
        address: String,
        config: Arc<Mutex<Arc<ServerConfig>>>,
        _tasks: JoinSet<()>,
    }

    impl Device {
        async fn start(files: &TlsFiles) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let config = Arc::new(Mutex::new(server(files)));
            let mut tasks = JoinSet::new();
            let present = Arc::clone(&config);
            tasks.spawn(async move {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let acceptor = TlsAcceptor::from(Arc::clone(&present.lock().unwrap()));
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        continue;
                    };
                    let mut request = [0; 12];
                    while stream.read_exact(&mut request).await.is_ok() {
                        let head = [request[0], request[1], 0, 0, 0, 5, request[6]];
                        stream.write_all(&[&head[..], &[3, 2, 0, 200]].concat()).await.unwrap();
                    }
                }
            });
            Self { address, config, _tasks: tasks }
        }

        async fn ask(&self, files: &TlsFiles, server_name: Option<&str>) -> Result<Response, String> {
            let stream = connect(&self.address, files, server_name, &Aside::new())
                .await
                .map_err(|error| error.to_string())?;
            let mut bus = TlsBus::attach(stream, files.clone());
            bus.call(1, Request::Read(Span::register(0))).await.map_err(|error| error.to_string())
        }
    }

    #[tokio::test]
    async fn with_the_right_certificates_on_both_sides_it_is_modbus_tcp() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let device = Device::start(&authority.issue(&folder, "127.0.0.1")).await;
        let agent = authority.issue(&folder, "agent");
        assert_eq!(device.ask(&agent, None).await, Ok(Response::Holding(vec![200])));
    }

    #[tokio::test]
    async fn a_device_of_another_authority_is_refused() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let device = Device::start(&Authority::new().issue(&folder, "127.0.0.1")).await;
        let agent = authority.issue(&folder, "agent");
        let told = device.ask(&agent, None).await.unwrap_err();
        assert!(told.starts_with("the device's certificate is not from a CA in /"), "{told}");
        assert!(told.contains("agent.ca"), "{told}");
    }

    #[tokio::test]
    async fn a_device_that_refuses_our_certificate_is_told_with_the_file() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let device = Device::start(&authority.issue(&folder, "127.0.0.1")).await;
        let stranger = TlsFiles {
            ca: folder.path().join("127.0.0.1.ca"),
            ..Authority::new().issue(&folder, "stranger")
        };
        let told = device.ask(&stranger, None).await.unwrap_err();
        assert!(told.starts_with("the device refuses us: "), "{told}");
        assert!(told.contains("stranger.pem"), "{told}");
    }

    #[tokio::test]
    async fn a_device_has_the_name_it_was_called_by() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let device = Device::start(&authority.issue(&folder, "cdu.example.org")).await;
        let agent = authority.issue(&folder, "agent");
        let told = device.ask(&agent, None).await.unwrap_err();
        assert!(told.starts_with("the device has another name: "), "{told}");
        let named = device.ask(&agent, Some("cdu.example.org")).await;
        assert_eq!(named, Ok(Response::Holding(vec![200])));
    }

    #[tokio::test]
    async fn renewed_certificates_are_used_at_the_next_connection() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let device = Device::start(&authority.issue(&folder, "127.0.0.1")).await;
        let agent = authority.issue(&folder, "agent");
        device.ask(&agent, None).await.unwrap();

        let successor = Authority::new();
        *device.config.lock().unwrap() = server(&successor.issue(&folder, "127.0.0.1"));
        device.ask(&agent, None).await.unwrap_err();
        assert_eq!(successor.issue(&folder, "agent"), agent);
        assert_eq!(device.ask(&agent, None).await, Ok(Response::Holding(vec![200])));
    }

    #[tokio::test]
    async fn each_unusable_file_is_named_with_its_mend() {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        let agent = authority.issue(&folder, "agent");
        let other = authority.issue(&folder, "other");
        let none = folder.path().join("none");
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        for (files, what, named, mend) in [
            (TlsFiles { ca: none.clone(), ..agent.clone() }, "the CA certificates", &none, "give a PEM file"),
            (
                TlsFiles { certificate: none.clone(), ..agent.clone() },
                "the certificate",
                &none,
                "give a PEM file",
            ),
            (TlsFiles { key: none.clone(), ..agent.clone() }, "the key", &none, "give a PEM file"),
            (
                TlsFiles { ca: empty.clone(), ..agent.clone() },
                "no certificate",
                &empty,
                "with the CA certificates",
            ),
            (TlsFiles { key: agent.ca.clone(), ..agent.clone() }, "the key", &agent.ca, "give a PEM file"),
            (
                TlsFiles { key: other.key.clone(), ..agent.clone() },
                "the certificate",
                &other.key,
                "give a pair",
            ),
        ] {
            let told =
                Material::read(&files).and_then(|material| material.config(&files)).unwrap_err().to_string();
            for words in [what, &*named.to_string_lossy(), mend] {
                assert!(told.contains(words), "`{words}` is missing in: {told}");
            }
        }
    }

    #[test]
    fn the_device_is_called_by_its_host_unless_named() {
        for (address, server_name, called) in [
            ("cdu.example.org:802", None, "cdu.example.org"),
            ("192.0.2.1:802", None, "192.0.2.1"),
            ("[2001:db8::1]:802", None, "2001:db8::1"),
            ("192.0.2.1:802", Some("cdu"), "cdu"),
        ] {
            assert_eq!(name_of(address, server_name).unwrap().to_str(), called);
        }
        assert!(name_of("a_b:802", Some("no name")).is_err());
    }
}
