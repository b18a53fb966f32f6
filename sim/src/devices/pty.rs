//! A serial port without copper: a pair of pseudo terminals, one end ours, the other behind a symbolic link.
//!
//! ```text
//!   Pty::port  ◄──►  /dev/pts/N  ◄── symbolic link ◄── the master's configuration
//! ```
//!
//! Two things are other than on a real port, which is cleared by its last close, because ours is held open: bytes that
//! one master leaves unread wait for the next one, and a master that took the port for itself and was killed leaves it
//! refused to all but root.

use std::io;
use std::path::{Path, PathBuf};

use tokio_serial::{SerialPort as _, SerialStream};

/// Our end. Dropping it removes the link.
#[derive(Debug)]
pub(crate) struct Pty {
    ours: SerialStream,
    /// Because without any master on the far end our reads would fail.
    _held_open: SerialStream,
    link: PathBuf,
}

/// Why there is no serial port.
#[derive(Debug, thiserror::Error)]
pub enum PtyError {
    /// No pair.
    #[error("the system gives no pseudo terminal: {0}; is /dev/pts mounted?")]
    Pair(#[from] tokio_serial::Error),
    /// No name.
    #[error("the pseudo terminal has no path, so that no other process could open it")]
    Nameless,
    /// No link.
    #[error("cannot make the symbolic link {}: {source}", path.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Pty {
    /// A new pair in raw mode; `link` becomes a symbolic link to the far end and takes the place of an older link.
    ///
    /// # Errors
    /// If there is no pair to be had, or if something that is no link is in the way.
    pub(crate) fn open(link: &Path) -> Result<Self, PtyError> {
        let (ours, theirs) = SerialStream::pair()?;
        let device = theirs.name().ok_or(PtyError::Nameless)?;
        let failed = |source| PtyError::Link { path: link.to_owned(), source };
        if link.is_symlink() {
            std::fs::remove_file(link).map_err(failed)?;
        }
        std::os::unix::fs::symlink(device, link).map_err(failed)?;
        Ok(Self { ours, _held_open: theirs, link: link.to_owned() })
    }

    /// Our end, to read and write.
    pub(crate) const fn port(&mut self) -> &mut SerialStream {
        &mut self.ours
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _already_gone = std::fs::remove_file(&self.link);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;
    use tokio_serial::SerialPortBuilderExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn open(link: &Path) -> SerialStream {
        tokio_serial::new(link.to_str().unwrap(), 19_200).open_native_async().unwrap()
    }

    #[tokio::test]
    async fn the_link_opens_from_a_second_handle_and_again_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("serial");
        let mut pty = Pty::open(&link).unwrap();
        for byte in [1_u8, 0x0A, 0x0D, 0x13, 0xFF] {
            let mut far = open(&link);
            let mut read = [0; 2];
            far.write_all(&[byte, 0x03]).await.unwrap();
            timeout(PATIENCE, pty.port().read_exact(&mut read)).await.unwrap().unwrap();
            assert_eq!(read, [byte, 0x03], "raw: nothing is translated");
            pty.port().write_all(&[byte, 0x04]).await.unwrap();
            timeout(PATIENCE, far.read_exact(&mut read)).await.unwrap().unwrap();
            assert_eq!(read, [byte, 0x04], "and nothing is echoed");
        }
    }

    #[tokio::test]
    async fn a_link_is_replaced_and_removed_but_a_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("serial"), folder.path().join("file"));
        std::os::unix::fs::symlink("/nowhere", &link).unwrap();
        drop(Pty::open(&link).unwrap());
        assert!(!link.is_symlink());
        std::fs::write(&file, "kept").unwrap();
        assert!(matches!(Pty::open(&file), Err(PtyError::Link { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), b"kept");
    }
}
