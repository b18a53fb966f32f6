//! The server's end of the Unix socket. The newest connection wins; a client that does not read is dropped.
//!
//! ```text
//!   accept (supervisor, never waits) ──► is the peer allowed? ──► reader thread ──► Event::Frame, Event::Closed
//!                                              │
//!                                              └─ Connection::send: whole, at once, or the client is gone
//! ```

use std::fs;
use std::io::{self, Read};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use eisbach_protocol::gpu_link::{FRAME_LEN, Frame, FrameError};
use nix::sys::socket::{MsgFlags, getsockopt, send, sockopt};

use super::slot::Request;
use super::supervisor::{Asker, Event};

/// Owner and group may connect; the group is the agent's.
const MODE: u32 = 0o660;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the client closed it")]
    Closed,
    #[error("a newer client took its place")]
    Replaced,
    #[error("the client does not read what it is sent")]
    Stuck,
    #[error("malformed frame: {0}")]
    Malformed(FrameError),
    #[error("the client sent a frame that only the server may send")]
    WrongDirection,
    #[error("{0}")]
    Io(io::Error),
}

/// Waits for clients without ever blocking.
#[derive(Debug)]
pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
    allowed_uid: Option<u32>,
    turned_away: Option<u32>,
    accepted: u64,
}

impl Listener {
    /// Takes the path over from an earlier process. There is no lock to see whether that one still lives: wedged
    /// in the driver, it would hold the lock for ever and keep the next one from guarding the other GPUs.
    pub(super) fn bind(path: &Path, allowed_uid: Option<u32>) -> io::Result<Self> {
        if fs::symlink_metadata(path).is_ok_and(|stale| stale.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned(), allowed_uid, turned_away: None, accepted: 0 })
    }

    /// The next client that is allowed in, if one is waiting.
    pub(super) fn accept(&mut self, events: &SyncSender<Event>) -> Option<Connection> {
        let (stream, _) = self.listener.accept().ok()?;
        self.admit(&stream)?;
        self.accepted += 1;
        let id = self.accepted;
        match Connection::start(id, stream, events.clone()) {
            Ok(connection) => Some(connection),
            Err(error) => {
                tracing::warn!(%error, "client turned away: its reader cannot be started");
                None
            }
        }
    }

    fn admit(&mut self, stream: &UnixStream) -> Option<()> {
        let Some(allowed) = self.allowed_uid else { return Some(()) };
        let found = getsockopt(stream, sockopt::PeerCredentials).ok()?.uid();
        if found == allowed {
            return Some(());
        }
        if self.turned_away.replace(found) != Some(found) {
            tracing::warn!(uid = found, allowed, "client turned away: not the agent's user");
        }
        None
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Left behind, it would be removed by the next process.
        let _left_behind = fs::remove_file(&self.path);
    }
}

/// One client. Dropping it ends its reader.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: u64,
    stream: UnixStream,
    sequence: u32,
}

impl Connection {
    fn start(id: u64, stream: UnixStream, events: SyncSender<Event>) -> io::Result<Self> {
        let reader = stream.try_clone()?;
        std::thread::Builder::new().name(format!("client{id}")).spawn(move || {
            let ended = read_frames(id, reader, &events);
            let _gone = events.send(Event::Closed { connection: id, ended });
        })?;
        Ok(Self { id, stream, sequence: 0 })
    }

    /// Sends one frame without waiting. The kernel holds some hundred frames; a client behind by more is stuck.
    pub(super) fn send(&mut self, frame: &Frame) -> Result<(), Ended> {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = frame.encode(self.sequence);
        match send(self.stream.as_raw_fd(), &bytes, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Ok(FRAME_LEN) => Ok(()),
            Ok(_) | Err(nix::Error::EAGAIN) => Err(Ended::Stuck),
            Err(nix::Error::EPIPE | nix::Error::ECONNRESET) => Err(Ended::Closed),
            Err(error) => Err(Ended::Io(error.into())),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Already shut down by the peer, perhaps.
        let _closed = self.stream.shutdown(Shutdown::Both);
    }
}

fn read_frames(connection: u64, mut stream: UnixStream, events: &SyncSender<Event>) -> Ended {
    let mut bytes = [0; FRAME_LEN];
    loop {
        match stream.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ended::Closed,
            Err(error) => return Ended::Io(error),
        }
        let (sequence, frame) = match Frame::decode(&bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Ended::Malformed(error),
        };
        let event = match frame {
            Frame::Beat(beat) => Event::Beat { connection, beat },
            Frame::Throttle(throttle) => Event::Throttle(Request { connection, sequence, throttle }),
            Frame::Detach(detach) => Event::Detach { by: Asker { connection, sequence }, detach },
            Frame::Attach => Event::Attach { by: Asker { connection, sequence } },
            Frame::Hello(_)
            | Frame::Sample(_)
            | Frame::Outcome(_)
            | Frame::Event(_)
            | Frame::CallStat(_)
            | Frame::HandedOver(_) => return Ended::WrongDirection,
        };
        if events.send(event).is_err() {
            return Ended::Closed;
        }
    }
}
