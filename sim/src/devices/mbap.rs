//! The Modbus TCP frame.
//!
//! ```text
//!   transaction u16 │ protocol u16 = 0 │ length u16 │ unit u8 │ PDU of length − 1 bytes, 253 at most
//! ```

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest PDU that the specification allows.
const MAX_PDU: u16 = 253;

/// One request as it came.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Chosen by the master, to be sent back.
    pub(super) transaction: u16,
    /// The device that is meant.
    pub(super) unit: u8,
    /// Function code and data, at least one byte.
    pub(super) pdu: Vec<u8>,
}

impl Frame {
    /// Read the next frame.
    ///
    /// # Errors
    /// Those of the stream, and `InvalidData` for a header that is not Modbus: after it the stream has lost its
    /// frame boundaries, so it has to be closed.
    pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Self> {
        let transaction = stream.read_u16().await?;
        let protocol = stream.read_u16().await?;
        let length = stream.read_u16().await?;
        let unit = stream.read_u8().await?;
        if protocol != 0 || !(2..=1 + MAX_PDU).contains(&length) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut pdu = vec![0; usize::from(length) - 1];
        stream.read_exact(&mut pdu).await?;
        Ok(Self { transaction, unit, pdu })
    }

    /// The answer to this frame, as bytes.
    pub(super) fn answer(&self, pdu: &[u8]) -> Vec<u8> {
        // No answer is longer than a PDU may be; `pdu.rs` proves it.
        let length = u16::try_from(pdu.len() + 1).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(7 + pdu.len());
        bytes.extend(self.transaction.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(length.to_be_bytes());
        bytes.push(self.unit);
        bytes.extend(pdu);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Frame, io::ErrorKind> {
        Frame::read(&mut bytes).await.map_err(|error| error.kind())
    }

    #[tokio::test]
    async fn a_frame_is_read_whole() {
        let frame = read(&[0x12, 0x34, 0, 0, 0, 6, 9, 3, 0, 1, 0, 2]).await.unwrap();
        assert_eq!(frame, Frame { transaction: 0x1234, unit: 9, pdu: vec![3, 0, 1, 0, 2] });
        assert_eq!(frame.answer(&[3, 2, 0, 7]), [0x12, 0x34, 0, 0, 0, 5, 9, 3, 2, 0, 7]);
    }

    #[tokio::test]
    async fn a_header_that_is_not_modbus_is_invalid() {
        assert_eq!(read(&[0, 1, 0, 9, 0, 2, 1, 3]).await, Err(io::ErrorKind::InvalidData), "protocol");
        assert_eq!(read(&[0, 1, 0, 0, 0, 1, 1]).await, Err(io::ErrorKind::InvalidData), "no PDU");
        assert_eq!(read(&[0, 1, 0, 0, 0, 255, 1]).await, Err(io::ErrorKind::InvalidData), "too long");
        assert_eq!(read(&[0, 1, 0, 0, 0, 6, 1, 3]).await, Err(io::ErrorKind::UnexpectedEof), "cut off");
    }
}
