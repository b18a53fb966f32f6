//! `eisbach-sim certificates`: an authority, a server and clients of every role, for trying Modbus/TCP Security, and
//! clients of any name, for a broker that goes by names.
//!
//! ```text
//!   ca.pem ──signs──┬── server.pem    server.key      127.0.0.1, ::1, localhost
//!                   ├── operator.pem  operator.key    role "operator": reads and writes
//!                   ├── observer.pem  observer.key    role "observer": reads
//!                   ├── roleless.pem  roleless.key    no role: nothing
//!                   └── NAME.pem      NAME.key        one for each further name
//! ```
//!
//! The authority's own key is not kept. Not for a plant: whoever can read the folder is an operator.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};

/// File of the authority's certificate.
pub const AUTHORITY: &str = "ca.pem";
/// File of the server's certificate.
pub const SERVER: &str = "server.pem";
/// File of the server's key.
pub const SERVER_KEY: &str = "server.key";

/// The role extension of the Modbus/TCP Security protocol specification V2.1.
const ROLE: [u64; 9] = [1, 3, 6, 1, 4, 1, 50316, 802, 1];
/// The two roles as ASN.1 `UTF8String`: tag, length, text.
const OPERATOR: &[u8] = b"\x0C\x08operator";
const OBSERVER: &[u8] = b"\x0C\x08observer";

/// `eisbach-sim certificates`.
#[derive(Clone, Debug, clap::Args)]
pub struct CertificateArguments {
    /// Folder to write to; made if it is not there.
    dir: PathBuf,
    /// Names of further clients: letters, digits, `_` and `-`.
    #[arg(value_parser = name)]
    names: Vec<String>,
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Making one.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// Writing one.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes the files that the command line asks for.
///
/// # Errors
/// As [`write`].
pub fn run(arguments: &CertificateArguments) -> Result<(), CertificateError> {
    write(&arguments.dir, &arguments.names)
}

/// A name becomes a file's.
fn name(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, _ and - only".to_owned())
    }
}

/// Writes all files into `folder`, in the place of older ones; `names` are further clients.
///
/// # Errors
/// If a certificate cannot be made, or a file not be written.
pub fn write(folder: &Path, names: &[String]) -> Result<(), CertificateError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| CertificateError::Write { path: folder.to_owned(), source })?;
    let authority = CertifiedIssuer::self_signed(authority(), KeyPair::generate()?)?;
    save(&folder.join(AUTHORITY), &authority.pem())?;
    let of_every_role = [
        ("server", server()?),
        ("operator", client("operator", Some(OPERATOR))),
        ("observer", client("observer", Some(OBSERVER))),
        ("roleless", client("roleless", None)),
    ];
    let of_names = names.iter().map(|name| (name.as_str(), client(name, None)));
    for (name, parameters) in of_every_role.into_iter().chain(of_names) {
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &authority)?;
        save(&folder.join(name).with_extension("pem"), &certificate.pem())?;
        save(&folder.join(name).with_extension("key"), &key.serialize_pem())?;
    }
    Ok(())
}

fn authority() -> CertificateParams {
    let mut parameters = named("eisbach-sim test authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn server() -> Result<CertificateParams, rcgen::Error> {
    let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = named("eisbach-sim device").distinguished_name;
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(parameters)
}

fn client(name: &str, role: Option<&[u8]>) -> CertificateParams {
    let mut parameters = named(name);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.custom_extensions =
        role.map(|role| CustomExtension::from_oid_content(&ROLE, role.to_vec())).into_iter().collect();
    parameters
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

/// Keys are for their owner alone; certificates are treated no differently.
fn save(path: &Path, pem: &str) -> Result<(), CertificateError> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(path).and_then(|mut file| file.write_all(pem.as_bytes()));
    written.map_err(|source| CertificateError::Write { path: path.to_owned(), source })
}
