//! A real mosquitto on a free port.

use std::fs::Permissions;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::binaries::{Binary, binary};
use crate::process::Process;
use crate::wait::until;

/// The configuration that we give to operators.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/integration/mosquitto");

/// A running mosquitto.
#[derive(Debug)]
pub struct Mosquitto {
    folder: TempDir,
    port: u16,
    process: Process,
}

impl Mosquitto {
    /// Starts one.
    ///
    /// # Panics
    /// If mosquitto is not installed or does not come up.
    pub fn start() -> Self {
        let port = free_port();
        Self::configured(port, |_| {
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        })
    }

    /// Starts one as we ship it to operators, but for its paths and its port. The bearers of these names have
    /// certificates, and so has the server; see [`certificates`](Self::certificates).
    ///
    /// # Panics
    /// If mosquitto is not installed or does not come up.
    pub fn shipped(names: &[&str]) -> Self {
        let port = free_port();
        Self::configured(port, |folder| {
            let certificates = folder.join("certs");
            make_certificates(&certificates, names);
            let acl = folder.join("acl");
            std::fs::copy(Path::new(SHIPPED).join("acl"), &acl).expect("the shipped access list");
            open_to_all(&[&acl]);
            let text = std::fs::read_to_string(Path::new(SHIPPED).join("mosquitto.conf"));
            [
                ("listener 8883", format!("listener {port} 127.0.0.1")),
                ("/etc/mosquitto/certs", certificates.display().to_string()),
                ("/etc/mosquitto/acl", acl.display().to_string()),
                ("/var/lib/mosquitto/", format!("{}/", folder.display())),
            ]
            .iter()
            .fold(text.expect("the shipped configuration"), |text, (shipped, here)| {
                assert!(text.contains(shipped), "{shipped}");
                text.replace(shipped, here)
            })
        })
    }

    fn configured(port: u16, text: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder for mosquitto");
        let text = text(folder.path());
        std::fs::write(folder.path().join(CONFIG), text).expect("the folder can be written");
        // Started as root it gives up its rights before it reads anything.
        open_to_all(&[folder.path()]);
        let process = spawn(folder.path(), port);
        Self { folder, port, process }
    }

    /// Where the certificates are: `ca.pem`, and `NAME.pem` and `NAME.key` of each name.
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join("certs")
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Takes it away.
    pub fn stop(&mut self) {
        self.process.stop(Duration::from_secs(5));
    }

    /// Takes it away without a word to anybody.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Brings it back on the same port.
    pub fn start_again(&mut self) {
        self.process = spawn(self.folder.path(), self.port);
    }
}

/// Its configuration file within its folder.
const CONFIG: &str = "mosquitto.conf";

fn make_certificates(folder: &Path, names: &[&str]) {
    let made = Command::new(binary(Binary::Sim)).arg("certificates").arg(folder).args(names).status();
    assert!(made.expect("the simulator can be started").success());
    let files = std::fs::read_dir(folder).expect("a folder of certificates").flatten();
    let files: Vec<_> = files.map(|file| file.path()).collect();
    open_to_all(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
}

fn open_to_all(paths: &[&Path]) {
    for path in paths {
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("our own file");
    }
}

fn spawn(folder: &Path, port: u16) -> Process {
    let config = folder.join(CONFIG);
    let mut command = Command::new(mosquitto());
    command.arg("-c").arg(config);
    let process = Process::start("mosquitto", command, folder.join("mosquitto.log"));
    until(
        "mosquitto accepts connections",
        Duration::from_secs(10),
        || TcpStream::connect(("127.0.0.1", port)).is_ok(),
        |up| *up,
    );
    process
}

/// Debian puts it where only root's path looks.
fn mosquitto() -> PathBuf {
    let debian = Path::new("/usr/sbin/mosquitto");
    if debian.exists() { debian.to_owned() } else { "mosquitto".into() }
}

/// A port that nobody uses at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}
