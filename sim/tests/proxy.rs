//! `eisbach-sim proxy` and `eisbach-sim certificates` from outside.
#![expect(clippy::unwrap_used, reason = "this is test code; clippy knows only #[test] functions")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const SIM: &str = env!("CARGO_BIN_EXE_eisbach-sim");

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _ = self.0.wait();
    }
}

fn proxy(upstream: &TcpListener, more: &[&str]) -> (Running, Value) {
    let mut command = Command::new(SIM);
    command.args(["proxy", "--json", "--upstream", &upstream.local_addr().unwrap().to_string()]).args(more);
    let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Running(process), serde_json::from_str(&line).unwrap())
}

fn ask(socket: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(socket).unwrap();
    writeln!(stream, "{line}").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    answer.trim().to_owned()
}

#[test]
fn a_proxy_takes_faults_by_its_socket_and_ends_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let device = TcpListener::bind("127.0.0.1:0").unwrap();
    let more = ["--fault", "exception 6 times 1", "--control", socket.to_str().unwrap()];
    let (mut running, doors) = proxy(&device, &more);
    let mut master = TcpStream::connect(doors["listen"].as_str().unwrap()).unwrap();
    let request = [0, 1, 0, 0, 0, 6, 1, 3, 0, 29, 0, 1];
    master.write_all(&request).unwrap();
    let mut answer = [0; 9];
    master.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 1, 0, 0, 0, 3, 1, 0x83, 6]);
    assert_eq!(ask(&socket, "fault"), "none");

    assert_eq!(ask(&socket, "wrong-unit"), "ok");
    master.write_all(&request).unwrap();
    let (mut heard, mut request_there) = (device.accept().unwrap().0, [0; 12]);
    heard.read_exact(&mut request_there).unwrap();
    assert_eq!(request_there, request, "the first request did not come here");
    heard.write_all(&[0, 1, 0, 0, 0, 3, 1, 0x83, 2]).unwrap();
    master.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 1, 0, 0, 0, 3, 2, 0x83, 2]);

    kill(Pid::from_raw(running.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(running.0.wait().unwrap().success() && !socket.exists());
}

#[test]
fn a_proxy_gives_a_serial_port() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("serial");
    let device = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_running, doors) = proxy(&device, &["--pty", link.to_str().unwrap()]);
    assert_eq!(doors["listen"].as_str(), link.to_str());
    assert!(std::fs::OpenOptions::new().read(true).write(true).open(&link).is_ok());
}

#[test]
fn a_fault_that_cannot_be_is_refused_before_anything_starts() {
    for more in [["--fault", "echo"], ["--fault", "ecko"]] {
        let output =
            Command::new(SIM).args(["proxy", "--upstream", "127.0.0.1:1"]).args(more).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(String::from_utf8_lossy(&output.stderr).contains(more[1]));
    }
}

#[test]
fn certificates_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("new");
    assert!(Command::new(SIM).arg("certificates").arg(&dir).status().unwrap().success());
    let mut names: Vec<_> =
        dir.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let clients = ["observer", "operator", "roleless", "server"];
    let mut expected: Vec<_> =
        clients.iter().flat_map(|name| [format!("{name}.key"), format!("{name}.pem")]).collect();
    expected.insert(0, "ca.pem".to_owned());
    assert_eq!(names, expected);
    for name in names {
        assert_eq!(dir.join(&name).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}
