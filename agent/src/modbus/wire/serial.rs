//! A serial port of this machine.

use std::io;
use std::path::Path;

use tokio_serial::{DataBits, ErrorKind, FlowControl, SerialPortBuilder, SerialStream};

use super::address::{LineSettings, Parity, StopBits};
use crate::aside::Aside;

/// Opens `path` for ourselves alone.
pub(super) async fn open(path: &Path, line: LineSettings, aside: &Aside) -> io::Result<SerialStream> {
    let what = format!("opening {}", path.display());
    let path = path.display().to_string();
    aside
        .run(&what, move || {
            SerialStream::open(&builder(&path, line)).map_err(|error| explained(&path, &error))
        })
        .await
}

fn builder(path: &str, line: LineSettings) -> SerialPortBuilder {
    tokio_serial::new(path, line.baud)
        .data_bits(DataBits::Eight)
        .parity(match line.parity {
            Parity::None => tokio_serial::Parity::None,
            Parity::Even => tokio_serial::Parity::Even,
            Parity::Odd => tokio_serial::Parity::Odd,
        })
        .stop_bits(match line.stop_bits {
            StopBits::One => tokio_serial::StopBits::One,
            StopBits::Two => tokio_serial::StopBits::Two,
        })
        .flow_control(FlowControl::None)
}

/// `error` with what to do about it.
fn explained(path: &str, error: &tokio_serial::Error) -> io::Error {
    let (kind, mend) = match error.kind() {
        // The library's word for a port that somebody else holds.
        ErrorKind::NoDevice => (io::ErrorKind::ResourceBusy, "another program has it: end that one"),
        ErrorKind::Io(kind @ io::ErrorKind::NotFound) => {
            (kind, "plug the adapter in, or write the port's present path")
        }
        ErrorKind::Io(kind @ io::ErrorKind::PermissionDenied) => {
            (kind, "put the service's user into the port's group, usually `dialout`")
        }
        ErrorKind::Io(kind) => (kind, "look at the kernel's log"),
        ErrorKind::InvalidInput | ErrorKind::Unknown => (
            io::ErrorKind::InvalidInput,
            "look whether it is a serial port and can be driven at these settings",
        ),
    };
    io::Error::new(kind, format!("cannot open {path}: {error}; {mend}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// The far end of a pseudo terminal, and the path of its near end.
    fn pseudo_terminal() -> (SerialStream, String) {
        let (far, near) = SerialStream::pair().unwrap();
        let path = tokio_serial::SerialPort::name(&near).unwrap();
        (far, path)
    }

    #[tokio::test]
    async fn a_port_passes_every_byte_as_it_is_at_any_rate() {
        for baud in [1_200, 19_200, 115_200, 250_000] {
            let (mut far, path) = pseudo_terminal();
            let line = LineSettings { baud, parity: Parity::None, ..Default::default() };
            let mut port = open(Path::new(&path), line, &Aside::new()).await.unwrap();
            let every: Vec<u8> = (0..=u8::MAX).collect();
            let mut heard = [0; 256];
            port.write_all(&every).await.unwrap();
            far.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, *every);
            far.write_all(&every).await.unwrap();
            port.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard, *every);
        }
    }

    #[tokio::test]
    async fn a_port_has_one_owner() {
        let (_far, path) = pseudo_terminal();
        let (line, aside) = (LineSettings::default(), Aside::new());
        let first = open(Path::new(&path), line, &aside).await.unwrap();
        let second = open(Path::new(&path), line, &aside).await.unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
        drop(first);
        open(Path::new(&path), line, &aside).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_that_is_none_is_told_with_its_mend() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        for (path, mend) in [(folder.path().join("none"), "plug the adapter in"), (file, "serial port")] {
            let error = open(&path, LineSettings::default(), &Aside::new()).await.unwrap_err().to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            assert!(error.contains(mend), "{error}");
        }
    }
}
