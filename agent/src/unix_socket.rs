//! A Unix socket that takes the place of one that is left over, and of nothing else.
//!
//! ```text
//!   at the path: nothing ──────────────────► listen
//!                a socket, nobody answers ─► remove, listen      (left by an agent that was killed)
//!                a socket, somebody answers ─► refused           (another agent, or somebody else's)
//!                anything else ────────────► refused
//! ```

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use tokio::net::UnixListener;

/// Listens on `path`, for owner and group or, with `mode`, for whom that lets in.
///
/// # Errors
/// If something that is not ours is in the way, or the socket cannot be made.
pub fn listen(path: &Path, mode: Option<u32>) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something that is no socket is there"));
        }
        Ok(_) if UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody else answers there"));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    if let Some(mode) = mode {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_nobody_answers_is_replaced_and_all_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let first = listen(&path, Some(0o600)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(listen(&path, None).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(first);
        drop(listen(&path, None).unwrap());

        let file = folder.path().join("a.txt");
        std::fs::write(&file, "mine").unwrap();
        assert_eq!(listen(&file, None).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    }
}
