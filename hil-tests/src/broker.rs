//! A real mosquitto on a free port.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::wait::until;

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
        let folder = tempfile::tempdir().expect("a folder for mosquitto");
        let port = free_port();
        let process = spawn(folder.path(), port);
        Self { folder, port, process }
    }

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
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

fn spawn(folder: &Path, port: u16) -> Process {
    let config = folder.join("mosquitto.conf");
    let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n");
    std::fs::write(&config, text).expect("the folder can be written");
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
